-- view: event_row
-- convention: C1 C8 C9
-- purpose: every visible event of the five classes with the same columns, trimmed; blank text is no text
--
-- The only view that knows which attribute stands where in which class. `visible_<class>` is the class's table up to
-- the horizon of the run (C3). The class number is a literal of each branch, so that a filter on it drops branches
-- before anything is read. `names` trims, drops blank names and repeated ones (C10). Nulls are typed because a union
-- takes the types of its first branch.
select
  class_uid, time, event_uid, activity_id, status_id,
  -- C5: the e-mail of a user object is email_addr, else name if it contains @
  actor_uid as actor_user_uid,
  coalesce(actor_email, case when strpos(actor_name, '@') > 0 then actor_name end) as actor_user_email,
  actor_name as actor_user_name,
  actor_type_id as actor_user_type_id,
  app_uid, app_name,
  user_uid,
  coalesce(user_email, case when strpos(user_name, '@') > 0 then user_name end) as user_email,
  user_name, user_type_id,
  -- C8
  coalesce(endpoint_ip, device_ip, forwarded_ip) as src_ip,
  -- C9: one location, of the endpoint if it has any; coordinates count together, in range and not both 0
  case when endpoint_has_place then endpoint_country else device_country end as country,
  case when case when endpoint_has_place then endpoint_has_position else device_has_position end
    then case when endpoint_has_place then endpoint_lat else device_lat end end as lat,
  case when case when endpoint_has_place then endpoint_has_position else device_has_position end
    then case when endpoint_has_place then endpoint_long else device_long end end as long,
  case when endpoint_has_place then endpoint_city else device_city end as city,
  endpoint_has_place or device_city is not null or device_country is not null or device_lat is not null
    or device_long is not null as has_place,
  is_mfa, session_is_mfa, auth_protocol_id,
  is_vpn, session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
  http_method, user_agent, product_name, ocsf_version, raw,
  privileges, policies, resources,
  coalesce(group_uid, group_name) as group_key, group_name,
  coalesce(subgroup_uid, subgroup_name) as subgroup_key,
  -- a managed entity (3004), and whose it is: a user object, e-mail as in C5
  entity_uid, entity_result_uid, entity_name, entity_type, owner_uid,
  coalesce(owner_email, case when strpos(owner_name, '@') > 0 then owner_name end) as owner_email, owner_name,
  has_mfa, path, message, unmapped
