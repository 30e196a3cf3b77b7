--- report
-- id = "api-key-lifecycle"
-- title = "API key life cycle"
-- question = "Which API keys exist or existed, who made them, how old are they, and which are overdue for rotation?"
-- readers = "platform owner; PCI / SOC 2 auditor"
-- kind = "evidence listing"
-- tier = 1
-- grade = "A"
-- order = "state, created_time nulls first, key_uid"
-- severity = "5 leaked and not deleted; 4 active and owner_state disabled or deleted; 3 overdue or leaked; 2 unknown_origin; else 1."
-- answers = ["key_name", "owner_label", "state", "age_days", "overdue", "leaked", "owner_state"]
-- limits = """
-- A row is an API key in one of its lives, from creation to deletion. `unknown_origin` keys were created before the
-- log; their age counts from when they were first seen. `leaked` keys were disabled because they had been found in
-- public.
--
-- Rotation is recognised by an owner who deletes one key within `overlap` of creating another. Whether a key is used,
-- the log does not say."""
--
-- [chart]
-- kind = "bar"
-- x = "age_days"
-- classes = [30, 90, 180, 365]
-- only = { column = "state", is = "active" }
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.2", "CC6.3"]
-- iso = ["A.5.17", "A.5.16", "A.8.5"]
-- nist = ["IA-5", "AC-2"]
-- csf = ["PR.AA-01"]
-- pci = ["8.6.2", "8.6.3", "10.2.1.5"]
-- hipaa = ["164.312(d)", "164.308(a)(4)(ii)(C)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["5.5"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3004", elements = ["object", "actor", "outcome"] },
-- ]
-- look_back = "max_age_days"
--
-- [parameters]
-- as_of = { type = "timestamp" }
-- from = { type = "timestamp", default = "as_of - P90D" }
-- max_age_days = { type = "int", default = 90 }
-- overlap = { type = "duration", default = "P7D" }
-- leak_pattern = { type = "regex", default = "@leak_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- key_uid = "string"
-- key_name = "string"
-- owner_uid = "string"
-- owner_label = "string"
-- owner_state = "string"
-- state = "string"
-- created_time = "timestamp"
-- created_by = "string"
-- last_change_time = "timestamp"
-- updates = "bigint"
-- disabled_time = "timestamp"
-- deleted_time = "timestamp"
-- deleted_by = "string"
-- age_days = "bigint"
-- overdue = "boolean"
-- rotated_from = "string"
-- leaked = "boolean"
-- severity_id = "int"
---
--
-- A key replaces another one of its owner that was deleted within `overlap` after its creation: of several the one
-- deleted last (C4), at the end the greater key.
--
with life as (
  select
    *,
    case
      when deleted_time is not null then 'deleted'
      when created_time is null then 'unknown_origin'
      when disabled_time is not null then 'disabled'
      else 'active'
    end as state,
    (cast(coalesce(deleted_time, $as_of) as bigint) - cast(coalesce(created_time, first_seen) as bigint)) / 86400000000
      as age_days
  from api_key
),
replaced as (
  select
    n.key_uid, n.life,
    last_value(o.key_uid order by o.deleted_time, o.deleted_event_uid, o.key_uid) as rotated_from
  from life n
  join life o
    on o.owner_uid = n.owner_uid and o.key_uid <> n.key_uid
    and o.deleted_time >= n.created_time and o.deleted_time <= n.created_time + $overlap
  group by n.key_uid, n.life
)
select
  l.key_uid, l.key_name, l.owner_uid, coalesce(i.label, l.owner_uid) as owner_label,
  case when l.owner_uid is not null then coalesce(s.account_state, 'unknown') end as owner_state,
  l.state, l.created_time, l.created_by, l.last_change_time, l.updates, l.disabled_time, l.deleted_time, l.deleted_by,
  l.age_days, l.state = 'active' and l.age_days > $max_age_days as overdue,
  r.rotated_from, l.leaked,
  case
    when l.leaked and l.state <> 'deleted' then 5
    when l.state = 'active' and s.account_state in ('disabled', 'deleted') then 4
    when l.leaked or l.state = 'active' and l.age_days > $max_age_days then 3
    when l.state = 'unknown_origin' then 2
    else 1
  end as severity_id
from life l
left join replaced r on r.key_uid = l.key_uid and r.life = l.life
left join identity i on i.uid = l.owner_uid
left join account_state s on s.subject_uid = l.owner_uid
where l.deleted_time is null or l.deleted_time >= $from
order by l.state, l.created_time nulls first, l.key_uid, l.life
