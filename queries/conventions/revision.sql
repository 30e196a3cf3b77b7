-- view: revision
-- convention: C2
-- purpose: later versions of an event with other content: one row per version; empty unless the lake keeps such a table
-- input: all
select
  arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as time, cast(null as varchar) as class,
  cast(null as bigint) as class_uid, cast(null as varchar) as _event_uid,
  cast(null as varchar) as product_vendor_name, cast(null as varchar) as product_name,
  cast(null as varchar) as product_uid, cast(null as varchar) as log_name, cast(null as varchar) as log_provider,
  cast(null as varchar) as tenant_uid, cast(null as varchar) as device, arrow_cast(null, 'List(Utf8)') as changed,
  cast(null as varchar) as _source, cast(null as bigint) as line, cast(null as bigint) as _batch
where false
