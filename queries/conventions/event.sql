-- view: event
-- convention: C5 C7 C9 C16
-- purpose: every visible event with who (actor), whom (subject), what (action, target), from where (src_ip) and outcome
-- plan: apart
--
-- Uids and labels are those of the whole log (C5): an e-mail or a qualified name is the uid last seen with it, a label is
-- the latest e-mail or name; for applications and unnamed people label and uid are the same. `is_not_failed` and
-- `is_successful` are the two halves of C7: what opens access counts unless it failed, what closes it only when it
-- succeeded; `is_effective` is C7 itself. `is_user_actor` tells a person from an application.
--
-- Beside these `event` has `raw` (the event as JSON) and the attributes that classes share (`actor`, `src_endpoint`,
-- `metadata`, `unmapped`, `_extra` ...), by name only: `*` does not mean what comes from `e.*` here.
select
  time, class, class_uid, activity_id, action, outcome, actor_uid,
  coalesce(lookup('identity', 'label', actor_uid), app_name, app_uid, actor_uid) as actor_label,
  subject_uid, coalesce(lookup('identity', 'label', subject_uid), subject_uid) as subject_label,
  -- C16
  coalesce(subject_uid, entity_key, group_key, path) as target_uid,
  coalesce(
    lookup('identity', 'label', subject_uid), subject_uid, entity_name, entity_key, group_name, group_key, path
  ) as target_label,
  src_ip,
  -- C9: what the event says, else what a table of addresses says
  case when has_place then country else lookup('ip_place', 'country', src_ip) end as country,
  case when has_place then city else lookup('ip_place', 'city', src_ip) end as city,
  case when has_place then lat else lookup_double('ip_place', 'lat', src_ip) end as lat,
  case when has_place then long else lookup_double('ip_place', 'long', src_ip) end as long,
  severity_id, status_id, status_detail, message, event_uid, activity_key, activity_name, type_uid, time_dt,
  is_refused, is_not_failed, is_successful, is_effective, is_user_actor, is_api_key, mfa, auth_protocol_id, is_vpn, session_uid,
  http_method, user_agent, path, product_name, ocsf_version, actor_user_type_id,
  privileges, policies, resources, group_key, group_name, subgroup_key,
  entity_uid, entity_result_uid, entity_name, entity_type, entity_kind, entity_key,
  coalesce(
    owner_uid, lookup('email_uid', 'uid', lower(owner_email)), lookup('name_uid', 'uid', owner_qualified),
    lower(owner_email), owner_qualified, owner_name
  ) as owner_uid,
  has_mfa, unmapped,
  e.* exclude (
    time, class, class_uid, activity_id, action, outcome, actor_uid, subject_uid, src_ip, country, city, lat, long,
    severity_id, status_id, status_detail, message, event_uid, activity_key, activity_name, type_uid, time_dt,
    is_refused, is_not_failed, is_successful, is_effective, is_user_actor, is_api_key, mfa, auth_protocol_id, is_vpn, session_uid, http_method, user_agent, path, product_name,
    ocsf_version, actor_user_type_id, privileges, policies, resources, group_key, group_name, subgroup_key, entity_uid,
    entity_result_uid, entity_name, entity_type, entity_kind, entity_key, owner_uid, has_mfa, unmapped,
    has_place, resolved_user, resolved_actor, actor_email_key, actor_qualified_key, actor_name_key,
    user_email_key, user_qualified_key, user_name_key
  )
from (
  select
    *,
    case when class_uid = 3002 then coalesce(resolved_user, resolved_actor) else resolved_user end as subject_uid,
    coalesce(resolved_actor, 'app:' || coalesce(app_uid, app_name)) as actor_uid,
    resolved_actor is not null as is_user_actor
  from (
    select
      *,
      coalesce(entity_uid, entity_result_uid, entity_name) as entity_key,
      coalesce(
        user_uid, lookup('email_uid', 'uid', user_email_key), lookup('name_uid', 'uid', user_qualified_key),
        user_email_key, user_qualified_key, user_name_key
      ) as resolved_user,
      coalesce(
        actor_user_uid, lookup('email_uid', 'uid', actor_email_key), lookup('name_uid', 'uid', actor_qualified_key),
        actor_email_key, actor_qualified_key, actor_name_key
      ) as resolved_actor
    from event_row
  )
) e
