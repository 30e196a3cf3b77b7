-- view: event
-- convention: C5 C6 C7
-- purpose: every distinct visible event with who (subject_uid, actor_uid), from where (src_ip, country) and outcome
--
-- Labels are in `identity`. `is_not_failed` and `is_successful` are the two halves of C7: what opens access counts
-- unless it failed, what closes it counts only when it succeeded.
select
  class_uid, activity_id, time, event_uid, status_id,
  case coalesce(status_id, 0) when 0 then 'unknown' when 1 then 'success' when 2 then 'failure' else 'other' end
    as outcome,
  status_id is distinct from 2 as is_not_failed,
  status_id is not distinct from 1 as is_successful,
  case when class_uid = 3002 then coalesce(resolved_user, resolved_actor) else resolved_user end as subject_uid,
  coalesce(resolved_actor, 'app:' || coalesce(app_uid, app_name)) as actor_uid,
  src_ip, country, lat, long,
  is_mfa, session_is_mfa, auth_protocol_id,
  privileges, policies, resources, group_key, group_name, subgroup_key
from (
  select
    e.*,
    coalesce(e.user_uid, u.uid, lower(e.user_email), e.user_name) as resolved_user,
    coalesce(e.actor_user_uid, a.uid, lower(e.actor_user_email), e.actor_user_name) as resolved_actor
  from distinct_event e
  -- A key is made only where it is needed: null joins nothing.
  left join email_uid u on case when e.user_uid is null then lower(e.user_email) end = u.email
  left join email_uid a on case when e.actor_user_uid is null then lower(e.actor_user_email) end = a.email
)
