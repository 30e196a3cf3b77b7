-- view: admin_event
-- convention: C12
-- purpose: administrative events with their local time and day
--
-- What is one says `event_authority`. The local clock has no zone any more; an hour that is repeated in autumn is there
-- twice.
select *, cast(local_time as date) as local_date
from (
  select *, to_local_time(time at time zone $tz) as local_time
  from event_authority
  where is_admin
)
