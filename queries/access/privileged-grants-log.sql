--- report
-- id = "privileged-grants-log"
-- title = "Privileged access granted and taken back"
-- question = "Who received or lost privileged access in the period, by whose hand, and is it still held?"
-- readers = "SOC 2 / ISO / SOX auditor; security owner"
-- kind = "evidence listing"
-- tier = 1
-- grade = "B"
-- order = "time, event_uid, privilege, resource_uid"
-- severity = "1 closing rows (also of one's own access); 2 opening rows of scope `resource`; 4 effective and self_grant; 3 other effective opening rows; 2 failed opening rows."
-- answers = ["time", "subject_label", "change", "privilege", "actor_label", "self_grant", "still_held"]
-- limits = """
-- A row is one privilege that was given or taken, with the time until it was taken back. Privileged is what the
-- pattern of names says; a role such as `admin` on a single resource is listed with `scope` `resource` and rated low.
--
-- `self_grant` marks people who gave something to themselves. `still_held` is the state at the end of the period and
-- not of today.
--
-- The approver is not in the log. Take the sample from here and ask for the approvals."""
--
-- [chart]
-- kind = "bar"
-- x = "time"
-- per = "day"
-- colour = "change"
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.3"]
-- iso = ["A.8.2", "A.5.18", "A.5.15"]
-- nist = ["AC-6", "AC-6(5)", "AC-6(9)", "AC-2(7)"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.2", "7.2.3", "10.2.1.2", "10.2.1.5"]
-- hipaa = ["164.308(a)(4)(ii)(B)", "164.308(a)(4)(ii)(C)"]
-- gdpr = ["32(1)(b)", "32(4)"]
-- cis = ["5.4", "6.1", "6.8"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3005", elements = ["subject", "privileges", "actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- privileged_group_pattern = { type = "regex", default = "@privileged_group_pattern" }
--
-- [columns]
-- time = "timestamp"
-- change = "string"
-- outcome = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- group_uid = "string"
-- privilege = "string"
-- resource_uid = "string"
-- scope = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- self_grant = "boolean"
-- src_ip = "string"
-- closed_time = "timestamp"
-- held_minutes = "double"
-- still_held = "boolean"
-- event_uid = "string"
-- severity_id = "int"
---
--
-- A row that opens a key belongs to the time in which the key was held from then on; when that ended, it was taken back.
-- Rows that opened nothing (closing, failed) have no such time, and those of a subject or group that nobody can name
-- count as still held: doubt leaves access visible.
--
with change as (
  select
    time, event_uid, outcome, effect, is_effective, subject_uid, cast(null as varchar) as group_key, privilege,
    resource_uid, scope,
    case privilege_source when 'policy' then case effect when 'open' then 'policy_attach' else 'policy_detach' end
      else case effect when 'open' then 'grant' else 'revoke' end end as change,
    'access' as ledger, subject_uid as holder, privilege as item, resource_uid as resource_key,
    privilege_source as source_key, actor_uid, src_ip
  from access_fact
  where time >= $from and matches
  union all
  select
    time, event_uid, outcome, effect, is_effective, cast(null as varchar) as subject_uid, group_key, privilege,
    resource_uid, scope,
    case effect when 'open' then 'group_grant' else 'group_revoke' end as change,
    'group_privilege' as ledger, group_key as holder, privilege as item, resource_uid as resource_key,
    '' as source_key, actor_uid, src_ip
  from group_fact
  where kind = 'privilege' and time >= $from and matches
  union all
  select
    time, event_uid, outcome, case activity_key when 3 then 'open' else 'close' end as effect, is_effective,
    subject_uid, group_key, cast(null as varchar) as privilege, cast(null as varchar) as resource_uid, null as scope,
    case activity_key when 3 then 'group_join' else 'group_leave' end as change,
    'member' as ledger, group_key as holder, subject_uid as item, '' as resource_key, '' as source_key, actor_uid, src_ip
  from group_change
  where activity_key in (3, 4) and time >= $from and is_privileged_group
),
held as (
  select
    ledger, holder, item, coalesce(resource_uid, '') as resource_key, coalesce(source, '') as source_key,
    opened_time, closed_time
  from ledger
),
followed as (
  select c.*, h.closed_time, c.effect = 'open' and c.is_effective as is_opening
  from change c
  left join held h
    on h.ledger = c.ledger and h.holder = c.holder and h.item = c.item and h.resource_key = c.resource_key
    and h.source_key = c.source_key and c.effect = 'open' and c.is_effective
    and c.time >= h.opened_time and (h.closed_time is null or c.time < h.closed_time)
)
select
  f.time, f.change, f.outcome,
  f.subject_uid, coalesce(s.label, f.subject_uid) as subject_label,
  f.group_key as group_uid, f.privilege, f.resource_uid, f.scope,
  f.actor_uid, coalesce(a.label, f.actor_uid) as actor_label,
  coalesce(f.subject_uid = f.actor_uid, false) as self_grant,
  f.src_ip,
  f.closed_time,
  case when f.is_opening then (cast(coalesce(f.closed_time, $to) as bigint) - cast(f.time as bigint)) / 1000 / 60000.0 end
    as held_minutes,
  case when f.is_opening then f.closed_time is null end as still_held,
  f.event_uid,
  case
    when f.effect = 'close' then 1
    when f.scope = 'resource' then 2
    when f.is_opening and f.subject_uid = f.actor_uid then 4
    when f.is_opening then 3
    else 2
  end as severity_id
from followed f
left join identity s on s.uid = f.subject_uid
left join identity a on a.uid = f.actor_uid
order by f.time, f.event_uid nulls last, f.privilege nulls last, f.resource_uid nulls last, f.subject_uid nulls last
