-- view: effective_access
-- convention: C14 C15
-- purpose: every privilege that anybody holds at the horizon, directly or through groups and the groups above them
-- evaluate: once
--
-- One row for each subject, privilege, resource and way: `direct` (of both sources), or `group` with the granting group. Of
-- several paths to one group the shortest counts, then the one that is smallest bytewise. `since` is when the last step of
-- the earliest way was there. Groups are climbed once for all: each group with those above it, along the open subgroup
-- entries, by paths that meet no group twice, at most $max_depth long. A path is text, each group between two separators
-- that sort before whatever a name has.
with recursive climbed as (
  select group_key as low, group_key as high, 1 as depth, chr(1) || group_key || chr(1) as path,
    arrow_cast(-9000000000000000, 'Timestamp(Microsecond, Some("UTC"))') as since
  from (select distinct group_key from group_holding where kind = 'member')
  union all
  select c.low, h.group_key as high, c.depth + 1 as depth, c.path || h.group_key || chr(1) as path,
    greatest(c.since, h.since) as since
  from climbed c
  join group_holding h on h.kind = 'subgroup' and h.subgroup_key = c.high
  where c.depth < $max_depth and strpos(c.path, chr(1) || h.group_key || chr(1)) = 0
),
way as (
  select
    subject_uid, privilege, resource_uid, scope, is_privileged, 'direct' as via, cast(null as varchar) as granting_group,
    0 as depth, '' as path, granted_time as since, ambiguous, coalesce((granted_by = subject_uid), false) as is_own
  from access_holding
  union all
  select
    m.subject_uid, p.privilege, p.resource_uid, p.scope, p.is_privileged, 'group' as via, p.group_key as granting_group,
    c.depth, c.path, greatest(m.since, c.since, p.since) as since, m.ambiguous or p.ambiguous as ambiguous,
    coalesce((m.added_by = m.subject_uid), false) as is_own
  from group_holding m
  join climbed c on c.low = m.group_key
  join group_holding p on p.kind = 'privilege' and p.group_key = c.high
  where m.kind = 'member'
)
select
  subject_uid, privilege, resource_uid, scope, is_privileged, via, granting_group, depth,
  case path when '' then arrow_cast(make_array(), 'List(Utf8)') else string_to_array(trim(path, chr(1)), chr(1)) end as path,
  earliest as since, is_doubtful as ambiguous, is_self_given as is_own
from (
  select
    *, row_number() over nearest as nth, min(since) over key as earliest,
    bool_or(ambiguous) over key as is_doubtful, bool_or(is_own) over key as is_self_given
  from way
  window
    key as (partition by subject_uid, privilege, resource_uid, scope, is_privileged, via, granting_group),
    nearest as (
      partition by subject_uid, privilege, resource_uid, scope, is_privileged, via, granting_group order by depth, path
    )
)
where nth = 1
