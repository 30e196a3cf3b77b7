-- view: event
-- convention: C5 C6 C7 C9 C11 C16
-- purpose: every visible event with who (subject_uid, actor_uid), from where (src_ip, country), what and outcome
--
-- Labels are in `identity`. `is_not_failed` and `is_successful` are the two halves of C7: what opens access counts
-- unless it failed, what closes it counts only when it succeeded. `is_effective` is C7 itself: closing activities when
-- they succeeded, all others unless they failed; the loss of a second factor opens. `is_refused` is a failure that was no
-- rate limit, conflict or missing thing. `is_user_actor` tells a person from an application.
select
  class_uid, activity_id, time, event_uid, status_id,
  -- nullif() only hides from the planner that this is never null: it and the engine come to other conclusions there
  nullif(case
    when class_uid = 3001 and activity_id between 1 and 12 or class_uid = 3002 and activity_id between 1 and 7
      or class_uid = 3004 and activity_id between 1 and 13 or class_uid = 3005 and activity_id between 1 and 2
      or class_uid = 3006 and activity_id between 1 and 8
    then activity_id
    else case coalesce(activity_id, 0) when 0 then 0 else 99 end
  end, -1) as activity_key,
  case coalesce(status_id, 0) when 0 then 'unknown' when 1 then 'success' when 2 then 'failure' else 'other' end
    as outcome,
  status_id is distinct from 2 as is_not_failed,
  status_id is not distinct from 1 as is_successful,
  case
    when class_uid = 3001 and activity_id in (5, 6, 8, 9) or class_uid = 3004 and activity_id in (4, 7, 9, 11, 12)
      or class_uid = 3005 and activity_id = 2 or class_uid = 3006 and activity_id in (2, 4, 5, 8)
    then status_id is not distinct from 1
    else status_id is distinct from 2
  end as is_effective,
  coalesce((status_id = 2), false) and coalesce(array_has($refusal_codes, http_code), true) as is_refused,
  subject_uid, actor_uid, is_user_actor,
  -- C11: what an entity is, its type says; only without one the path does. third-party-disabling is a setting.
  class_uid = 3004 and coalesce(case
    when entity_kind is not null then array_has($api_key_kinds, entity_kind)
    else regexp_like(path, '/api-keys(/|$)') and not regexp_like(path, '/api-keys/third-party-disabling(/|$)')
  end, false) as is_api_key,
  -- C16
  coalesce(subject_uid, entity_key, group_key, path) as target_uid,
  src_ip,
  -- C9: what the event says, else what a table of addresses says
  case when has_place then country else geo_country end as country,
  case when has_place then city else geo_city end as city,
  case when has_place then lat else geo_lat end as lat,
  case when has_place then long else geo_long end as long,
  mfa, auth_protocol_id,
  is_vpn, session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
  http_method, user_agent, product_name, ocsf_version, raw, actor_user_type_id,
  privileges, policies, resources, group_key, group_name, subgroup_key,
  entity_uid, entity_result_uid, entity_name, entity_type, entity_kind, entity_key,
  owner_uid, has_mfa, path, message, unmapped
from (
  select
    *,
    case when class_uid = 3002 then coalesce(resolved_user, resolved_actor) else resolved_user end as subject_uid,
    coalesce(resolved_actor, 'app:' || coalesce(app_uid, app_name)) as actor_uid,
    resolved_actor is not null as is_user_actor,
    coalesce(entity_uid, entity_result_uid, entity_name) as entity_key,
    regexp_replace(lower(entity_type), '[^a-z0-9]+', '_', 'g') as entity_kind
  from (
    select
      e.* exclude (owner_uid, owner_email, owner_qualified, owner_name),
      coalesce(e.user_uid, um.uid, uq.uid, lower(e.user_email), e.user_qualified, e.user_name) as resolved_user,
      coalesce(
        e.actor_user_uid, am.uid, aq.uid, lower(e.actor_user_email), e.actor_user_qualified, e.actor_user_name
      ) as resolved_actor,
      coalesce(e.owner_uid, om.uid, oq.uid, lower(e.owner_email), e.owner_qualified, e.owner_name) as owner_uid,
      g.country as geo_country, g.city as geo_city, g.lat as geo_lat, g.long as geo_long
    from event_row e
    -- A key is made only where it is needed: null joins nothing.
    left join email_uid um on case when e.user_uid is null then lower(e.user_email) end = um.email
    left join email_uid am on case when e.actor_user_uid is null then lower(e.actor_user_email) end = am.email
    left join email_uid om on case when e.owner_uid is null then lower(e.owner_email) end = om.email
    left join name_uid uq on case when e.user_uid is null then e.user_qualified end = uq.qualified
    left join name_uid aq on case when e.actor_user_uid is null then e.actor_user_qualified end = aq.qualified
    left join name_uid oq on case when e.owner_uid is null then e.owner_qualified end = oq.qualified
    left join ip_place g on case when not e.has_place then e.src_ip end = g.ip
  )
)
