--- report
-- id = "sod-toxic-combinations"
-- title = "Toxic combinations of privileges"
-- question = "Which subjects hold two privileges at T that policy says one person must not combine?"
-- readers = "internal audit; access reviewer"
-- kind = "detection"
-- tier = 3
-- grade = "B"
-- order = "rule, subject_uid"
-- severity = "4; 2 when the account is disabled or deleted. `since` = later of the two earliest granted_time values."
-- answers = ["subject_label", "rule", "left_privileges", "right_privileges", "since", "account_state"]
-- limits = """
-- A row is a rule and a person who held, at the end of the day asked for, privileges of both sides of that rule:
-- directly, through a group or through nested groups. `since` is when the later of the two sides began.
--
-- The three rules that come with the report are examples. Give your own policy as `toxic_pairs`, with a name and two
-- patterns for each rule.
--
-- Rights that nobody grants by an event are missing, as in effective-access-as-of: whoever administers the workspace
-- holds everything at once and is found only where his role matches a pattern. Disabled and deleted accounts are
-- listed with a lower severity, since their privileges should be gone."""
--
-- [controls]
-- soc2 = ["CC6.3", "CC5.1"]
-- iso = ["A.5.3", "A.5.15"]
-- nist = ["AC-5", "AC-6"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.1", "7.2.2"]
-- hipaa = ["164.308(a)(4)(ii)(B)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["6.8"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3005", elements = ["subject", "privileges", "outcome"] },
--   { events = "3006/3,4", elements = ["subject", "group"] },
-- ]
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- same_resource = { type = "boolean", default = false }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- rule = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- account_state = "string"
-- left_privileges = "list<string>"
-- right_privileges = "list<string>"
-- since = "timestamp"
-- severity_id = "int"
-- finding_key = "string"
---
with held as (
  select subject_uid, privilege, resource_uid, min(since) as since
  from effective_access
  group by subject_uid, privilege, resource_uid
),
paired as (
  select
    t.rule, l.subject_uid, l.privilege as left_privilege, l.since as left_since,
    r.privilege as right_privilege, r.since as right_since
  from toxic_pairs t
  join held l on regexp_like(l.privilege, t.left_pattern, 'i')
  join held r
    on r.subject_uid = l.subject_uid and r.privilege <> l.privilege and regexp_like(r.privilege, t.right_pattern, 'i')
  where not $same_resource or l.resource_uid = r.resource_uid or l.resource_uid = '*' or r.resource_uid = '*'
),
found as (
  select
    rule, subject_uid,
    array_agg(distinct left_privilege order by left_privilege) as left_privileges,
    array_agg(distinct right_privilege order by right_privilege) as right_privileges,
    greatest(min(left_since), min(right_since)) as since
  from paired
  group by rule, subject_uid
)
select
  f.rule, f.subject_uid, coalesce(i.label, f.subject_uid) as subject_label,
  coalesce(s.account_state, 'unknown') as account_state, f.left_privileges, f.right_privileges, f.since,
  case when s.account_state in ('disabled', 'deleted') then 2 else 4 end as severity_id,
  finding_key('sod-toxic-combinations', f.rule, f.subject_uid) as finding_key
from found f
left join account_state s on s.subject_uid = f.subject_uid
left join identity i on i.uid = f.subject_uid
order by f.rule, f.subject_uid
