-- view: privileged_span
-- convention: C10 C14
-- purpose: from when until when each subject held any privileged key of the access ledger
-- evaluate: once
--
-- As of t: `since <= t and (until is null or t < until)`; a subject's spans do not meet. Entries of a key are those of
-- `access_holding`, in its order; a grant is open until the next close of its key.
with fact as (
  select time, event_uid, effect, subject_uid, privilege, resource_uid, privilege_source
  from access_fact
  where is_effective and is_privileged and subject_uid is not null
),
entry as (
  select * from fact
  union all
  select d.time, d.event_uid, 'close', k.*
  from (select distinct subject_uid, privilege, resource_uid, privilege_source from fact) k
  join account_action d on d.subject_uid = k.subject_uid and d.action = 'delete' and d.is_effective
),
opening as (
  select subject_uid, time, effect, min(case when effect = 'close' then time end) over (
    partition by subject_uid, privilege, resource_uid, privilege_source
    order by time, effect, coalesce(event_uid, '') rows between 1 following and unbounded following
  ) as closed
  from entry
),
step as (
  select subject_uid, time, sum(change) as change
  from (
    select subject_uid, time, 1 as change from opening where effect = 'open'
    union all
    select subject_uid, closed as time, -1 as change from opening where effect = 'open' and closed is not null
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
