--- report
-- id = "log-gaps"
-- title = "Gaps in the audit log"
-- question = "Were there stretches without any event longer than the log may be silent?"
-- readers = "log owner; auditor (a detection without findings proves nothing over a gap)"
-- kind = "data quality"
-- tier = 1
-- grade = "A"
-- order = "stream, gap_start"
-- severity = "1 covered; 5 empty; 4 gap > 4 x max_gap; 3 gap > 2 x max_gap; else 2."
-- answers = ["gap_type", "gap_start", "gap_end", "gap_seconds", "covered"]
-- limits = """
-- A row is a stretch of the period without any event, longer than `max_gap`. `covered` says that the collector asked
-- for this time and the source had nothing: then it is no gap but a quiet time.
--
-- A log taken in from files cannot show that nothing was missing; source-reconciliation can, with counts of the
-- source. A detection without findings proves nothing over a gap."""
--
-- [controls]
-- soc2 = ["CC7.2", "CC2.1"]
-- iso = ["A.8.15", "A.8.16"]
-- nist = ["AU-5", "AU-12", "AU-6"]
-- csf = ["PR.PS-04", "DE.CM-09"]
-- pci = ["10.2.1.6", "10.7.2"]
-- hipaa = ["164.312(b)"]
-- gdpr = ["32(1)(d)", "5(2)"]
-- cis = ["8.2", "8.9", "8.11"]
--
-- [verdict]
-- judges = true
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- max_gap = { type = "duration", default = "PT24H" }
-- stream_by = { type = "string", default = "all", values = ["all", "class"] }
--
-- [columns]
-- stream = "string"
-- gap_type = "string"
-- gap_start = "timestamp"
-- gap_end = "timestamp"
-- gap_seconds = "double"
-- overlap_seconds = "double"
-- covered = "boolean"
-- prev_event_uid = "string"
-- next_event_uid = "string"
-- severity_id = "int"
---
--
-- The view `log_gap` does it, for the monthly summary too. This report alone sees events at and after `to` (C3).
--
select
  stream, gap_type, gap_start, gap_end, gap_ms / 1000.0 as gap_seconds, overlap_ms / 1000.0 as overlap_seconds,
  covered, prev_event_uid, next_event_uid,
  case
    when covered then 1
    when gap_type = 'empty' then 5
    when gap_end > gap_start + $max_gap + $max_gap + $max_gap + $max_gap then 4
    when gap_end > gap_start + $max_gap + $max_gap then 3
    else 2
  end as severity_id
from log_gap
order by stream, gap_start
