--- report
-- id = "pci-10-2-1-coverage-matrix"
-- title = "PCI DSS 10.2.1 coverage matrix"
-- question = "For each event type that PCI DSS 10.2.1 names, do we hold records in the period, and what proves it?"
-- readers = "QSA; PCI programme owner"
-- kind = "periodic summary"
-- tier = 1
-- grade = "A"
-- order = "requirement (fixed order)"
-- severity = "3 not_in_source; 2 silent or incomplete; else 1. Up to 3 smallest uids as examples."
-- answers = ["requirement", "topic", "status", "events", "failures", "complete_share"]
-- limits = """
-- A row is a requirement of PCI DSS 10.2.1 with the events that meet it. `not_in_source` means that no such event was
-- ever seen: for an administrative log this is to be expected of access to cardholder data, which this source knows
-- nothing about.
--
-- `incomplete` means that the events lack elements of 10.2.2. The report shows what is logged; whether that is all
-- that should be logged is a question about your systems."""
--
-- [chart]
-- kind = "bar"
-- x = "requirement"
-- values = ["events"]
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
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
-- cardholder_kinds = { type = "list<string>", default = [] }
-- system_kinds = { type = "list<string>", default = "@system_kinds" }
-- min_complete = { type = "double", default = 0.95 }
-- refusal_codes = { type = "list<string>", default = "@refusal_codes" }
-- patterns = { type = "map<string,regex>", default = "@patterns" }
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
-- An event counts for every requirement that it meets and once for 10.2.2. Gaps of the log are no evidence of anything. All
-- events before the period are looked at: a requirement that was met once, however long ago, is `silent`.
--
with judged as (
  select
    e.time, e.event_uid, e.actor_uid, e.status_id,
    e.has_who and coalesce(e.has_subject, true) and e.has_what and e.has_when and e.has_outcome and e.has_origin
      and coalesce(e.has_object, true) as is_complete,
    e.class_uid = 3004 and e.activity_id = 2 and array_has($cardholder_kinds, e.entity_kind) as is_reading,
    e.is_admin or e.is_administrator
      or e.class_uid = 3002 and e.activity_id = 1 and e.is_successful and i.user_type in ('Service', 'System')
      as is_administrator,
    e.category = 'log_access' as is_log_access,
    case when e.class_uid = 3002 then e.activity_id = 1 and e.status_id = 2 else e.is_refused end as is_refused,
    e.class_uid = 3001 and e.activity_id between 1 and 12 or e.class_uid = 3005 and e.activity_id in (1, 2)
      or e.class_uid = 3006 and e.activity_id in (1, 3)
      or e.is_api_key and (e.activity_id is distinct from 2) as is_identity,
    e.category = 'log_config' as is_log_config,
    e.class_uid = 3006 and e.activity_id in (5, 6) or e.class_uid = 3004 and e.activity_id in (1, 4)
      and (e.is_api_key or coalesce(array_has($system_kinds, e.entity_kind), false) or e.category is not null) as is_object
  from event_authority e
  left join identity i on i.uid = case when e.class_uid = 3002 then e.subject_uid end
  where e.time < $to
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
),
summed as (
  select
    number,
    count(*) filter (where time >= $from) as events,
    count(distinct actor_uid) filter (where time >= $from) as actors,
    count(*) filter (where time >= $from and status_id = 2) as failures,
    min(time) filter (where time >= $from) as first_time,
    max(time) filter (where time >= $from) as last_time,
    avg(case when is_complete then 1.0 else 0.0 end) filter (where time >= $from) as complete_share,
    smallest(event_uid, 3) filter (where time >= $from) as uids
  from counted
  where number is not null
  group by number
),
stated as (
  select
    r.requirement, r.topic, s.*,
    case
      when s.events > 0 and s.complete_share >= $min_complete then 'evidenced'
      when s.events > 0 then 'incomplete'
      when s.events = 0 then 'silent'
      else 'not_in_source'
    end as status
  from (values
    (1, '10.2.1.1', 'individual access to cardholder data'),
    (2, '10.2.1.2', 'actions of administrators, and interactive use of application and system accounts'),
    (3, '10.2.1.3', 'access to audit logs'), (4, '10.2.1.4', 'invalid logical access attempts'),
    (5, '10.2.1.5', 'changes to identities, credentials and elevation of privileges'),
    (6, '10.2.1.6', 'start, stop, pause of logs'), (7, '10.2.1.7', 'creation and deletion of system-level objects'),
    (8, '10.2.2', 'content of the records')
  ) as r(number, requirement, topic)
  left join summed s on s.number = r.number
)
select
  requirement, topic,
  coalesce(events, 0) as events, coalesce(actors, 0) as actors, coalesce(failures, 0) as failures,
  first_time, last_time, complete_share, status,
  coalesce(uids, make_array()) as example_event_uids,
  case status when 'not_in_source' then 3 when 'evidenced' then 1 else 2 end as severity_id
from stated
order by requirement
