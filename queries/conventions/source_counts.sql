-- view: source_counts
-- convention: C18
-- purpose: how many events the source itself counts per stretch of time and class; empty unless the run is given such a table
-- input: all
-- columns: bucket_start timestamp, bucket_end timestamp, class_name string, events bigint
-- without: whether the source has as many events as the lake
--
-- A table of this name takes the place of this view. class_name is the name of a table (`user_access`) or a class's caption
-- (`User Access Management`), in any case, or null for all classes; a count for all classes says nothing of one of them.
select
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as bucket_start,
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as bucket_end,
  cast(null as varchar) as class_name, cast(null as bigint) as events
where false
