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
-- chart = "heatmap (subjects x privileges)"
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
-- max_depth = { type = "int", default = 10 }
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
--
-- Groups are climbed once for all: each group with those above it, along the open subgroup entries, by paths that meet no
-- group twice. Members and privileges are joined to the two ends. A path is text, each group between two separators that
-- sort before whatever a name has.
--
with recursive climbed as (
  select group_key as low, group_key as high, 1 as depth, chr(1) || group_key || chr(1) as path
  from (select distinct group_key from group_holding where kind = 'member')
  union all
  select c.low, h.group_key as high, c.depth + 1 as depth, c.path || h.group_key || chr(1) as path
  from climbed c
  join group_holding h on h.kind = 'subgroup' and h.subgroup_key = c.high
  where c.depth < $max_depth and strpos(c.path, chr(1) || h.group_key || chr(1)) = 0
),
way as (
  select
    subject_uid, privilege, resource_uid, scope, is_privileged, 'direct' as via, cast(null as varchar) as granting_group,
    0 as depth, '' as path, ambiguous,
    coalesce((granted_by = subject_uid), false) as is_own
  from access_holding
  union all
  select
    m.subject_uid, p.privilege, p.resource_uid, p.scope, p.is_privileged, 'group' as via, p.group_key as granting_group,
    c.depth, c.path, m.ambiguous or p.ambiguous as ambiguous, coalesce((m.added_by = m.subject_uid), false) as is_own
  from group_holding m
  join climbed c on c.low = m.group_key
  join group_holding p on p.kind = 'privilege' and p.group_key = c.high
  where m.kind = 'member'
),
ranked as (
  select
    *, row_number() over nearest as nth,
    bool_or(ambiguous) over key as is_doubtful, bool_or(is_own) over key as is_self_given
  from way
  window
    key as (partition by subject_uid, privilege, resource_uid, scope, is_privileged, via, granting_group),
    nearest as (
      partition by subject_uid, privilege, resource_uid, scope, is_privileged, via, granting_group order by depth, path
    )
)
select
  h.subject_uid, coalesce(i.label, h.subject_uid) as subject_label, coalesce(s.account_state, 'unknown') as account_state,
  h.privilege, h.resource_uid, h.scope, h.via, h.granting_group, h.depth,
  case h.path when '' then make_array() else string_to_array(trim(h.path, chr(1)), chr(1)) end as path, h.is_privileged,
  case
    when s.account_state = 'deleted' then 5
    when h.is_privileged and (s.account_state in ('disabled', 'locked') or h.is_self_given or h.depth >= 2) then 4
    when h.is_privileged then 3
    when h.is_doubtful or s.account_state in ('disabled', 'locked') then 2
    when h.scope = 'resource' and regexp_like(h.privilege, $privileged_pattern, 'i') then 2
    else 1
  end as severity_id
from ranked h
left join account_state s on s.subject_uid = h.subject_uid
left join identity i on i.uid = h.subject_uid
where h.nth = 1
order by h.subject_uid, h.privilege, h.resource_uid, h.via, h.granting_group nulls last
