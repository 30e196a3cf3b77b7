-- view: event_row
-- convention: C1 C5 C6 C7 C8 C9 C10 C11 C16
-- purpose: every visible event of every class in one shape: what the event alone says, trimmed; blank text is no text
-- over: classes
--
-- The only view that knows which attribute stands where. It is instantiated for each class that is loaded: `event_class`
-- is the class's table up to the horizon (C3), an attribute that the class does not have is null, `members()` are the
-- attributes that classes share, as they came. Who an event is about is worked out in `event`, which sees all of them.
select
  * exclude (place_lat, place_long, has_position),
  -- C9: coordinates count together, in range and not both 0
  case when has_position then place_lat end as lat, case when has_position then place_long end as long,
  -- C5: by what somebody is looked up who has no uid, each a column that facts can be searched by
  case when actor_user_uid is null then lower(actor_user_email) end as actor_email_key,
  case when actor_user_uid is null then actor_user_qualified end as actor_qualified_key,
  case when actor_user_uid is null then actor_user_name end as actor_name_key,
  case when user_uid is null then lower(user_email) end as user_email_key,
  case when user_uid is null then user_qualified end as user_qualified_key,
  case when user_uid is null then user_name end as user_name_key
from (
  select
    *,
    place_lat between -90 and 90 and place_long between -180 and 180 and not (place_lat = 0 and place_long = 0)
      as has_position
  from (
    select
      * exclude (
        actor_email, actor_name, actor_domain, subject_email, subject_name, subject_domain, owner_email_addr,
        owner_domain, http_code, is_mfa, session_is_mfa,
        endpoint_ip, device_ip, forwarded_ip, endpoint_has_place, device_has_place, endpoint_city, endpoint_country,
        endpoint_lat, endpoint_long, device_city, device_country, device_lat, device_long, group_uid, subgroup_uid,
        subgroup_name
      ),
      -- C5: the e-mail of a user object is email_addr, else name if it contains @; a bare name is qualified by its domain
      coalesce(actor_email, case when strpos(actor_name, '@') > 0 then actor_name end) as actor_user_email,
      actor_name as actor_user_name,
      case when strpos(actor_name, '@') = 0 and strpos(actor_name, '\') = 0 then lower(actor_domain || '\' || actor_name) end
        as actor_user_qualified,
      coalesce(subject_email, case when strpos(subject_name, '@') > 0 then subject_name end) as user_email,
      subject_name as user_name,
      case
        when strpos(subject_name, '@') = 0 and strpos(subject_name, '\') = 0 then lower(subject_domain || '\' || subject_name)
      end as user_qualified,
      coalesce(owner_email_addr, case when strpos(owner_name, '@') > 0 then owner_name end) as owner_email,
      case when strpos(owner_name, '@') = 0 and strpos(owner_name, '\') = 0 then lower(owner_domain || '\' || owner_name) end
        as owner_qualified,
      -- C6
      case coalesce(status_id, 0) when 0 then 'unknown' when 1 then 'success' when 2 then 'failure' else 'other' end
        as outcome,
      coalesce((status_id = 2) and (http_code is null or array_has($refusal_codes, http_code)), false) as is_refused,
      coalesce(is_mfa, session_is_mfa) as mfa,
      -- C7
      (status_id is distinct from 2) as is_not_failed,
      (status_id is not distinct from 1) as is_successful,
      case
        when class_uid = 3001 and activity_id in (5, 6, 8, 9) or class_uid = 3004 and activity_id in (4, 7, 9, 11, 12)
          or class_uid = 3005 and activity_id = 2 or class_uid = 3006 and activity_id in (2, 4, 5, 8)
        then (status_id is not distinct from 1)
        else (status_id is distinct from 2)
      end as is_effective,
      -- C8
      coalesce(endpoint_ip, device_ip, forwarded_ip) as src_ip,
      -- C9: one location, of the endpoint if it has any
      endpoint_has_place or device_has_place as has_place,
      case when endpoint_has_place then endpoint_country else device_country end as country,
      case when endpoint_has_place then endpoint_city else device_city end as city,
      case when endpoint_has_place then endpoint_lat else device_lat end as place_lat,
      case when endpoint_has_place then endpoint_long else device_long end as place_long,
      -- C11: what an entity is, its type says; only without one the path does. third-party-disabling is a setting.
      class_uid = 3004 and coalesce(case
        when entity_type is not null then
          array_has($api_key_kinds, regexp_replace(lower(entity_type), '[^a-z0-9]+', '_', 'g'))
        else regexp_like(path, '/api-keys(/|$)') and not regexp_like(path, '/api-keys/third-party-disabling(/|$)')
      end, false) as is_api_key,
      coalesce(group_uid, group_name) as group_key,
      coalesce(subgroup_uid, subgroup_name) as subgroup_key,
      regexp_replace(lower(entity_type), '[^a-z0-9]+', '_', 'g') as entity_kind
    from (
      select
        class_name() as class, class_number() as class_uid, time, _event_uid as event_uid, activity_id,
        -- The caption of the activity, whatever the vendor calls it. The key is 0 without an activity, and 99 for one that
        -- OCSF does not know.
        coalesce(ocsf_caption(class_name(), 'activity_id', activity_id), nullif(trim(activity_name), '')) as action,
        case
          when ocsf_caption(class_name(), 'activity_id', activity_id) is not null then activity_id
          when coalesce(activity_id, 0) = 0 then 0
          else 99
        end as activity_key,
        coalesce(status_id, case
          when array_has($success_words, lower(trim(status))) then 1
          when array_has($failure_words, lower(trim(status))) then 2
        end) as status_id,
        coalesce(
          regexp_match(trim(status_code), '^[1-5][0-9]{2}$')[1], json_as_text(http_response, 'code')
        ) as http_code,
        somebody(actor.user.uid, $nobody) as actor_user_uid, somebody(actor.user.email_addr, $nobody) as actor_email,
        somebody(actor.user.name, $nobody) as actor_name, somebody(actor.user.domain, $nobody) as actor_domain,
        actor.user.type_id as actor_user_type_id,
        somebody(actor.app_uid, $nobody) as app_uid, somebody(actor.app_name, $nobody) as app_name,
        somebody("user".uid, $nobody) as user_uid, somebody("user".email_addr, $nobody) as subject_email,
        somebody("user".name, $nobody) as subject_name, somebody("user".domain, $nobody) as subject_domain,
        "user".type_id as user_type_id,
        bare_address(somebody(src_endpoint.ip, $nobody)) as endpoint_ip,
        bare_address(somebody(device.ip, $nobody)) as device_ip,
        bare_address(somebody(array_element(http_request.x_forwarded_for, 1), $nobody)) as forwarded_ip,
        src_endpoint.location.city is not null or src_endpoint.location.country is not null
          or src_endpoint.location.lat is not null or src_endpoint.location.long is not null
          or json_contains(_extra, '/src_endpoint/location/coordinates') is true as endpoint_has_place,
        device.location.city is not null or device.location.country is not null or device.location.lat is not null
          or device.location.long is not null or json_contains(_extra, '/device/location/coordinates') is true
          as device_has_place,
        nullif(trim(src_endpoint.location.city), '') as endpoint_city,
        nullif(upper(trim(src_endpoint.location.country)), '') as endpoint_country,
        -- `coordinates` is deprecated: two numbers, [long, lat]
        case when src_endpoint.location.lat is not null and src_endpoint.location.long is not null
          then src_endpoint.location.lat
          when json_length(_extra, '/src_endpoint/location/coordinates') = 2
          then json_get_float(_extra, '/src_endpoint/location/coordinates', 1) end
          as endpoint_lat,
        case when src_endpoint.location.lat is not null and src_endpoint.location.long is not null
          then src_endpoint.location.long
          when json_length(_extra, '/src_endpoint/location/coordinates') = 2
          then json_get_float(_extra, '/src_endpoint/location/coordinates', 0) end
          as endpoint_long,
        nullif(trim(device.location.city), '') as device_city,
        nullif(upper(trim(device.location.country)), '') as device_country,
        case when device.location.lat is not null and device.location.long is not null
          then device.location.lat
          when json_length(_extra, '/device/location/coordinates') = 2
          then json_get_float(_extra, '/device/location/coordinates', 1) end as device_lat,
        case when device.location.lat is not null and device.location.long is not null
          then device.location.long
          when json_length(_extra, '/device/location/coordinates') = 2
          then json_get_float(_extra, '/device/location/coordinates', 0) end as device_long,
        is_mfa, session.is_mfa as session_is_mfa, auth_protocol_id, session.is_vpn as is_vpn,
        coalesce(nullif(trim(session.uid), ''), nullif(trim(actor.session.uid), '')) as session_uid,
        nullif(trim(time_dt), '') as time_dt, nullif(trim(time_dt), '') is not null as has_time_dt,
        nullif(trim(activity_name), '') as activity_name,
        nullif(trim(status_detail), '') as status_detail,
        nullif(trim(http_request.http_method), '') as http_method,
        nullif(trim(http_request.user_agent), '') as user_agent,
        nullif(trim(metadata.product.name), '') as product_name, nullif(trim(metadata.version), '') as ocsf_version,
        event_json() as raw,
        -- C10: names; of policies the deprecated `policy` where there are none; of resources uid, else name, of each, without
        -- any the deprecated `resource`, without both `*`
        case when class_has(privileges) then names(privileges) end as privileges,
        case
          when not class_has(policies, policy) then null
          when cardinality(names(policies, 'name', 'uid')) > 0 then names(policies, 'name', 'uid')
          else names(make_array(policy), 'name', 'uid')
        end as policies,
        case
          when not class_has(resources, resource) then null
          when not class_has(resources)
            then make_array(coalesce(nullif(trim(resource.uid), ''), nullif(trim(resource.name), ''), '*'))
          when coalesce(cardinality(resources), 0) = 0 and resource is null then make_array('*')
          when coalesce(cardinality(resources), 0) = 0 and activity_id = 1
            then names_or('*', make_array(resource), 'uid', 'name')
          when coalesce(cardinality(resources), 0) = 0 then names(make_array(resource), 'uid', 'name')
          when activity_id = 1 then names_or('*', resources, 'uid', 'name')
          else names(resources, 'uid', 'name')
        end as resources,
        nullif(trim("group".uid), '') as group_uid, nullif(trim("group".name), '') as group_name,
        nullif(trim(subgroup.uid), '') as subgroup_uid, nullif(trim(subgroup.name), '') as subgroup_name,
        -- a managed entity, and whose it is: a user object as in C5
        nullif(trim(entity.uid), '') as entity_uid, nullif(trim(entity_result.uid), '') as entity_result_uid,
        nullif(trim(entity.name), '') as entity_name, nullif(trim(entity.type), '') as entity_type,
        somebody(entity.user.uid, $nobody) as owner_uid, somebody(entity.user.email_addr, $nobody) as owner_email_addr,
        somebody(entity.user.name, $nobody) as owner_name, somebody(entity.user.domain, $nobody) as owner_domain,
        coalesce(user_result.has_mfa, "user".has_mfa) as has_mfa,
        nullif(trim(entity_result.name), '') as entity_result_name, nullif(trim(comment), '') as comment,
        account_switch_type_id, coalesce(session.expiration_time, actor.session.expiration_time) as session_expiration,
        http_request.url.path as path,
        members()
      from event_class
    )
  )
)
