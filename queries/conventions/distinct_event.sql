-- view: distinct_event
-- convention: C2
-- purpose: every visible event once; the lake keeps one row per identity, so nothing is left out here
--
-- Two events of one uid are two events: a uid is unique within its logging system only.
select * from event_row
