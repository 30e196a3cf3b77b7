-- view: event_authority
-- convention: C10 C12
-- purpose: every event with whether its actor was an administrator then, and whether it is administration
--
-- An administrator is of type Admin, by the event itself or else by what is known of the person, or holds a privileged
-- key of the ledger after all entries of that ms. `is_admin`: what is done to access, groups and other people's accounts,
-- and every change by an administrator; never the care of the own password and second factor. `privileged_names`: how many
-- privileged privileges or policies the event names, each for one of its resources at least. `actor_type`: what the person
-- is, or `App`.
select
  *,
  class_uid in (3001, 3004, 3005, 3006)
  and not coalesce((class_uid = 3001) and activity_id in (3, 4, 10, 11) and is_own, false)
  and (
    class_uid in (3005, 3006) or (class_uid = 3001) and not is_own
    or is_administrator and not coalesce((class_uid = 3004) and activity_id = 2, false)
  ) as is_admin
from (
  select
    e.*,
    coalesce(e.subject_uid = e.actor_uid, false) as is_own,
    case when e.is_user_actor then i.user_type when e.actor_uid is not null then 'App' end as actor_type,
    coalesce(e.actor_user_type_id, case i.user_type when 'Admin' then 2 end, 0) = 2 or s.subject_uid is not null
      as is_administrator,
    coalesce(cardinality(array_intersect(
      case e.class_uid when 3001 then e.policies else e.privileges end,
      case
        when e.class_uid = 3001 or coalesce(cardinality(e.resources), 0) = 0 or array_has(e.resources, '*') then p.names
        else p.workspace_names
      end
    )), 0) as privileged_names
  from event_category e
  left join identity i on i.uid = e.actor_uid
  left join privileged_span s
    on s.subject_uid = e.actor_uid and s.since <= e.time and (s.until is null or e.time < s.until)
  cross join (
    select array_agg(name) as names, array_agg(name) filter (where not is_role) as workspace_names from privileged_name
  ) p
)
