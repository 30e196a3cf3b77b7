--- report
-- id = "mfa-factor-changes"
-- title = "Second factors enabled and disabled"
-- question = "Who gained or lost a second factor, by whose hand, and was it put back in time?"
-- readers = "security owner; PCI / SOC 2 auditor"
-- kind = "detection"
-- tier = 1
-- grade = "B"
-- order = "time, event_uid"
-- severity = "Effective disable (also of unknown outcome): 5 open and privileged; 4 open, or by_other and privileged; 3 pending; 2 restored. Failed disable 2. Enable 1 (context, C18)."
-- answers = ["time", "subject_label", "action", "by_other", "actor_label", "privileged", "reenabled_time", "outcome"]
-- limits = """
-- A row is a second factor that was added or removed. Adding one is context. `state` says what became of a removal:
-- `restored` within `reenable_window`, still `open` at the end of it, or `pending` when the period ends before that.
--
-- Factors that an identity provider keeps are changed there and are not in this log."""
--
-- [chart]
-- kind = "line"
-- x = "time"
-- per = "week"
-- colour = "action"
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.6"]
-- iso = ["A.8.5", "A.5.17"]
-- nist = ["IA-2(1)", "IA-2(2)", "IA-5", "AC-2(4)"]
-- csf = ["PR.AA-03", "PR.AA-01"]
-- pci = ["8.4.2", "8.4.3", "10.2.1.5", "8.4.1", "8.3.3"]
-- hipaa = ["164.312(d)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["6.3", "6.5"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- reenable_window = { type = "duration", default = "PT12H" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- time = "timestamp"
-- action = "string"
-- outcome = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- by_other = "boolean"
-- src_ip = "string"
-- state = "string"
-- reenabled_time = "timestamp"
-- privileged = "boolean"
-- event_uid = "string"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- A disable counts unless it failed (C7): doubt must not hide the loss of a factor. Which factor it was is not in OCSF
-- 1.6.0.
--
with change as (
  select
    *,
    case action when 'mfa_enable' then 'enable' else 'disable' end as done,
    min(case when action = 'mfa_enable' and is_effective then time end) over (
      partition by subject_uid order by time groups between 1 following and unbounded following
    ) as next_enable
  from account_action
  where action in ('mfa_enable', 'mfa_disable') and time >= $from and time < $to
),
judged as (
  select
    c.*,
    c.done = 'disable' and c.is_effective as is_lost,
    case
      when c.done = 'disable' and c.is_effective and c.subject_uid is not null
        and c.next_enable <= c.time + $reenable_window then c.next_enable
    end as reenabled_time,
    coalesce(c.actor_uid is not null and c.actor_uid is distinct from c.subject_uid, false) as by_other,
    p.subject_uid is not null as privileged
  from change c
  left join privileged_span p
    on p.subject_uid = c.subject_uid and p.since <= c.time and (p.until is null or c.time < p.until)
),
stated as (
  select
    *,
    case
      when not is_lost then null
      when reenabled_time is not null then 'restored'
      when time + $reenable_window > $to then 'pending'
      else 'open'
    end as state
  from judged
)
select
  m.time, m.done as action, m.outcome,
  m.subject_uid, coalesce(s.label, m.subject_uid) as subject_label,
  m.actor_uid, coalesce(a.label, m.actor_uid) as actor_label,
  m.by_other, m.src_ip, m.state, m.reenabled_time, m.privileged, m.event_uid,
  case
    when m.done = 'enable' then 1
    when m.state = 'open' and m.privileged then 5
    when m.state = 'open' or m.is_lost and m.by_other and m.privileged then 4
    when m.state = 'pending' then 3
    else 2
  end as severity_id,
  finding_key('mfa-factor-changes', m.done, m.subject_uid, m.event_uid, m.time) as finding_key
from stated m
left join identity s on s.uid = m.subject_uid
left join identity a on a.uid = m.actor_uid
order by m.time, m.event_uid nulls last, m.subject_uid nulls last, m.actor_uid nulls last, m.done
