--- report
-- id = "leaver-residual-access"
-- title = "Access left on inactive accounts"
-- question = "Which disabled or deleted accounts still hold privileges, group memberships or live API keys at T?"
-- readers = "security operations; auditor testing revocation"
-- kind = "detection"
-- tier = 1
-- grade = "B"
-- order = "severity_id desc, subject_uid, residual_type, item, resource_uid, privilege_source"
-- severity = "5 if opened_after; 4 if api_key or is_privileged; else 3. `days_residual` = whole days since max(state_since, opened_time)."
-- answers = [
--   "subject_label", "residual_type", "item", "days_residual", "is_privileged", "opened_after", "account_state",
-- ]
-- limits = """
-- A row is something that a disabled or deleted account still held: a privilege, a membership or an API key. API keys
-- matter most, since they work without a logon. `opened_after` marks what was given after the account had been closed.
--
-- What is held is rebuilt from the log, and doubt keeps it: a revoke whose outcome nobody recorded takes nothing away.
-- So some rows may be gone in the workspace already; look there before you write a finding.
--
-- No rows mean little where access was granted before the log begins."""
--
-- [chart]
-- kind = "bar"
-- x = "residual_type"
--
-- [controls]
-- soc2 = ["CC6.2", "CC6.3"]
-- iso = ["A.5.18"]
-- nist = ["AC-2(3)", "PS-4", "AC-6(7)"]
-- csf = ["PR.AA-01", "PR.AA-05"]
-- pci = ["8.2.5", "7.2.4"]
-- hipaa = ["164.308(a)(3)(ii)(C)"]
-- gdpr = ["32(1)(b)", "5(1)(f)"]
-- cis = ["6.2"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
--   { events = "3005", elements = ["subject", "privileges"] },
--   { events = "3006/3,4", elements = ["subject", "group"] },
-- ]
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- grace = { type = "duration", default = "P1D" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- privileged_group_pattern = { type = "regex", default = "@privileged_group_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- account_state = "string"
-- state_since = "timestamp"
-- residual_type = "string"
-- item = "string"
-- resource_uid = "string"
-- privilege_source = "string"
-- is_privileged = "boolean"
-- opened_time = "timestamp"
-- opened_after = "boolean"
-- days_residual = "bigint"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- A group is as privileged as it is at T: by its key, the name that it had last, or a privileged privilege that it holds.
--
with gone as (
  select subject_uid, account_state, state_since
  from account_state
  where account_state in ('disabled', 'deleted') and state_since <= $as_of - $grace
),
named_group as (
  select
    group_key,
    last_value(group_name order by time, coalesce(event_uid, '')) filter (where group_name is not null) as group_name
  from group_change
  where group_key is not null
  group by group_key
),
powerful_group as (
  select distinct group_key from group_holding where kind = 'privilege' and is_privileged
),
item as (
  select
    subject_uid, 'privilege' as residual_type, privilege as item, resource_uid, privilege_source, is_privileged,
    granted_time as opened_time
  from access_holding
  union all
  select
    m.subject_uid, 'group' as residual_type, m.group_key as item, null as resource_uid, null as privilege_source,
    regexp_like(m.group_key, $privileged_group_pattern, 'i')
      or coalesce(regexp_like(n.group_name, $privileged_group_pattern, 'i'), false)
      or p.group_key is not null as is_privileged,
    m.since as opened_time
  from group_holding m
  left join named_group n on n.group_key = m.group_key
  left join powerful_group p on p.group_key = m.group_key
  where m.kind = 'member'
  union all
  select
    owner_uid, 'api_key' as residual_type, key_uid as item, null as resource_uid, null as privilege_source,
    false as is_privileged, created_time as opened_time
  from api_key
  where created_time is not null and deleted_time is null
),
found as (
  select
    g.subject_uid, g.account_state, g.state_since, i.residual_type, i.item, i.resource_uid, i.privilege_source,
    i.is_privileged, i.opened_time,
    i.opened_time > g.state_since as opened_after,
    greatest(g.state_since, i.opened_time) as residual_since
  from gone g join item i on i.subject_uid = g.subject_uid
)
select
  f.subject_uid, coalesce(i.label, f.subject_uid) as subject_label, f.account_state, f.state_since,
  f.residual_type, f.item, f.resource_uid, f.privilege_source, f.is_privileged, f.opened_time, f.opened_after,
  (cast($as_of as bigint) - cast(f.residual_since as bigint)) / 86400000000 as days_residual,
  case when f.opened_after then 5 when f.residual_type = 'api_key' or f.is_privileged then 4 else 3 end as severity_id,
  finding_key(
    'leaver-residual-access', f.subject_uid, f.residual_type, f.item, f.resource_uid, f.privilege_source, f.opened_time
  ) as finding_key
from found f
left join identity i on i.uid = f.subject_uid
order by severity_id desc, f.subject_uid, f.residual_type, f.item, f.resource_uid nulls last,
  f.privilege_source nulls last, f.opened_time
