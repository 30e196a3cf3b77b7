--- report
-- id = "account-lockouts"
-- title = "Lock-outs and unlocks"
-- question = "Which accounts were locked, for how long, after how many failures, and who unlocked them?"
-- readers = "help desk lead; auditor of authentication controls"
-- kind = "periodic summary"
-- tier = 3
-- grade = "B"
-- order = "lock_time, event_uid"
-- severity = "3 if locks_24h >= 3 or a lock without any failure before it; 2 if unlocked after less than min_lock by nobody known; else 1."
-- answers = ["subject_label", "lock_time", "locked_minutes", "failures_before", "locks_24h", "unlocked_by"]
-- limits = """
-- A row is a lock of an account. `failures_before` counts the failed logons of the account in the `failure_window`
-- before it, and `unlock_time` is when it was unlocked or created anew before it was locked again; an account that was
-- still locked at the end of the period has none. `manual` tells whether somebody else unlocked it.
--
-- A lock without a failed logon before it was set by hand, or the failures are not in this log: an identity provider
-- often keeps both. Three locks within a day are either somebody with an old password on a device, or somebody who is
-- guessing.
--
-- `min_lock` is how long a lock should hold by your policy. PCI DSS asks for thirty minutes or until somebody has
-- checked who it is."""
--
-- [chart]
-- kind = "line"
-- x = "lock_time"
-- per = "day"
--
-- [controls]
-- soc2 = ["CC6.1", "CC7.2"]
-- iso = ["A.8.5"]
-- nist = ["AC-7", "AC-2(4)"]
-- csf = ["PR.AA-03"]
-- pci = ["8.3.4", "10.2.1.5"]
-- hipaa = ["164.308(a)(5)(ii)(C)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- failure_window = { type = "duration", default = "PT30M" }
-- min_lock = { type = "duration", default = "PT30M" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- lock_time = "timestamp"
-- unlock_time = "timestamp"
-- locked_minutes = "double"
-- unlocked_by = "string"
-- manual = "boolean"
-- failures_before = "bigint"
-- locks_24h = "bigint"
-- severity_id = "int"
-- event_uid = "string"
---
with lock as (
  select
    time, event_uid, subject_uid,
    row_number() over (order by time, coalesce(event_uid, ''), subject_uid) as id,
    min(time) over (
      partition by subject_uid order by time groups between 1 following and unbounded following
    ) as next_lock
  from account_action
  where action = 'lock' and is_effective
),
wanted as (
  select * from lock where time >= $from
),
unlocked as (
  select
    l.id, min(u.time) as unlock_time, first_value(u.actor_uid order by u.time, coalesce(u.event_uid, '')) as unlocked_by
  from wanted l
  join account_action u
    on u.subject_uid = l.subject_uid and u.time >= l.time and (l.next_lock is null or u.time < l.next_lock)
  where u.action in ('unlock', 'create') and u.is_effective
  group by l.id
),
failed as (
  select l.id, count(*) as failures
  from wanted l
  join logon f on f.subject_uid = l.subject_uid and f.time > l.time - $failure_window and f.time <= l.time
  where f.outcome = 'failure'
  group by l.id
),
repeated as (
  select l.id, count(*) as locks
  from wanted l
  join lock o on o.subject_uid = l.subject_uid and o.time > l.time - interval '1 day' and o.time <= l.time
  group by l.id
),
listed as (
  select
    l.subject_uid, l.time as lock_time, u.unlock_time,
    (cast(u.unlock_time as bigint) - cast(l.time as bigint)) / 1000 / 60000.0 as locked_minutes, u.unlocked_by,
    case when u.unlock_time is not null then u.unlocked_by is not null and u.unlocked_by <> l.subject_uid end as manual,
    coalesce(f.failures, 0) as failures_before, coalesce(r.locks, 0) as locks_24h, l.event_uid
  from wanted l
  left join unlocked u on u.id = l.id
  left join failed f on f.id = l.id
  left join repeated r on r.id = l.id
)
select
  l.subject_uid, coalesce(i.label, l.subject_uid) as subject_label, l.lock_time, l.unlock_time, l.locked_minutes,
  l.unlocked_by, l.manual, l.failures_before, l.locks_24h,
  case
    when l.locks_24h >= 3 or l.failures_before = 0 then 3
    when l.unlock_time < l.lock_time + $min_lock and l.unlocked_by is null then 2
    else 1
  end as severity_id,
  l.event_uid
from listed l
left join identity i on i.uid = l.subject_uid
order by l.lock_time, l.event_uid nulls last
