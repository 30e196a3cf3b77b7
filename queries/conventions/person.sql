-- view: person
-- convention: C5
-- purpose: user_object with the uid that it resolves to
-- evaluate: once
select
  coalesce(
    uid, lookup('email_uid', 'uid', lower(email)), lookup('name_uid', 'uid', qualified), lower(email), qualified, name
  ) as uid,
  email, qualified, name, type_id, last_seen
from user_object
