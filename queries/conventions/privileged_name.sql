-- view: privileged_name
-- convention: C10
-- purpose: the names that match the pattern of privileges, of all visible privileges and policies
-- evaluate: once
--
-- Few names, so the pattern is matched once for each and not once for each event. `is_role`: a name of this kind on one
-- resource is a sharing role there, and not privileged.
select name, array_has($sharing_roles, lower(name)) as is_role
from (
  select distinct unnest(case class_uid when 3001 then policies else privileges end) as name
  from event_row
  where class_uid in (3001, 3005, 3006)
)
where regexp_like(name, $privileged_pattern, 'i')
