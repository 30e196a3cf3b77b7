--- report
-- id = "session-anomalies"
-- title = "Session anomalies"
-- question = "Which sessions moved between addresses, were shared, overlapped too much, never ended or lived too long?"
-- readers = "security operations"
-- kind = "detection"
-- tier = 3
-- grade = "B"
-- order = "start_time, subject_uid, finding_type"
-- severity = "4 multi_user, after_expiry; 3 multi_ip across countries, concurrent; 2 else."
-- answers = ["finding_type", "subject_label", "value", "start_time", "end_time"]
-- limits = """
-- A row is a session and one thing that is strange about it: `multi_ip` (more addresses than `max_ips`), `multi_user`
-- (used by more than one account), `too_long` (lived longer than `max_age`), `after_expiry` (used after the time at
-- which it should have ended), `no_logon` (nobody logged on to begin it), or, without a session, `concurrent`: more
-- than `max_parallel` sessions of one account at once. `value` is the number in question: addresses, accounts, hours,
-- events after the end, or sessions.
--
-- Each row is reported once, in the period in which it first became true. Addresses change when people travel or
-- switch networks; several countries in one session are rated higher.
--
-- Events that name no session cannot be judged, and this source names few. A session whose end nobody recorded is
-- taken to end with its last event, so long quiet sessions look shorter than they were."""
--
-- [chart]
-- kind = "bar"
-- x = "finding_type"
--
-- [controls]
-- soc2 = ["CC6.1", "CC7.2"]
-- iso = ["A.8.5", "A.8.16"]
-- nist = ["AC-12", "AC-10", "AC-2(12)"]
-- csf = ["DE.CM-03", "PR.AA-03"]
-- pci = ["8.2.8", "10.4.1.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3002", elements = ["session", "subject"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- max_ips = { type = "int", default = 1 }
-- max_age = { type = "duration", default = "PT24H" }
-- max_parallel = { type = "int", default = 3 }
--
-- [columns]
-- finding_type = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- session_uid = "string"
-- start_time = "timestamp"
-- end_time = "timestamp"
-- value = "double"
-- src_ips = "list<string>"
-- user_agents = "list<string>"
-- severity_id = "int"
-- finding_key = "string"
---
with
-- When the second user and the first address too many appeared.
appeared as (
  select session_uid, kind, time, row_number() over (partition by session_uid, kind order by time, value) as nth
  from (
    select session_uid, use.kind as kind, use.value as value, min(time) as time
    from (
      select session_uid, time, unnest(make_array(
        named_struct('kind', 'ip', 'value', src_ip),
        named_struct('kind', 'user', 'value', case when class_uid = 3002 then subject_uid else actor_uid end)
      )) as use
      from event
      where session_uid is not null
    )
    where use.value is not null
    group by session_uid, use.kind, use.value
  )
),
late as (
  select u.session_uid, min(u.time) as time, count(*) as events
  from event u join session_life l on l.session_uid = u.session_uid
  where u.time > l.expiration
  group by u.session_uid
),
begun as (
  select min(time) as log_begin from event
),
-- How many sessions of one account there are from each edge on; at the same ms sessions end before others begin.
edge as (
  select subject_uid, at, sum(change) over (partition by subject_uid order by at) as parallel
  from (
    select subject_uid, at, sum(change) as change
    from (
      select subject_uid, start_time as at, 1 as change from session_life where subject_uid is not null and end_time > start_time
      union all
      select subject_uid, end_time as at, -1 as change from session_life where subject_uid is not null and end_time > start_time
    )
    group by subject_uid, at
  )
),
stretch as (
  select subject_uid, min(at) as start_time, max(until) as end_time, max(parallel) as parallel
  from (
    select
      subject_uid, at, parallel, lead(at) over (partition by subject_uid order by at) as until,
      sum(case when parallel > $max_parallel then 0 else 1 end) over (partition by subject_uid order by at) as nth
    from edge
  )
  where parallel > $max_parallel
  group by subject_uid, nth
),
crowd as (
  select
    subject_uid, start_time,
    array_agg(distinct src_ip order by src_ip) filter (where src_ip is not null) as src_ips,
    array_agg(distinct user_agent order by user_agent) filter (where user_agent is not null) as user_agents
  from (
    select s.subject_uid, s.start_time, unnest(l.src_ips) as src_ip, unnest(l.user_agents) as user_agent
    from stretch s
    join session_life l on l.subject_uid = s.subject_uid and l.start_time < s.end_time and l.end_time > s.start_time
  )
  group by subject_uid, start_time
),
found as (
  select 'multi_ip' as finding_type, a.time as found_time, l.subject_uid, l.session_uid, l.start_time, l.end_time,
    cast(l.ips as double) as value, l.src_ips, l.user_agents, case when l.countries > 1 then 3 else 2 end as severity_id
  from session_life l join appeared a on a.session_uid = l.session_uid and a.kind = 'ip' and a.nth = $max_ips + 1
  union all
  select 'multi_user' as finding_type, a.time as found_time, l.subject_uid, l.session_uid, l.start_time, l.end_time,
    cast(l.users as double) as value, l.src_ips, l.user_agents, 4 as severity_id
  from session_life l join appeared a on a.session_uid = l.session_uid and a.kind = 'user' and a.nth = 2
  union all
  select 'too_long' as finding_type, start_time + $max_age as found_time, subject_uid, session_uid, start_time, end_time,
    (cast(end_time as bigint) - cast(start_time as bigint)) / 1000 / 3600000.0 as value, src_ips, user_agents, 2 as severity_id
  from session_life where end_time > start_time + $max_age
  union all
  select 'after_expiry' as finding_type, e.time as found_time, l.subject_uid, l.session_uid, l.start_time, l.end_time,
    cast(e.events as double) as value, l.src_ips, l.user_agents, 4 as severity_id
  from session_life l join late e on e.session_uid = l.session_uid
  union all
  select 'no_logon' as finding_type, l.start_time as found_time, l.subject_uid, l.session_uid, l.start_time, l.end_time,
    cast(null as double) as value, l.src_ips, l.user_agents, 2 as severity_id
  from session_life l join begun b on l.start_time >= b.log_begin + interval '1 day'
  where not l.has_logon
  union all
  select 'concurrent' as finding_type, s.start_time as found_time, s.subject_uid, null as session_uid, s.start_time, s.end_time,
    cast(s.parallel as double) as value, c.src_ips, c.user_agents, 3 as severity_id
  from stretch s left join crowd c on c.subject_uid = s.subject_uid and c.start_time = s.start_time
)
select
  f.finding_type, f.subject_uid, coalesce(i.label, f.subject_uid) as subject_label, f.session_uid, f.start_time, f.end_time,
  f.value, coalesce(f.src_ips, make_array()) as src_ips, coalesce(f.user_agents, make_array()) as user_agents, f.severity_id,
  finding_key('session-anomalies', f.finding_type, f.subject_uid, f.session_uid, f.start_time) as finding_key
from found f
left join identity i on i.uid = f.subject_uid
where f.found_time >= $from and f.found_time < $to
order by f.start_time, f.subject_uid nulls last, f.finding_type
