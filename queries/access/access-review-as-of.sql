--- report
-- id = "access-review-as-of"
-- title = "Access review as of T (direct privileges)"
-- question = "Who holds which directly assigned privilege at T, since when, granted by whom, rebuilt from grants minus revokes?"
-- readers = "access reviewer signing the quarterly review; auditor re-performing it"
-- kind = "evidence listing"
-- tier = 1
-- grade = "B"
-- order = "subject_uid, privilege, resource_uid, privilege_source"
-- severity = "First match: 5 account_state `deleted` (granted after the delete); 4 is_privileged and (state disabled or locked, or granted_by = subject); 3 is_privileged; 2 ambiguous, or state disabled or locked, or a name that matches in scope `resource` (C10); else 1."
-- answers = ["subject_label", "privilege", "is_privileged", "account_state", "granted_by", "held_days"]
-- limits = """
-- A row is a privilege that somebody held directly at the end of the day asked for: granted, and not revoked since.
-- What people hold through groups is in effective-access-as-of.
--
-- Doubt keeps access on the list: a grant counts unless it failed, a revoke only when it succeeded. `ambiguous` marks
-- keys that were given and taken at the same millisecond.
--
-- What was granted before the log begins, and rights that nobody grants by an event, are missing. A snapshot of the
-- workspace as input closes that gap; access-state-reconciliation says how large it is."""
--
-- [chart]
-- kind = "heatmap"
-- x = "privilege"
-- y = "subject_label"
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.2", "CC6.3"]
-- iso = ["A.5.15", "A.5.18", "A.8.2", "A.8.3"]
-- nist = ["AC-2", "AC-6(7)", "AC-3"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.4", "7.2.5.1", "7.2.1"]
-- hipaa = ["164.308(a)(4)(ii)(B)", "164.308(a)(4)(ii)(C)", "164.312(a)(1)"]
-- gdpr = ["32(1)(b)", "25(2)"]
-- cis = ["6.8", "5.1", "6.1"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3005", elements = ["subject", "privileges", "outcome"] },
--   { events = "3001", elements = ["subject", "outcome"] },
-- ]
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- account_state = "string"
-- privilege = "string"
-- resource_uid = "string"
-- privilege_source = "string"
-- scope = "string"
-- is_privileged = "boolean"
-- granted_time = "timestamp"
-- granted_by = "string"
-- grant_event_uid = "string"
-- grant_events = "bigint"
-- held_days = "bigint"
-- ambiguous = "boolean"
-- severity_id = "int"
---
select
  h.subject_uid, coalesce(i.label, h.subject_uid) as subject_label,
  coalesce(s.account_state, 'unknown') as account_state,
  h.privilege, h.resource_uid, h.privilege_source, h.scope, h.is_privileged,
  h.granted_time, h.granted_by, h.grant_event_uid, h.grant_events,
  (cast($as_of as bigint) - cast(h.granted_time as bigint)) / 86400000000 as held_days,
  h.ambiguous,
  case
    when s.account_state = 'deleted' then 5
    when h.is_privileged and (s.account_state in ('disabled', 'locked') or h.granted_by = h.subject_uid) then 4
    when h.is_privileged then 3
    when h.ambiguous or s.account_state in ('disabled', 'locked') then 2
    when h.scope = 'resource' and regexp_like(h.privilege, $privileged_pattern, 'i') then 2
    else 1
  end as severity_id
from access_holding h
left join account_state s on s.subject_uid = h.subject_uid
left join identity i on i.uid = h.subject_uid
order by h.subject_uid, h.privilege, h.resource_uid, h.privilege_source
