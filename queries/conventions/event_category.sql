-- view: event_category
-- convention: C8
-- purpose: every event with its category if it is about the log itself or about security settings
--
-- The first category of $patterns that is found in entity type, entity name, path and activity name. log_access is reading
-- only: whoever changes what log_access finds is found by log_config.
select *,
  case
    when (class_uid = 3004 and activity_id = 2 or upper(http_method) = 'GET')
      and regexp_like(text, map_extract($patterns, 'log_access')[1]) then 'log_access'
    when regexp_like(text, map_extract($patterns, 'log_config')[1]) then 'log_config'
    when regexp_like(text, map_extract($patterns, 'auth_config')[1]) then 'auth_config'
    when regexp_like(text, map_extract($patterns, 'network_config')[1]) then 'network_config'
    when regexp_like(text, map_extract($patterns, 'key_policy')[1]) then 'key_policy'
    when regexp_like(text, map_extract($patterns, 'privacy_config')[1]) then 'privacy_config'
  end as category
from (
  select *, lower(concat(entity_type, ' ', entity_name, ' ', path, ' ', activity_name)) as text from event_element
)
