-- view: unnamed_event
-- convention: C5
-- purpose: events that no report can attribute: their count belongs into the head of a run
--
-- what says what cannot be named: the account, the group or the API key that the event is about.
select class_uid, time, event_uid, 'account' as what
from event
where subject_uid is null
  and (class_uid in (3001, 3005) or class_uid = 3002 and activity_id = 1 or class_uid = 3006 and activity_id in (3, 4))
union all
select class_uid, time, event_uid, 'group' as what
from event
where class_uid = 3006 and group_key is null
union all
select 3004 as class_uid, time, event_uid, 'api_key' as what
from api_key_fact
where key_uid is null
