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
-- chart = "bar (failures by action)"
-- expectation = "no rows"
--
-- [controls]
-- soc2 = ["CC6.1", "CC7.2"]
-- iso = ["A.8.15", "A.8.16"]
-- nist = ["AU-6", "AC-6(9)", "SI-4"]
-- csf = ["DE.CM-03", "DE.AE-02"]
-- pci = ["10.2.1.4", "10.2.1.2", "10.4.1"]
-- hipaa = ["164.308(a)(5)(ii)(C)", "164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(d)"]
-- cis = ["8.11"]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- min_failures = { type = "int", default = 3 }
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
-- A row is an actor and an activity. The later success is one that took effect (C7) at or after the first failure, at the
-- same ms too.
--
with attempt as (
  select
    *,
    min(case when status_id = 2 then time end) over (partition by actor_uid, class_uid, activity_id) as first_failure
  from (
    select
      *, coalesce(subject_uid, entity_uid, entity_result_uid, entity_name, group_key) as target
    from admin_event
    where time >= $from and time < $to
  )
),
found as (
  select
    actor_uid, class_uid, activity_id, max(activity_key) as activity_key,
    count(*) filter (where status_id = 2) as failures,
    count(distinct case when status_id = 2 then target end) as targets,
    min(first_failure) as first_time,
    max(time) filter (where status_id = 2) as last_time,
    min(time) filter (where is_effective and time >= first_failure) as later_success,
    array_agg(distinct status_detail order by status_detail) filter (where status_id = 2 and status_detail is not null)
      as status_details,
    array_agg(distinct src_ip order by src_ip) filter (where status_id = 2 and src_ip is not null) as src_ips
  from attempt
  where first_failure is not null
  group by actor_uid, class_uid, activity_id
)
select
  f.actor_uid, coalesce(i.label, f.actor_uid) as actor_label,
  c.class || ': ' || c.activity as action,
  f.failures, f.targets, f.first_time, f.last_time, f.later_success,
  coalesce(f.status_details, make_array()) as status_details, coalesce(f.src_ips, make_array()) as src_ips,
  case
    when f.class_uid in (3005, 3006) and f.later_success is not null then 4
    when f.failures >= 3 * $min_failures then 3
    else 2
  end as severity_id,
  concat(
    'failed-admin-actions|', f.actor_uid, '|', f.class_uid * 100 + f.activity_key, '|',
    cast(f.first_time as bigint) / 1000
  ) as finding_key
from found f
join activity c on c.class_uid = f.class_uid and c.activity_key = f.activity_key
left join identity i on i.uid = f.actor_uid
where f.failures >= $min_failures or f.later_success is not null
order by f.last_time, f.actor_uid nulls last, action, f.activity_id nulls last
