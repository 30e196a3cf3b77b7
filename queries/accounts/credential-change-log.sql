--- report
-- id = "credential-change-log"
-- title = "Password changes and resets"
-- question = "Which passwords were changed or reset, by the owner or by somebody else, and what happened next?"
-- readers = "help desk lead; auditor"
-- kind = "evidence listing"
-- tier = 2
-- grade = "B"
-- order = "time, event_uid"
-- severity = "4 effective reset by other and next_ip_new; 3 resets_7d >= 3; 2 by other or failed change; else 1."
-- answers = ["time", "subject_label", "action", "by", "actor_label", "next_ip_new", "outcome"]
-- limits = """
-- A row is a password that was changed by its owner or reset, whatever came of it. `by` says whose hand it was:
-- `self`, `other`, or `unknown` where the event names nobody.
--
-- `next_logon_time` and `next_logon_ip` are the first successful logon of the account within `follow_window`. A reset
-- by somebody else that is followed by a logon from an address that the account had not used for 90 days is how a
-- take-over through the help desk looks, so it is marked for attention; most of them are people with a new device.
--
-- Passwords that an identity provider keeps are changed there and do not appear in this log."""
--
-- [chart]
-- kind = "bar"
-- x = "time"
-- per = "day"
-- colour = "action"
--
-- [controls]
-- soc2 = ["CC6.1"]
-- iso = ["A.5.17", "A.8.5"]
-- nist = ["IA-5", "IA-5(1)", "AC-2(4)"]
-- csf = ["PR.AA-01", "PR.AA-03"]
-- pci = ["8.3.3", "8.3.9", "10.2.1.5"]
-- hipaa = ["164.308(a)(5)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = []
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001/3,4", elements = ["subject", "actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- follow_window = { type = "duration", default = "P1D" }
--
-- [columns]
-- time = "timestamp"
-- action = "string"
-- outcome = "string"
-- by = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- src_ip = "string"
-- resets_7d = "bigint"
-- next_logon_time = "timestamp"
-- next_logon_ip = "string"
-- next_ip_new = "boolean"
-- event_uid = "string"
-- severity_id = "int"
---
with change as (
  select
    time, event_uid, action, outcome, subject_uid, actor_uid, src_ip,
    row_number() over (order by time, coalesce(event_uid, ''), subject_uid, actor_uid, action, outcome, src_ip) as id
  from account_action
  where action in ('password_change', 'password_reset') and time >= $from and time < $to
),
counted as (
  select c.id, count(*) as resets
  from change c
  join account_action r
    on r.subject_uid = c.subject_uid and r.time > c.time - interval '7 days' and r.time <= c.time
  where r.action = 'password_reset' and r.outcome <> 'failure'
  group by c.id
),
arrival as (
  select time, event_uid, subject_uid, src_ip
  from logon
  where outcome = 'success' and subject_uid is not null and time >= $from - interval '90 days'
),
followed as (
  select
    c.id, c.subject_uid, c.time,
    min(l.time) as next_logon_time,
    first_value(l.src_ip order by l.time, coalesce(l.event_uid, '')) as next_logon_ip
  from change c
  join arrival l
    on l.subject_uid = c.subject_uid and l.time <= c.time + $follow_window
    and (l.time > c.time or l.time = c.time and coalesce(l.event_uid, '') > coalesce(c.event_uid, ''))
  group by c.id, c.subject_uid, c.time
),
known as (
  select distinct f.id
  from followed f
  join arrival l
    on l.subject_uid = f.subject_uid and l.src_ip = f.next_logon_ip
    and l.time >= f.time - interval '90 days' and l.time < f.time
),
listed as (
  select
    c.id, c.time, case c.action when 'password_change' then 'change' else 'reset' end as action, c.outcome,
    case when c.actor_uid is null then 'unknown' when c.actor_uid = c.subject_uid then 'self' else 'other' end as by,
    c.subject_uid, c.actor_uid, c.src_ip, coalesce(r.resets, 0) as resets_7d,
    f.next_logon_time, f.next_logon_ip, case when f.next_logon_ip is not null then k.id is null end as next_ip_new, c.event_uid
  from change c
  left join counted r on r.id = c.id
  left join followed f on f.id = c.id
  left join known k on k.id = c.id
)
select
  l.time, l.action, l.outcome, l.by, l.subject_uid, coalesce(s.label, l.subject_uid) as subject_label,
  l.actor_uid, coalesce(a.label, l.actor_uid) as actor_label, l.src_ip, l.resets_7d,
  l.next_logon_time, l.next_logon_ip, l.next_ip_new, l.event_uid,
  case
    when l.action = 'reset' and l.outcome <> 'failure' and l.by = 'other' and l.next_ip_new then 4
    when l.resets_7d >= 3 then 3
    when l.by = 'other' or l.action = 'change' and l.outcome = 'failure' then 2
    else 1
  end as severity_id
from listed l
left join identity s on s.uid = l.subject_uid
left join identity a on a.uid = l.actor_uid
order by l.time, l.event_uid nulls last
