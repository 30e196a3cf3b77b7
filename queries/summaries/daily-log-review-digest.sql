--- report
-- id = "daily-log-review-digest"
-- title = "Daily log review digest"
-- question = "What must the reviewer look at today, and was the log complete while the checks ran?"
-- readers = "security operations (daily review, sign-off); PCI 10.4 auditor"
-- kind = "periodic summary"
-- tier = 2
-- grade = "E"
-- order = "severity_id desc, report_id, finding_key"
-- severity = "taken over from the finding."
-- answers = ["report_id", "status", "summary", "repeat", "events"]
-- limits = """
-- The first row says how complete the log was for the day: its events, and the seconds of gaps that nobody covered.
-- Then come the detection reports that did not run for the day, failed, or could not be assessed, since their silence
-- must not look like a pass. Then the findings of all detection reports that the schedules ran for exactly this
-- period, the worst first. `repeat` marks findings that a run of the last `suppress_days` had already.
--
-- Schedule the detections for each day, and this report after them. It reads what their scheduled runs left in their
-- folders, and it says when a folder is not there any more.
--
-- Who reviewed the day, and what was decided, is not in the log: sign the page, or keep the decision where you keep
-- your tickets."""
--
-- [chart]
-- kind = "bar"
-- x = "status"
--
-- [controls]
-- soc2 = ["CC7.2", "CC7.3"]
-- iso = ["A.8.15", "A.8.16"]
-- nist = ["AU-6", "AU-6(1)", "IR-5"]
-- csf = ["DE.AE-06", "DE.AE-02"]
-- pci = ["10.4.1", "10.4.1.1", "10.4.3", "10.4.2"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["33(1)", "32(1)(b)"]
-- cis = ["8.11", "13.11"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- min_severity = { type = "int", default = 2 }
-- suppress_days = { type = "int", default = 7 }
--
-- [columns]
-- report_id = "string"
-- status = "string"
-- severity_id = "int"
-- finding_key = "string"
-- summary = "string"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- repeat = "boolean"
-- events = "bigint"
-- log_gap_seconds = "double"
---
--
-- Of several runs for the day the latest counts. Nothing here looks at the time of the run itself: a digest that is made again
-- sees the same.
--
with ran as (
  select *
  from (
    select *, row_number() over (partition by report_id order by run_time desc) as nth
    from report_run
    where period_from = $from and period_to = $to
  )
  where nth = 1
),
detection as (
  select distinct c.report_id, r.state, r.verdict, r.reason, r.run_time
  from report_control c left join ran r on r.report_id = c.report_id
  where c.kind = 'detection'
),
silent as (
  select
    report_id,
    case
      when state is null or state = 'skipped' then 'not_run'
      when state = 'failed' then 'failed'
      else 'not_assessable'
    end as status,
    coalesce(reason, case when state is null then 'no scheduled run for this period' end) as summary
  from detection
  where (state is distinct from 'done') or verdict = 'not assessable'
),
today as (
  select f.report_id, f.severity_id, f.finding_key, f.first_time, f.last_time
  from report_finding f
  join detection d on d.report_id = f.report_id and d.run_time = f.run_time
  where f.period_from = $from and f.period_to = $to and coalesce(f.severity_id, 3) >= $min_severity
),
earlier as (
  select distinct report_id, finding_key
  from report_finding
  where period_to <= $from and period_to > $from - cast($suppress_days || ' days' as interval)
),
covered as (
  select
    (select count(*) from event where time >= $from and time < $to) as events,
    (select coalesce(sum(overlap_ms), 0) / 1000.0 from log_gap where not covered) as log_gap_seconds,
    (select count(*) from silent where status = 'failed') as failed
)
select
  report_id, status, severity_id, finding_key, summary, first_time, last_time, repeat, events, log_gap_seconds
from (
  select
    0 as place, 'coverage' as report_id, case when log_gap_seconds > 0 then 'gap' else 'complete' end as status,
    cast(null as bigint) as severity_id, cast(null as varchar) as finding_key,
    failed || ' failed runs' as summary, arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as first_time,
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as last_time, cast(null as boolean) as repeat,
    events, log_gap_seconds
  from covered
  union all
  select
    1 as place, report_id, status, null as severity_id, null as finding_key, summary, null as first_time, null as last_time,
    null as repeat, null as events, null as log_gap_seconds
  from silent
  union all
  select
    2 as place, t.report_id, 'finding' as status, t.severity_id, t.finding_key,
    replace(substr(t.finding_key, length(t.report_id) + 2), '|', ' ') as summary, t.first_time, t.last_time,
    e.finding_key is not null as repeat, null as events, null as log_gap_seconds
  from today t
  left join earlier e on e.report_id = t.report_id and e.finding_key = t.finding_key
)
order by place, severity_id desc nulls last, report_id, finding_key
