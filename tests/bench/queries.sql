-- The queries of `tests/bench/query` and of `tests/it/plans.rs`: what is asked of an audit log, in three groups.
--
-- `-- query: GROUP NAME` begins one, `-- fragment: NAME` a text that `{NAME}` stands for, `-- peers:` what it stands for in
-- other engines, which have no `event`, `-- chdb:` the form of the query above for ClickHouse where its dialect differs. {actor}, {address}, {event}, {session} and the day are looked up in
-- the lake: a person and an address with few events, any event and session, a day in the middle.

-- fragment: every
every as (
  select time, class_uid, activity_id, status_id, actor.user.uid as who, src_endpoint.ip as ip, _event_uid, message from event
)
-- peers:
every as (
  select time, class_uid, activity_id, status_id, actor.user.uid as who, src_endpoint.ip as ip, _event_uid, message from account_change
  union all
  select time, class_uid, activity_id, status_id, actor.user.uid as who, src_endpoint.ip as ip, _event_uid, message from authentication
  union all
  select time, class_uid, activity_id, status_id, actor.user.uid as who, src_endpoint.ip as ip, _event_uid, message from entity_management
  union all
  select time, class_uid, activity_id, status_id, actor.user.uid as who, src_endpoint.ip as ip, _event_uid, message from group_management
  union all
  select time, class_uid, activity_id, status_id, actor.user.uid as who, src_endpoint.ip as ip, _event_uid, message from user_access
)

-- query: needles one-actor
with {every}
select time, class_uid, activity_id, message from every where who = '{actor}' order by time, _event_uid limit 100;

-- query: needles one-address
with {every}
select time, class_uid, who, message from every where ip = '{address}' order by time, _event_uid limit 100;

-- query: needles one-event
with {every}
select time, class_uid, who, message from every where _event_uid = '{event}';

-- query: needles one-session
select time, activity_id, message from entity_management
where actor.session.uid = '{session}' order by time, _event_uid limit 100;

-- query: needles one-day
with {every}
select class_uid, activity_id, count(*) as n from every
where time >= {from_day} and time < {to_day}
group by class_uid, activity_id order by class_uid, activity_id;

-- query: needles one-actor-one-day
select time, activity_id, entity.uid as entity, message from entity_management
where actor.user.uid = '{actor}' and time >= {from_day} and time < {to_day}
order by time, _event_uid;

-- query: scans failures-per-user
select "user".uid as uid, count(*) as n from authentication where status_id = 2
group by "user".uid order by n desc, uid limit 20;
-- chdb:
select "user"."uid" as uid, count(*) as n from authentication where status_id = 2
group by uid order by n desc, uid limit 20;

-- query: scans outcomes-per-hour
with {every}
select date_trunc('hour', time) as hour, status_id, count(*) as n from every
group by date_trunc('hour', time), status_id order by hour, status_id limit 1000;

-- query: scans addresses-per-user
with {every}
select who, count(distinct ip) as addresses, count(*) as n from every where who is not null
group by who order by addresses desc, who limit 20;

-- query: scans text-in-message
with {every}
select class_uid, count(*) as n from every where message like '%locator%' group by class_uid order by class_uid;

-- query: scans key-in-unmapped
select unmapped->>'region' as region, count(*) as n from entity_management
group by unmapped->>'region' order by n desc, region limit 10;
-- chdb:
select nullIf(JSONExtractString(assumeNotNull(unmapped), 'region'), '') as region, count(*) as n from entity_management
group by region order by n desc, region limit 10;

-- query: scans all-events
with {every}
select count(*) as n, min(time) as first, max(time) as last from every;

-- query: scans latest-events
with {every}
select time, class_uid, who, message from every order by time desc, _event_uid limit 50;

-- query: analytics sessionisation
with step as (
  select actor.user.uid as who, time,
    case when time - lag(time) over (partition by actor.user.uid order by time) > interval '30 minutes' then 1 else 0 end as is_new
  from entity_management where actor.user.uid is not null
),
numbered as (
  select who, time, sum(is_new) over (partition by who order by time rows between unbounded preceding and current row) as session
  from step
)
select events, count(*) as sessions from (select who, session, count(*) as events from numbered group by who, session) as s
group by events order by events limit 50;
-- chdb:
with step as (
  select actor.user.uid as who, time,
    if(time - lagInFrame(time, 1, time) over (partition by actor.user.uid order by time rows between unbounded preceding and unbounded following) > 1800, 1, 0) as is_new
  from entity_management where actor.user.uid is not null
),
numbered as (
  select who, time, sum(is_new) over (partition by who order by time rows between unbounded preceding and current row) as session
  from step
)
select events, count(*) as sessions from (select who, session, count(*) as events from numbered group by who, session) as s
group by events order by events limit 50;

