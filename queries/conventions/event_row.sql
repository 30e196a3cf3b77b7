-- view: event_row
-- convention: C1 C5 C6 C8 C9
-- purpose: every visible event of the five classes with the same columns, trimmed; blank text is no text
--
-- The only view that knows which attribute stands where in which class. `visible_<class>` is the class's table up to
-- the horizon of the run (C3). The class number is a literal of each branch, so that a filter on it drops branches
-- before anything is read. `names` trims, drops blank names and repeated ones (C10). Nulls are typed because a union
-- takes the types of its first branch. `status_id` is the number that was sent, else what the word `status` says. What
-- stands for nobody is no uid, e-mail, name, domain, application or address.
select
  class_uid, time, event_uid, activity_id,
  -- C6
  case
    when status_id is not null then status_id when array_has($success_words, status) then 1
    when array_has($failure_words, status) then 2
  end as status_id,
  coalesce(
    case when regexp_like(status_code, '^[1-5][0-9][0-9]$') then status_code end, regexp_match(http_response, '"code" *: *"?([0-9]+)')[1]
  ) as http_code,
  -- C5: the e-mail of a user object is email_addr, else name if it contains @; a bare name is qualified by its domain
  actor_uid as actor_user_uid,
  coalesce(actor_email, case when strpos(actor_name, '@') > 0 then actor_name end) as actor_user_email,
  case
    when actor_domain is not null and not regexp_like(actor_name, '[@\\]') then lower(actor_domain || '\' || actor_name)
  end as actor_user_qualified,
  actor_name as actor_user_name,
  actor_type_id as actor_user_type_id,
  app_uid, app_name,
  user_uid,
  coalesce(user_email, case when strpos(user_name, '@') > 0 then user_name end) as user_email,
  case
    when user_domain is not null and not regexp_like(user_name, '[@\\]') then lower(user_domain || '\' || user_name)
  end as user_qualified,
  user_name, user_type_id,
  -- C8: without brackets and port
  case
    when regexp_like(src_ip, '^\[.*\](:[0-9]+)?$') then regexp_replace(src_ip, '^\[(.*)\](:[0-9]+)?$', '\1')
    else regexp_replace(src_ip, '^([^:]*):[0-9]{1,5}$', '\1')
  end as src_ip,
  -- C9: one location, of the endpoint if it has any; coordinates count together, in range and not both 0
  case when endpoint_has_place then endpoint_country else device_country end as country,
  case when has_position then lat end as lat, case when has_position then long end as long,
  case when endpoint_has_place then endpoint_city else device_city end as city,
  has_place,
  coalesce(is_mfa, session_is_mfa) as mfa, auth_protocol_id,
  is_vpn, session_uid, severity_id, type_uid, time_dt, activity_name, status_detail,
  http_method, user_agent, product_name, ocsf_version, raw,
  privileges, policies, resources,
  coalesce(group_uid, group_name) as group_key, group_name,
  coalesce(subgroup_uid, subgroup_name) as subgroup_key,
  -- a managed entity (3004), and whose it is: a user object as in C5
  entity_uid, entity_result_uid, entity_name, entity_type, owner_uid,
  coalesce(owner_email, case when strpos(owner_name, '@') > 0 then owner_name end) as owner_email,
  case
    when owner_domain is not null and not regexp_like(owner_name, '[@\\]') then lower(owner_domain || '\' || owner_name)
  end as owner_qualified,
  owner_name,
  has_mfa, path, message, unmapped
from (
  select
    *, coalesce(endpoint_ip, device_ip, forwarded_ip) as src_ip,
    coalesce(lat between -90 and 90 and long between -180 and 180 and not (lat = 0 and long = 0), false) as has_position
  from (
    select
      *,
      endpoint_has_place or device_has_place as has_place,
      -- lat and long, else the deprecated coordinates [long, lat]
      case
        when endpoint_has_place and endpoint_lat is not null and endpoint_long is not null then endpoint_lat
        when endpoint_has_place then cast(endpoint_pair[2] as double)
        when device_lat is not null and device_long is not null then device_lat
        else cast(device_pair[2] as double)
      end as lat,
      case
        when endpoint_has_place and endpoint_lat is not null and endpoint_long is not null then endpoint_long
        when endpoint_has_place then cast(endpoint_pair[1] as double)
        when device_lat is not null and device_long is not null then device_long
        else cast(device_pair[1] as double)
      end as long
    from (
      select
        class_uid, time, event_uid, activity_id, status_id, lower(trim(status)) as status, trim(status_code) as status_code,
        http_response,
        somebody(actor_uid, $nobody) as actor_uid, somebody(actor_email, $nobody) as actor_email,
        somebody(actor_name, $nobody) as actor_name, somebody(actor_domain, $nobody) as actor_domain,
        somebody(app_uid, $nobody) as app_uid, somebody(app_name, $nobody) as app_name,
        somebody(user_uid, $nobody) as user_uid, somebody(user_email, $nobody) as user_email,
        somebody(user_name, $nobody) as user_name, somebody(user_domain, $nobody) as user_domain,
        somebody(owner_uid, $nobody) as owner_uid, somebody(owner_email, $nobody) as owner_email,
        somebody(owner_name, $nobody) as owner_name, somebody(owner_domain, $nobody) as owner_domain,
        somebody(endpoint_ip, $nobody) as endpoint_ip, somebody(device_ip, $nobody) as device_ip,
        somebody(forwarded_ip, $nobody) as forwarded_ip,
        actor_type_id, user_type_id,
        nullif(upper(trim(endpoint_country)), '') as endpoint_country, endpoint_lat, endpoint_long,
        nullif(upper(trim(device_country)), '') as device_country, device_lat, device_long,
        nullif(trim(endpoint_city), '') as endpoint_city, nullif(trim(device_city), '') as device_city,
        -- No column of their own: what has none is in `_extra`, by its place. Not by functions on JSON: their leaves are
        -- pushed down, and with a union below the engine fails to plan that.
        regexp_match(extra, '"/src_endpoint/location/coordinates" *: *\[ *([-0-9.eE+]+) *, *([-0-9.eE+]+) *\]') as endpoint_pair,
        regexp_match(extra, '"/device/location/coordinates" *: *\[ *([-0-9.eE+]+) *, *([-0-9.eE+]+) *\]') as device_pair,
        endpoint_city is not null or endpoint_country is not null or endpoint_lat is not null
          or endpoint_long is not null or coalesce(strpos(extra, '"/src_endpoint/location/coordinates"') > 0, false)
          as endpoint_has_place,
        device_city is not null or device_country is not null or device_lat is not null or device_long is not null
          or coalesce(strpos(extra, '"/device/location/coordinates"') > 0, false) as device_has_place,
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
        has_mfa, path, message, unmapped
      from (
        select
          3001 as class_uid, time as time, _event_uid as event_uid, activity_id as activity_id,
          status_id as status_id,
          actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
          actor.user.domain as actor_domain, actor.user.type_id as actor_type_id, actor.app_uid as app_uid,
          actor.app_name as app_name,
          "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
          "user".domain as user_domain, "user".type_id as user_type_id,
          src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
          src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
          src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
          device.location.city as device_city, device.location.country as device_country,
          device.location.lat as device_lat, device.location.long as device_long, _extra as extra,
          cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
          cast(null as bigint) as auth_protocol_id,
          cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
          actor.session.uid as actor_session_uid, severity_id as severity_id, type_uid as type_uid, time_dt as time_dt,
          activity_name as activity_name, status_detail as status_detail, status as status, status_code as status_code,
          http_response as http_response,
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
          cast(null as varchar) as owner_domain,
          coalesce(user_result.has_mfa, "user".has_mfa) as has_mfa, http_request.url.path as path, message, unmapped
        from visible_account_change
        union all
        select
          3002 as class_uid, time as time, _event_uid as event_uid, activity_id as activity_id,
          status_id as status_id,
          actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
          actor.user.domain as actor_domain, actor.user.type_id as actor_type_id, actor.app_uid as app_uid,
          actor.app_name as app_name,
          "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
          "user".domain as user_domain, "user".type_id as user_type_id,
          src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
          src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
          src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
          device.location.city as device_city, device.location.country as device_country,
          device.location.lat as device_lat, device.location.long as device_long, _extra as extra,
          is_mfa as is_mfa, session.is_mfa as session_is_mfa, auth_protocol_id as auth_protocol_id,
          session.is_vpn as is_vpn, session.uid as session_uid,
          actor.session.uid as actor_session_uid, severity_id as severity_id, type_uid as type_uid, time_dt as time_dt,
          activity_name as activity_name, status_detail as status_detail, status as status, status_code as status_code,
          http_response as http_response,
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
          cast(null as varchar) as owner_domain,
          cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
        from visible_authentication
        union all
        select
          3004 as class_uid, time as time, _event_uid as event_uid, activity_id as activity_id,
          status_id as status_id,
          actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
          actor.user.domain as actor_domain, actor.user.type_id as actor_type_id, actor.app_uid as app_uid,
          actor.app_name as app_name,
          cast(null as varchar) as user_uid, cast(null as varchar) as user_email, cast(null as varchar) as user_name,
          cast(null as varchar) as user_domain, cast(null as bigint) as user_type_id,
          src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
          src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
          src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
          device.location.city as device_city, device.location.country as device_country,
          device.location.lat as device_lat, device.location.long as device_long, _extra as extra,
          cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
          cast(null as bigint) as auth_protocol_id,
          cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
          actor.session.uid as actor_session_uid, severity_id as severity_id, type_uid as type_uid, time_dt as time_dt,
          activity_name as activity_name, status_detail as status_detail, status as status, status_code as status_code,
          http_response as http_response,
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
          -- no column of its own, as with coordinates
          regexp_match(_extra, '"/entity/user/domain" *: *"([^"]*)"')[1] as owner_domain,
          cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
        from visible_entity_management
        union all
        select
          3005 as class_uid, time as time, _event_uid as event_uid, activity_id as activity_id,
          status_id as status_id,
          actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
          actor.user.domain as actor_domain, actor.user.type_id as actor_type_id, actor.app_uid as app_uid,
          actor.app_name as app_name,
          "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
          "user".domain as user_domain, "user".type_id as user_type_id,
          src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
          src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
          src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
          device.location.city as device_city, device.location.country as device_country,
          device.location.lat as device_lat, device.location.long as device_long, _extra as extra,
          cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
          cast(null as bigint) as auth_protocol_id,
          cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
          actor.session.uid as actor_session_uid, severity_id as severity_id, type_uid as type_uid, time_dt as time_dt,
          activity_name as activity_name, status_detail as status_detail, status as status, status_code as status_code,
          http_response as http_response,
          http_request.http_method as http_method, http_request.user_agent as user_agent,
          metadata.product.name as product_name, metadata.version as ocsf_version, _raw as raw,
          names(privileges) as privileges,
          arrow_cast(null, 'List(Utf8)') as policies,
          -- Uid, else name, of each; without any the deprecated `resource`; without both `*`. An element that has neither is
          -- `*` for a grant, so that access stays visible, and nothing for a revoke.
          case
            when coalesce(cardinality(resources), 0) = 0 and resource is null then make_array('*')
            when coalesce(cardinality(resources), 0) = 0 and activity_id = 1
              then names_or('*', make_array(resource), 'uid', 'name')
            when coalesce(cardinality(resources), 0) = 0 then names(make_array(resource), 'uid', 'name')
            when activity_id = 1 then names_or('*', resources, 'uid', 'name')
            else names(resources, 'uid', 'name')
          end as resources,
          cast(null as varchar) as group_uid, cast(null as varchar) as group_name,
          cast(null as varchar) as subgroup_uid, cast(null as varchar) as subgroup_name,
          cast(null as varchar) as entity_uid, cast(null as varchar) as entity_result_uid,
          cast(null as varchar) as entity_name, cast(null as varchar) as entity_type,
          cast(null as varchar) as owner_uid, cast(null as varchar) as owner_email, cast(null as varchar) as owner_name,
          cast(null as varchar) as owner_domain,
          cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
        from visible_user_access
        union all
        select
          3006 as class_uid, time as time, _event_uid as event_uid, activity_id as activity_id,
          status_id as status_id,
          actor.user.uid as actor_uid, actor.user.email_addr as actor_email, actor.user.name as actor_name,
          actor.user.domain as actor_domain, actor.user.type_id as actor_type_id, actor.app_uid as app_uid,
          actor.app_name as app_name,
          "user".uid as user_uid, "user".email_addr as user_email, "user".name as user_name,
          "user".domain as user_domain, "user".type_id as user_type_id,
          src_endpoint.ip as endpoint_ip, device.ip as device_ip, http_request.x_forwarded_for[1] as forwarded_ip,
          src_endpoint.location.city as endpoint_city, src_endpoint.location.country as endpoint_country,
          src_endpoint.location.lat as endpoint_lat, src_endpoint.location.long as endpoint_long,
          device.location.city as device_city, device.location.country as device_country,
          device.location.lat as device_lat, device.location.long as device_long, _extra as extra,
          cast(null as boolean) as is_mfa, cast(null as boolean) as session_is_mfa,
          cast(null as bigint) as auth_protocol_id,
          cast(null as boolean) as is_vpn, cast(null as varchar) as session_uid,
          actor.session.uid as actor_session_uid, severity_id as severity_id, type_uid as type_uid, time_dt as time_dt,
          activity_name as activity_name, status_detail as status_detail, status as status, status_code as status_code,
          http_response as http_response,
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
          cast(null as varchar) as owner_domain,
          cast(null as boolean) as has_mfa, http_request.url.path as path, message, unmapped
        from visible_group_management
      )
    )
  )
)
