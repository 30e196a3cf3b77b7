--- report
-- id = "password-spray-by-ip"
-- title = "Password spraying"
-- question = "Which source addresses failed against many different accounts in a short time?"
-- readers = "security operations on call"
-- kind = "detection"
-- tier = 2
-- grade = "A"
-- order = "trigger_time, src_ip"
-- severity = "5 if hit_users is not empty; else 3."
-- answers = ["src_ip", "users", "failures", "hit_users", "first_time", "country"]
-- limits = """
-- A row is an episode: one address from which logons failed for many different accounts within `window`.
-- `trigger_time` is when the number of accounts first reached `min_users`, and `hit_users` lists everybody who logged
-- on from that address from then until `success_window` after the last failure. Somebody in that list is not proof of
-- a break-in: behind a shared address it may be an ordinary logon.
--
-- Offices and VPNs fail from one address too. Name them in `known_egress`: they then need three times as many
-- accounts.
--
-- An attacker who changes the address with each try is not found here. Failures without an address or without a name
-- cannot be counted; the reasons of the verdict say how many there were."""
--
-- [chart]
-- kind = "bar"
-- x = "src_ip"
-- values = ["users"]
--
-- [controls]
-- soc2 = ["CC6.6", "CC7.2", "CC7.3"]
-- iso = ["A.8.5", "A.8.16"]
-- nist = ["AC-7", "SI-4", "AU-6(3)"]
-- csf = ["DE.CM-03", "DE.AE-03"]
-- pci = ["10.2.1.4", "10.4.1.1"]
-- hipaa = ["164.308(a)(5)(ii)(C)"]
-- gdpr = ["33(1)", "32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3002/1", elements = ["subject", "outcome", "address"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- min_users = { type = "int", default = 5 }
-- window = { type = "duration", default = "PT1H" }
-- lookback = { type = "duration", default = "P1D" }
-- success_window = { type = "duration", default = "PT1H" }
-- known_egress = { type = "list<string>", default = [] }
--
-- [columns]
-- src_ip = "string"
-- country = "string"
-- first_time = "timestamp"
-- trigger_time = "timestamp"
-- last_time = "timestamp"
-- failures = "bigint"
-- users = "bigint"
-- median_per_user = "double"
-- hit_users = "list<string>"
-- user_agents = "list<string>"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- In the window (t - window, t] an account counts once. Its failures that follow each other within a window make one
-- stretch, which begins (+1) with the first and ends (-1) one window after the last, so a running sum counts accounts; at
-- the same ms both have been added. Episodes are those of brute-force-by-user.
--
with failure as (
  select
    time, event_uid, src_ip, subject_uid, country, user_agent,
    lag(time) over failures as previous, lead(time) over failures as next
  from logon
  where outcome = 'failure' and subject_uid is not null and src_ip is not null
    and time >= $from - $lookback and time < $to
  window failures as (partition by src_ip, subject_uid order by time)
),
swept as (
  select
    time, event_uid, src_ip, subject_uid, country, user_agent, change,
    sum(case
      when change = 1 then case when previous > time - $window then 0 else 1 end
      else case when next < time + $window then 0 else -1 end
    end) over (partition by src_ip order by case change when 1 then time else time + $window end) as users_in_window,
    case when array_has($known_egress, src_ip) then 3 * $min_users else $min_users end as least
  from failure cross join (values (1), (-1)) as step(change)
),
counted as (
  select
    *,
    min(case when users_in_window >= least then time end) over (
      partition by src_ip order by time range between current row and unbounded following
    ) as next_trigger
  from swept
  where change = 1
),
covered as (
  select *, lag(time) over (partition by src_ip order by time) as before
  from counted
  where next_trigger < time + $window
),
numbered as (
  select *, sum(case when time < before + $window then 0 else 1 end) over (
    partition by src_ip order by time rows between unbounded preceding and current row
  ) as episode
  from covered
),
found as (
  select
    src_ip, episode,
    last_value(country order by time, coalesce(event_uid, '')) filter (where country is not null) as country,
    min(time) as first_time,
    min(time) filter (where users_in_window >= least) as trigger_time,
    max(time) as last_time,
    count(*) as failures,
    count(distinct subject_uid) as users,
    array_agg(distinct user_agent order by user_agent) filter (where user_agent is not null) as user_agents
  from numbered
  group by src_ip, episode
  having min(time) filter (where users_in_window >= least) >= $from
),
typical as (
  select src_ip, episode, median(cast(failures as double)) as median_per_user
  from (select src_ip, episode, subject_uid, count(*) as failures from numbered group by src_ip, episode, subject_uid)
  group by src_ip, episode
),
hit as (
  select
    f.src_ip, f.episode,
    array_agg(distinct s.subject_uid order by s.subject_uid) as hit_users
  from found f
  join logon s
    on s.src_ip = f.src_ip and s.time >= f.trigger_time and s.time <= f.last_time + $success_window
  where s.outcome = 'success' and s.subject_uid is not null
  group by f.src_ip, f.episode
)
select
  f.src_ip, f.country, f.first_time, f.trigger_time, f.last_time, f.failures, f.users, t.median_per_user,
  coalesce(h.hit_users, make_array()) as hit_users, coalesce(f.user_agents, make_array()) as user_agents,
  case when h.hit_users is not null then 5 else 3 end as severity_id,
  finding_key('password-spray-by-ip', f.src_ip, f.trigger_time) as finding_key
from found f
join typical t on t.src_ip = f.src_ip and t.episode = f.episode
left join hit h on h.src_ip = f.src_ip and h.episode = f.episode
order by f.trigger_time, f.src_ip
