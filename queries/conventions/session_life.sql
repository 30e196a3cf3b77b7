-- view: session_life
-- convention: C5 C8 C9
-- purpose: one session: whose it was, from when until when, from how many addresses, countries and accounts it was used
-- evaluate: once
--
-- Who uses a session is the subject of a logon event, and the actor of any other. Its end is its first logoff, else the time
-- at which it expires, else its last event.
select *, coalesce(logoff_time, expiration, last_time) as end_time
from (
  select
    session_uid,
    min(time) as start_time, max(time) as last_time,
    first_value(user_uid order by time, coalesce(event_uid, '')) filter (where user_uid is not null) as subject_uid,
    min(case when class_uid = 3002 and activity_id = 2 and is_not_failed then time end) as logoff_time,
    last_value(session_expiration order by time, coalesce(event_uid, '')) filter (where session_expiration is not null)
      as expiration,
    coalesce(bool_or((class_uid = 3002) and activity_id = 1), false) as has_logon,
    count(distinct src_ip) as ips, count(distinct user_uid) as users, count(distinct country) as countries,
    array_agg(distinct src_ip order by src_ip) filter (where src_ip is not null) as src_ips,
    array_agg(distinct user_agent order by user_agent) filter (where user_agent is not null) as user_agents
  from (
    select
      session_uid, time, event_uid, class_uid, activity_id, is_not_failed, session_expiration, src_ip, country, user_agent,
      case when class_uid = 3002 then subject_uid else actor_uid end as user_uid
    from event
    where session_uid is not null
  )
  group by session_uid
)
