--- report
-- id = "user-provisioning-log"
-- title = "Accounts created"
-- question = "Which accounts were created in the period, by whom, from where, and how soon did each receive its first (privileged) access?"
-- readers = "SOC 2 / ISO auditor sampling joiners; identity administrator"
-- kind = "evidence listing"
-- tier = 1
-- grade = "B"
-- order = "time, event_uid"
-- severity = "3 if effective and (actor unknown or `privileged_within`); 2 if effective, automation_actors is not empty and the actor is not in it; else 1."
-- answers = ["time", "subject_label", "actor_label", "outcome", "privileged_within", "first_grant", "mfa_enabled_time"]
-- limits = """
-- A row is an account that was created in the period, whatever came of it. `first_grant` and `minutes_to_first_grant`
-- say what the account was given first and how soon; `privileged_within` says whether privileged access was among what
-- it was given within `early_window`.
--
-- The list is complete for what the log holds: take your sample from it, and compare it with the joiners that
-- personnel knows. Accounts that were made before the log begins, or at an identity provider without an event here,
-- are not in it.
--
-- The log names who created an account and not who approved it. That stands in the ticket."""
--
-- [chart]
-- kind = "bar"
-- x = "time"
-- per = "day"
-- colour = "outcome"
--
-- [controls]
-- soc2 = ["CC6.2", "CC6.3"]
-- iso = ["A.5.16", "A.5.18"]
-- nist = ["AC-2", "AC-2(4)", "IA-4"]
-- csf = ["PR.AA-01", "PR.AA-05"]
-- pci = ["8.2.4", "7.2.2", "7.2.3", "10.2.1.5"]
-- hipaa = ["164.308(a)(3)(ii)(A)", "164.308(a)(4)(ii)(C)", "164.312(a)(2)(i)"]
-- gdpr = ["32(1)(b)", "32(4)"]
-- cis = ["5.1", "6.1"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001", elements = ["subject", "actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- early_window = { type = "duration", default = "P1D" }
-- automation_actors = { type = "list<string>", default = [] }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- time = "timestamp"
-- outcome = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- user_type = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- src_ip = "string"
-- first_grant_time = "timestamp"
-- first_grant = "list<string>"
-- minutes_to_first_grant = "double"
-- privileged_within = "boolean"
-- mfa_enabled_time = "timestamp"
-- event_uid = "string"
-- severity_id = "int"
---
--
-- What is worked out for an account depends only on who and when it was created, so it is worked out once for each
-- (subject, creation) and joined back to the events. An account's deletion ends what counts for its creation: at the same
-- ms a delete stands before a create (C13) and before a grant (C14).
--
with created as (
  select distinct subject_uid, time as created_time
  from account_action
  where action = 'create' and time >= $from and time < $to and subject_uid is not null
),
life as (
  select c.subject_uid, c.created_time, min(d.time) as deleted_time
  from created c
  left join account_action d
    on d.subject_uid = c.subject_uid and d.time > c.created_time and d.action = 'delete' and d.is_effective
  group by c.subject_uid, c.created_time
),
opened as (
  select subject_uid, time, privilege as name, is_privileged
  from access_fact
  where effect = 'open' and is_effective and time >= $from and time < $to
  union all
  select subject_uid, time, 'group:' || group_key as name, false as is_privileged
  from group_fact
  where kind = 'member' and effect = 'open' and is_effective and group_key is not null and time >= $from and time < $to
),
given as (
  select
    l.subject_uid, l.created_time, o.time, o.name, o.is_privileged,
    min(o.time) over (partition by l.subject_uid, l.created_time) as first_time
  from life l
  join opened o
    on o.subject_uid = l.subject_uid and o.time >= l.created_time
    and (l.deleted_time is null or o.time < l.deleted_time)
),
access as (
  select
    subject_uid, created_time,
    min(first_time) as first_grant_time,
    array_agg(distinct name order by name) filter (where time = first_time and name is not null) as first_grant,
    bool_or(is_privileged and time < created_time + $early_window) as privileged_within
  from given
  group by subject_uid, created_time
),
second_factor as (
  select c.subject_uid, c.created_time, min(m.time) as mfa_enabled_time
  from created c
  join account_action m
    on m.subject_uid = c.subject_uid and m.time >= c.created_time and m.time < $to
    and m.action = 'mfa_enable' and m.is_effective
  group by c.subject_uid, c.created_time
),
listed as (
  select
    e.time, e.outcome, e.is_effective, e.subject_uid, e.actor_uid, e.src_ip, e.event_uid,
    a.first_grant_time, a.first_grant, coalesce(a.privileged_within, false) as privileged_within,
    m.mfa_enabled_time
  from account_action e
  left join access a on a.subject_uid = e.subject_uid and a.created_time = e.time
  left join second_factor m on m.subject_uid = e.subject_uid and m.created_time = e.time
  where e.action = 'create' and e.time >= $from and e.time < $to
)
select
  l.time, l.outcome,
  l.subject_uid, coalesce(s.label, l.subject_uid) as subject_label, coalesce(s.user_type, 'Unknown') as user_type,
  l.actor_uid, coalesce(a.label, l.actor_uid) as actor_label,
  l.src_ip,
  l.first_grant_time, l.first_grant,
  (cast(l.first_grant_time as bigint) - cast(l.time as bigint)) / 1000 / 60000.0 as minutes_to_first_grant,
  l.privileged_within,
  l.mfa_enabled_time, l.event_uid,
  case
    when l.is_effective and (l.actor_uid is null or l.privileged_within) then 3
    when l.is_effective and cardinality($automation_actors) > 0 and not array_has($automation_actors, l.actor_uid) then 2
    else 1
  end as severity_id
from listed l
left join identity s on s.uid = l.subject_uid
left join identity a on a.uid = l.actor_uid
order by l.time, l.event_uid nulls last
