-- view: admin_event
-- convention: C12
-- purpose: administrative events with their local time and day: no logons, no reading, nobody's care of the own account
--
-- The local clock has no zone any more; an hour that is repeated in autumn is there twice. An unknown activity counts.
select *, cast(local_time as date) as local_date
from (
  select *, to_local_time(time at time zone $tz) as local_time
  from event
  where class_uid in (3001, 3004, 3005, 3006)
    and not (class_uid = 3004 and activity_id is not distinct from 2)
    -- password change and reset, second factor on and off, by the account itself
    and not (class_uid = 3001 and coalesce(activity_id in (3, 4, 10, 11) and subject_uid = actor_uid, false))
)
