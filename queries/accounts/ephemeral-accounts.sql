--- report
-- id = "ephemeral-accounts"
-- title = "Short-lived accounts"
-- question = "Which accounts were created and removed again within hours, and what did they do in between?"
-- readers = "threat hunter; fraud team"
-- kind = "detection"
-- tier = 3
-- grade = "B"
-- order = "deleted_time, subject_uid"
-- severity = "4 if privileged or api_keys > 0; 3 if actions > 0 or created_by = deleted_by; else 2."
-- answers = [
--   "subject_label", "life_minutes", "actions", "grants", "privileged", "created_by", "deleted_by",
--   "created_time",
-- ]
-- limits = """
-- A row is an account that was created and deleted again within `max_life`. `actions` counts what it did meanwhile,
-- `grants` what it was given, `api_keys` the keys that it made or was given: a key may outlive the account, so look
-- for it in api-key-lifecycle.
--
-- Tests, mistakes in typing and trials of the provisioning make most of these rows. An account that was given
-- privileged access or a key, and one that somebody created, used and deleted alone, is how somebody works who does
-- not want to be seen.
--
-- Accounts whose creation lies before the log are not found, nor are those that were only disabled."""
--
-- [controls]
-- soc2 = ["CC6.2", "CC7.2"]
-- iso = ["A.5.16", "A.8.16"]
-- nist = ["AC-2(4)", "AC-2(12)", "AU-6"]
-- csf = ["DE.CM-03", "PR.AA-01"]
-- pci = ["8.2.4", "10.2.1.5", "10.4.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["5.1", "8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- max_life = { type = "duration", default = "P1D" }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- created_time = "timestamp"
-- created_by = "string"
-- deleted_time = "timestamp"
-- deleted_by = "string"
-- life_minutes = "double"
-- actions = "bigint"
-- grants = "bigint"
-- privileged = "boolean"
-- api_keys = "bigint"
-- severity_id = "int"
-- finding_key = "string"
---
with entry as (
  select
    subject_uid, time, event_uid, actor_uid, action,
    lead(action) over life as next_action, lead(time) over life as deleted_time, lead(actor_uid) over life as deleted_by
  from account_action
  where is_effective and subject_uid is not null and action in ('create', 'delete')
  -- At the same ms the delete ends this account.
  window life as (partition by subject_uid order by time, action, coalesce(event_uid, ''))
),
lived as (
  select
    subject_uid, time as created_time, actor_uid as created_by, deleted_time, deleted_by,
    row_number() over (order by deleted_time, subject_uid, time) as id
  from entry
  where action = 'create' and next_action = 'delete' and deleted_time <= time + $max_life and deleted_time >= $from
),
acted as (
  select l.id, count(*) as actions
  from lived l
  join event e on e.actor_uid = l.subject_uid and e.time >= l.created_time and e.time <= l.deleted_time
  where e.is_not_failed
  group by l.id
),
granted as (
  select l.id, count(*) as grants, bool_or(a.is_privileged) as privileged
  from lived l
  join access_fact a on a.subject_uid = l.subject_uid and a.time >= l.created_time and a.time <= l.deleted_time
  where a.effect = 'open' and a.is_effective
  group by l.id
),
keyed as (
  select l.id, count(distinct k.key_uid) as api_keys
  from lived l
  join api_key_fact k
    on (k.owner_uid = l.subject_uid or k.actor_uid = l.subject_uid) and k.time >= l.created_time and k.time <= l.deleted_time
  where k.action = 'create' and k.is_effective
  group by l.id
),
listed as (
  select
    l.*, coalesce(a.actions, 0) as actions, coalesce(g.grants, 0) as grants, coalesce(g.privileged, false) as privileged,
    coalesce(k.api_keys, 0) as api_keys
  from lived l
  left join acted a on a.id = l.id
  left join granted g on g.id = l.id
  left join keyed k on k.id = l.id
)
select
  l.subject_uid, coalesce(i.label, l.subject_uid) as subject_label, l.created_time, l.created_by, l.deleted_time,
  l.deleted_by, (cast(l.deleted_time as bigint) - cast(l.created_time as bigint)) / 1000 / 60000.0 as life_minutes,
  l.actions, l.grants, l.privileged, l.api_keys,
  case
    when l.privileged or l.api_keys > 0 then 4
    when l.actions > 0 or l.created_by = l.deleted_by then 3
    else 2
  end as severity_id,
  finding_key('ephemeral-accounts', l.subject_uid, l.created_time, l.deleted_time) as finding_key
from listed l
left join identity i on i.uid = l.subject_uid
order by l.deleted_time, l.subject_uid
