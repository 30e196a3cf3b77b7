--- report
-- id = "monthly-executive-summary"
-- title = "Monthly executive summary"
-- question = "How did identity and access look last month against the month before, on one page?"
-- readers = "management; audit committee"
-- kind = "periodic summary"
-- tier = 1
-- grade = "B"
-- order = "metric_order"
-- severity = "none."
-- answers = ["metric", "value", "previous", "delta", "delta_pct"]
-- limits = """
-- A row is one figure of the month beside that of the month before. Accounts and holders are those at the end of the
-- month, all else is counted over it. The month before is empty when the log does not cover it.
--
-- The figures say how much, and seldom whether that is good. Follow a change to the report that lists the events
-- behind it."""
--
-- [chart]
-- kind = "tiles"
-- x = "metric"
-- values = ["value", "previous"]
-- more_is_better = ["logon_mfa_share"]
-- less_is_better = [
--   "logon_failure", "logon_failure_rate", "mfa_factors_disabled", "destructive_actions", "failed_admin_actions",
--   "off_hours_admin_actions", "brute_force_episodes", "log_gap_seconds", "unattributed_events", "privileged_holders_end",
-- ]
--
-- [controls]
-- soc2 = ["CC2.1", "CC4.1", "CC7.2"]
-- iso = ["A.5.36", "A.8.16"]
-- nist = ["CA-7", "AU-6"]
-- csf = ["GV.OV-03", "DE.AE-06"]
-- pci = ["10.4.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(d)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
--   { events = "3002/1", elements = ["subject", "outcome"] },
-- ]
--
-- [parameters]
-- month = { type = "month" }
-- tz = { type = "timezone", default = "UTC" }
-- business_start = { type = "time", default = "08:00" }
-- business_end = { type = "time", default = "18:00" }
-- max_gap = { type = "duration", default = "PT24H" }
-- bf_threshold = { type = "int", default = 5 }
-- bf_window = { type = "duration", default = "PT15M" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- metric_order = "int"
-- metric = "string"
-- value = "double"
-- previous = "double"
-- delta = "double"
-- delta_pct = "double"
---
--
-- The view `month_metric` has the figures; `previous.` is the same view with the month before as its period and nothing
-- after it visible. Only the gaps of the log are seen with what came after, in both months (C3). A month that began before
-- the log did is not compared: its figures would be zeros that nobody counted.
--
select
  v.metric_order, v.metric, v.value, p.value as previous,
  v.value - p.value as delta,
  round(100 * (v.value - p.value) / nullif(p.value, 0), 1) as delta_pct
from month_metric v
left join (
  select metric_order, value
  from previous.month_metric
  cross join (select min(time) as log_begin from always.event_row)
  where log_begin <= $previous_from + $max_gap
) p on p.metric_order = v.metric_order
order by v.metric_order
