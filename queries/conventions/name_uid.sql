-- view: name_uid
-- convention: C5
-- purpose: for each name with its domain (`domain\name`, lower case) the uid last seen together with it
-- evaluate: once
select qualified, uid
from (
  select
    qualified, uid,
    row_number() over (partition by qualified order by last_seen desc, uid desc) as position
  from user_object
  where uid is not null and qualified is not null
)
where position = 1
