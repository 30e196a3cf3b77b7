--- report
-- id = "dormant-accounts"
-- title = "Dormant accounts"
-- question = "Which usable accounts have shown no activity for N days or were never used at all?"
-- readers = "access reviewer; PCI / CIS auditor"
-- kind = "detection"
-- tier = 1
-- grade = "B"
-- order = "days_inactive desc, subject_uid"
-- severity = "4 if open_privileged_grants > 0; 3 if days_inactive >= 2 x inactive_days or open_grants > 0; else 2."
-- answers = [
--   "subject_label", "days_inactive", "account_state", "open_privileged_grants", "open_grants",
--   "last_activity_time",
-- ]
-- limits = """
-- A row is an account that could be used and was not, for `inactive_days` or longer. `basis` says what the time is
-- counted from: the last activity, else the creation, else the first event in which the account appeared.
--
-- Activity is what leaves an event: logons and actions. Somebody who works in the product without leaving audit events
-- looks idle, and so does a service account that only uses its key.
--
-- A log that is younger than `inactive_days` cannot show that an account was idle so long; the verdict then says not
-- assessable."""
--
-- [chart]
-- kind = "bar"
-- x = "days_inactive"
-- classes = [90, 180, 365]
--
-- [controls]
-- soc2 = ["CC6.2", "CC6.3"]
-- iso = ["A.5.16", "A.5.18"]
-- nist = ["AC-2(3)", "AC-2"]
-- csf = ["PR.AA-01", "PR.AA-05"]
-- pci = ["8.2.6", "7.2.4"]
-- hipaa = ["164.308(a)(4)(ii)(C)"]
-- gdpr = ["5(1)(f)", "32(1)(b)"]
-- cis = ["5.3", "5.1"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3002/1", elements = ["subject", "outcome"] },
--   { events = "3001", elements = ["subject"] },
-- ]
-- look_back = "inactive_days"
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- inactive_days = { type = "int", default = 90 }
-- include_disabled = { type = "boolean", default = false }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- user_type = "string"
-- account_state = "string"
-- created_time = "timestamp"
-- last_logon_time = "timestamp"
-- last_actor_time = "timestamp"
-- last_activity_time = "timestamp"
-- basis = "string"
-- days_inactive = "bigint"
-- open_grants = "bigint"
-- open_privileged_grants = "bigint"
-- severity_id = "int"
-- finding_key = "string"
---
with known as (
  select
    k.subject_uid, coalesce(i.label, k.subject_uid) as subject_label, coalesce(i.user_type, 'Unknown') as user_type,
    coalesce(s.account_state, 'unknown') as account_state, s.created_time,
    k.last_logon_time, k.last_actor_time, k.first_time,
    greatest(
      case when s.created_time is null or k.last_logon_time >= s.created_time then k.last_logon_time end,
      case when s.created_time is null or k.last_actor_time >= s.created_time then k.last_actor_time end
    ) as last_activity_time
  from account_seen k
  left join account_state s on s.subject_uid = k.subject_uid
  left join identity i on i.uid = k.subject_uid
),
dormant as (
  select
    *, coalesce(last_activity_time, created_time, first_time) as reference_time,
    case when last_activity_time is not null then 'activity' when created_time is not null then 'created'
      else 'first_seen' end as basis
  from known
  where account_state <> 'deleted' and (account_state <> 'disabled' or $include_disabled) and user_type <> 'System'
),
counted as (
  select subject_uid, count(*) as open_grants, count(*) filter (where is_privileged) as open_privileged_grants
  from access_holding
  group by subject_uid
),
listed as (
  select
    d.*, (cast($as_of as bigint) - cast(reference_time as bigint)) / 86400000000 as days_inactive,
    coalesce(c.open_grants, 0) as open_grants, coalesce(c.open_privileged_grants, 0) as open_privileged_grants
  from dormant d left join counted c on c.subject_uid = d.subject_uid
)
select
  subject_uid, subject_label, user_type, account_state, created_time,
  last_logon_time, last_actor_time, last_activity_time, basis, days_inactive,
  open_grants, open_privileged_grants,
  case
    when open_privileged_grants > 0 then 4
    when days_inactive >= 2 * $inactive_days or open_grants > 0 then 3
    else 2
  end as severity_id,
  finding_key('dormant-accounts', subject_uid, reference_time) as finding_key
from listed
where days_inactive >= $inactive_days
order by days_inactive desc, subject_uid
