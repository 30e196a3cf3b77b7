-- view: leavers
-- convention: C5
-- purpose: who left, as personnel says: e-mail and time; empty unless the run is given such a table
-- input: all
-- columns: email string, left_time timestamp
-- without: how long after leaving an account was closed
--
-- A table of this name takes the place of this view. It is no log: a run sees all its rows.
select cast(null as varchar) as email, arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as left_time
where false
