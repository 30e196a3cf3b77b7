--- report
-- id = "access-review-diff"
-- title = "Access changes between two review dates"
-- question = "What changed in privileges between the last signed review and this one?"
-- readers = "access reviewer (reviews only the difference); auditor"
-- kind = "periodic summary"
-- tier = 1
-- grade = "B"
-- order = "change, subject_uid, privilege, resource_uid, privilege_source"
-- severity = "3 for added or regranted privileged rows; 1 else."
-- answers = ["change", "subject_label", "privilege", "is_privileged", "granted_by", "closed_by"]
-- limits = """
-- A row is a privilege that was added, removed or given anew between two reviews, comparing the state at both times.
-- What was given and taken back in between is in no row; privileged-grants-log has it.
--
-- People are named as they are known at the second time. When the log holds nothing before the first time, everything
-- would look new, and the reason `history` says so."""
-- includes_to = true
--
-- [chart]
-- kind = "bar"
-- x = "privilege"
-- colour = "change"
--
-- [controls]
-- soc2 = ["CC6.3", "CC4.1"]
-- iso = ["A.5.18", "A.8.2"]
-- nist = ["AC-2", "AC-6(7)", "CA-7"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.4", "7.2.5.1"]
-- hipaa = ["164.308(a)(4)(ii)(C)", "164.308(a)(8)"]
-- gdpr = ["32(1)(d)"]
-- cis = ["6.8", "5.1"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3005", elements = ["subject", "privileges", "outcome"] },
--   { events = "3001", elements = ["subject", "outcome"] },
-- ]
-- compares_at_from = true
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- include_unchanged = { type = "boolean", default = false }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- change = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- privilege = "string"
-- resource_uid = "string"
-- privilege_source = "string"
-- is_privileged = "boolean"
-- granted_time = "timestamp"
-- granted_by = "string"
-- closed_time = "timestamp"
-- closed_by = "string"
-- severity_id = "int"
---
--
-- Both reviews see `from` and `to` themselves (includes_to), and both name people as they are known at `to`: an address
-- whose uid became known in between would otherwise be one subject less and another more.
--
with earlier as (
  select holder, item, resource_uid, source, is_privileged, opened_time, opened_by, closed_time, closed_by
  from ledger
  where family = 'access' and opened_time <= $from and (closed_time is null or closed_time > $from)
),
later as (
  select holder, item, resource_uid, source, is_privileged, opened_time, opened_by
  from ledger
  where family = 'access' and closed_time is null
),
compared as (
  select
    case
      when a.holder is null then 'added'
      when b.holder is null then 'removed'
      when a.opened_time <> b.opened_time then 'regranted'
      else 'unchanged'
    end as change,
    coalesce(b.holder, a.holder) as subject_uid, coalesce(b.item, a.item) as privilege,
    coalesce(b.resource_uid, a.resource_uid) as resource_uid, coalesce(b.source, a.source) as privilege_source,
    coalesce(b.is_privileged, a.is_privileged) as is_privileged,
    case when b.holder is null then a.opened_time else b.opened_time end as granted_time,
    case when b.holder is null then a.opened_by else b.opened_by end as granted_by,
    case when b.holder is null then a.closed_time end as closed_time,
    case when b.holder is null then a.closed_by end as closed_by
  from earlier a
  full join later b
    on a.holder = b.holder and a.item = b.item and a.resource_uid = b.resource_uid and a.source = b.source
)
select
  c.change, c.subject_uid, coalesce(i.label, c.subject_uid) as subject_label,
  c.privilege, c.resource_uid, c.privilege_source, c.is_privileged,
  c.granted_time, c.granted_by, c.closed_time, c.closed_by,
  case when c.is_privileged and c.change in ('added', 'regranted') then 3 else 1 end as severity_id
from compared c
left join identity i on i.uid = c.subject_uid
where c.change <> 'unchanged' or $include_unchanged
order by c.change, c.subject_uid, c.privilege, c.resource_uid, c.privilege_source