from (
  select
    class_uid, time, event_uid, activity_id, status_id,
    nullif(trim(actor_uid), '') as actor_uid, nullif(trim(actor_email), '') as actor_email,
    nullif(trim(actor_name), '') as actor_name, actor_type_id,
    nullif(trim(app_uid), '') as app_uid, nullif(trim(app_name), '') as app_name,
    nullif(trim(user_uid), '') as user_uid, nullif(trim(user_email), '') as user_email,
    nullif(trim(user_name), '') as user_name, user_type_id,
    nullif(trim(endpoint_ip), '') as endpoint_ip, nullif(trim(device_ip), '') as device_ip,
    nullif(trim(forwarded_ip), '') as forwarded_ip,
    nullif(upper(trim(endpoint_country)), '') as endpoint_country, endpoint_lat, endpoint_long,
    nullif(upper(trim(device_country)), '') as device_country, device_lat, device_long,
    endpoint_city is not null or endpoint_country is not null or endpoint_lat is not null
      or endpoint_long is not null as endpoint_has_place,
    coalesce(endpoint_lat between -90 and 90 and endpoint_long between -180 and 180
      and not (endpoint_lat = 0 and endpoint_long = 0), false) as endpoint_has_position,
    coalesce(device_lat between -90 and 90 and device_long between -180 and 180
      and not (device_lat = 0 and device_long = 0), false) as device_has_position,
    nullif(trim(endpoint_city), '') as endpoint_city, nullif(trim(device_city), '') as device_city,
    is_mfa, session_is_mfa, auth_protocol_id,
    is_vpn, coalesce(nullif(trim(session_uid), ''), nullif(trim(actor_session_uid), '')) as session_uid,
    severity_id, type_uid, nullif(trim(time_dt), '') as time_dt, nullif(trim(activity_name), '') as activity_name,
    nullif(trim(status_detail), '') as status_detail, nullif(trim(http_method), '') as http_method,
    nullif(trim(user_agent), '') as user_agent, nullif(trim(product_name), '') as product_name,
    nullif(trim(ocsf_version), '') as ocsf_version, raw,
    privileges, policies, resources,
    nullif(trim(group_uid), '') as group_uid, nullif(trim(group_name), '') as group_name,
    nullif(trim(subgroup_uid), '') as subgroup_uid, nullif(trim(subgroup_name), '') as subgroup_name,
    nullif(trim(entity_uid), '') as entity_uid, nullif(trim(entity_result_uid), '') as entity_result_uid,
    nullif(trim(entity_name), '') as entity_name, nullif(trim(entity_type), '') as entity_type,
    nullif(trim(owner_uid), '') as owner_uid, nullif(trim(owner_email), '') as owner_email,
    nullif(trim(owner_name), '') as owner_name,
    has_mfa, path, message, unmapped
  from (
    select
      3001 as class_uid, time, _event_uid as event_uid, activity_id, status_id,
      actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
      actor.user.type_id as actor_type_id, actor.app_uid as app_uid, actor.app_name as app_name,
      "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
      "user".type_id as user_type_id,
      src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
      src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
      src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
      device.location.city as device_city, device.location.country as device_country,
      device.location.lat as device_lat, device.location.long as device_long,
      cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
      cast(null as bigint) as auth_protocol_id,
      cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
      actor.session.uid as actor_session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
      http_request.http_method as http_method, http_request.user_agent as user_agent,
      metadata.product.name as product_name, metadata.version as ocsf_version, _raw as raw,
      arrow_cast(null, 'List(Utf8)') as privileges,
      -- `policies`, else the deprecated `policy`; name, else uid
      case when cardinality(names(policies, 'name', 'uid')) > 0 then names(policies, 'name', 'uid')
        else names(make_array(policy), 'name', 'uid') end as policies,
      arrow_cast(null, 'List(Utf8)') as resources,
      cast(null as varchar) as group_uid, cast(null as varchar) as group_name,
      cast(null as varchar) as subgroup_uid, cast(null as varchar) as subgroup_name,
      cast(null as varchar) as entity_uid, cast(null as varchar) as entity_result_uid,
      cast(null as varchar) as entity_name, cast(null as varchar) as entity_type,
      cast(null as varchar) as owner_uid, cast(null as varchar) as owner_email, cast(null as varchar) as owner_name,
      coalesce(user_result.has_mfa, "user".has_mfa) as has_mfa, http_request.url.path as path, message, unmapped
    from visible_account_change
    union all
    select
      3002 as class_uid, time, _event_uid as event_uid, activity_id, status_id,
      actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
      actor.user.type_id as actor_type_id, actor.app_uid as app_uid, actor.app_name as app_name,
      "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
      "user".type_id as user_type_id,
      src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
      src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
      src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
      device.location.city as device_city, device.location.country as device_country,
      device.location.lat as device_lat, device.location.long as device_long,
      is_mfa, session.is_mfa as session_is_mfa, auth_protocol_id,
      session.is_vpn as is_vpn, session.uid as session_uid,
      actor.session.uid as actor_session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
      http_request.http_method as http_method, http_request.user_agent as user_agent,
      metadata.product.name as product_name, metadata.version as ocsf_version, _raw as raw,
      arrow_cast(null, 'List(Utf8)') as privileges,
      arrow_cast(null, 'List(Utf8)') as policies,
      arrow_cast(null, 'List(Utf8)') as resources,
      cast(null as varchar) as group_uid, cast(null as varchar) as group_name,
      cast(null as varchar) as subgroup_uid, cast(null as varchar) as subgroup_name,
      cast(null as varchar) as entity_uid, cast(null as varchar) as entity_result_uid,
      cast(null as varchar) as entity_name, cast(null as varchar) as entity_type,
      cast(null as varchar) as owner_uid, cast(null as varchar) as owner_email, cast(null as varchar) as owner_name,
      cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
    from visible_authentication
    union all
    select
      3004 as class_uid, time, _event_uid as event_uid, activity_id, status_id,
      actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
      actor.user.type_id as actor_type_id, actor.app_uid as app_uid, actor.app_name as app_name,
      cast(null as varchar) as user_uid, cast(null as varchar) as user_email, cast(null as varchar) as user_name,
      cast(null as bigint) as user_type_id,
      src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
      src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
      src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
      device.location.city as device_city, device.location.country as device_country,
      device.location.lat as device_lat, device.location.long as device_long,
      cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
      cast(null as bigint) as auth_protocol_id,
      cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
      actor.session.uid as actor_session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
      http_request.http_method as http_method, http_request.user_agent as user_agent,
      metadata.product.name as product_name, metadata.version as ocsf_version, _raw as raw,
      arrow_cast(null, 'List(Utf8)') as privileges,
      arrow_cast(null, 'List(Utf8)') as policies,
      arrow_cast(null, 'List(Utf8)') as resources,
      cast(null as varchar) as group_uid, cast(null as varchar) as group_name,
      cast(null as varchar) as subgroup_uid, cast(null as varchar) as subgroup_name,
      entity.uid as entity_uid, entity_result.uid as entity_result_uid,
      entity.name as entity_name, entity.type as entity_type,
      entity."user".uid as owner_uid, entity."user".email_addr as owner_email, entity."user".name as owner_name,
      cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
    from visible_entity_management
    union all
    select
      3005 as class_uid, time, _event_uid as event_uid, activity_id, status_id,
      actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
      actor.user.type_id as actor_type_id, actor.app_uid as app_uid, actor.app_name as app_name,
      "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
      "user".type_id as user_type_id,
      src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
      src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
      src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
      device.location.city as device_city, device.location.country as device_country,
      device.location.lat as device_lat, device.location.long as device_long,
      cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
      cast(null as bigint) as auth_protocol_id,
      cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
      actor.session.uid as actor_session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
      http_request.http_method as http_method, http_request.user_agent as user_agent,
      metadata.product.name as product_name, metadata.version as ocsf_version, _raw as raw,
      names(privileges) as privileges,
      arrow_cast(null, 'List(Utf8)') as policies,
      -- uid, else name, of each; without any the deprecated `resource`; without both `*`
      case when cardinality(names(resources, 'uid', 'name')) > 0 then names(resources, 'uid', 'name')
        else make_array(coalesce(nullif(trim(resource.uid), ''), nullif(trim(resource.name), ''), '*'))
      end as resources,
      cast(null as varchar) as group_uid, cast(null as varchar) as group_name,
      cast(null as varchar) as subgroup_uid, cast(null as varchar) as subgroup_name,
      cast(null as varchar) as entity_uid, cast(null as varchar) as entity_result_uid,
      cast(null as varchar) as entity_name, cast(null as varchar) as entity_type,
      cast(null as varchar) as owner_uid, cast(null as varchar) as owner_email, cast(null as varchar) as owner_name,
      cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
    from visible_user_access
    union all
    select
      3006 as class_uid, time, _event_uid as event_uid, activity_id, status_id,
      actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
      actor.user.type_id as actor_type_id, actor.app_uid as app_uid, actor.app_name as app_name,
      "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
      "user".type_id as user_type_id,
      src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
      src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
      src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
      device.location.city as device_city, device.location.country as device_country,
      device.location.lat as device_lat, device.location.long as device_long,
      cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
      cast(null as bigint) as auth_protocol_id,
      cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
      actor.session.uid as actor_session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
      http_request.http_method as http_method, http_request.user_agent as user_agent,
      metadata.product.name as product_name, metadata.version as ocsf_version, _raw as raw,
      names(privileges) as privileges,
      arrow_cast(null, 'List(Utf8)') as policies,
      make_array(coalesce(nullif(trim(resource.uid), ''), nullif(trim(resource.name), ''), '*')) as resources,
      "group".uid as group_uid, "group".name as group_name,
      subgroup.uid as subgroup_uid, subgroup.name as subgroup_name,
      cast(null as varchar) as entity_uid, cast(null as varchar) as entity_result_uid,
      cast(null as varchar) as entity_name, cast(null as varchar) as entity_type,
      cast(null as varchar) as owner_uid, cast(null as varchar) as owner_email, cast(null as varchar) as owner_name,
      cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
    from visible_group_management
  )
)
