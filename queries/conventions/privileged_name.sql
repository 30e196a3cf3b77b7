-- view: privileged_name
-- convention: C10
-- purpose: the names of privileges that are privileged, of all visible assignments and revocations
-- evaluate: once
--
-- Few names, so the pattern is matched once for each and not once for each event:
-- `array_has_any(e.privileges, p.names)` with `cross join (select array_agg(name) as names from privileged_name) p`.
select distinct name
from (select unnest(privileges) as name from event_row where class_uid = 3005)
where regexp_like(name, $privileged_pattern, 'i')
