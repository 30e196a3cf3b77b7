-- view: user_object
-- convention: C5
-- purpose: the different user objects (uid, e-mail, name, type) of all visible events, each with when it was last seen
-- evaluate: once
--
-- One pass over the events; everything else about identity is worked out on this small table. `qualified` is
-- `domain\name`. `last_seen` is text that sorts bytewise like (time, event_uid) (C4) and then, inside one event, `user`
-- after `actor.user`.
select
  uid, email, qualified, name, type_id,
  max(concat(cast(time_ms + 1000000000000000 as varchar), event_uid, chr(1), place)) as last_seen
from (
  select
    actor_user_uid as uid, actor_user_email as email, actor_user_qualified as qualified, actor_user_name as name,
    actor_user_type_id as type_id, cast(time as bigint) / 1000 as time_ms, event_uid, '0' as place
  from event_row
  union all
  select
    user_uid as uid, user_email as email, user_qualified as qualified, user_name as name, user_type_id as type_id,
    cast(time as bigint) / 1000 as time_ms, event_uid, '1' as place
  from event_row
)
where uid is not null or email is not null or name is not null
group by uid, email, qualified, name, type_id
