--- report
-- id = "group-membership-changes"
-- title = "Group changes"
-- question = "Which groups and memberships changed in the period, by whom, and did a privileged group grow?"
-- readers = "identity administrator; auditor"
-- kind = "evidence listing"
-- tier = 1
-- grade = "B"
-- order = "time, event_uid"
-- severity = "Effective and privileged_group: 4 for join by oneself, 3 for join, privilege assign, subgroup add; 2 for delete and other effective changes of such a group; else 1."
-- answers = ["time", "group_name", "activity", "subject_label", "actor_label", "privileged_group", "outcome"]
-- limits = """
-- A row is one change to a group: members, subgroups, privileges, or the group itself. `members_after` is the size of
-- the group after the event, rebuilt from the log; members from before the log are not counted.
--
-- `privileged_group` says whether the group was privileged just before the event, by its name or by what it held."""
--
-- [chart]
-- kind = "bar"
-- x = "time"
-- per = "day"
-- colour = "activity"
--
-- [controls]
-- soc2 = ["CC6.2", "CC6.3"]
-- iso = ["A.5.15", "A.5.18", "A.8.2"]
-- nist = ["AC-2", "AC-2(4)", "AC-6(9)"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.2", "10.2.1.2", "10.2.1.7", "10.2.1.5"]
-- hipaa = ["164.308(a)(4)(ii)(C)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["6.1", "6.2", "6.8"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3006", elements = ["group", "actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- privileged_group_pattern = { type = "regex", default = "@privileged_group_pattern" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- time = "timestamp"
-- activity = "string"
-- activity_name = "string"
-- outcome = "string"
-- group_uid = "string"
-- group_name = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- subgroup_uid = "string"
-- privileges = "list<string>"
-- actor_uid = "string"
-- actor_label = "string"
-- src_ip = "string"
-- privileged_group = "boolean"
-- members_after = "bigint"
-- event_uid = "string"
-- severity_id = "int"
---
select
  g.time, c.activity, g.activity_name, g.outcome,
  g.group_key as group_uid, g.group_name,
  g.subject_uid, coalesce(s.label, g.subject_uid) as subject_label,
  g.subgroup_key as subgroup_uid, g.privileges,
  g.actor_uid, coalesce(a.label, g.actor_uid) as actor_label, g.src_ip,
  g.is_privileged_group as privileged_group, g.members_after, g.event_uid,
  case
    when not (g.is_effective and g.is_privileged_group) then 1
    when g.activity_key = 3 and g.subject_uid = g.actor_uid then 4
    when g.activity_key in (1, 3, 7) then 3
    else 2
  end as severity_id
from group_change g
join activity c on c.class_uid = 3006 and c.activity_key = g.activity_key
left join identity s on s.uid = g.subject_uid
left join identity a on a.uid = g.actor_uid
where g.time >= $from and g.time < $to
order by g.time, g.event_uid nulls last, g.group_key nulls last, c.activity, g.subject_uid nulls last
