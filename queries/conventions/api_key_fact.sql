-- view: api_key_fact
-- convention: C7 C16
-- purpose: what was done to API keys: one row per event
--
-- Which events are about a key, `event` says. `owner_uid` is what the event names: the entity's user, else the service
-- account in the path. Of a key as a whole it is worked out in `api_key`.
select
  k.time, k.event_uid, k.outcome,
  case k.activity_id
    when 1 then 'create' when 2 then 'read' when 3 then 'update' when 4 then 'delete' when 5 then 'move'
    when 6 then 'enroll' when 7 then 'unenroll' when 8 then 'enable' when 9 then 'disable' when 10 then 'activate'
    when 11 then 'deactivate' when 12 then 'suspend' when 13 then 'resume' else 'other'
  end as action,
  k.is_effective, k.is_not_failed,
  coalesce(k.entity_key, regexp_match(k.path, '/api-keys/([^/?#]+)')[1]) as key_uid,
  k.entity_name as key_name,
  coalesce(k.owner_uid, regexp_match(k.path, '/service-accounts/([^/?#]+)')[1]) as owner_uid,
  k.actor_uid, k.src_ip, k.message, k.unmapped
from event k
where k.is_api_key
