-- view: api_key
-- convention: C16 C17
-- purpose: the API key ledger: one row per key and life (create to delete), with its owner
-- evaluate: once
--
-- Effective deletes cut the events of a key into lives; at the same ms a delete stands before a create and after all
-- else. A life without a create began before the log (created_time null). After a delete nothing but another delete is
-- no life. `owner_uid`: who the events name first (C4), else the actor of the create. At the same ms enabling wins over
-- disabling. A snapshot (C17) creates its keys at its time, and what the log says from before is forgotten.
with fact as (
  select
    time, event_uid, action, is_effective, is_not_failed, key_uid, key_name, owner_uid, actor_uid, message, unmapped
  from api_key_fact cross join opening_time
  where key_uid is not null and (since is null or time >= since)
  union all
  select
    time, 'snapshot' as event_uid, 'create' as action, true as is_effective, true as is_not_failed, item as key_uid,
    null as key_name, subject_uid as owner_uid, null as actor_uid, null as message, null as unmapped
  from opening_balance
  where ledger = 'api_key' and item is not null
),
ordered as (
  select
    time, coalesce(event_uid, '') as uid, key_uid, key_name, owner_uid, actor_uid, message, unmapped,
    action, is_effective, is_not_failed,
    case action when 'create' then 2 when 'delete' then 1 else 0 end as rank,
    case when action = 'delete' and is_effective then 1 else 0 end as is_end,
    case
      when action in ('enable', 'activate', 'resume') then 'on' when action in ('disable', 'deactivate', 'suspend') then 'off'
    end as switch
  from fact
),
lived as (
  select *, sum(is_end) over (
    partition by key_uid order by time, rank, uid rows between unbounded preceding and current row
  ) - is_end as life
  from ordered
),
summed as (
  select
    key_uid, life,
    last_value(key_name order by time, uid) filter (where key_name is not null and is_not_failed) as key_name,
    first_value(owner_uid order by time, uid) filter (where owner_uid is not null and is_not_failed) as named_owner,
    min(time) filter (where action = 'create' and is_effective) as created_time,
    first_value(actor_uid order by time, uid) filter (where action = 'create' and is_effective) as created_by,
    min(time) filter (where is_not_failed) as first_seen,
    max(time) filter (where is_not_failed and action <> 'read') as last_change_time,
    count(*) filter (where is_not_failed and action = 'update') as updates,
    last_value(switch order by time, switch) filter (where switch is not null and is_effective) as switch,
    max(time) filter (where switch = 'off' and is_effective) as disabled_time,
    max(time) filter (where is_end = 1) as deleted_time,
    max(actor_uid) filter (where is_end = 1) as deleted_by,
    max(uid) filter (where is_end = 1) as deleted_event_uid,
    coalesce(bool_or(
      regexp_like(message, $leak_pattern, 'i') or regexp_like(unmapped, $leak_pattern, 'i')
    ) filter (where switch = 'off'), false) as leaked
  from lived
  group by key_uid, life
  having count(*) filter (where is_not_failed and (life = 0 or action <> 'delete')) > 0
)
select
  key_uid, life, key_name, coalesce(named_owner, created_by) as owner_uid, created_time, created_by, first_seen,
  last_change_time, updates,
  case switch when 'off' then disabled_time end as disabled_time, deleted_time, deleted_by, deleted_event_uid, leaked
from summed
