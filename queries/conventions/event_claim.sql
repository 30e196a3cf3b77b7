-- view: event_claim
-- convention: C1
-- purpose: what each event claims of itself, as it was sent: numbers, their captions, and which objects it has
-- over: classes
--
-- Beside `event_row`, which says what an event means: here nothing is completed or put right. `caption` is what OCSF calls
-- the class; null captions are those of numbers that it does not know.
select
  class_name() as class, class_number() as table_uid, class_uid, time, _event_uid as event_uid,
  activity_id, type_uid, category_uid, status_id, severity_id, nullif(trim(metadata.version), '') as version,
  nullif(trim(class_name), '') as class_text, nullif(trim(category_name), '') as category_text,
  nullif(trim(type_name), '') as type_text, nullif(trim(severity), '') as severity_text,
  nullif(trim(status), '') as status_text,
  ocsf_caption(class_name(), 'class_uid', class_uid) as caption,
  ocsf_caption(class_name(), 'category_uid', category_uid) as category_caption,
  ocsf_caption(class_name(), 'activity_id', activity_id) as activity_caption,
  ocsf_caption(class_name(), 'type_uid', type_uid) as type_caption,
  ocsf_caption(class_name(), 'severity_id', severity_id) as severity_caption,
  ocsf_caption(class_name(), 'status_id', status_id) as status_caption,
  metadata is not null as has_metadata, "user" is not null as has_user, entity is not null as has_entity,
  "group" is not null as has_group, privileges is not null as has_privileges,
  service is not null or dst_endpoint is not null as has_service,
  "user".uid is not null or "user".name is not null or "user".account is not null as is_user_named,
  actor is not null as has_actor,
  actor."user" is not null or actor.app_uid is not null or actor.app_name is not null or actor.process is not null
    or actor.session is not null or actor.invoked_by is not null as is_actor_named
from event_class
