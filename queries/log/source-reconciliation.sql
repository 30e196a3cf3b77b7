--- report
-- id = "source-reconciliation"
-- title = "Completeness against the source"
-- question = "Do we hold every event that the source has for the period?"
-- readers = "auditor (completeness of the population); log owner"
-- kind = "data quality"
-- tier = 2
-- grade = "C"
-- order = "bucket_start, class"
-- severity = "4 missing; 3 extra (ours only: deleted at the source or wrong tenant); 1 equal or open."
-- answers = ["status", "class", "difference", "missing_ids", "extra_ids"]
-- limits = """
-- A row compares, for a stretch of time and a class, how many events the source says it has with how many we hold. The
-- numbers of the source come from inputs that you give: `source_counts`, what the source counts, or `source_ids`, the
-- uids of a second, independent paging. Without either there are no rows, and nothing is shown about completeness.
--
-- `missing` means that the source has events which we do not hold. `extra` means that we hold events which the source
-- does not list: they may have been deleted there, or belong to another tenant. Stretches that ended less than
-- `settle` before the end of the period are `open`, since sources deliver late.
--
-- Equal numbers are not equal events. Only `source_ids` names what is missing; it says nothing about classes, so its
-- rows are for all of them together."""
--
-- [chart]
-- kind = "bar"
-- x = "class"
-- values = ["difference"]
--
-- [controls]
-- soc2 = ["CC2.1", "CC7.2", "CC4.1"]
-- iso = ["A.8.15", "A.5.22"]
-- nist = ["AU-12", "AU-9", "CA-7"]
-- csf = ["PR.PS-04", "DE.CM-06"]
-- pci = ["10.2.1", "10.3.3", "10.7.2"]
-- hipaa = ["164.312(b)", "164.308(a)(8)"]
-- gdpr = ["28(3)(h)", "5(2)"]
-- cis = ["8.12", "8.2"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- bucket = { type = "duration", default = "PT1H" }
-- settle = { type = "duration", default = "PT24H" }
--
-- [columns]
-- bucket_start = "timestamp"
-- bucket_end = "timestamp"
-- class = "string"
-- source_events = "bigint"
-- our_events = "bigint"
-- difference = "bigint"
-- missing_ids = "bigint"
-- extra_ids = "bigint"
-- status = "string"
-- severity_id = "int"
---
--
-- Of a stretch that the source counts by class every class is compared that we hold, also those that it does not list.
-- Events without a uid count one by one.
--
with bucket as (
  select bucket_start, bucket_end, nullif(trim(class_name), '') as class_name, sum(events) as source_events
  from source_counts
  where bucket_start >= $from and bucket_end <= $to
  group by 1, 2, 3
),
held as (
  select e.time, e.event_uid, e.class as class_table, c.class as caption
  from event_row e
  join (select distinct class_uid, class from activity) c on c.class_uid = e.class_uid
  where e.time >= $from and e.time < $to
),
-- What we hold in each stretch that is counted, by class.
here as (
  select
    b.bucket_start, b.bucket_end, h.class_table, h.caption,
    count(distinct h.event_uid) + count(*) - count(h.event_uid) as events
  from (select distinct bucket_start, bucket_end from bucket) b
  join held h on h.time >= b.bucket_start and h.time < b.bucket_end
  group by b.bucket_start, b.bucket_end, h.class_table, h.caption
),
together as (
  select
    b.bucket_start, b.bucket_end, count(distinct h.event_uid) + count(h.time) - count(h.event_uid) as events
  from (select bucket_start, bucket_end from bucket where class_name is null) b
  left join held h on h.time >= b.bucket_start and h.time < b.bucket_end
  group by b.bucket_start, b.bucket_end
),
-- The uids of the source, in stretches as long as $bucket.
listed as (
  select
    coalesce(o.moment, t.moment) as moment, o.event_uid as our_uid, t.event_uid as their_uid, coalesce(o.events, 0) as events
  from (
    select
      date_bin($bucket, time, $from) as moment, event_uid,
      case when event_uid is null then count(*) else 1 end as events
    from held
    group by 1, 2
  ) o
  full join (
    select distinct date_bin($bucket, time, $from) as moment, nullif(trim(event_uid), '') as event_uid
    from source_ids
    where time >= $from and time < $to and trim(event_uid) <> ''
  ) t on t.moment = o.moment and t.event_uid = o.event_uid
  where exists (select 1 from source_ids)
),
compared as (
  select b.bucket_start, b.bucket_end, b.class_name as class, b.source_events, coalesce(h.events, 0) as our_events,
    null as missing_ids, null as extra_ids
  from bucket b
  left join here h
    on h.bucket_start = b.bucket_start and h.bucket_end = b.bucket_end
    and lower(b.class_name) in (h.class_table, lower(h.caption))
  where b.class_name is not null
  union all
  select b.bucket_start, b.bucket_end, null as class, b.source_events, t.events as our_events,
    null as missing_ids, null as extra_ids
  from bucket b
  join together t on t.bucket_start = b.bucket_start and t.bucket_end = b.bucket_end
  where b.class_name is null
  union all
  -- Classes that the source does not list in a stretch that it counts by class.
  select h.bucket_start, h.bucket_end, h.caption as class, 0 as source_events, h.events as our_events,
    null as missing_ids, null as extra_ids
  from here h
  left join bucket b
    on b.bucket_start = h.bucket_start and b.bucket_end = h.bucket_end
    and (b.class_name is null or lower(b.class_name) in (h.class_table, lower(h.caption)))
  where b.bucket_start is null
  union all
  select moment as bucket_start, least(moment + $bucket, $to) as bucket_end, null as class,
    count(their_uid) as source_events, sum(events) as our_events,
    count(*) filter (where our_uid is null and their_uid is not null) as missing_ids,
    count(*) filter (where their_uid is null and our_uid is not null) as extra_ids
  from listed
  group by moment
),
judged as (
  select
    *,
    case
      when bucket_end > $to - $settle then 'open'
      when our_events < source_events or missing_ids > 0 then 'missing'
      when our_events > source_events or extra_ids > 0 then 'extra'
      else 'equal'
    end as status
  from compared
)
select
  bucket_start, bucket_end, class, source_events, our_events, our_events - source_events as difference,
  missing_ids, extra_ids, status,
  case status when 'missing' then 4 when 'extra' then 3 else 1 end as severity_id
from judged
order by bucket_start, class nulls last
