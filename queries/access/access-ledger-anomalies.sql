--- report
-- id = "access-ledger-anomalies"
-- title = "Contradictions in the access ledger"
-- question = "Where do grants, revokes and memberships contradict each other, so that the reviewed state may be wrong?"
-- readers = "data owner; auditor assessing reliability of the listing"
-- kind = "data quality"
-- tier = 3
-- grade = "B"
-- order = "time, event_uid, anomaly"
-- severity = "3 grant_to_deleted, subgroup_cycle, same_ms_conflict; 2 wildcard_mismatch, outcome_unknown, subject_unknown, close_without_open after warm-up; else 1."
-- answers = ["anomaly", "subject_label", "item", "time"]
-- limits = """
-- A row is an event that contradicts what the log said before it, so that the rebuilt access may be wrong there.
-- `grant_while_held` and `close_without_open` give what was held already, or take what was not held;
-- `wildcard_mismatch` takes it for all resources while it was given for one, or the other way round.
-- `grant_to_deleted`, `grant_before_create`, `join_deleted_group` and `delete_unknown_account` touch an account or a
-- group that should not be there. `same_ms_conflict` opens and closes at one millisecond, and `outcome_unknown` and
-- `subject_unknown` cannot be judged at all. `subgroup_cycle` is a group that contains itself.
--
-- Where doubt remains, the ledger keeps access rather than hiding it: a grant counts unless it failed, a revoke only
-- when it succeeded. So these rows say mostly where too much access is shown.
--
-- A young log must contradict itself, since what it takes away was given before it began. Closings in the first
-- `warmup` after the first event of their class are rated lowest."""
--
-- [chart]
-- kind = "bar"
-- x = "anomaly"
--
-- [controls]
-- soc2 = ["CC2.1", "CC4.1"]
-- iso = ["A.8.15", "A.5.18"]
-- nist = ["AU-3", "AC-2", "CA-7"]
-- csf = ["PR.PS-04"]
-- pci = ["10.2.2", "7.2.4"]
-- hipaa = ["164.312(b)"]
-- gdpr = ["5(2)"]
-- cis = ["8.5"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3005", elements = ["subject", "privileges", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- warmup = { type = "duration", default = "P30D" }
--
-- [columns]
-- anomaly = "string"
-- time = "timestamp"
-- subject_uid = "string"
-- subject_label = "string"
-- item = "string"
-- resource_uid = "string"
-- actor_uid = "string"
-- event_uid = "string"
-- severity_id = "int"
---
with recursive step as (
  select
    *,
    case ledger
      when 'access' then item when 'api_key' then item when 'member' then 'group:' || holder
      else 'group:' || holder || ': ' || item
    end as shown,
    case ledger when 'access' then holder when 'member' then item end as subject_uid,
    case ledger when 'access' then case source when 'direct' then 3005 else 3001 end when 'api_key' then 3004 else 3006 end
      as class_uid
  from ledger_step
  where is_named and time >= $from
),
begun as (
  select class_uid, min(time) as first_time from event_row group by class_uid
),
-- The same privilege on another resource, held when the close came.
elsewhere as (
  select distinct s.ledger, s.holder, s.item, s.resource_uid, s.source, s.time, coalesce(s.event_uid, '') as uid
  from step s
  join ledger l
    on l.ledger = s.ledger and l.holder = s.holder and l.item = s.item and coalesce(l.source, '') = coalesce(s.source, '')
    and l.opened_time <= s.time and (l.closed_time is null or l.closed_time > s.time)
    and (s.resource_uid = '*' and l.resource_uid <> '*' or s.resource_uid <> '*' and l.resource_uid = '*')
  where s.effect = 'close' and s.ledger in ('access', 'group_privilege')
),
closing as (
  select
    case when e.ledger is not null then 'wildcard_mismatch' else 'close_without_open' end as anomaly,
    s.time, s.subject_uid, s.shown, s.resource_uid, s.actor_uid, s.event_uid,
    e.ledger is null and s.time < b.first_time + $warmup as is_expected
  from step s
  join begun b on b.class_uid = s.class_uid
  left join elsewhere e
    on e.ledger = s.ledger and e.holder = s.holder and e.item = s.item and e.resource_uid = s.resource_uid
    and coalesce(e.source, '') = coalesce(s.source, '') and e.time = s.time and e.uid = coalesce(s.event_uid, '')
  where s.effect = 'close' and (s.effect_before is distinct from 'open')
),
-- The life of accounts and groups: from each time on, what stood last at it.
account_life as (
  select subject_uid, time, action,
    lead(time) over (partition by subject_uid order by time) as until,
    min(case when is_created then time end) over (partition by subject_uid) as first_created
  from (
    select subject_uid, time,
      last_value(action order by case action when 'delete' then 0 when 'disable' then 1 else 2 end, coalesce(event_uid, ''))
        as action,
      bool_or((action = 'create')) as is_created
    from account_action
    where is_effective and subject_uid is not null and action in ('create', 'enable', 'disable', 'delete')
    group by subject_uid, time
  )
),
group_life as (
  select group_key, time, effect, lead(time) over (partition by group_key order by time) as until
  from (
    select group_key, time, max(effect) as effect
    from group_fact
    where kind = 'group' and is_effective and group_key is not null
    group by group_key, time
  )
),
opening as (
  select
    s.time, s.subject_uid, s.shown as item, s.resource_uid, s.actor_uid, s.event_uid,
    unnest(make_array(
      case when s.effect_before = 'open' then 'grant_while_held' end,
      case when s.is_closed_then then 'same_ms_conflict' end,
      case when a.action = 'delete' then 'grant_to_deleted' end,
      case when s.time < c.first_created then 'grant_before_create' end,
      case when l.effect = 'close' then 'join_deleted_group' end
    )) as anomaly
  from step s
  left join account_life a on a.subject_uid = s.subject_uid and a.time <= s.time and (a.until is null or a.until > s.time)
  left join (select distinct subject_uid, first_created from account_life) c on c.subject_uid = s.subject_uid
  left join group_life l
    on s.ledger = 'member' and l.group_key = s.holder and l.time <= s.time and (l.until is null or l.until > s.time)
  where s.effect = 'open'
),
first_met as (
  select uid, min(time) as first_time
  from (
    select subject_uid as uid, time from event where subject_uid is not null
    union all
    select actor_uid as uid, time from event where actor_uid is not null
  )
  group by uid
),
edge as (
  select holder, item, opened_time, opened_by, opened_event_uid
  from ledger where family = 'group' and ledger = 'subgroup' and closed_time is null
),
-- Each group with all those above it.
above as (
  select item as low, holder as high from edge
  union
  select a.low, e.holder as high from above a join edge e on e.item = a.high
),
doubtful as (
  select
    time, subject_uid, coalesce('group:' || group_key, entity_key) as shown, actor_uid, event_uid,
    status_id in (1, 2) as is_certain,
    subject_uid is null and is_not_failed and (
      class_uid = 3005 and activity_id in (1, 2) or class_uid = 3001 and activity_id in (7, 8)
      or class_uid = 3006 and activity_id in (3, 4)
    ) as is_nobody
  from event
  where time >= $from and (
    class_uid = 3005 and activity_id in (1, 2) or class_uid = 3001 and activity_id in (6, 7, 8)
    or class_uid = 3006 and activity_id between 1 and 8 or is_api_key and activity_id in (1, 4)
  )
),
found as (
  select anomaly, time, subject_uid, shown as item, resource_uid, actor_uid, event_uid, is_expected from closing
  union all
  select anomaly, time, subject_uid, item, resource_uid, actor_uid, event_uid, false as is_expected
  from opening
  where anomaly is not null
  union all
  select 'delete_unknown_account' as anomaly, d.time, d.subject_uid, null as item, null as resource_uid, d.actor_uid, d.event_uid,
    false as is_expected
  from account_action d
  join first_met m on m.uid = d.subject_uid
  where d.action = 'delete' and d.is_effective and d.time >= $from and m.first_time = d.time
  union all
  select 'outcome_unknown' as anomaly, time, subject_uid, shown as item, null as resource_uid, actor_uid, event_uid,
    false as is_expected
  from doubtful where is_certain is not true
  union all
  select 'subject_unknown' as anomaly, time, subject_uid, shown as item, null as resource_uid, actor_uid, event_uid,
    false as is_expected
  from doubtful where is_nobody
  union all
  select distinct 'subgroup_cycle' as anomaly, e.opened_time as time, null as subject_uid,
    'group:' || e.holder || ': ' || e.item as item, null as resource_uid, e.opened_by as actor_uid,
    e.opened_event_uid as event_uid, false as is_expected
  from edge e
  join above a on a.low = e.holder and a.high = e.item
  where e.opened_time >= $from
)
select
  f.anomaly, f.time, f.subject_uid, coalesce(i.label, f.subject_uid) as subject_label, f.item, f.resource_uid, f.actor_uid,
  f.event_uid,
  case
    when f.anomaly in ('grant_to_deleted', 'subgroup_cycle', 'same_ms_conflict') then 3
    when f.anomaly in ('wildcard_mismatch', 'outcome_unknown', 'subject_unknown') then 2
    when f.anomaly = 'close_without_open' and not f.is_expected then 2
    else 1
  end as severity_id
from found f
left join identity i on i.uid = f.subject_uid
order by f.time, f.event_uid nulls last, f.anomaly
