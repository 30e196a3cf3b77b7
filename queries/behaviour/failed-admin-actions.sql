--- report
-- id = "failed-admin-actions"
-- title = "Refused or failed administrative actions"
-- question = "Who tried administrative actions that failed, how often, and did a try succeed later?"
-- readers = "security operations; auditor"
-- kind = "detection"
-- tier = 2
-- grade = "A"
-- order = "last_time, actor_uid, action"
-- severity = "4 privilege or group activity with later_success; 3 failures >= 3 x min_failures; else 2."
-- answers = ["actor_label", "action", "failures", "later_success"]
-- limits = """
-- A row is a person and an administrative action that was refused to him, at least `min_failures` times, or once with
-- a success on the same target later. Rate limits and things that were not found are no refusals.
--
-- A refusal is the control at work. What counts is a refusal that was followed by success: somebody gained the right
-- in between, or found another way."""
--
-- [chart]
-- kind = "bar"
-- x = "action"
-- values = ["failures"]
--
-- [controls]
-- soc2 = ["CC6.1", "CC7.2"]
-- iso = ["A.8.15", "A.8.16"]
-- nist = ["AU-6", "AC-6(9)", "SI-4", "AC-6(10)"]
-- csf = ["DE.CM-03", "DE.AE-02"]
-- pci = ["10.2.1.4", "10.2.1.2", "10.4.1"]
-- hipaa = ["164.308(a)(5)(ii)(C)", "164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001,3004,3005,3006", elements = ["actor", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- min_failures = { type = "int", default = 3 }
-- window = { type = "duration", default = "P1D" }
-- refusal_codes = { type = "list<string>", default = "@refusal_codes" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- actor_uid = "string"
-- actor_label = "string"
-- action = "string"
-- failures = "bigint"
-- targets = "bigint"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- later_success = "timestamp"
-- status_details = "list<string>"
-- src_ips = "list<string>"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- A row is an actor and an activity, of refusals: rate limits, conflicts and things not found are none. The later success is
-- one that took effect (C7) on a target that had been refused, at the same ms too and at most $window after the refusal;
-- where nobody says what the target was, none is known.
--
with attempt as (
  select actor_uid, class_uid, activity_id, activity_key, time, target_uid, is_refused, is_effective, status_detail, src_ip
  from admin_event
  where time >= $from and time < $to
),
found as (
  select
    actor_uid, class_uid, activity_id, max(activity_key) as activity_key,
    count(*) as failures,
    count(distinct target_uid) as targets,
    min(time) as first_time,
    max(time) as last_time,
    array_agg(distinct status_detail order by status_detail) filter (where status_detail is not null) as status_details,
    array_agg(distinct src_ip order by src_ip) filter (where src_ip is not null) as src_ips
  from attempt
  where is_refused
  group by actor_uid, class_uid, activity_id
),
-- Of each success the latest refusal at or before it, of the same action on the same target.
followed as (
  select
    actor_uid, class_uid, activity_id, time, is_effective,
    max(case when is_refused then time end) over (
      partition by actor_uid, class_uid, activity_id, target_uid order by time
    ) as refused_time
  from attempt
  where target_uid is not null
),
succeeded as (
  select actor_uid, class_uid, activity_id, min(time) as later_success
  from followed
  where is_effective and refused_time >= time - $window
  group by actor_uid, class_uid, activity_id
)
select
  f.actor_uid, coalesce(i.label, f.actor_uid) as actor_label,
  c.class || ': ' || c.activity as action,
  f.failures, f.targets, f.first_time, f.last_time, s.later_success,
  coalesce(f.status_details, make_array()) as status_details, coalesce(f.src_ips, make_array()) as src_ips,
  case
    when f.class_uid in (3005, 3006) and s.later_success is not null then 4
    when f.failures >= 3 * $min_failures then 3
    else 2
  end as severity_id,
  finding_key('failed-admin-actions', f.actor_uid, f.class_uid * 100 + f.activity_key, f.first_time) as finding_key
from found f
join activity c on c.class_uid = f.class_uid and c.activity_key = f.activity_key
left join succeeded s
  on coalesce(s.actor_uid, '') = coalesce(f.actor_uid, '') and s.class_uid = f.class_uid
  and coalesce(s.activity_id, -1) = coalesce(f.activity_id, -1)
left join identity i on i.uid = f.actor_uid
where f.failures >= $min_failures or s.later_success is not null
order by f.last_time, f.actor_uid nulls last, action, f.activity_id nulls last
