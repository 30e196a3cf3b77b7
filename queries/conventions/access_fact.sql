-- view: access_fact
-- convention: C7 C10 C14
-- purpose: grants and revokes of privileges and policies: one row per event, privilege and resource
--
-- effect is `open` or `close`; is_effective is C7. Sources: `direct` (privileges assigned to a user) and `policy`.
-- An account's deletion closes all its keys: that is `account_action`, and `access_holding` puts both together.
select
  time, event_uid, outcome, effect,
  case effect when 'open' then is_not_failed else is_successful end as is_effective,
  subject_uid, actor_uid, src_ip,
  privilege, resource_uid, privilege_source,
  regexp_like(privilege, $privileged_pattern, 'i') as is_privileged
from (
  select
    time, event_uid, outcome, is_not_failed, is_successful, subject_uid, actor_uid, src_ip,
    effect, privilege_source, privilege, unnest(resources) as resource_uid
  from (
    select
      time, event_uid, outcome, is_not_failed, is_successful, subject_uid, actor_uid, src_ip, resources,
      case activity_id when 1 then 'open' else 'close' end as effect,
      'direct' as privilege_source, unnest(privileges) as privilege
    from event
    where class_uid = 3005 and activity_id in (1, 2)
    union all
    select
      time, event_uid, outcome, is_not_failed, is_successful, subject_uid, actor_uid, src_ip,
      make_array('*') as resources,
      case activity_id when 7 then 'open' else 'close' end as effect,
      'policy' as privilege_source, unnest(policies) as privilege
    from event
    where class_uid = 3001 and activity_id in (7, 8)
  )
)
