-- view: identity
-- convention: C5
-- purpose: label and type of every resolved user: join it on subject_uid or actor_uid where a report prints people
-- evaluate: once
--
-- The label is the latest e-mail as written, else the latest name, else the uid. Whoever is not here (an application:
-- `app:...`) has the uid as label and the type `Unknown`: write `coalesce(i.label, e.actor_uid)`.
select
  uid, first_value(email order by last_seen desc) filter (where email is not null) as email,
  coalesce(
    first_value(email order by last_seen desc) filter (where email is not null),
    first_value(name order by last_seen desc) filter (where name is not null),
    uid
  ) as label,
  case coalesce(first_value(type_id order by last_seen desc) filter (where type_id is not null), 0)
    when 0 then 'Unknown' when 1 then 'User' when 2 then 'Admin' when 3 then 'System' when 4 then 'Service'
    else 'Other'
  end as user_type
from person
group by uid
