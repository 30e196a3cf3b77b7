-- view: snapshot_access
-- convention: C17
-- purpose: what the workspace itself said about access at one time; empty unless the run is given such a table
-- input: taken_at
-- columns: subject_uid string, item_type string, item string, resource_uid string, taken_at timestamp
-- without: access that was given before the log begins
--
-- item_type is `privilege`, `group` or `api_key` (then subject_uid owns the key). A table of this name takes the place of
-- this view; `input` names its time, after which a run sees none of its rows.
select
  cast(null as varchar) as subject_uid, cast(null as varchar) as item_type, cast(null as varchar) as item,
  cast(null as varchar) as resource_uid, arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as taken_at
where false
