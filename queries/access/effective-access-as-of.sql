--- report
-- id = "effective-access-as-of"
-- title = "Effective access as of T (direct, group, nested group)"
-- question = "Which privileges does each subject effectively hold at T, and through which path?"
-- readers = "access reviewer; incident responder (blast radius)"
-- kind = "evidence listing"
-- tier = 2
-- grade = "B"
-- order = "subject_uid, privilege, resource_uid, via, granting_group"
-- severity = "As access-review-as-of; plus 4 for is_privileged with depth >= 2 (hidden by nesting)."
-- answers = ["subject_label", "privilege", "is_privileged", "via", "granting_group", "account_state"]
-- limits = """
-- A row is a privilege that somebody held at the end of the day asked for, and the way by which he held it: `direct`,
-- or through `granting_group`. `path` lists the groups from the one of which he is a member to the one that holds the
-- privilege; `depth` is the number of groups on that way.
--
-- Somebody who holds the same privilege directly and through two groups has three rows: all of them must go before the
-- privilege is gone. Of several ways to one group the shortest is shown.
--
-- The list is rebuilt from grants, memberships and nested groups in the log. What was given before the log begins is
-- missing unless a snapshot of the workspace was given, and so are rights that nobody grants by an event: those of a
-- workspace's default group, of owners of resources, and those that workspace administrators hold over everything."""
--
-- [chart]
-- kind = "heatmap"
-- x = "privilege"
-- y = "subject_label"
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.3"]
-- iso = ["A.5.15", "A.5.18", "A.8.2", "A.8.3"]
-- nist = ["AC-2", "AC-3", "AC-6", "AC-6(7)"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.4", "7.2.5.1", "7.3.2"]
-- hipaa = ["164.308(a)(4)(ii)(C)", "164.312(a)(1)"]
-- gdpr = ["25(2)", "32(1)(b)"]
-- cis = ["6.8", "6.1"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3005", elements = ["subject", "privileges", "outcome"] },
--   { events = "3006/3,4", elements = ["subject", "group"] },
--   { events = "3006/1,2", elements = ["group", "privileges"] },
-- ]
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- max_depth = { type = "int", default = "@max_depth" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- account_state = "string"
-- privilege = "string"
-- resource_uid = "string"
-- scope = "string"
-- via = "string"
-- granting_group = "string"
-- depth = "int"
-- path = "list<string>"
-- is_privileged = "boolean"
-- severity_id = "int"
---
select
  h.subject_uid, coalesce(i.label, h.subject_uid) as subject_label, coalesce(s.account_state, 'unknown') as account_state,
  h.privilege, h.resource_uid, h.scope, h.via, h.granting_group, h.depth, h.path, h.is_privileged,
  case
    when s.account_state = 'deleted' then 5
    when h.is_privileged and (s.account_state in ('disabled', 'locked') or h.is_own or h.depth >= 2) then 4
    when h.is_privileged then 3
    when h.ambiguous or s.account_state in ('disabled', 'locked') then 2
    when h.scope = 'resource' and regexp_like(h.privilege, $privileged_pattern, 'i') then 2
    else 1
  end as severity_id
from effective_access h
left join account_state s on s.subject_uid = h.subject_uid
left join identity i on i.uid = h.subject_uid
order by h.subject_uid, h.privilege, h.resource_uid, h.via, h.granting_group nulls last
