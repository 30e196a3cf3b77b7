-- view: access_fact
-- convention: C7 C10 C14
-- purpose: grants and revokes of privileges and policies: one row per event, privilege and resource
-- evaluate: once
--
-- effect is `open` or `close`; is_effective is C7. Sources: `direct` (privileges assigned to a user) and `policy`.
-- resource_uid is null of a revoke that names nothing: it closes nothing. `matches`: the name meets the pattern;
-- is_privileged only where it is not a sharing role on one resource (scope `resource`). An account's deletion closes all
-- its keys: that is `account_action`, and `ledger_entry` puts both together.
select *, matches and scope = 'workspace' as is_privileged
from (
  select
    time, event_uid, outcome, effect,
    case effect when 'open' then is_not_failed else is_successful end as is_effective,
    subject_uid, actor_uid, src_ip,
    privilege, resource_uid, privilege_source,
    regexp_like(privilege, $privileged_pattern, 'i') as matches,
    case when resource_uid <> '*' and array_has($sharing_roles, lower(privilege)) then 'resource' else 'workspace' end
      as scope
  from (
    select
      time, event_uid, outcome, is_not_failed, is_successful, subject_uid, actor_uid, src_ip,
      effect, privilege_source, privilege, unnest(named) as resource_uid
    from (
      select
        time, event_uid, outcome, is_not_failed, is_successful, subject_uid, actor_uid, src_ip,
        case when activity_id in (1, 7) then 'open' else 'close' end as effect,
        case class_uid when 3005 then 'direct' else 'policy' end as privilege_source,
        case
          when class_uid = 3001 then make_array('*')
          when cardinality(resources) = 0 then make_array(cast(null as varchar))
          else resources
        end as named,
        unnest(case class_uid when 3005 then privileges else policies end) as privilege
      from event
      where class_uid = 3005 and activity_id in (1, 2) or class_uid = 3001 and activity_id in (7, 8)
    )
  )
)
