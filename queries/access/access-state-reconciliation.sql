--- report
-- id = "access-state-reconciliation"
-- title = "Ledger against the live workspace"
-- question = "Does the access rebuilt from the log agree with what the workspace itself says at T?"
-- readers = "auditor (completeness and accuracy); data owner"
-- kind = "data quality"
-- tier = 2
-- grade = "C"
-- order = "item_type, result, subject_uid, item"
-- severity = "4 only_workspace and privileged; 3 only_workspace; 2 only_log; 1 match or summary with agreement = 1."
-- answers = ["result", "subject_label", "item_type", "item"]
-- limits = """
-- Each row is a privilege, a membership or an API key, as the log says it was held when the snapshot was taken and as
-- the workspace itself said (`snapshot_access`). `only_workspace` is access that the log never saw being given: it is
-- older than the log, given without an event, or its event was lost. `only_log` is access that the log thinks is held
-- and that is gone: its removal left no event. The rows `summary` give the share that agrees, per kind.
--
-- The log is taken alone here. All other reports begin with the snapshot once it is given, so for them the two agree
-- by construction.
--
-- Names must be those of the log: a snapshot that names people by e-mail and not by uid agrees with nothing. Without a
-- snapshot there are no rows."""
--
-- [chart]
-- kind = "bar"
-- x = "result"
--
-- [controls]
-- soc2 = ["CC2.1", "CC6.3", "CC4.1"]
-- iso = ["A.5.18", "A.8.15"]
-- nist = ["AC-2", "CA-7", "AU-12"]
-- csf = ["PR.AA-05", "ID.AM-08"]
-- pci = ["7.2.4", "8.2.4"]
-- hipaa = ["164.308(a)(8)"]
-- gdpr = ["32(1)(d)"]
-- cis = ["5.1", "8.12"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3005", elements = ["subject", "privileges", "outcome"] },
-- ]
--
-- [parameters]
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- result = "string"
-- item_type = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- item = "string"
-- resource_uid = "string"
-- granted_time = "timestamp"
-- agreement = "double"
-- severity_id = "int"
---
--
-- `logged.` is the log without the snapshot, which the ledgers would otherwise begin with (C17). A key is compared by its uid;
-- whose it is, the snapshot says.
--
with there as (
  select distinct
    case ledger when 'access' then 'privilege' when 'member' then 'group' else ledger end as item_type,
    case when ledger <> 'api_key' then subject_uid end as subject_uid, item,
    case ledger when 'access' then resource_uid end as resource_uid, is_privileged
  from opening_balance
  where ledger is not null and item is not null and (ledger = 'api_key' or subject_uid is not null)
),
owner as (
  select item, max(subject_uid) as subject_uid from opening_balance where ledger = 'api_key' group by item
),
logged_fact as (
  select 'privilege' as item_type, holder as subject_uid, item, resource_uid, null as owner_uid, opened_time, closed_time
  from logged.ledger
  where family = 'access'
  union all
  select 'group' as item_type, item as subject_uid, holder as item, null as resource_uid, null as owner_uid, opened_time, closed_time
  from logged.ledger
  where family = 'group' and ledger = 'member'
  union all
  select 'api_key' as item_type, null as subject_uid, key_uid as item, null as resource_uid, owner_uid,
    created_time as opened_time, deleted_time as closed_time
  from logged.api_key
),
logged_item as (
  select f.item_type, f.subject_uid, f.item, f.resource_uid, max(f.owner_uid) as owner_uid, min(f.opened_time) as granted_time
  from logged_fact f cross join opening_time t
  where f.opened_time <= t.since and (f.closed_time is null or f.closed_time > t.since)
  group by f.item_type, f.subject_uid, f.item, f.resource_uid
),
compared as (
  select
    case when s.item is null then 'only_log' when l.item is null then 'only_workspace' else 'match' end as result,
    coalesce(l.item_type, s.item_type) as item_type,
    coalesce(l.subject_uid, s.subject_uid) as subject_uid, l.owner_uid,
    coalesce(l.item, s.item) as item, coalesce(l.resource_uid, s.resource_uid) as resource_uid, l.granted_time,
    s.is_privileged
  from logged_item l
  full join there s
    on s.item_type = l.item_type and s.item = l.item and coalesce(s.subject_uid, '') = coalesce(l.subject_uid, '')
    and coalesce(s.resource_uid, '') = coalesce(l.resource_uid, '')
),
listed as (
  select
    c.result, c.item_type,
    case c.item_type when 'api_key' then coalesce(o.subject_uid, c.owner_uid) else c.subject_uid end as subject_uid,
    c.item, c.resource_uid, c.granted_time, cast(null as double) as agreement,
    case
      when c.result = 'match' then 1
      when c.result = 'only_log' then 2
      when c.is_privileged then 4
      else 3
    end as severity_id
  from compared c left join owner o on c.item_type = 'api_key' and o.item = c.item
  union all
  select
    'summary' as result, item_type, null as subject_uid, null as item, null as resource_uid, null as granted_time,
    cast(count(*) filter (where result = 'match') as double) / count(*) as agreement,
    case when count(*) filter (where result = 'match') = count(*) then 1 else 2 end as severity_id
  from compared
  group by item_type
)
select
  l.result, l.item_type, l.subject_uid, coalesce(i.label, l.subject_uid) as subject_label, l.item, l.resource_uid,
  l.granted_time, l.agreement, l.severity_id
from listed l
left join identity i on i.uid = l.subject_uid
order by l.item_type, l.result, l.subject_uid nulls last, l.item nulls last
