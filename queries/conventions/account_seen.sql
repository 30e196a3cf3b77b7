-- view: account_seen
-- convention: C5 C7
-- purpose: every account that the log knows of: who logged on, was managed, or acted
-- evaluate: once
--
-- Failed events show nobody: a name that was typed into a logon is not an account. `is_effective`: seen by more than
-- a revoke, leave or disabling whose outcome nobody knows. `first_time` counts all that did not fail.
select
  subject_uid, min(time) as first_time, bool_or(is_effective) as is_effective,
  max(time) filter (where role = 'logon') as last_logon_time,
  max(time) filter (where role = 'actor') as last_actor_time
from (
  select subject_uid, time, true as is_effective, 'logon' as role
  from logon
  where outcome = 'success'
  union all
  select subject_uid, time, is_effective, 'subject' as role
  from event
  where class_uid in (3001, 3005, 3006) and is_not_failed
  union all
  select actor_uid as subject_uid, time, true as is_effective, 'actor' as role
  from event
  where is_not_failed and is_user_actor
)
where subject_uid is not null
group by subject_uid
