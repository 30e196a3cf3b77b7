--- report
-- id = "duplicate-events"
-- title = "Duplicate and conflicting events"
-- question = "Were events delivered more than once, did a later copy say something else, and which uids are shared by different events?"
-- readers = "log owner; auditor of integrity"
-- kind = "data quality"
-- tier = 2
-- grade = "A"
-- order = "first_time, kind, event_uid, source"
-- severity = "4 revision; 2 suspected, shared_uid; 1 duplicate."
-- answers = ["kind", "class", "copies", "source", "first_time", "last_time"]
-- limits = """
-- A row is one of four things. `duplicate`: a source delivered events that were here already, counted per source and
-- day of the ingest; overlapping polls and files that are read again do that, and nothing is lost or doubled by it.
-- `revision`: a later copy of an event said something else; the first copy stays, and the later ones are in the table
-- `revision`. `shared_uid`: different events carry one uid. `suspected`: events without a uid that look alike; they
-- may be one event twice, or two.
--
-- Only `revision` is marked for attention. An audit record does not change; one that did was changed at the source or
-- on its way, and `changed_paths` says where.
--
-- Duplicates are counted as they arrive, so they belong to the day of the ingest and not to the day of the event."""
--
-- [chart]
-- kind = "bar"
-- x = "kind"
-- values = ["copies"]
--
-- [controls]
-- soc2 = ["CC2.1"]
-- iso = ["A.8.15", "A.5.33"]
-- nist = ["AU-9", "SI-7", "AU-6", "AU-7"]
-- csf = ["PR.PS-04"]
-- pci = ["10.3.2", "10.3.4"]
-- hipaa = ["164.312(c)(1)"]
-- gdpr = ["5(2)"]
-- cis = ["8.9"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
--
-- [columns]
-- kind = "string"
-- source = "string"
-- event_uid = "string"
-- class = "string"
-- copies = "bigint"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- changed_paths = "list<string>"
-- severity_id = "int"
---
--
-- The lake keeps one row per identity (C1, C2), so ingest counts what there was more than once.
--
with arrived as (
  select sequence, time as arrived from ingest_log
),
named as (
  select distinct class_uid, class from activity
),
dropped as (
  select
    'duplicate' as kind, source, null as event_uid, null as class, sum(duplicate) as copies,
    min(time) as first_time, max(time) as last_time
  from ingest_log
  where duplicate > 0 and time >= $from and time < $to
  group by source, date_trunc('day', time)
),
version as (
  select
    r.*, unnest(case when cardinality(r.changed) > 0 then r.changed else make_array(cast(null as varchar)) end) as path,
    coalesce(product_vendor_name, '') || chr(1) || coalesce(product_name, '') || chr(1) || coalesce(product_uid, '') || chr(1)
      || coalesce(log_name, '') || chr(1) || coalesce(log_provider, '') || chr(1) || coalesce(tenant_uid, '') || chr(1)
      || coalesce(device, '') as system
  from (
    select v.*, a.arrived, row_number() over (order by v._batch, v._source, v.line) as nth
    from revision v left join arrived a on a.sequence = v._batch
    where v.time >= $from and v.time < $to
  ) r
),
changed as (
  select
    class_uid, time, _event_uid, system,
    count(distinct nth) as versions,
    min(arrived) as first_time, max(arrived) as last_time, last_value(_source order by _batch, nth) as source,
    array_agg(distinct path order by path) filter (where path is not null) as changed_paths
  from version
  group by class_uid, time, _event_uid, system
),
begun as (
  select c.class_uid, c.time, c._event_uid, c.system, min(a.arrived) as first_time
  from changed c
  join (
    select
      class_uid, time, event_uid, _batch,
      coalesce(trim(metadata.product.vendor_name), '') || chr(1) || coalesce(trim(metadata.product.name), '') || chr(1)
        || coalesce(trim(metadata.product.uid), '') || chr(1) || coalesce(trim(metadata.log_name), '') || chr(1)
        || coalesce(trim(metadata.log_provider), '') || chr(1) || coalesce(trim(metadata.tenant_uid), '') || chr(1)
        || coalesce(nullif(trim(device.uid), ''), nullif(trim(device.hostname), ''), '') as system
    from event
    where time >= $from and time < $to
  ) e on e.class_uid = c.class_uid and e.time = c.time and e.event_uid = c._event_uid and e.system = c.system
  join arrived a on a.sequence = e._batch
  group by c.class_uid, c.time, c._event_uid, c.system
),
shared as (
  select
    'shared_uid' as kind, null as source, e.event_uid,
    array_to_string(array_agg(distinct n.class order by n.class), ', ') as class, count(*) as copies,
    min(e.time) as first_time, max(e.time) as last_time
  from event_row e join named n on n.class_uid = e.class_uid
  where e.event_uid is not null
  group by e.event_uid
  having count(*) > 1 and min(e.time) >= $from
),
suspected as (
  select
    'suspected' as kind, null as source, null as event_uid, n.class, count(*) as copies,
    e.time as first_time, e.time as last_time
  from event e join named n on n.class_uid = e.class_uid
  where e.event_uid is null and e.time >= $from and e.time < $to
  group by n.class, e.class_uid, e.activity_id, e.time, e.actor_uid, e.subject_uid, e.message
  having count(*) > 1
),
found as (
  select kind, source, event_uid, class, copies, first_time, last_time, arrow_cast(null, 'List(Utf8)') as changed_paths from dropped
  union all
  select
    'revision' as kind, c.source, c._event_uid as event_uid, n.class, c.versions + 1 as copies,
    coalesce(b.first_time, c.first_time) as first_time, c.last_time, c.changed_paths
  from changed c
  join named n on n.class_uid = c.class_uid
  left join begun b
    on b.class_uid = c.class_uid and b.time = c.time and b._event_uid = c._event_uid and b.system = c.system
  union all
  select kind, source, event_uid, class, copies, first_time, last_time, arrow_cast(null, 'List(Utf8)') as changed_paths from shared
  union all
  select kind, source, event_uid, class, copies, first_time, last_time, arrow_cast(null, 'List(Utf8)') as changed_paths
  from suspected
)
select
  kind, source, event_uid, class, copies, first_time, last_time, coalesce(changed_paths, make_array()) as changed_paths,
  case kind when 'revision' then 4 when 'duplicate' then 1 else 2 end as severity_id
from found
order by first_time, kind, event_uid nulls last, source nulls last
