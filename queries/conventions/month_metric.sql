-- view: month_metric
-- convention: C7 C10 C11 C12 C13 C14
-- purpose: the figures of the monthly summary for [from, to), all as double; `previous.month_metric` for the month before
--
-- Accounts and privileges are those at the end, from all events before it. Machines have no office hours. Bursts of failed logons are the episodes of
-- brute-force-by-user, worked out the same way with their own parameters.
with counted as (
  select
    cast(count(*) as double) as events_total,
    cast(count(distinct actor_uid) as double) as active_actors,
    cast(count(*) filter (where class_uid = 3001 and activity_id = 1 and is_not_failed) as double) as accounts_created,
    cast(count(*) filter (where class_uid = 3001 and activity_id in (5, 6) and is_successful) as double)
      as accounts_deactivated,
    cast(sum(privileged_names) filter (where class_uid = 3005 and activity_id = 1 and is_not_failed) as double)
      as privileged_grants,
    cast(sum(privileged_names) filter (where class_uid = 3005 and activity_id = 2 and is_successful) as double)
      as privileged_revokes,
    cast(count(*) filter (where is_logon and is_successful) as double) as logon_success,
    cast(count(*) filter (where is_logon and status_id = 2) as double) as logon_failure,
    cast(count(*) filter (where is_logon and is_successful and mfa) as double) as logon_with_mfa,
    cast(count(*) filter (where class_uid = 3001 and activity_id = 11 and is_not_failed) as double)
      as mfa_factors_disabled,
    cast(count(*) filter (where class_uid = 3001 and activity_id = 4 and is_successful) as double) as password_resets,
    cast(count(*) filter (where is_api_key and activity_id = 1 and is_not_failed) as double) as api_keys_created,
    cast(count(*) filter (where is_api_key and activity_id = 4 and is_successful) as double) as api_keys_deleted,
    cast(count(*) filter (where is_successful and (
      class_uid = 3001 and activity_id = 6 or class_uid = 3004 and activity_id = 4
      or class_uid = 3006 and activity_id = 5
    )) as double) as destructive_actions,
    cast(count(*) filter (where is_admin and status_id = 2) as double) as failed_admin_actions,
    cast(count(*) filter (where actor_uid is null and subject_uid is null) as double) as unattributed_events
  from (
    select *, class_uid = 3002 and activity_id = 1 as is_logon
    from event_authority
    where time >= $from and time < $to
  )
),
account as (
  select cast(count(*) as double) as accounts_active_end from account_state
  where account_state in ('active', 'active (seen)')
),
holder as (
  select cast(count(distinct h.subject_uid) as double) as privileged_holders_end
  from access_holding h left join account_state s on s.subject_uid = h.subject_uid
  where h.is_privileged and coalesce(s.account_state <> 'deleted', true)
),
off_hours as (
  select cast(count(*) as double) as off_hours_admin_actions
  from off_hours_event
  where is_not_failed and time >= $from and time < $to
    and not coalesce(array_has($machine_types, actor_type), false)
),
gap as (
  select coalesce(sum(overlap_ms), 0) / 1000.0 as log_gap_seconds from log_gap where not covered
),
swept as (
  select
    subject_uid, time, change,
    sum(change) over (
      partition by subject_uid order by case change when 1 then time else time + $bf_window end
    ) as in_window
  from logon cross join (values (1), (-1)) as step(change)
  where outcome = 'failure' and subject_uid is not null
    and time >= $from - interval '86400000 milliseconds' and time < $to
),
failure as (
  select
    subject_uid, time, in_window,
    min(case when in_window >= $bf_threshold then time end) over (
      partition by subject_uid order by time range between current row and unbounded following
    ) as next_trigger
  from swept
  where change = 1
),
covered as (
  select *, lag(time) over (partition by subject_uid order by time) as previous
  from failure
  where next_trigger < time + $bf_window
),
numbered as (
  select *, sum(case when time < previous + $bf_window then 0 else 1 end) over (
    partition by subject_uid order by time rows between unbounded preceding and current row
  ) as episode
  from covered
),
brute_force as (
  select cast(count(*) as double) as brute_force_episodes
  from (
    select subject_uid, episode
    from numbered
    group by subject_uid, episode
    having min(time) filter (where in_window >= $bf_threshold) >= $from
  )
)
select
  metric_order, metric,
  case metric_order
    when 1 then events_total when 2 then active_actors when 3 then accounts_created when 4 then accounts_deactivated
    when 5 then accounts_active_end
    when 6 then coalesce(privileged_grants, 0) when 7 then coalesce(privileged_revokes, 0)
    when 8 then privileged_holders_end when 9 then logon_success when 10 then logon_failure
    when 11 then logon_failure / nullif(logon_success + logon_failure, 0)
    when 12 then logon_with_mfa / nullif(logon_success, 0)
    when 13 then mfa_factors_disabled when 14 then password_resets when 15 then api_keys_created
    when 16 then api_keys_deleted when 17 then destructive_actions when 18 then failed_admin_actions
    when 19 then off_hours_admin_actions when 20 then brute_force_episodes when 21 then log_gap_seconds
    when 22 then unattributed_events
  end as value
from (values
  (1, 'events_total'), (2, 'active_actors'), (3, 'accounts_created'), (4, 'accounts_deactivated'),
  (5, 'accounts_active_end'), (6, 'privileged_grants'), (7, 'privileged_revokes'), (8, 'privileged_holders_end'),
  (9, 'logon_success'), (10, 'logon_failure'), (11, 'logon_failure_rate'), (12, 'logon_mfa_share'),
  (13, 'mfa_factors_disabled'), (14, 'password_resets'), (15, 'api_keys_created'), (16, 'api_keys_deleted'),
  (17, 'destructive_actions'), (18, 'failed_admin_actions'), (19, 'off_hours_admin_actions'),
  (20, 'brute_force_episodes'), (21, 'log_gap_seconds'), (22, 'unattributed_events')
) as known(metric_order, metric)
cross join counted cross join account cross join holder cross join off_hours cross join gap cross join brute_force
