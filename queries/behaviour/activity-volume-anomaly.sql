--- report
-- id = "activity-volume-anomaly"
-- title = "Unusual activity volume"
-- question = "Which actors did far more on a day than they usually do?"
-- readers = "security operations"
-- kind = "detection"
-- tier = 3
-- grade = "A"
-- order = "day, actor_uid"
-- severity = "3 if z >= 2 x min_z or ratio >= 20; else 2."
-- answers = ["actor_label", "day", "events", "median", "ratio"]
-- limits = """
-- A row is a day on which somebody caused far more events than on his usual days. Usual is the median of the `history`
-- days before, days without an event included; `robust_z` says how many typical deviations (MAD, scaled) the day lies
-- above it. Where the days before are so even that there is no deviation, the day counts when it has five times the
-- median.
--
-- Small numbers are left out (`min_events`), and so are people with less than `min_days` of history. The measure knows
-- no weekdays and no seasons: the first day after a holiday and the end of a quarter are found as well.
--
-- Somebody who grows slowly becomes usual. This report finds jumps."""
--
-- [chart]
-- kind = "line"
-- x = "day"
-- per = "day"
-- values = ["events", "median"]
--
-- [controls]
-- soc2 = ["CC7.2"]
-- iso = ["A.8.16"]
-- nist = ["AC-2(12)", "SI-4", "AU-6"]
-- csf = ["DE.CM-03", "DE.AE-02"]
-- pci = ["10.4.1.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001,3002,3004,3005,3006", elements = ["actor"] },
-- ]
-- look_back = "history"
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- tz = { type = "timezone", default = "@tz" }
-- history = { type = "int", default = 28 }
-- min_days = { type = "int", default = 14 }
-- min_events = { type = "int", default = 20 }
-- min_z = { type = "double", default = 3.5 }
--
-- [columns]
-- actor_uid = "string"
-- actor_label = "string"
-- day = "date"
-- events = "bigint"
-- median = "double"
-- mad = "double"
-- robust_z = "double"
-- ratio = "double"
-- top_actions = "list<string>"
-- failed = "bigint"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- Only days with enough events can be findings, so medians are worked out for those: over the days with events that the
-- actor has in the history, and zeros for all others.
--
with begun as (
  select actor_uid, min(day) as first_day from actor_day group by actor_uid
),
candidate as (
  select
    d.actor_uid, d.day, d.events, d.failed,
    least($history, cast(d.day as int) - cast(b.first_day as int)) as days
  from actor_day d
  join begun b on b.actor_uid = d.actor_uid
  where d.events >= $min_events
    and d.day >= cast(to_local_time($from at time zone $tz) as date)
    and d.day <= cast(to_local_time(($to - interval '1 millisecond') at time zone $tz) as date)
),
past as (
  select c.actor_uid, c.day, cast(coalesce(d.events, 0) as double) as events
  from (
    select actor_uid, day, unnest(range(1, days + 1)) as back from candidate where days >= $min_days
  ) c
  left join actor_day d on d.actor_uid = c.actor_uid and cast(d.day as int) = cast(c.day as int) - c.back
),
usual as (
  select actor_uid, day, median(events) as median from past group by actor_uid, day
),
spread as (
  select p.actor_uid, p.day, u.median, median(abs(p.events - u.median)) as mad
  from past p join usual u on u.actor_uid = p.actor_uid and u.day = p.day
  group by p.actor_uid, p.day, u.median
),
scored as (
  select
    c.actor_uid, c.day, c.events, c.failed, s.median, s.mad,
    case when s.mad > 0 then 0.6745 * (c.events - s.median) / s.mad end as robust_z,
    c.events / greatest(s.median, 1.0) as ratio
  from candidate c
  join spread s on s.actor_uid = c.actor_uid and s.day = c.day
),
found as (
  select * from scored where robust_z >= $min_z or robust_z is null and ratio >= 5
),
acted as (
  select
    f.actor_uid, f.day, a.class || ': ' || a.activity as action, count(*) as events
  from found f
  join (
    select actor_uid, class_uid, activity_key, cast(to_local_time(time at time zone $tz) as date) as day from event
  ) e on e.actor_uid = f.actor_uid and e.day = f.day
  join activity a on a.class_uid = e.class_uid and a.activity_key = e.activity_key
  group by 1, 2, 3
),
frequent as (
  select actor_uid, day, array_agg(action order by events desc, action) as top_actions
  from (
    select *, row_number() over (partition by actor_uid, day order by events desc, action) as nth from acted
  )
  where nth <= 3
  group by actor_uid, day
)
select
  f.actor_uid, coalesce(i.label, f.actor_uid) as actor_label, f.day, f.events, f.median, f.mad, f.robust_z, f.ratio,
  t.top_actions, f.failed,
  case when f.robust_z >= 2 * $min_z or f.ratio >= 20 then 3 else 2 end as severity_id,
  finding_key('activity-volume-anomaly', f.actor_uid, cast(f.day as varchar)) as finding_key
from found f
join frequent t on t.actor_uid = f.actor_uid and t.day = f.day
left join identity i on i.uid = f.actor_uid
order by f.day, f.actor_uid
