--- report
-- id = "pci-10-2-1-coverage-matrix"
-- title = "PCI DSS 10.2.1 coverage matrix"
-- question = "For each event type that PCI DSS 10.2.1 names, do we hold records in the period, and what proves it?"
-- readers = "QSA; PCI programme owner"
-- kind = "periodic summary"
-- tier = 1
-- grade = "A"
-- order = "requirement (fixed order)"
-- severity = "3 not_in_source; 2 silent or complete_share < 0.95; else 1. Up to 3 smallest uids as examples."
-- chart = "bar (events per requirement)"
-- expectation = "any"
--
-- [controls]
-- soc2 = ["CC7.2"]
-- iso = ["A.8.15"]
-- nist = ["AU-2", "AU-12", "AU-3"]
-- csf = ["PR.PS-04"]
-- pci = ["10.2.1", "10.2.1.1", "10.2.1.2", "10.2.1.3", "10.2.1.4", "10.2.1.5", "10.2.1.6", "10.2.1.7", "10.2.2"]
-- hipaa = ["164.312(b)"]
-- gdpr = ["32(1)(d)"]
-- cis = ["8.2", "8.5"]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- requirement = "string"
-- topic = "string"
-- events = "bigint"
-- actors = "bigint"
-- failures = "bigint"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- complete_share = "double"
-- status = "string"
-- example_event_uids = "list<string>"
-- severity_id = "int"
---
--
-- An event counts for every requirement that it meets and once for 10.2.2. A gap of the log counts for 10.2.1.6, at its
-- beginning or that of the period. Events older than 90 days before the period do not make a requirement `silent`.
--
with judged as (
  select
    e.time, e.event_uid, e.actor_uid, e.status_id,
    e.has_who and e.has_what and e.has_when and e.has_outcome and e.has_origin and coalesce(e.has_object, true)
      as is_complete,
    e.class_uid = 3004 and e.activity_id = 2 as is_reading,
    e.is_admin or e.actor_user_type_id = 2 or s.subject_uid is not null as is_administrator,
    e.category = 'log_access' as is_log_access,
    e.status_id = 2 and (e.class_uid <> 3002 or e.activity_id = 1) as is_refused,
    e.class_uid = 3001 and e.activity_id between 1 and 12 or e.class_uid = 3005 and e.activity_id in (1, 2)
      or e.is_api_key as is_identity,
    e.category = 'log_config' as is_log_config,
    e.class_uid = 3004 and e.activity_id in (1, 4) or e.class_uid = 3006 and e.activity_id in (5, 6) as is_object
  from event_category e
  left join privileged_span s
    on s.subject_uid = e.actor_uid and s.since <= e.time and (s.until is null or e.time < s.until)
  where e.time >= $from - interval '90 days' and e.time < $to
),
counted as (
  select time, event_uid, actor_uid, status_id, is_complete, unnest(make_array(
    case when is_reading then 1 end, case when is_administrator then 2 end, case when is_log_access then 3 end,
    case when is_refused then 4 end, case when is_identity then 5 end, case when is_log_config then 6 end,
    case when is_object then 7 end,
    case when is_reading or is_administrator or is_log_access or is_refused or is_identity or is_log_config or is_object
      then 8 end
  )) as number
  from judged
  union all
  select greatest(gap_start, $from) as time, null, null, null, null, 6 as number
  from log_gap
),
summed as (
  select
    number,
    count(*) filter (where time >= $from) as events,
    count(distinct actor_uid) filter (where time >= $from) as actors,
    count(*) filter (where time >= $from and status_id = 2) as failures,
    min(time) filter (where time >= $from) as first_time,
    max(time) filter (where time >= $from) as last_time,
    avg(case when is_complete then 1.0 when not is_complete then 0.0 end) filter (where time >= $from)
      as complete_share,
    smallest(event_uid, 3) filter (where time >= $from) as uids
  from counted
  where number is not null
  group by number
),
stated as (
  select
    r.requirement, r.topic, s.*,
    case when s.events > 0 then 'evidenced' when s.events = 0 then 'silent' else 'not_in_source' end as status
  from (values
    (1, '10.2.1.1', 'individual access to data'), (2, '10.2.1.2', 'actions of administrators'),
    (3, '10.2.1.3', 'access to audit logs'), (4, '10.2.1.4', 'invalid access attempts'),
    (5, '10.2.1.5', 'changes to identities and credentials'), (6, '10.2.1.6', 'start, stop and pause of audit logs'),
    (7, '10.2.1.7', 'creation and deletion of system-level objects'), (8, '10.2.2', 'content of the records')
  ) as r(number, requirement, topic)
  left join summed s on s.number = r.number
)
select
  requirement, topic,
  coalesce(events, 0) as events, coalesce(actors, 0) as actors, coalesce(failures, 0) as failures,
  first_time, last_time, complete_share, status,
  coalesce(uids, make_array()) as example_event_uids,
  case
    when status = 'not_in_source' then 3
    when status = 'silent' or complete_share < 0.95 then 2
    else 1
  end as severity_id
from stated
order by requirement
