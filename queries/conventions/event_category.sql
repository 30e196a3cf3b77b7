-- view: event_category
-- convention: C8
-- purpose: every event with its category if it is about the log itself or about security settings
--
-- The first category of $patterns that is found in entity type, entity name, path and activity name. Reading is log_access
-- or nothing; all others are changes, by classes that manage. A path of provisioning ($provisioning_path) says nothing:
-- creating a person is no change of single sign-on.
select *,
  case
    when is_reading then case when regexp_like(text, map_extract($patterns, 'log_access')[1]) then 'log_access' end
    when class_uid not in (3001, 3004, 3005, 3006) then null
    when regexp_like(text, map_extract($patterns, 'log_config')[1]) then 'log_config'
    when regexp_like(text, map_extract($patterns, 'auth_config')[1]) then 'auth_config'
    when regexp_like(text, map_extract($patterns, 'network_config')[1]) then 'network_config'
    when regexp_like(text, map_extract($patterns, 'key_policy')[1]) then 'key_policy'
    when regexp_like(text, map_extract($patterns, 'privacy_config')[1]) then 'privacy_config'
    when regexp_like(text, map_extract($patterns, 'webhook_config')[1]) then 'webhook_config'
  end as category
from (
  select *,
    coalesce((class_uid = 3004) and activity_id = 2, false) or coalesce(upper(http_method) = 'GET', false) as is_reading,
    concat(
      lower(entity_type), ' ', lower(entity_name), ' ', regexp_replace(lower(path), $provisioning_path, '', 'g'), ' ',
      lower(activity_name)
    ) as text
  from event_element
)
