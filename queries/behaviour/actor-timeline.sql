--- report
-- id = "actor-timeline"
-- title = "Timeline of one actor (investigation evidence)"
-- question = "What did this person, service account, address or session do, in order?"
-- readers = "incident responder; legal; auditor"
-- kind = "evidence listing"
-- tier = 1
-- grade = "A"
-- order = "time, event_uid"
-- severity = "severity_id of the event itself (null as 0)."
-- answers = ["time", "actor_label", "activity", "detail", "outcome"]
-- limits = """
-- A row is one event that a person, an address, a session or a resource has to do with, in order. `gap_seconds` and
-- `burst_id` show pauses; `ip_new` marks addresses that had not been seen for the subject in the 90 days before.
--
-- It is for reconstructing what happened, and it says nothing about why. What is not in the audit log of this source,
-- such as reading or using a product, is not here."""
-- any_of = ["subject", "ip", "session", "entity"]
--
-- [chart]
-- kind = "line"
-- x = "time"
-- per = "hour"
-- colour = "class"
--
-- [controls]
-- soc2 = ["CC7.3", "CC7.4"]
-- iso = ["A.5.28", "A.8.15", "A.5.25"]
-- nist = ["AU-7", "AU-7(1)", "AU-3", "IR-4", "AU-6"]
-- csf = ["RS.AN-03", "RS.AN-06", "RS.AN-07", "DE.AE-03"]
-- pci = ["10.2.2", "12.10.5"]
-- hipaa = ["164.308(a)(6)(ii)", "164.312(b)"]
-- gdpr = ["33(3)", "33(5)"]
-- cis = ["8.5"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001,3002,3004,3005,3006", elements = ["actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- subject = { type = "string", default = "" }
-- ip = { type = "string", default = "" }
-- session = { type = "string", default = "" }
-- entity = { type = "string", default = "" }
-- tz = { type = "timezone", default = "UTC" }
-- burst_gap = { type = "duration", default = "PT30M" }
-- include_raw = { type = "boolean", default = false }
--
-- [columns]
-- seq = "bigint"
-- time = "timestamp"
-- local_time = "string"
-- gap_seconds = "double"
-- burst_id = "bigint"
-- role = "string"
-- class = "string"
-- activity = "string"
-- outcome = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- detail = "string"
-- src_ip = "string"
-- country = "string"
-- ip_new = "boolean"
-- user_agent = "string"
-- http_method = "string"
-- path = "string"
-- session_uid = "string"
-- event_uid = "string"
-- raw = "string"
-- severity_id = "int"
---
--
-- Selectors narrow each other. `subject` is a uid, an e-mail address or `domain\name` in any case, or `app:<uid>`; it finds
-- everybody whom C5 resolves to it and whom a user object with that uid, address or name belongs to. `entity` is the uid or name of an entity, group
-- or subgroup, or a segment of the path. An address is new when no event found by the same selectors has it before, from 90
-- days before the period on. Events with no event_uid come first at their time (C4).
--
with alias as (
  select trim($subject) as uid
  where trim($subject) <> ''
  union
  select uid
  from person
  where lower(email) = lower(trim($subject)) or qualified = lower(trim($subject))
),
found as (
  select
    e.*, e.raw,
    case
      when a.uid is not null and s.uid is not null then 'both'
      when a.uid is not null then 'actor'
      when s.uid is not null then 'subject'
    end as role,
    nullif(concat_ws(
      ', ', nullif(array_to_string(e.privileges, ', '), ''), coalesce(e.group_name, e.group_key),
      coalesce(e.entity_name, e.entity_uid, e.entity_result_uid), nullif(array_to_string(e.policies, ', '), '')
    ), '') as detail
  from event e
  left join alias a on a.uid = e.actor_uid
  left join alias s on s.uid = e.subject_uid
  where e.time >= $from - interval '90 days' and e.time < $to
    and (trim($subject) = '' or a.uid is not null or s.uid is not null)
    and (trim($ip) = '' or e.src_ip = trim($ip))
    and (trim($session) = '' or e.session_uid = trim($session))
    and (
      trim($entity) = '' or e.entity_uid = trim($entity) or e.entity_result_uid = trim($entity)
      or e.entity_name = trim($entity) or e.group_key = trim($entity) or e.group_name = trim($entity)
      or e.subgroup_key = trim($entity) or array_has(string_to_array(e.path, '/'), trim($entity))
    )
),
sorted as (
  select
    *,
    row_number() over (
      partition by src_ip order by time, coalesce(event_uid, ''), class_uid, activity_id, actor_uid, subject_uid, detail
    ) as nth_of_ip
  from found
),
numbered as (
  select *, row_number() over in_order as seq, lag(time) over in_order as previous_time
  from sorted
  where time >= $from
  window in_order as (
    order by time, coalesce(event_uid, ''), class_uid, activity_id, actor_uid, subject_uid, detail
  )
)
select
  n.seq, n.time,
  to_char(n.time at time zone $tz, '%Y-%m-%dT%H:%M:%S%.3f%:z') as local_time,
  (cast(n.time as bigint) - cast(n.previous_time as bigint)) / 1000000.0 as gap_seconds,
  1 + sum(case when n.time > n.previous_time + $burst_gap then 1 else 0 end) over (
    order by n.seq rows between unbounded preceding and current row
  ) as burst_id,
  n.role, c.class, c.activity, n.outcome,
  n.actor_uid, coalesce(a.label, n.actor_uid) as actor_label,
  n.subject_uid, coalesce(s.label, n.subject_uid) as subject_label,
  n.detail, n.src_ip, n.country,
  n.src_ip is not null and n.nth_of_ip = 1 as ip_new,
  n.user_agent, n.http_method, n.path, n.session_uid,
  n.event_uid,
  case when $include_raw then n.raw end as raw,
  coalesce(n.severity_id, 0) as severity_id
from numbered n
join activity c on c.class_uid = n.class_uid and c.activity_key = n.activity_key
left join identity a on a.uid = n.actor_uid
left join identity s on s.uid = n.subject_uid
order by n.seq
