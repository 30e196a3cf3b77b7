--- report
-- id = "joiner-mover-leaver"
-- title = "Joiners, movers, leavers"
-- question = "For each person with a change in the period: joined, moved, left, came back or only accumulated access?"
-- readers = "identity governance owner; auditor"
-- kind = "periodic summary"
-- tier = 2
-- grade = "B"
-- order = "category, subject_uid"
-- severity = "3 if leaver with keys left in ledger B, or accumulating with privileged_added > 0; 2 if accumulating; else 1."
-- answers = ["subject_label", "category", "state_from", "state_to", "privileged_added", "accumulating"]
-- limits = """
-- A row is a person whose account or access was changed in the period. The category compares the state just before the
-- period with the state at its end: `joiner` (created), `joiner_leaver` (created and closed again), `rejoiner` (was
-- closed, is active), `leaver` (is closed now), `mover` (holds other access or groups than before) and `churn`
-- (changes that cancel out, or touch no access).
--
-- The counts compare both ends of the period and not the steps between them: access that was given and taken back
-- within the period is in no count. `accumulating` marks movers who gained and lost nothing, the usual way in which
-- access piles up; `leaver` rows of severity 3 still hold direct access.
--
-- What was granted before the log begins is unknown unless a snapshot of the workspace was given, so the first period
-- of a young log shows too many changes. The reason `history` says so."""
--
-- [chart]
-- kind = "bar"
-- x = "category"
--
-- [controls]
-- soc2 = ["CC6.2", "CC6.3"]
-- iso = ["A.5.16", "A.5.18"]
-- nist = ["AC-2", "PS-4", "PS-5", "AC-6"]
-- csf = ["PR.AA-01", "PR.AA-05"]
-- pci = ["7.2.4", "8.2.4", "8.2.5"]
-- hipaa = ["164.308(a)(3)(ii)(C)", "164.308(a)(4)(ii)(C)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["6.1", "6.2", "5.6"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
--   { events = "3005", elements = ["subject", "privileges"] },
--   { events = "3006/3,4", elements = ["subject", "group"] },
-- ]
-- compares_at_from = true
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- category = "string"
-- state_from = "string"
-- state_to = "string"
-- grants_added = "bigint"
-- grants_removed = "bigint"
-- groups_added = "bigint"
-- groups_removed = "bigint"
-- privileged_added = "bigint"
-- accumulating = "boolean"
-- changed_by = "list<string>"
-- first_change = "timestamp"
-- last_change = "timestamp"
-- severity_id = "int"
---
--
-- Both states are those of C13, worked out side by side: `a` from the events before the period, `b` from all of them, with
-- people as they are known at its end.
--
with changed as (
  select subject_uid, min(time) as first_change, max(time) as last_change,
    coalesce(bool_or((class_uid = 3001) and activity_id = 1), false) as is_created,
    array_agg(distinct actor_uid order by actor_uid) filter (where actor_uid is not null) as changed_by
  from event
  where time >= $from and time < $to and is_effective and subject_uid is not null
    and (class_uid in (3001, 3005) or class_uid = 3006 and activity_id in (3, 4))
  group by subject_uid
),
action as (
  select
    a.subject_uid, m.moment, a.time, a.event_uid, a.action,
    case a.action when 'delete' then 0 when 'disable' then 1 else 2 end as rank
  from account_action a
  join changed c on c.subject_uid = a.subject_uid
  join (values ('a'), ('b')) as m(moment) on m.moment = 'b' or a.time < $from
  where a.is_effective and a.action in ('create', 'enable', 'disable', 'delete', 'lock', 'unlock')
),
life as (
  select
    subject_uid, moment, last_value(action order by time, rank, coalesce(event_uid, '')) as action,
    max(case when action = 'create' then time end) as created_time
  from action
  where action in ('create', 'enable', 'disable', 'delete')
  group by subject_uid, moment
),
lock as (
  select a.subject_uid, a.moment, last_value(a.action order by a.time, a.action) as action
  from action a left join life l on l.subject_uid = a.subject_uid and l.moment = a.moment
  where a.action in ('lock', 'unlock') and (l.created_time is null or a.time >= l.created_time)
  group by a.subject_uid, a.moment
),
seen as (
  select subject_uid, min(time) as first_logon from logon
  where outcome = 'success' and subject_uid is not null
  group by subject_uid
),
state as (
  select
    c.subject_uid, m.moment,
    case
      when l.action = 'delete' then 'deleted'
      when l.action = 'disable' then 'disabled'
      when k.action = 'lock' then 'locked'
      when l.action is not null or k.action = 'unlock' then 'active'
      when s.first_logon < case m.moment when 'a' then $from else $to end then 'active (seen)'
      else 'unknown'
    end as state
  from changed c
  cross join (values ('a'), ('b')) as m(moment)
  left join life l on l.subject_uid = c.subject_uid and l.moment = m.moment
  left join lock k on k.subject_uid = c.subject_uid and k.moment = m.moment
  left join seen s on s.subject_uid = c.subject_uid
),
-- One row for each key that was held at either end.
held as (
  select
    subject_uid, is_access, is_privileged,
    bool_or(opened_time < $from and (closed_time is null or closed_time >= $from)) as at_a,
    bool_or(closed_time is null) as at_b
  from (
    select holder as subject_uid, true as is_access, item, resource_uid, source, is_privileged, opened_time, closed_time
    from ledger where family = 'access'
    union all
    select
      item as subject_uid, false as is_access, holder as item, resource_uid, source, is_privileged, opened_time, closed_time
    from ledger where family = 'group' and ledger = 'member'
  )
  group by subject_uid, is_access, item, resource_uid, source, is_privileged
),
counted as (
  select
    subject_uid,
    count(*) filter (where is_access and at_b and not at_a) as grants_added,
    count(*) filter (where is_access and at_a and not at_b) as grants_removed,
    count(*) filter (where not is_access and at_b and not at_a) as groups_added,
    count(*) filter (where not is_access and at_a and not at_b) as groups_removed,
    count(*) filter (where is_access and at_b and not at_a and is_privileged) as privileged_added,
    count(*) filter (where is_access and at_b) as grants_left
  from held
  group by subject_uid
),
joined as (
  select
    c.subject_uid, c.first_change, c.last_change, c.changed_by, a.state as state_from, b.state as state_to,
    coalesce(n.grants_added, 0) as grants_added, coalesce(n.grants_removed, 0) as grants_removed,
    coalesce(n.groups_added, 0) as groups_added, coalesce(n.groups_removed, 0) as groups_removed,
    coalesce(n.privileged_added, 0) as privileged_added, coalesce(n.grants_left, 0) as grants_left,
    case
      when c.is_created and b.state in ('disabled', 'deleted') then 'joiner_leaver'
      when c.is_created then 'joiner'
      when a.state in ('disabled', 'deleted') and b.state = 'active' then 'rejoiner'
      when a.state not in ('disabled', 'deleted') and b.state in ('disabled', 'deleted') then 'leaver'
      when n.grants_added > 0 or n.grants_removed > 0 or n.groups_added > 0 or n.groups_removed > 0 then 'mover'
      else 'churn'
    end as category
  from changed c
  join state a on a.subject_uid = c.subject_uid and a.moment = 'a'
  join state b on b.subject_uid = c.subject_uid and b.moment = 'b'
  left join counted n on n.subject_uid = c.subject_uid
),
judged as (
  select *,
    category = 'mover' and grants_removed = 0 and groups_removed = 0 as accumulating
  from joined
)
select
  j.subject_uid, coalesce(i.label, j.subject_uid) as subject_label, j.category, j.state_from, j.state_to,
  j.grants_added, j.grants_removed, j.groups_added, j.groups_removed, j.privileged_added, j.accumulating,
  coalesce(j.changed_by, make_array()) as changed_by, j.first_change, j.last_change,
  case
    when j.category = 'leaver' and j.grants_left > 0 or j.accumulating and j.privileged_added > 0 then 3
    when j.accumulating then 2
    else 1
  end as severity_id
from judged j
left join identity i on i.uid = j.subject_uid
order by j.category, j.subject_uid
