--- report
-- id = "service-account-review"
-- title = "Service accounts and their rights"
-- question = "Which service accounts exist, who owns them, what can they do, and did one of them log on like a person?"
-- readers = "access reviewer; PCI 7.2.5 / 8.6 auditor"
-- kind = "evidence listing"
-- tier = 2
-- grade = "B"
-- order = "subject_uid"
-- severity = "4 interactive_logons > 0; 3 privileged_grants not empty or api_keys > 2; 2 no activity in the period; else 1."
-- answers = [
--   "subject_label", "account_state", "privileged_grants", "interactive_logons", "oldest_key_days",
--   "last_activity_time",
-- ]
-- limits = """
-- A row is a service account: one that the log calls a service account by its type, one that you named in
-- `service_accounts`, or one to whose path an API key was issued. Rights, groups and keys are those at the end of the
-- day asked for; logons and administrative actions are those since `from`.
--
-- A service account works with keys. One that logged on like a person (`interactive_logons`) is used by somebody, and
-- that is what severity 4 points at. Severity 2 marks accounts that did nothing in the time asked for: ask their owner
-- whether they are needed.
--
-- The log seldom says who owns a service account. `created_by` is who made it, if that happened within the log. The
-- use of an API key is no audit event of this source, so an account that only uses its key may look idle."""
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.3"]
-- iso = ["A.5.16", "A.8.2", "A.5.18"]
-- nist = ["AC-2", "IA-9", "AC-6(7)"]
-- csf = ["PR.AA-01", "PR.AA-05"]
-- pci = ["7.2.5", "7.2.5.1", "8.6.1"]
-- hipaa = ["164.312(a)(2)(i)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["5.5", "5.4"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3005", elements = ["subject", "privileges"] },
--   { events = "3004", elements = ["object", "actor"] },
-- ]
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- from = { type = "timestamp", default = "as_of - P90D" }
-- service_accounts = { type = "list<string>", default = [] }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- account_state = "string"
-- created_time = "timestamp"
-- created_by = "string"
-- open_grants = "bigint"
-- privileged_grants = "list<string>"
-- groups = "list<string>"
-- api_keys = "bigint"
-- oldest_key_days = "bigint"
-- interactive_logons = "bigint"
-- admin_actions = "bigint"
-- last_activity_time = "timestamp"
-- severity_id = "int"
---
with service as (
  select uid as subject_uid from identity where user_type = 'Service'
  union
  select unnest($service_accounts) as subject_uid
  union
  select regexp_match(path, '/service-accounts/([^/?#]+)')[1] as subject_uid
  from event
  where is_api_key and is_not_failed and path like '%/service-accounts/%'
),
granted as (
  select
    subject_uid, count(*) as open_grants,
    array_agg(distinct privilege order by privilege) filter (where is_privileged) as privileged_grants
  from access_holding
  group by subject_uid
),
joined as (
  select subject_uid, array_agg(distinct group_key order by group_key) as groups
  from group_holding
  where kind = 'member'
  group by subject_uid
),
keyed as (
  select owner_uid, count(*) as api_keys, min(created_time) as oldest
  from api_key
  where created_time is not null and deleted_time is null
  group by owner_uid
),
entered as (
  select subject_uid, count(*) as interactive_logons
  from logon
  where outcome = 'success' and time >= $from
  group by subject_uid
),
administered as (
  select actor_uid, count(*) as admin_actions
  from event_authority
  where is_admin and time >= $from
  group by actor_uid
),
listed as (
  select
    v.subject_uid, coalesce(i.label, v.subject_uid) as subject_label, coalesce(s.account_state, 'unknown') as account_state,
    s.created_time, s.created_by,
    coalesce(g.open_grants, 0) as open_grants, coalesce(g.privileged_grants, make_array()) as privileged_grants,
    coalesce(j.groups, make_array()) as groups, coalesce(k.api_keys, 0) as api_keys,
    (cast($as_of as bigint) - cast(k.oldest as bigint)) / 86400000000 as oldest_key_days,
    coalesce(e.interactive_logons, 0) as interactive_logons, coalesce(a.admin_actions, 0) as admin_actions,
    greatest(
      case when s.created_time is null or n.last_logon_time >= s.created_time then n.last_logon_time end,
      case when s.created_time is null or n.last_actor_time >= s.created_time then n.last_actor_time end
    ) as last_activity_time
  from service v
  left join identity i on i.uid = v.subject_uid
  left join account_state s on s.subject_uid = v.subject_uid
  left join granted g on g.subject_uid = v.subject_uid
  left join joined j on j.subject_uid = v.subject_uid
  left join keyed k on k.owner_uid = v.subject_uid
  left join entered e on e.subject_uid = v.subject_uid
  left join administered a on a.actor_uid = v.subject_uid
  left join account_seen n on n.subject_uid = v.subject_uid
  where v.subject_uid is not null
)
select
  *,
  case
    when interactive_logons > 0 then 4
    when cardinality(privileged_grants) > 0 or api_keys > 2 then 3
    when last_activity_time is null or last_activity_time < $from then 2
    else 1
  end as severity_id
from listed
order by subject_uid
