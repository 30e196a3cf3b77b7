-- view: report_finding
-- convention: C19
-- purpose: the findings of the reports that the schedules ran, from their folders; given to each run of a report
-- input: all
select
  cast(null as varchar) as report_id, arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as run_time,
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as period_from,
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as period_to, cast(null as bigint) as severity_id,
  cast(null as varchar) as finding_key, arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as first_time,
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as last_time
where false
