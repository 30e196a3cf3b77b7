--- report
-- id = "group-membership-as-of"
-- title = "Group members as of T"
-- question = "Who belongs to which group at T and since when?"
-- readers = "group owner certifying members; auditor"
-- kind = "evidence listing"
-- tier = 2
-- grade = "B"
-- order = "group_uid, subject_uid"
-- severity = "3 if account_state disabled or deleted; 2 if ambiguous; else 1."
-- answers = ["group_name", "subject_label", "account_state", "member_since", "added_by"]
-- limits = """
-- A row is a person who was a member of a group at the end of the day asked for, rebuilt from the log: who was added
-- and not removed since. It is not a list that the workspace gave us.
--
-- Members who were added before the log begins are not here, unless a snapshot of the workspace (`snapshot_access`)
-- was given. A removal whose outcome nobody recorded does not end a membership, so the list errs on the side of too
-- many members. `ambiguous` marks members who were added and removed at the very same millisecond.
--
-- Members of subgroups are not listed here; effective-access-as-of follows them. Group-wide defaults of the workspace,
-- such as a group of everybody, leave no events."""
--
-- [chart]
-- kind = "bar"
-- x = "group_name"
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.3"]
-- iso = ["A.5.15", "A.5.18"]
-- nist = ["AC-2", "AC-6(7)"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.4", "7.2.1"]
-- hipaa = ["164.308(a)(4)(ii)(C)"]
-- gdpr = ["25(2)"]
-- cis = ["6.8"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3006/3,4", elements = ["subject", "group", "outcome"] },
-- ]
--
-- [parameters]
-- as_of = { type = "timestamp" }
--
-- [columns]
-- group_uid = "string"
-- group_name = "string"
-- member_count = "bigint"
-- subject_uid = "string"
-- subject_label = "string"
-- account_state = "string"
-- member_since = "timestamp"
-- added_by = "string"
-- add_events = "bigint"
-- ambiguous = "boolean"
-- severity_id = "int"
---
with named as (
  select group_key, last_value(group_name order by time, coalesce(event_uid, '')) as group_name
  from event
  where class_uid = 3006 and group_name is not null
  group by group_key
)
select
  h.group_key as group_uid, n.group_name,
  count(*) over (partition by h.group_key) as member_count,
  h.subject_uid, coalesce(i.label, h.subject_uid) as subject_label,
  coalesce(s.account_state, 'unknown') as account_state,
  h.since as member_since, h.added_by, h.add_events, h.ambiguous,
  case when s.account_state in ('disabled', 'deleted') then 3 when h.ambiguous then 2 else 1 end as severity_id
from group_holding h
left join named n on n.group_key = h.group_key
left join account_state s on s.subject_uid = h.subject_uid
left join identity i on i.uid = h.subject_uid
where h.kind = 'member'
order by h.group_key, h.subject_uid
