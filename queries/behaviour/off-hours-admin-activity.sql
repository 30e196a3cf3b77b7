--- report
-- id = "off-hours-admin-activity"
-- title = "Administration outside business hours"
-- question = "Which administrative actions happened at night, at the weekend or on a holiday?"
-- readers = "security operations; internal audit"
-- kind = "detection"
-- tier = 1
-- grade = "A"
-- order = "local_date, actor_uid"
-- severity = "4 if privileged_changes > 0 and the actor had no off-hours action in the 28 days before; 3 privileged_changes > 0; else 2. reason: first of `weekend`, `holiday`, `before_start`, `after_end` that holds for the first action."
-- answers = ["actor_label", "local_date", "reason", "actions", "privileged_changes"]
-- limits = """
-- A row is a person and a local day with administrative actions at night, at the weekend or on a holiday. Hours and
-- zone are parameters; one zone is used for everybody, so people who work elsewhere look like night workers.
--
-- Machines are exempt. `privileged_changes` are what deserves a look first."""
--
-- [chart]
-- kind = "week"
-- x = "first_time"
--
-- [controls]
-- soc2 = ["CC7.2"]
-- iso = ["A.8.16", "A.8.2"]
-- nist = ["AC-2(12)", "AU-6", "AC-6(9)"]
-- csf = ["DE.CM-03", "DE.AE-02"]
-- pci = ["10.2.1.2", "10.4.1.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001,3004,3005,3006", elements = ["actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- tz = { type = "timezone", default = "UTC" }
-- business_start = { type = "time", default = "08:00" }
-- business_end = { type = "time", default = "18:00" }
-- weekend_off = { type = "boolean", default = true }
-- holidays = { type = "list<date>", default = [] }
-- exempt = { type = "list<string>", default = [] }
-- exempt_types = { type = "list<string>", default = "@machine_types" }
-- include_failed = { type = "boolean", default = false }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- actor_uid = "string"
-- actor_label = "string"
-- local_date = "date"
-- reason = "string"
-- actions = "bigint"
-- privileged_changes = "bigint"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- activities = "list<string>"
-- src_ips = "list<string>"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- A privileged change assigns or revokes a privilege, of a person or a group, or attaches or detaches a policy, and names a
-- privileged one. The 28 days are those before the first action of a row; earlier off-hours actions count under the same
-- parameters.
--
with action as (
  select
    e.actor_uid, e.local_date, e.time, e.event_uid, e.reason, e.src_ip, c.class || ': ' || c.activity as activity,
    e.privileged_names > 0 and (
      e.class_uid = 3005 and e.activity_id in (1, 2) or e.class_uid = 3001 and e.activity_id in (7, 8)
      or e.class_uid = 3006 and e.activity_id in (1, 2)
    ) as is_privileged_change
  from off_hours_event e
  join activity c on c.class_uid = e.class_uid and c.activity_key = e.activity_key
  where e.time >= $from - interval '28 days' and e.time < $to
    and (e.is_not_failed or $include_failed)
    and not coalesce(array_has($exempt, e.actor_uid), false)
    and not coalesce(array_has($exempt_types, e.actor_type), false)
),
followed as (
  select
    *,
    max(time) over (
      partition by actor_uid order by time groups between unbounded preceding and 1 preceding
    ) as previous_time
  from action
),
grouped as (
  select
    actor_uid, local_date,
    first_value(reason order by time, coalesce(event_uid, '')) as reason,
    count(*) as actions,
    count(*) filter (where is_privileged_change) as privileged_changes,
    min(time) as first_time,
    max(time) as last_time,
    array_agg(distinct activity order by activity) as activities,
    array_agg(distinct src_ip order by src_ip) filter (where src_ip is not null) as src_ips,
    min(previous_time) filter (where time = first_time) as previous_time
  from (
    select *, min(time) over (partition by actor_uid, local_date) as first_time from followed where time >= $from
  )
  group by actor_uid, local_date
)
select
  g.actor_uid, coalesce(i.label, g.actor_uid) as actor_label,
  g.local_date, g.reason, g.actions, g.privileged_changes, g.first_time, g.last_time, g.activities,
  coalesce(g.src_ips, make_array()) as src_ips,
  case
    when g.privileged_changes > 0 and coalesce(g.previous_time < g.first_time - interval '28 days', true) then 4
    when g.privileged_changes > 0 then 3
    else 2
  end as severity_id,
  finding_key('off-hours-admin-activity', g.actor_uid, g.local_date, g.first_time) as finding_key
from grouped g
left join identity i on i.uid = g.actor_uid
order by g.local_date, g.actor_uid nulls last
