-- view: group_fact
-- convention: C7 C10 C15
-- purpose: what was done to groups: one row per event, and per privilege and resource for privileges
-- evaluate: once
--
-- kind says what is opened or closed: `member` (subject_uid), `subgroup` (subgroup_key), `privilege` (privilege,
-- resource_uid, and scope, matches and is_privileged as in `access_fact`), or `group`: its deletion closes everything of
-- the group, also as a subgroup.
select *, matches and scope = 'workspace' as is_privileged
from (
  select
    time, event_uid, outcome, effect,
    case effect when 'open' then is_not_failed else is_successful end as is_effective,
    kind, group_key, group_name,
    case kind when 'member' then subject_uid end as subject_uid,
    case kind when 'subgroup' then subgroup_key end as subgroup_key,
    privilege, resource_uid,
    regexp_like(privilege, $privileged_pattern, 'i') as matches,
    case
      when privilege is null then null
      when resource_uid <> '*' and array_has($sharing_roles, lower(privilege)) then 'resource'
      else 'workspace'
    end as scope,
    actor_uid, src_ip
  from (
    select
      time, event_uid, outcome, is_not_failed, is_successful, actor_uid, src_ip, group_key, group_name,
      subject_uid, subgroup_key, kind, effect, privilege, unnest(named) as resource_uid
    from (
      select
        time, event_uid, outcome, is_not_failed, is_successful, actor_uid, src_ip, group_key, group_name,
        subject_uid, subgroup_key,
        case
          when activity_id in (1, 2) then 'privilege' when activity_id in (3, 4) then 'member'
          when activity_id in (7, 8) then 'subgroup' else 'group'
        end as kind,
        case when activity_id in (1, 3, 6, 7) then 'open' else 'close' end as effect,
        -- One row without a privilege for what is not about privileges.
        case when activity_id in (1, 2) then resources else make_array(cast(null as varchar)) end as named,
        unnest(case when activity_id in (1, 2) then privileges else make_array(cast(null as varchar)) end) as privilege
      from event
      where class_uid = 3006 and activity_id in (1, 2, 3, 4, 5, 6, 7, 8)
    )
  )
)
