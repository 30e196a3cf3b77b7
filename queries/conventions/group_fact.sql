-- view: group_fact
-- convention: C7 C10 C15
-- purpose: what was done to groups: one row per event, and per privilege and resource for privileges
--
-- kind says what is opened or closed: `member` (subject_uid), `subgroup` (subgroup_key), `privilege` (privilege,
-- resource_uid), or `group`: its deletion closes everything of the group, also as a subgroup.
select
  time, event_uid, outcome, effect,
  case effect when 'open' then is_not_failed else is_successful end as is_effective,
  kind, group_key, group_name, subject_uid, subgroup_key, privilege, resource_uid,
  regexp_like(privilege, $privileged_pattern, 'i') as is_privileged,
  actor_uid, src_ip
from (
  select
    time, event_uid, outcome, is_not_failed, is_successful, actor_uid, src_ip, group_key, group_name,
    case when activity_id in (3, 6, 7) then 'open' else 'close' end as effect,
    case when activity_id in (3, 4) then 'member' when activity_id in (7, 8) then 'subgroup' else 'group' end as kind,
    case when activity_id in (3, 4) then subject_uid end as subject_uid,
    case when activity_id in (7, 8) then subgroup_key end as subgroup_key,
    null as privilege, null as resource_uid
  from event
  where class_uid = 3006 and activity_id in (3, 4, 5, 6, 7, 8)
  union all
  select
    time, event_uid, outcome, is_not_failed, is_successful, actor_uid, src_ip, group_key, group_name,
    effect, 'privilege' as kind, null as subject_uid, null as subgroup_key,
    privilege, unnest(resources) as resource_uid
  from (
    select
      time, event_uid, outcome, is_not_failed, is_successful, actor_uid, src_ip, group_key, group_name, resources,
      case activity_id when 1 then 'open' else 'close' end as effect, unnest(privileges) as privilege
    from event
    where class_uid = 3006 and activity_id in (1, 2)
  )
)
