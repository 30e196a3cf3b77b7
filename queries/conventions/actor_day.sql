-- view: actor_day
-- convention: C3 C5
-- purpose: how many events each actor caused on each day in `$tz`, and how many of them failed
-- evaluate: once
select
  actor_uid, cast(to_local_time(time at time zone $tz) as date) as day, count(*) as events,
  count(*) filter (where outcome = 'failure') as failed
from event
where actor_uid is not null
group by 1, 2
