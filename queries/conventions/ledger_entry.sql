-- view: ledger_entry
-- convention: C7 C14 C15 C17
-- purpose: what opens or closes a key of a ledger: one row per key and effective event
--
-- family  ledger            holder   item       resource_uid  source
-- access  access            subject  privilege  resource      direct, policy
-- group   member            group    subject
-- group   subgroup          group    subgroup
-- group   group_privilege   group    privilege  resource
--
-- A deletion closes every key of the account (`a:`) or group (`g:`) that it deletes; `is_named` tells what the event names
-- itself from that, and from a snapshot. The family is a literal of each branch, so that a filter on it drops the other
-- family before anything is read. A snapshot (C17) knows of privileges and members only: the other two ledgers keep what
-- the log says from before it, because forgetting it would hide access.
with fact as (
  select
    'access' as family, 'access' as ledger, time, event_uid, effect, subject_uid as holder, privilege as item,
    resource_uid, privilege_source as source, scope, is_privileged, actor_uid
  from access_fact cross join opening_time
  where is_effective and subject_uid is not null and resource_uid is not null and (since is null or time >= since)
  union all
  select
    'access' as family, 'access' as ledger, time, 'snapshot' as event_uid, 'open' as effect, subject_uid as holder, item,
    resource_uid, 'direct' as source, scope, is_privileged, null as actor_uid
  from opening_balance
  where ledger = 'access' and subject_uid is not null and item is not null
  union all
  select
    'group' as family, case kind when 'privilege' then 'group_privilege' else kind end as ledger, time, event_uid, effect,
    group_key as holder, coalesce(privilege, subgroup_key, subject_uid) as item, resource_uid, null as source, scope,
    is_privileged, actor_uid
  from group_fact cross join opening_time
  where kind <> 'group' and is_effective and group_key is not null
    and coalesce(privilege, subgroup_key, subject_uid) is not null
    and (kind <> 'member' or since is null or time >= since)
  union all
  select
    'group' as family, 'member' as ledger, time, 'snapshot' as event_uid, 'open' as effect, item as holder,
    subject_uid as item, null as resource_uid, null as source, null as scope, null as is_privileged, null as actor_uid
  from opening_balance
  where ledger = 'member' and subject_uid is not null and item is not null
),
ended as (
  select time, event_uid, actor_uid, 'a:' || subject_uid as name
  from account_action
  where action = 'delete' and is_effective
  union all
  select time, event_uid, actor_uid, 'g:' || group_key as name
  from group_fact
  where kind = 'group' and effect = 'close' and is_effective
)
select
  family, ledger, time, event_uid, effect, holder, item, resource_uid, source, scope, is_privileged, actor_uid,
  event_uid is distinct from 'snapshot' as is_named
from fact
union all
select distinct
  family, ledger, e.time, e.event_uid, 'close' as effect, holder, item, resource_uid, source, scope, is_privileged,
  e.actor_uid, false as is_named
from (
  select family, ledger, holder, item, resource_uid, source, scope, is_privileged, unnest(
    case ledger
      when 'access' then make_array('a:' || holder)
      when 'member' then make_array('g:' || holder, 'a:' || item)
      when 'subgroup' then make_array('g:' || holder, 'g:' || item)
      else make_array('g:' || holder)
    end
  ) as name
  from fact
) f
join ended e on e.name = f.name
