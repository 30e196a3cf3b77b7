-- view: account_state
-- convention: C13
-- purpose: the state of every account at the horizon, since when, and its latest effective creation
-- evaluate: once
--
-- Two tracks. Life: at the same ms delete before disable before create / enable, the last wins. Lock: only events at
-- or after the latest effective create; at the same ms unlock wins. An account that was unlocked is active since then. One
-- that neither track knows and that logged on is older than the log: `active (seen)`, since an unknown time.
with action as (
  select subject_uid, time, event_uid, action, actor_uid
  from account_action
  where is_effective and subject_uid is not null
    and action in ('create', 'enable', 'disable', 'delete', 'lock', 'unlock')
),
life as (
  select
    subject_uid,
    last_value(action order by time, rank, coalesce(event_uid, '')) as action,
    max(time) as since,
    max(case when action = 'create' then time end) as created_time,
    last_value(actor_uid order by time, coalesce(event_uid, '')) filter (where action = 'create') as created_by
  from (
    select *, case action when 'delete' then 0 when 'disable' then 1 else 2 end as rank
    from action where action in ('create', 'enable', 'disable', 'delete')
  )
  group by subject_uid
),
lock as (
  select a.subject_uid, last_value(a.action order by a.time, a.action) as action, max(a.time) as since
  from action a left join life l on l.subject_uid = a.subject_uid
  where a.action in ('lock', 'unlock') and (l.created_time is null or a.time >= l.created_time)
  group by a.subject_uid
),
seen as (
  select distinct subject_uid from logon where outcome = 'success' and subject_uid is not null
)
select
  coalesce(k.subject_uid, seen.subject_uid) as subject_uid,
  case
    when k.life = 'delete' then 'deleted'
    when k.life = 'disable' then 'disabled'
    when k.lock = 'lock' then 'locked'
    when k.subject_uid is not null then 'active'
    else 'active (seen)'
  end as account_state,
  case
    when k.life in ('delete', 'disable') then k.life_since
    when k.lock = 'lock' then k.lock_since
    else greatest(k.life_since, k.lock_since)
  end as state_since,
  k.created_time, k.created_by
from (
  select
    coalesce(life.subject_uid, lock.subject_uid) as subject_uid, life.action as life, life.since as life_since,
    lock.action as lock, lock.since as lock_since, life.created_time, life.created_by
  from life full join lock on life.subject_uid = lock.subject_uid
) k
full join seen on seen.subject_uid = k.subject_uid