-- query: analytics gaps-and-islands
with day as (
  select distinct "user".uid as uid, cast(date_trunc('day', time) as date) as day from authentication
  where activity_id = 1 and status_id = 1 and "user".uid is not null
),
island as (
  select uid, day, date_diff_days - row_number() over (partition by uid order by day) as island
  from (select uid, day, {days} as date_diff_days from day) as d
)
select uid, count(*) as days, min(day) as first, max(day) as last from island
group by uid, island order by days desc, uid, first limit 20;
-- chdb:
with day as (
  select distinct "user"."uid" as uid, toDate(time, 'UTC') as day from authentication
  where activity_id = 1 and status_id = 1 and "user"."uid" is not null
),
island as (
  select uid, day, toInt64(toInt32(day)) - toInt64(row_number() over (partition by uid order by day)) as island from day
)
select uid, count(*) as days, min(day) as first, max(day) as last from island
group by uid, island order by days desc, uid, first limit 20;

-- query: analytics first-seen
with {every},
seen as (select who, ip, min(time) as first from every where who is not null and ip is not null group by who, ip)
select date_trunc('month', first) as month, count(*) as n from seen group by date_trunc('month', first) order by month;

-- query: analytics grants-then-logons
select g.target, count(*) as n, min(l.time) as first from (
  select "user".uid as target, time from user_access where activity_id = 1 and (status_id is null or status_id <> 2)
) as g
join (select "user".uid as uid, time from authentication where activity_id = 1 and status_id = 1) as l
  on g.target = l.uid and l.time >= g.time and l.time < g.time + interval '1 day'
group by g.target order by n desc, g.target limit 20;
-- chdb:
select target, count(*) as n, min(logon) as first from (
  select g.target as target, l.time as logon, g.time as granted from (
    select "user"."uid" as target, time from user_access where activity_id = 1 and (status_id is null or status_id <> 2)
  ) as g
  join (select "user"."uid" as uid, time from authentication where activity_id = 1 and status_id = 1) as l on g.target = l.uid
  where l.time >= g.time and l.time < g.time + interval 1 day
)
group by target order by n desc, target limit 20;

-- query: analytics report-auth-outcome-summary
with attempt as (
  select date_trunc('day', time) as bucket, coalesce("user".uid, actor.user.uid) as subject,
    coalesce(src_endpoint.ip, device.ip) as ip, is_mfa,
    case coalesce(status_id, 0) when 1 then 'success' when 2 then 'failure' else 'other' end as outcome
  from authentication where activity_id = 1
)
select bucket,
  count(*) filter (where outcome = 'success') as successes,
  count(*) filter (where outcome = 'failure') as failures,
  count(*) filter (where outcome = 'other') as other,
  count(distinct subject) as users, count(distinct ip) as ips
from attempt group by bucket order by bucket;
-- chdb:
with attempt as (
  select date_trunc('day', time) as bucket, coalesce("user"."uid", actor.user.uid) as subject,
    coalesce(src_endpoint.ip, device.ip) as ip, is_mfa,
    multiIf(status_id = 1, 'success', status_id = 2, 'failure', 'other') as outcome
  from authentication where activity_id = 1
)
select bucket,
  countIf(outcome = 'success') as successes, countIf(outcome = 'failure') as failures, countIf(outcome = 'other') as other,
  count(distinct subject) as users, count(distinct ip) as ips
from attempt group by bucket order by bucket;

-- query: analytics report-brute-force-by-user
with failure as (
  select coalesce("user".uid, lower("user".email_addr), "user".name, actor.user.uid) as subject, time,
    coalesce(src_endpoint.ip, device.ip) as ip
  from authentication where activity_id = 1 and status_id = 2
),
counted as (
  select subject, time, ip,
    count(*) over (partition by subject order by time range between interval '15 minutes' preceding and current row) as n
  from failure where subject is not null
)
select subject, max(n) as failures, min(time) as first, max(time) as last, count(distinct ip) as ips
from counted where n >= 5 group by subject order by failures desc, subject limit 20;
-- chdb:
with failure as (
  select coalesce("user"."uid", lower("user"."email_addr"), "user"."name", actor.user.uid) as subject, time, toUnixTimestamp64Micro(time) as us,
    coalesce(src_endpoint.ip, device.ip) as ip
  from authentication where activity_id = 1 and status_id = 2
),
counted as (
  select subject, time, ip,
    count(*) over (partition by subject order by us range between 900000000 preceding and current row) as n
  from failure where subject is not null
)
select subject, max(n) as failures, min(time) as first, max(time) as last, count(distinct ip) as ips
from counted where n >= 5 group by subject order by failures desc, subject limit 20;

-- query: analytics report-privileged-grants
select "user".uid as subject, privilege, count(*) as n, min(time) as first
from (select "user", time, unnest(privileges) as privilege from user_access where activity_id = 1) as granted
where {privileged}
group by "user".uid, privilege order by n desc, subject, privilege limit 50;
-- chdb:
select subject, privilege, count(*) as n, min(time) as first
from (select "user"."uid" as subject, time, arrayJoin(privileges) as privilege from user_access where activity_id = 1) as granted
where match(lower(privilege), '(^|[^a-z])(admin|administrator|owner)s?([^a-z]|$)')
group by subject, privilege order by n desc, subject, privilege limit 50;
