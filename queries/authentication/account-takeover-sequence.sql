--- report
-- id = "account-takeover-sequence"
-- title = "Account take-over in stages"
-- question = "Did a credential event, a logon from a strange address and an escalation follow each other for one account?"
-- readers = "incident responder"
-- kind = "detection"
-- tier = 3
-- grade = "B"
-- order = "logon_time, subject_uid"
-- severity = "5 three stages; 3 two stages without MFA on the logon; 2 two stages with MFA."
-- answers = ["subject_label", "stages", "credential_event", "logon_ip", "escalation_event", "escalation_time"]
-- limits = """
-- A row is a logon from an address that the account had not used for 90 days, shortly after something had happened to
-- its credentials: a password changed or reset, a second factor removed, or a burst of failed logons. With three
-- `stages` the account was then used to open more access: a grant, a group, a key, an account, a new second factor.
--
-- The stages follow each other within `window`; that is a reason to look and no proof. Most rows with two stages are
-- people who forgot a password on a new device. Rows with three stages want an answer the same day: ask the person by
-- another way than e-mail.
--
-- What an identity provider knows of passwords and failures is not in this log, and neither are sessions that were
-- stolen without a logon."""
--
-- [controls]
-- soc2 = ["CC7.2", "CC7.3", "CC7.4"]
-- iso = ["A.5.25", "A.8.16"]
-- nist = ["AU-6(3)", "SI-4", "IR-4"]
-- csf = ["DE.AE-03", "DE.AE-02", "RS.AN-03"]
-- pci = ["10.4.1.1", "12.10.5"]
-- hipaa = ["164.308(a)(6)(ii)"]
-- gdpr = ["33(1)", "33(3)"]
-- cis = ["8.11", "17.9"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3002/1", elements = ["subject", "outcome", "address"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- window = { type = "duration", default = "P1D" }
-- min_stages = { type = "int", default = 2 }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- stages = "int"
-- credential_event = "string"
-- credential_time = "timestamp"
-- logon_time = "timestamp"
-- logon_ip = "string"
-- country = "string"
-- escalation_event = "string"
-- escalation_time = "timestamp"
-- event_uids = "list<string>"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- Of each logon the latest credential event at or before it counts, and the first escalation at or after it. A burst of failed
-- logons is an episode as in brute-force-by-user with its defaults, and happens when it is triggered.
--
with failure as (
  select
    subject_uid, time,
    sum(change) over (
      partition by subject_uid order by case change when 1 then time else time + interval '15 minutes' end
    ) as in_window,
    change
  from logon cross join (values (1), (-1)) as step(change)
  where outcome = 'failure' and subject_uid is not null and time >= $from - $window - interval '1 day'
),
counted as (
  select subject_uid, time, in_window,
    min(case when in_window >= 5 then time end) over (
      partition by subject_uid order by time range between current row and unbounded following
    ) as next_trigger
  from failure
  where change = 1
),
covered as (
  select *, lag(time) over (partition by subject_uid order by time) as previous
  from counted
  where next_trigger < time + interval '15 minutes'
),
numbered as (
  select *, sum(case when time < previous + interval '15 minutes' then 0 else 1 end) over (
    partition by subject_uid order by time rows between unbounded preceding and current row
  ) as episode
  from covered
),
credential as (
  select
    subject_uid, min(time) filter (where in_window >= 5) as time, '' as uid, cast(null as varchar) as event_uid,
    'Brute force' as event
  from numbered
  group by subject_uid, episode
  union all
  select
    subject_uid, time, coalesce(event_uid, '') as uid, event_uid,
    case action
      when 'password_change' then 'Account Change: Password Change'
      when 'password_reset' then 'Account Change: Password Reset'
      else 'Account Change: MFA Factor Disable'
    end as event
  from account_action
  where action in ('password_change', 'password_reset', 'mfa_disable') and outcome <> 'failure' and subject_uid is not null
    and time >= $from - $window
),
arrival as (
  select
    subject_uid, time, event_uid, src_ip, country, mfa,
    max(time) over (
      partition by subject_uid, src_ip order by time groups between unbounded preceding and 1 preceding
    ) as last_from_ip
  from logon
  where outcome = 'success' and subject_uid is not null and src_ip is not null
    and time >= $from - $window - interval '90 days'
),
strange as (
  select
    subject_uid, time, event_uid, src_ip, country, mfa,
    row_number() over (order by time, coalesce(event_uid, ''), subject_uid, src_ip) as id
  from arrival
  where time >= $from - $window and coalesce(last_from_ip < time - interval '90 days', true)
),
escalation as (
  select e.actor_uid as subject_uid, e.time, e.event_uid, a.class || ': ' || a.activity as event
  from event e
  join activity a on a.class_uid = e.class_uid and a.activity_key = e.activity_key
  where e.is_not_failed and e.actor_uid is not null and e.time >= $from - $window
    and (
      e.class_uid = 3005 and e.activity_id = 1 or e.class_uid = 3006 and e.activity_id in (1, 3)
      or e.is_api_key and e.activity_id = 1 or e.class_uid = 3001 and e.activity_id = 1
      or e.class_uid = 3001 and e.activity_id = 10 and e.subject_uid = e.actor_uid
    )
),
started as (
  select
    s.id, s.subject_uid, s.time, s.event_uid, s.src_ip, s.country, s.mfa, max(c.time) as credential_time,
    last_value(c.event order by c.time, c.uid, c.event) as credential_event,
    last_value(c.event_uid order by c.time, c.uid, c.event) as credential_uid
  from strange s
  join credential c on c.subject_uid = s.subject_uid and c.time <= s.time and c.time >= s.time - $window
  group by s.id, s.subject_uid, s.time, s.event_uid, s.src_ip, s.country, s.mfa
),
chain as (
  select
    s.subject_uid, s.time as logon_time, s.event_uid, s.src_ip as logon_ip, s.country, s.mfa, s.credential_time,
    s.credential_event, s.credential_uid,
    min(e.time) as escalation_time,
    first_value(e.event order by e.time, coalesce(e.event_uid, ''), e.event) as escalation_event,
    first_value(e.event_uid order by e.time, coalesce(e.event_uid, ''), e.event) as escalation_uid,
    case when min(e.time) is null then 2 else 3 end as stages
  from started s
  left join escalation e
    on e.subject_uid = s.subject_uid and e.time >= s.time and e.time <= s.credential_time + $window
  group by s.id, s.subject_uid, s.time, s.event_uid, s.src_ip, s.country, s.mfa, s.credential_time, s.credential_event,
    s.credential_uid
)
select
  c.subject_uid, coalesce(i.label, c.subject_uid) as subject_label, c.stages, c.credential_event, c.credential_time,
  c.logon_time, c.logon_ip, c.country, c.escalation_event, c.escalation_time,
  array_sort(names(make_array(c.credential_uid, c.event_uid, c.escalation_uid))) as event_uids,
  case when c.stages = 3 then 5 when c.mfa then 2 else 3 end as severity_id,
  finding_key('account-takeover-sequence', c.subject_uid, c.event_uid, c.logon_time) as finding_key
from chain c
left join identity i on i.uid = c.subject_uid
where c.stages >= $min_stages and coalesce(c.escalation_time, c.logon_time) >= $from
order by c.logon_time, c.subject_uid
