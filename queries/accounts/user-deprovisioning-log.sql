--- report
-- id = "user-deprovisioning-log"
-- title = "Accounts disabled or deleted"
-- question = "Which accounts lost access in the period, how long after the person left, and what did they still hold at that moment?"
-- readers = "SOC 2 / ISO / PCI auditor sampling leavers; HR operations"
-- kind = "evidence listing"
-- tier = 1
-- grade = "B"
-- order = "time nulls last, subject_uid"
-- severity = "4 for `missing` or lag > 7 x max_lag; 3 for lag > max_lag or an activity after left_time; 2 for a failed attempt without a later effective disable or delete of the account (C4, `< to`); else 1."
-- answers = [
--   "time", "subject_label", "action", "actor_label", "lag_hours", "open_grants", "open_groups", "open_api_keys",
-- ]
-- limits = """
-- A row is an account that was disabled or deleted in the period, with what was still open a moment before. Given the
-- leavers as personnel knows them (`leavers`), `lag_hours` says how late it was, and rows with the action `missing`
-- are people who left and whose account is still open.
--
-- Without that input nobody can say who should have been closed: the list then shows only what was done. A leaver is
-- matched to the nearest closing of his account, by e-mail.
--
-- What is open is rebuilt from the log; what was granted before the log begins is missing."""
--
-- [chart]
-- kind = "bar"
-- x = "time"
-- per = "day"
-- colour = "action"
--
-- [controls]
-- soc2 = ["CC6.2", "CC6.3"]
-- iso = ["A.5.16", "A.5.18"]
-- nist = ["AC-2", "AC-2(3)", "PS-4", "AC-2(4)"]
-- csf = ["PR.AA-01"]
-- pci = ["8.2.5", "8.2.4", "10.2.1.5"]
-- hipaa = ["164.308(a)(3)(ii)(C)"]
-- gdpr = ["32(1)(b)", "5(1)(f)"]
-- cis = ["6.2"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001", elements = ["subject", "actor", "outcome"] },
-- ]
-- input = { leavers = "lag" }
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- max_lag = { type = "duration", default = "P1D" }
--
-- [columns]
-- time = "timestamp"
-- action = "string"
-- outcome = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- last_activity_time = "timestamp"
-- open_grants = "bigint"
-- open_groups = "bigint"
-- open_api_keys = "bigint"
-- reenabled_time = "timestamp"
-- left_time = "timestamp"
-- lag_hours = "double"
-- event_uid = "string"
-- severity_id = "int"
---
--
-- What was held, and when the account was last active, depends on the account and the time only, so both are worked out
-- once for each (subject, ms) and joined back to the events; for leavers also at the end. `leavers` is an optional table of
-- the run: of two that are as near the earlier is taken, and one that no row takes is `missing` while the account is open.
--
with recursive closed as (
  select time, event_uid, outcome, action, is_effective, subject_uid, actor_uid
  from account_action
  where action in ('disable', 'delete') and time >= $from and time < $to
),
leaver as (
  select *, cast(row_number() over (partition by subject_uid order by left_time, email) as bigint) as number
  from (
    select distinct coalesce(m.uid, l.email) as subject_uid, l.email, l.left_time
    from (select lower(nullif(trim(email), '')) as email, left_time from leavers) l
    left join email_uid m on m.email = l.email
    where l.email is not null and l.left_time is not null
  )
),
moment as (
  select distinct subject_uid, time from closed where subject_uid is not null
  union
  select subject_uid, $to as time from leaver
),
activity as (
  select subject_uid, time from logon where outcome = 'success'
  union all
  select actor_uid as subject_uid, time from event where is_not_failed
),
seen as (
  select subject_uid, time, is_activity, max(case when is_activity then time end) over (
    partition by subject_uid order by time, is_activity rows between unbounded preceding and current row
  ) as last_activity_time
  from (
    select a.subject_uid, a.time, true as is_activity
    from activity a join (select distinct subject_uid from moment) m on m.subject_uid = a.subject_uid
    union all
    select subject_uid, time, false as is_activity from moment
  )
),
holding as (
  select
    ledger as what, case ledger when 'access' then holder else item end as subject_uid, opened_time, closed_time
  from ledger
  where ledger in ('access', 'member')
  union all
  select 'api_key' as what, owner_uid as subject_uid, created_time as opened_time, deleted_time as closed_time
  from api_key
  where created_time is not null
),
held as (
  select
    m.subject_uid, m.time,
    count(*) filter (where what = 'access') as grants,
    count(*) filter (where what = 'member') as groups,
    count(*) filter (where what = 'api_key') as keys
  from moment m
  join holding h
    on h.subject_uid = m.subject_uid and h.opened_time <= m.time - interval '1 millisecond'
    and (h.closed_time is null or h.closed_time > m.time - interval '1 millisecond')
  group by m.subject_uid, m.time
),
-- What comes after an event of the same account, in C4 order; of events that C4 does not order the openings first.
followed as (
  select distinct
    subject_uid, time, uid, is_on,
    min(case when is_on then time end) over later as reenabled_time,
    coalesce(max(case when not is_on and is_effective then 1 else 0 end) over later, 0) = 1 as is_closed_later
  from (
    select subject_uid, time, coalesce(event_uid, '') as uid, action in ('create', 'enable') as is_on, is_effective
    from account_action
    where subject_uid is not null and time >= $from
      and (action in ('create', 'enable') and is_effective or action in ('disable', 'delete'))
  )
  window later as (
    partition by subject_uid order by time, uid, is_on desc, is_effective desc
    rows between 1 following and unbounded following
  )
),
-- Effective rows of a leaver's account take turns, in C4 order: each takes the nearest leaver that none has taken.
turn as (
  select
    subject_uid, time, coalesce(event_uid, '') as uid, action,
    cast(row_number() over (partition by subject_uid order by time, coalesce(event_uid, ''), action) as bigint) as number
  from closed
  where is_effective and subject_uid in (select subject_uid from leaver)
),
taking as (
  select distinct subject_uid, cast(0 as bigint) as turn, make_array(cast(0 as bigint)) as taken
  from turn
  union all
  select
    s.subject_uid, s.turn + 1 as turn,
    array_append(s.taken, coalesce(
      first_value(l.number order by abs(cast(t.time as bigint) - cast(l.left_time as bigint)), l.number)
        filter (where l.left_time <= t.time + interval '86400000 milliseconds' and not array_has(s.taken, l.number)),
      0
    )) as taken
  from taking s
  join turn t on t.subject_uid = s.subject_uid and t.number = s.turn + 1
  join leaver l on l.subject_uid = s.subject_uid
  group by s.subject_uid, s.turn, s.taken, t.time
),
matched as (
  select t.subject_uid, t.time, t.uid, t.action, l.left_time, l.number
  from (select subject_uid, turn, taken[-1] as number from taking where turn > 0) s
  join turn t on t.subject_uid = s.subject_uid and t.number = s.turn
  join leaver l on l.subject_uid = s.subject_uid and l.number = s.number
),
listed as (
  select
    c.time, c.event_uid, c.outcome, c.action, c.subject_uid, c.subject_uid as name, c.actor_uid,
    s.last_activity_time, coalesce(h.grants, 0) as grants, coalesce(h.groups, 0) as groups, coalesce(h.keys, 0) as keys,
    f.reenabled_time, coalesce(f.is_closed_later, false) as is_closed_later, m.left_time, c.time as until
  from closed c
  left join seen s on s.subject_uid = c.subject_uid and s.time = c.time and not s.is_activity
  left join held h on h.subject_uid = c.subject_uid and h.time = c.time
  left join followed f
    on f.subject_uid = c.subject_uid and f.time = c.time and f.uid = coalesce(c.event_uid, '') and not f.is_on
  left join matched m
    on m.subject_uid = c.subject_uid and m.time = c.time and m.uid = coalesce(c.event_uid, '') and m.action = c.action
    and c.is_effective
  union all
  select
    null as time, null as event_uid, null as outcome, 'missing' as action, l.subject_uid, l.email as name, null as actor_uid,
    null as last_activity_time, coalesce(h.grants, 0) as grants, coalesce(h.groups, 0) as groups,
    coalesce(h.keys, 0) as keys, null as reenabled_time, false as is_closed_later, l.left_time, $to as until
  from leaver l
  left anti join matched m on m.subject_uid = l.subject_uid and m.number = l.number
  left join account_state a on a.subject_uid = l.subject_uid
  left join held h on h.subject_uid = l.subject_uid and h.time = $to
  where l.left_time < $to and coalesce(a.account_state not in ('disabled', 'deleted'), true)
),
measured as (
  select *, (cast(until as bigint) - cast(left_time as bigint)) / 1000 as lag_ms
  from listed
)
select
  l.time, l.action, l.outcome,
  l.subject_uid, coalesce(s.label, l.name) as subject_label,
  l.actor_uid, coalesce(a.label, l.actor_uid) as actor_label,
  l.last_activity_time,
  l.grants as open_grants, l.groups as open_groups, l.keys as open_api_keys,
  l.reenabled_time, l.left_time, l.lag_ms / 3600000.0 as lag_hours, l.event_uid,
  case
    when l.action = 'missing' or l.lag_ms > 7 * round(date_part('epoch', $max_lag) * 1000) then 4
    when l.lag_ms > round(date_part('epoch', $max_lag) * 1000) or l.last_activity_time > l.left_time then 3
    when l.outcome = 'failure' and not l.is_closed_later then 2
    else 1
  end as severity_id
from measured l
left join identity s on s.uid = l.subject_uid
left join identity a on a.uid = l.actor_uid
order by l.time nulls last, l.subject_uid nulls last, l.event_uid nulls last, l.left_time
