--- report
-- id = "account-roster-as-of"
-- title = "Account roster as of T"
-- question = "Which accounts exist at T, in which state, since when, with which second factor and how much access?"
-- readers = "auditor (population for access reviews); licence owner"
-- kind = "evidence listing"
-- tier = 1
-- grade = "B"
-- order = "subject_uid"
-- severity = "4 if privileged grants > 0 and mfa_state = `disabled`; 3 if state `unknown` and grants > 0, or several listed subjects share one e-mail (case-insensitive); else 1."
-- answers = [
--   "subject_label", "account_state", "user_type", "mfa_state", "open_privileged_grants", "last_logon_time",
--   "created_time",
-- ]
-- limits = """
-- A row is an account as it was at the end of the day asked for, rebuilt from the log. It is not the list that the
-- workspace itself gives: accounts that never did anything, and to which nothing was done, leave no event and are not
-- here.
--
-- `active (seen)` means that the account logged on and that its creation is older than the log. `mfa_state` follows
-- what events say of second factors; `unknown` is common where an identity provider keeps them.
--
-- Compare it with an export of the workspace (access-state-reconciliation) before you certify it as complete."""
--
-- [chart]
-- kind = "bar"
-- x = "account_state"
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.2"]
-- iso = ["A.5.16"]
-- nist = ["AC-2", "IA-4"]
-- csf = ["PR.AA-01"]
-- pci = ["8.2.1", "7.2.4"]
-- hipaa = ["164.312(a)(2)(i)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["5.1", "5.5"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
--   { events = "3005", elements = ["subject", "privileges"] },
-- ]
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- include_deleted = { type = "boolean", default = false }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- user_type = "string"
-- account_state = "string"
-- state_since = "timestamp"
-- created_time = "timestamp"
-- created_by = "string"
-- mfa_state = "string"
-- last_logon_time = "timestamp"
-- open_grants = "bigint"
-- open_privileged_grants = "bigint"
-- open_groups = "bigint"
-- open_api_keys = "bigint"
-- severity_id = "int"
---
--
-- mfa_state: what events say about an account outright (has_mfa), the last of them; only where none says so, enabling
-- and disabling. At the same ms the weaker state counts, hence false and `disable` last.
--
with second_factor as (
  select
    subject_uid,
    last_value(has_mfa order by time, not has_mfa) filter (where has_mfa is not null) as has_mfa,
    last_value(activity_id order by time, activity_id) filter (where activity_id in (10, 11) and is_effective) as switch
  from event
  where class_uid = 3001 and subject_uid is not null
  group by subject_uid
),
access as (
  select subject_uid, count(*) as grants, count(*) filter (where is_privileged) as privileged
  from access_holding group by subject_uid
),
member as (
  select subject_uid, count(*) as groups from group_holding where kind = 'member' group by subject_uid
),
key as (
  select owner_uid, count(*) as keys
  from api_key where created_time is not null and deleted_time is null group by owner_uid
),
listed as (
  select
    k.subject_uid, coalesce(i.label, k.subject_uid) as subject_label, coalesce(i.user_type, 'Unknown') as user_type,
    lower(i.email) as email,
    coalesce(s.account_state, 'unknown') as account_state, s.state_since, s.created_time, s.created_by,
    case coalesce(f.has_mfa, f.switch = 10) when true then 'enabled' when false then 'disabled' else 'unknown' end
      as mfa_state,
    k.last_logon_time,
    coalesce(a.grants, 0) as open_grants, coalesce(a.privileged, 0) as open_privileged_grants,
    coalesce(m.groups, 0) as open_groups, coalesce(y.keys, 0) as open_api_keys
  from account_seen k
  left join account_state s on s.subject_uid = k.subject_uid
  left join identity i on i.uid = k.subject_uid
  left join second_factor f on f.subject_uid = k.subject_uid
  left join access a on a.subject_uid = k.subject_uid
  left join member m on m.subject_uid = k.subject_uid
  left join key y on y.owner_uid = k.subject_uid
  where k.is_effective and ($include_deleted or s.account_state is distinct from 'deleted')
)
select
  subject_uid, subject_label, user_type, account_state, state_since, created_time, created_by, mfa_state,
  last_logon_time, open_grants, open_privileged_grants, open_groups, open_api_keys,
  case
    when open_privileged_grants > 0 and mfa_state = 'disabled' then 4
    when account_state = 'unknown' and open_grants > 0 then 3
    when email is not null and count(*) over (partition by email) > 1 then 3
    else 1
  end as severity_id
from listed
order by subject_uid
