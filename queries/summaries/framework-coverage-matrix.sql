--- report
-- id = "framework-coverage-matrix"
-- title = "Which control is backed by which report"
-- question = "For a framework: which control ids have reports, when did they last run, with what result?"
-- readers = "compliance manager; external auditor planning the test"
-- kind = "periodic summary"
-- tier = 2
-- grade = "E"
-- order = "framework, control_id, report_id"
-- severity = "none (assurance takes its place)."
-- answers = ["framework", "control_id", "assurance", "report_id", "last_run"]
-- limits = """
-- A row is a control of a framework and a report that gives evidence for it, with the latest scheduled run of that
-- report that ended in the period. `assurance` says what that run was worth: `pass`, `findings`, `not_assessable`
-- (nothing was found, and the log could not have shown everything), `attention` (a listing with rows to look at),
-- `evidence` (a listing), or `not_run`. A control that no report backs has a row without a report.
--
-- A report supports a control; it does not satisfy it alone. Many controls ask for things that no audit log can show:
-- a policy, a decision, a training.
--
-- Only runs of the schedules are in the history. A run by hand into a folder is not."""
--
-- [chart]
-- kind = "bar"
-- x = "framework"
-- colour = "assurance"
--
-- [controls]
-- soc2 = ["CC4.1", "CC2.1"]
-- iso = ["A.5.36"]
-- nist = ["CA-7"]
-- csf = ["GV.OV-03", "ID.IM-01"]
-- pci = ["12.4.2", "10.4.1"]
-- hipaa = ["164.308(a)(8)"]
-- gdpr = ["5(2)", "32(1)(d)"]
-- cis = ["8.1"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- framework = { type = "string", default = "all" }
-- fail_severity = { type = "int", default = 3 }
--
-- [columns]
-- framework = "string"
-- control_id = "string"
-- report_id = "string"
-- last_run = "timestamp"
-- period_from = "timestamp"
-- period_to = "timestamp"
-- rows = "bigint"
-- max_severity = "int"
-- coverage = "double"
-- assurance = "string"
---
with latest as (
  select *
  from (
    select *, row_number() over (partition by report_id order by run_time desc, period_to desc, period_from desc) as nth
    from report_run
    where state = 'done' and run_time >= $from and run_time < $to
  )
  where nth = 1
)
select
  c.framework, c.control_id, c.report_id, l.run_time as last_run, l.period_from, l.period_to, l.rows, l.max_severity,
  l.coverage,
  case
    when l.report_id is null then 'not_run'
    when l.verdict = 'findings' and coalesce(l.max_severity >= $fail_severity, true) then 'findings'
    when l.verdict in ('findings', 'none') then 'pass'
    when l.verdict = 'evidence' and l.attention > 0 and l.max_severity >= $fail_severity then 'attention'
    when l.verdict = 'evidence' then 'evidence'
    else 'not_assessable'
  end as assurance
from report_control c
left join latest l on l.report_id = c.report_id
where $framework = 'all' or c.framework = $framework
order by c.framework, c.control_id, c.report_id
