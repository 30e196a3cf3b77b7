-- view: report_run
-- convention: C18
-- purpose: which reports the schedules ran, when, for which period and with what verdict; given to each run of a report
-- input: all
--
-- One row per report of a scheduled run. state is done, failed or skipped (it lacked a parameter); the rest is null unless
-- it was done.
select
  cast(null as varchar) as report_id, arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as run_time,
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as period_from,
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as period_to, cast(null as varchar) as state,
  cast(null as varchar) as reason, cast(null as varchar) as verdict, cast(null as bigint) as rows,
  cast(null as bigint) as attention, cast(null as bigint) as max_severity, cast(null as double) as coverage
where false
