--- report
-- id = "event-latency-and-clock-skew"
-- title = "Delivery delay and clock skew"
-- question = "How late do events arrive, do any come from the future, and do the two time fields agree?"
-- readers = "log owner; auditor of time synchronisation"
-- kind = "data quality"
-- tier = 2
-- grade = "A"
-- order = "day, class"
-- severity = "4 future > 0 or dt_mismatch > 0; 3 p95 > max_p95; 2 no_arrival > 0; else 1."
-- answers = ["day", "class", "median_delay_s", "p95_delay_s", "max_delay_s", "future", "out_of_order"]
-- limits = """
-- A row is a day and a class of events. The delay is the time between what happened and its arrival: when the source
-- says that it was logged or processed, else when it was ingested here. Files of older logs that were ingested later
-- therefore show long delays, which say when somebody imported them and nothing about the source.
--
-- `future` counts events that happened later than they arrived, beyond `tolerance`: a clock is wrong, at the source or
-- here. `dt_mismatch` counts events whose two time fields differ by a second or more. `out_of_order` counts events
-- that arrived after others that happened more than `reorder_tolerance` later.
--
-- The log cannot say which of two clocks is right. Compare with the monitoring of your time servers."""
--
-- [controls]
-- soc2 = ["CC7.2", "CC2.1"]
-- iso = ["A.8.17", "A.8.15"]
-- nist = ["AU-8", "SC-45", "AU-12(1)"]
-- csf = ["PR.PS-04"]
-- pci = ["10.6.1", "10.6.2", "10.3.3"]
-- hipaa = ["164.312(b)"]
-- gdpr = ["5(2)"]
-- cis = ["8.4"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- tz = { type = "timezone", default = "@tz" }
-- tolerance = { type = "duration", default = "PT1M" }
-- reorder_tolerance = { type = "duration", default = "PT10M" }
-- max_p95 = { type = "duration", default = "PT1H" }
--
-- [columns]
-- day = "date"
-- class = "string"
-- events = "bigint"
-- no_arrival = "bigint"
-- min_delay_s = "double"
-- median_delay_s = "double"
-- p95_delay_s = "double"
-- max_delay_s = "double"
-- future = "bigint"
-- dt_mismatch = "bigint"
-- out_of_order = "bigint"
-- severity_id = "int"
---
--
-- Percentiles are those of all values, between two of them by their distance. What arrived at the same time has no order.
--
with dated as (
  select
    class_uid, time, cast(to_local_time(time at time zone $tz) as date) as day,
    coalesce(metadata.logged_time, metadata.processed_time, ingested) as arrival, try_cast(time_dt as timestamp) as said
  from (select class_uid, time, time_dt, metadata, _batch from event where time >= $from and time < $to) e
  left join (select sequence, time as ingested from ingest_log) l on l.sequence = e._batch
),
measured as (
  select
    *,
    (cast(arrival as bigint) - cast(time as bigint)) / 1000 as delay,
    abs(cast(said as bigint) - cast(time as bigint)) >= 1000000 as is_mismatch,
    max(case when arrival is not null then time end) over (
      order by arrival groups between unbounded preceding and 1 preceding
    ) as latest_before
  from dated
),
ranked as (
  select
    *,
    cast(row_number() over (partition by day, class_uid order by delay nulls last) as bigint) as nth,
    count(delay) over (partition by day, class_uid) as arrived
  from measured
),
counted as (
  select
    day, class_uid, count(*) as events, count(*) - count(delay) as no_arrival,
    min(delay) as least, max(delay) as most,
    max(delay) filter (where nth = 50 * (arrived - 1) / 100 + 1) as low_half,
    max(delay) filter (where nth = least(50 * (arrived - 1) / 100 + 2, arrived)) as high_half,
    max(50 * (arrived - 1) % 100) as rest_half,
    max(delay) filter (where nth = 95 * (arrived - 1) / 100 + 1) as low_95,
    max(delay) filter (where nth = least(95 * (arrived - 1) / 100 + 2, arrived)) as high_95,
    max(95 * (arrived - 1) % 100) as rest_95,
    count(*) filter (where time > arrival + $tolerance) as future,
    count(*) filter (where is_mismatch) as dt_mismatch,
    count(*) filter (where arrival is not null and latest_before > time + $reorder_tolerance) as out_of_order
  from ranked
  group by day, class_uid
),
shown as (
  select
    *,
    (low_half * 100 + (high_half - low_half) * rest_half) / 100000.0 as median_delay_s,
    (low_95 * 100 + (high_95 - low_95) * rest_95) / 100000.0 as p95_delay_s
  from counted
)
select
  s.day, c.class, s.events, s.no_arrival, s.least / 1000.0 as min_delay_s, s.median_delay_s, s.p95_delay_s,
  s.most / 1000.0 as max_delay_s, s.future, s.dt_mismatch, s.out_of_order,
  case
    when s.future > 0 or s.dt_mismatch > 0 then 4
    when s.p95_delay_s > epoch($max_p95) then 3
    when s.no_arrival > 0 then 2
    else 1
  end as severity_id
from shown s
join (select distinct class_uid, class from activity) c on c.class_uid = s.class_uid
order by s.day, c.class
