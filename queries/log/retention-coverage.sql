--- report
-- id = "retention-coverage"
-- title = "Retention and coverage of the log store"
-- question = "Is the log complete back to the required retention date, and is the recent part at hand?"
-- readers = "PCI / HIPAA / SOC 2 auditor; records manager"
-- kind = "data quality"
-- tier = 2
-- grade = "A"
-- order = "month nulls first"
-- severity = "4 summary with meets_horizon false; 3 longest_empty_days > max_empty_days; else 1."
-- answers = ["month", "meets_horizon", "days_with_events", "days", "longest_empty_days"]
-- limits = """
-- The first row, without a month, is the answer: `first_time` is the oldest event that the lake holds, and
-- `meets_horizon` says whether it is old enough for the retention that was asked for (`horizon`, forgiving `grace`).
-- The other rows are the months of that time; `longest_empty_days` is the longest run of days without any event,
-- within the month and, in the first row, over all of it.
--
-- A day without events is not always a gap: nobody may have worked. log-gaps knows what the collector asked for and
-- found empty. A run of more than `max_empty_days` is marked, and the first row is marked too when such a run lies in
-- the last `online` days, the part that must be at hand without restoring anything. All that this lake holds is at
-- hand.
--
-- The report says what is kept and not that nothing was removed from it; `auditlake verify` checks the files against
-- the ledger. For personal data there is an upper limit as well, which no setting here checks."""
--
-- [controls]
-- soc2 = ["CC7.2", "CC2.1"]
-- iso = ["A.5.33", "A.8.15"]
-- nist = ["AU-11"]
-- csf = ["PR.PS-04"]
-- pci = ["10.5.1"]
-- hipaa = ["164.316(b)(2)(i)", "164.312(b)"]
-- gdpr = ["5(1)(e)", "5(2)"]
-- cis = ["8.10", "8.3"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- tz = { type = "timezone", default = "@tz" }
-- horizon = { type = "duration", default = "P365D" }
-- online = { type = "duration", default = "P90D" }
-- grace = { type = "duration", default = "P3D" }
-- max_empty_days = { type = "int", default = 3 }
--
-- [columns]
-- month = "string"
-- days = "bigint"
-- days_with_events = "bigint"
-- events = "bigint"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- longest_empty_days = "bigint"
-- meets_horizon = "boolean"
-- severity_id = "int"
---
--
-- A time span of whole days that ends with a day begins with one: both are counted from the millisecond after its beginning.
--
with span as (
  select
    name, since,
    cast(to_local_time((since + interval '1 millisecond') at time zone $tz) as date) as first_day,
    cast(to_local_time($as_of at time zone $tz) as date) as last_day
  from (
    select 'horizon' as name, $as_of - $horizon as since
    union all
    select 'online' as name, $as_of - $online as since
  )
),
spine as (
  select name, cast(unnest(range(first_day, last_day + interval '1 day', interval '1 day')) as date) as day from span
),
full_day as (
  select
    s.name, cast(to_local_time(e.time at time zone $tz) as date) as day, count(*) as events,
    min(e.time) as first_time, max(e.time) as last_time
  from event_row e join span s on e.time > s.since
  group by 1, 2
),
-- Days without events that follow each other have the same number of days with events before them.
filled as (
  select
    s.name, substr(cast(s.day as varchar), 1, 7) as month, s.day, f.events, f.first_time, f.last_time,
    count(f.events) over (partition by s.name order by s.day) as island
  from spine s left join full_day f on f.name = s.name and f.day = s.day
),
run as (
  select name, null as month, count(*) as empty_days from filled where events is null group by name, island
  union all
  select name, month, count(*) as empty_days from filled where events is null and name = 'horizon' group by name, month, island
),
longest as (
  select name, month, max(empty_days) as empty_days from run group by name, month
),
counted as (
  select
    month, count(*) as days, count(events) as days_with_events, coalesce(sum(events), 0) as events,
    min(first_time) as first_time, max(last_time) as last_time
  from filled
  where name = 'horizon'
  group by grouping sets ((month), ())
),
earliest as (
  select
    begun, coalesce(begun <= $as_of - $horizon + $grace, false) as meets_horizon,
    coalesce(o.empty_days > $max_empty_days, false) as is_gone
  from (select min(time) as begun from event_row)
  left join longest o on o.name = 'online' and o.month is null
)
select
  c.month, c.days, c.days_with_events, c.events,
  case when c.month is null then e.begun else c.first_time end as first_time, c.last_time,
  coalesce(l.empty_days, 0) as longest_empty_days,
  case when c.month is null then e.meets_horizon end as meets_horizon,
  case
    when c.month is null and not e.meets_horizon then 4
    when l.empty_days > $max_empty_days or c.month is null and e.is_gone then 3
    else 1
  end as severity_id
from counted c
cross join earliest e
left join longest l on l.name = 'horizon' and coalesce(l.month, '') = coalesce(c.month, '')
order by c.month nulls first
