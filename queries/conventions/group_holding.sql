-- view: group_holding
-- convention: C15
-- purpose: the group ledgers: every member, subgroup and privilege of a group at the horizon, and since when
--
-- kind is `member` (subject_uid), `subgroup` (subgroup_key) or `privilege` (privilege, resource_uid).
select
  case ledger when 'group_privilege' then 'privilege' else ledger end as kind,
  holder as group_key,
  case ledger when 'member' then item end as subject_uid,
  case ledger when 'subgroup' then item end as subgroup_key,
  case ledger when 'group_privilege' then item end as privilege,
  resource_uid,
  scope, is_privileged,
  opened_time as since, opened_by as added_by, opens as add_events, ambiguous
from ledger
where family = 'group' and closed_time is null
