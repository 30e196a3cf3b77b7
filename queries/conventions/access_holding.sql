-- view: access_holding
-- convention: C14
-- purpose: the access ledger: every key (subject, privilege, resource, source) held at the horizon, and since when
select
  holder as subject_uid, item as privilege, resource_uid, source as privilege_source, scope, is_privileged,
  opened_time as granted_time, opened_by as granted_by, opened_event_uid as grant_event_uid, opens as grant_events,
  ambiguous
from ledger
where family = 'access' and closed_time is null
