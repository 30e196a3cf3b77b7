-- view: walked_window
-- convention: C18
-- purpose: stretches of event time that the collector asked its sources for, to the end: silence there is no gap
--
-- What the table `coverage` calls covered for a source, less what it calls a hole of any; what overlaps or touches is one.
with edge as (
  select
    time, sum(case state when 'covered' then change else 0 end) as covered,
    sum(case state when 'covered' then 0 else change end) as holes
  from (
    -- Without a beginning: from the year 1 on.
    select
      coalesce(from_time, arrow_cast(-62135596800000000, 'Timestamp(Microsecond, Some("UTC"))')) as time, state, 1 as change
    from coverage
    union all
    select to_time as time, state, -1 as change from coverage
  )
  group by time
),
step as (
  select
    time,
    sum(covered) over (order by time) > 0 and sum(holes) over (order by time) = 0 as is_walked
  from edge
),
switch as (
  select time, is_walked, coalesce(lag(is_walked) over (order by time), false) as was_walked from step
)
select since, until
from (
  select time as since, is_walked, lead(time) over (order by time) as until from switch where is_walked <> was_walked
)
where is_walked
