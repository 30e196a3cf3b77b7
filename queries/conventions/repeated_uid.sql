-- view: repeated_uid
-- convention: C2
-- purpose: event uids that occur more than once among all visible events of the five classes, and how often
-- evaluate: once
--
-- Usually empty, and then the engine drops every join with it: deduplication costs this one pass and nothing more.
select event_uid, count(*) as copies
from event_row
where event_uid is not null
group by event_uid
having count(*) > 1
