--- report
-- id = "account-switch-log"
-- title = "Account switches and impersonation"
-- question = "Who acted as somebody else, when and from where?"
-- readers = "privacy officer; auditor"
-- kind = "evidence listing"
-- tier = 3
-- grade = "B"
-- order = "time, event_uid"
-- severity = "4 effective and target_privileged; 3 other effective impersonation; 2 failed or unknown type; else 1."
-- answers = ["time", "actor_label", "subject_label", "switch_type", "outcome", "target_privileged"]
-- limits = """
-- A row is somebody who took on another account: `actor` is who switched, `subject` the account that was taken on.
-- `actions_during` counts what that account did from then until its next logoff or switch, at most `window`.
--
-- The log does not say which of these actions the one or the other did: somebody may have used the account at the same
-- time. Ask for the ticket that gives the reason for impersonating; for privacy this is the question that counts.
--
-- Where the source does not say of what kind a switch was, its type is `unknown`."""
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.3"]
-- iso = ["A.8.2"]
-- nist = ["AC-6(9)", "AU-12", "AC-2(7)"]
-- csf = ["PR.AA-05", "DE.CM-03"]
-- pci = ["10.2.1.2", "8.2.2"]
-- hipaa = ["164.312(b)", "164.312(d)"]
-- gdpr = ["32(4)", "5(1)(f)"]
-- cis = ["5.4", "8.5"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3002/7", elements = ["subject", "actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- window = { type = "duration", default = "PT8H" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- time = "timestamp"
-- outcome = "string"
-- switch_type = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- target_privileged = "boolean"
-- src_ip = "string"
-- actions_during = "bigint"
-- event_uid = "string"
-- severity_id = "int"
---
with switch as (
  select
    time, event_uid, outcome, actor_uid, subject_uid, src_ip,
    case coalesce(account_switch_type_id, 0)
      when 0 then 'unknown' when 1 then 'substitute_user' when 2 then 'impersonate' else 'other'
    end as switch_type,
    row_number() over (order by time, coalesce(event_uid, ''), actor_uid, subject_uid) as id
  from event
  where class_uid = 3002 and activity_id = 7 and time >= $from and time < $to
),
-- What of the target follows the switch: its first logoff or switch ends the time.
followed as (
  select
    s.id, e.is_counted,
    sum(e.ends) over (
      partition by s.id order by e.time, e.uid, e.ends desc rows between unbounded preceding and current row
    ) as ended
  from switch s
  join (
    select
      time, coalesce(event_uid, '') as uid, actor_uid as account, is_not_failed as is_counted, 0 as ends
    from event
    where actor_uid is not null and time >= $from
    union all
    select time, coalesce(event_uid, '') as uid, subject_uid as account, false as is_counted, 1 as ends
    from event
    where class_uid = 3002 and activity_id in (2, 7) and subject_uid is not null and time >= $from
  ) e
    on e.account = s.subject_uid and e.time <= s.time + $window
    and (e.time > s.time or e.time = s.time and e.uid > coalesce(s.event_uid, ''))
),
counted as (
  select id, count(*) filter (where is_counted) as actions from followed where ended = 0 group by id
),
listed as (
  select
    s.*, coalesce(c.actions, 0) as actions_during, p.subject_uid is not null as target_privileged
  from switch s
  left join counted c on c.id = s.id
  left join privileged_span p on p.subject_uid = s.subject_uid and p.since <= s.time and (p.until is null or s.time < p.until)
)
select
  l.time, l.outcome, l.switch_type, l.actor_uid, coalesce(a.label, l.actor_uid) as actor_label,
  l.subject_uid, coalesce(i.label, l.subject_uid) as subject_label, l.target_privileged, l.src_ip, l.actions_during,
  l.event_uid,
  case
    when l.outcome <> 'failure' and l.target_privileged then 4
    when l.outcome <> 'failure' and l.switch_type = 'impersonate' then 3
    when l.outcome = 'failure' or l.switch_type = 'unknown' then 2
    else 1
  end as severity_id
from listed l
left join identity a on a.uid = l.actor_uid
left join identity i on i.uid = l.subject_uid
order by l.time, l.event_uid nulls last
