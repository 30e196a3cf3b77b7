-- view: admin_event
-- convention: C12
-- purpose: administrative events with their local time and day: no logons, no reading, nobody's care of the own account
--
-- What is one says `event`. The local clock has no zone any more; an hour that is repeated in autumn is there twice.
select *, cast(local_time as date) as local_date
from (
  select *, to_local_time(time at time zone $tz) as local_time
  from event
  where is_admin
)
