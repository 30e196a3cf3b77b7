-- view: event_element
-- convention: C5 C6 C8 C16
-- purpose: every event with what an auditor expects in a record: who, what, when, outcome, origin, object ...
--
-- has_<element> is null where the element is not asked for: an object of an account event, the subject of a logon whose
-- actor is known. The path of a request names what it touches.
select *,
  actor_uid is not null as has_who,
  case
    when class_uid in (3001, 3005) or (class_uid = 3002) and actor_uid is null then subject_uid is not null
    when class_uid in (3004, 3006) then coalesce(subject_uid, entity_key, group_key, path) is not null
  end as has_subject,
  coalesce((type_uid = class_uid * 100 + activity_id) and activity_id <> 0, false) as has_what,
  has_time_dt as has_when,
  coalesce(status_id in (1, 2), false) as has_outcome,
  src_ip is not null as has_origin,
  case class_uid
    when 3004 then coalesce(entity_key, path) is not null
    when 3005 then coalesce(cardinality(privileges), 0) > 0
    when 3006 then coalesce(group_key, path) is not null
  end as has_object,
  event_uid is not null as has_event_id,
  product_name is not null as has_product,
  coalesce((ocsf_version = '1.6.0'), false) as has_version
from event
