-- view: group_change
-- convention: C7 C10 C15
-- purpose: one row per group event: what, whether it took effect, whether the group was privileged, its size after
-- evaluate: once
--
-- As of an event means: by what stands before it in C4 order. After each entry of a key we know whether it is held (at
-- one ms an opening wins, whichever came first), so the changes of that add up to how much a group holds. `members_after`
-- takes in the event itself, `is_privileged_group` does not: the name or key matches, or it held a privileged privilege.
with entry as (
  select ledger, time, coalesce(event_uid, '') as uid, effect, holder, item, resource_uid
  from ledger_entry
  where family = 'group'
    and (ledger = 'member' or ledger = 'group_privilege' and is_privileged)
),
held as (
  select ledger, time, uid, holder, item, resource_uid, max(case effect when 'open' then 1 else 0 end) over (
    partition by ledger, holder, item, resource_uid, time order by uid
  ) as is_held
  from entry
),
step as (
  select ledger, time, uid, holder, is_held - lag(is_held, 1, 0) over (
    partition by ledger, holder, item, resource_uid order by time, uid
  ) as change
  from held
),
counted as (
  select
    holder, time, uid, is_event,
    sum(case ledger when 'member' then change else 0 end) over upto as members,
    sum(case ledger when 'member' then 0 else change end) over upto
      - sum(case ledger when 'member' then 0 else change end) over (partition by holder, time, uid) as privileges_before
  from (
    select holder, time, uid, ledger, change, false as is_event from step where change <> 0
    union all
    select distinct
      group_key as holder, time, coalesce(event_uid, '') as uid, '' as ledger, 0 as change, true as is_event
    from event
    where class_uid = 3006 and group_key is not null
  )
  window upto as (partition by holder order by time, uid)
)
select
  e.time, e.event_uid, e.outcome,
  e.activity_key, e.activity_name,
  e.is_effective, e.group_key, e.group_name, e.subject_uid, e.subgroup_key,
  coalesce(array_sort(e.privileges), make_array()) as privileges,
  e.actor_uid, e.src_ip,
  coalesce(regexp_like(e.group_key, $privileged_group_pattern, 'i'), false)
    or coalesce(regexp_like(e.group_name, $privileged_group_pattern, 'i'), false)
    or coalesce(c.privileges_before > 0, false) as is_privileged_group,
  c.members as members_after
from event e
left join counted c
  on c.is_event and c.holder = e.group_key and c.time = e.time and c.uid = coalesce(e.event_uid, '')
where e.class_uid = 3006
