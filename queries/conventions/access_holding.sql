-- view: access_holding
-- convention: C14
-- purpose: the access ledger: every key (subject, privilege, resource, source) held at the horizon, and since when
--
-- Entries of a key in the order time, closing before opening, event uid: at the same ms the grant wins. The first
-- opening after a close starts the island, further ones only add to grant_events. A delete closes every key.
with fact as (
  select time, event_uid, effect, subject_uid, privilege, resource_uid, privilege_source, is_privileged, actor_uid
  from access_fact
  where is_effective and subject_uid is not null
),
entry as (
  select time, event_uid, effect, subject_uid, privilege, resource_uid, privilege_source, is_privileged, actor_uid
  from fact
  union all
  select d.time, d.event_uid, 'close', k.*, d.actor_uid
  from (select distinct subject_uid, privilege, resource_uid, privilege_source, is_privileged from fact) k
  join account_action d on d.subject_uid = k.subject_uid and d.action = 'delete' and d.is_effective
),
island as (
  select *, count(*) filter (where effect = 'close') over (
    partition by subject_uid, privilege, resource_uid, privilege_source
    order by time, effect, coalesce(event_uid, '') rows between unbounded preceding and current row
  ) as closes, count(*) filter (where effect = 'close') over (
    partition by subject_uid, privilege, resource_uid, privilege_source
  ) as all_closes, max(time) filter (where effect = 'close') over (
    partition by subject_uid, privilege, resource_uid, privilege_source
  ) as last_close
  from entry
)
select
  subject_uid, privilege, resource_uid, privilege_source, is_privileged,
  min(time) as granted_time,
  first_value(actor_uid order by time, coalesce(event_uid, '')) as granted_by,
  first_value(event_uid order by time, coalesce(event_uid, '')) as grant_event_uid,
  count(*) as grant_events,
  min(time) is not distinct from max(last_close) as ambiguous
from island
where effect = 'open' and closes = all_closes
group by subject_uid, privilege, resource_uid, privilege_source, is_privileged
