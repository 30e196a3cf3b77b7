-- view: source_ids
-- convention: C18
-- purpose: the event uids that the source itself lists, and their times; empty unless the run is given such a table
-- input: all
-- columns: event_uid string, time timestamp
-- without: which events of the source are missing in the lake
--
-- A table of this name takes the place of this view: the uids of a second, independent paging of the source.
select cast(null as varchar) as event_uid, arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as time
where false
