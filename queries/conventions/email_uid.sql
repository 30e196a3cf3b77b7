-- view: email_uid
-- convention: C5
-- purpose: for each e-mail (lower case) the uid last seen together with it
-- evaluate: once
select email, uid
from (
  select
    lower(email) as email, uid,
    row_number() over (partition by lower(email) order by last_seen desc, uid desc) as position
  from user_object
  where uid is not null and email is not null
)
where position = 1
