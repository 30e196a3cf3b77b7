-- view: privileged_span
-- convention: C10 C14
-- purpose: from when until when each subject held any privileged key of the access ledger
-- evaluate: once
--
-- As of t: `since <= t and (until is null or t < until)`; a subject's spans do not meet. What happens at one ms is one step,
-- so a key that is lost and given back then is held all the time.
with step as (
  select subject_uid, time, sum(change) as change
  from (
    select holder as subject_uid, opened_time as time, 1 as change
    from ledger where family = 'access' and is_privileged
    union all
    select holder as subject_uid, closed_time as time, -1 as change
    from ledger where family = 'access' and is_privileged and closed_time is not null
  )
  group by subject_uid, time
),
held as (
  select subject_uid, time, sum(change) over (partition by subject_uid order by time) as held from step
),
switch as (
  select subject_uid, time, held,
    coalesce(lag(held) over (partition by subject_uid order by time), 0) as held_before
  from held
)
select subject_uid, since, until
from (
  select subject_uid, time as since, held, lead(time) over (partition by subject_uid order by time) as until
  from switch
  where (held > 0) <> (held_before > 0)
)
where held > 0
