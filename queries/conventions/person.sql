-- view: person
-- convention: C5
-- purpose: user_object with the uid that it resolves to
-- evaluate: once
select
  coalesce(o.uid, m.uid, q.uid, lower(o.email), o.qualified, o.name) as uid,
  o.email, o.qualified, o.name, o.type_id, o.last_seen
from user_object o
left join email_uid m on case when o.uid is null then lower(o.email) end = m.email
left join name_uid q on case when o.uid is null then o.qualified end = q.qualified
