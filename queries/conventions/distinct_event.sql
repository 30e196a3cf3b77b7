-- view: distinct_event
-- convention: C2
-- purpose: event_row without repetitions: of rows with one event_uid the one with the smallest time stays
--
-- Rows without an event_uid all stay. Which of several copies with the same time stays does not matter; the further
-- sort keys make it the same one wherever this view is used.
select e.*
from event_row e left anti join repeated_uid r on e.event_uid = r.event_uid
union all
select * exclude (copy)
from (
  select e.*, row_number() over (
    partition by e.event_uid
    order by e.time, e.class_uid, e.activity_id, e.status_id, e.user_uid, e.user_email, e.actor_user_uid, e.src_ip
  ) as copy
  from event_row e left semi join repeated_uid r on e.event_uid = r.event_uid
)
where copy = 1
