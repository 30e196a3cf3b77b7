--- report
-- id = "sod-violations"
-- title = "Segregation of duties in provisioning"
-- question = "Did one person both create an account and make it powerful, give himself rights, or create a service account and its key?"
-- readers = "internal audit; SOX / ISO auditor"
-- kind = "detection"
-- tier = 1
-- grade = "B"
-- order = "severity_id desc, grant_time, subject_uid"
-- severity = "5 self_grant of a privileged privilege by a non-admin actor (`user_type` not Admin); 4 other self_grant and create_and_grant; 3 create_and_key and unprivileged self_grant."
-- answers = ["actor_label", "pattern", "subject_label", "items", "gap_minutes"]
-- limits = """
-- A row is one person doing two things that should be two people's: creating an account and making it powerful,
-- creating a service account and its key, or granting something to himself. Rows are made per time of the grant, so
-- several privileges of one request are one row.
--
-- Provisioning tools create and grant by design: name them in `automation_actors`. That exempts them from the first
-- two patterns and not from granting to themselves.
--
-- Two accounts of one person look like two people here."""
--
-- [controls]
-- soc2 = ["CC6.3", "CC5.1"]
-- iso = ["A.5.3", "A.8.2", "A.5.18"]
-- nist = ["AC-5", "AC-6", "AC-6(9)"]
-- csf = ["PR.AA-05"]
-- pci = ["7.2.3", "8.2.4", "10.2.1.2", "10.2.1.5"]
-- hipaa = ["164.308(a)(4)(ii)(B)", "164.308(a)(3)(ii)(A)"]
-- gdpr = ["32(4)"]
-- cis = ["6.1", "6.8", "5.4"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3005", elements = ["subject", "actor", "privileges"] },
--   { events = "3001", elements = ["subject", "actor"] },
--   { events = "3006/3", elements = ["subject", "group"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- window = { type = "duration", default = "P1D" }
-- any_privilege = { type = "boolean", default = false }
-- automation_actors = { type = "list<string>", default = [] }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- pattern = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- create_time = "timestamp"
-- grant_time = "timestamp"
-- gap_minutes = "double"
-- items = "list<string>"
-- src_ips = "list<string>"
-- event_uids = "list<string>"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- Rows are made of grants at one time: what one actor gave one subject (himself) at that ms. A join counts as
-- `group:<key>`, and as privileged when the group was privileged as of the join. Being exempt for automation does not
-- exempt from granting oneself something.
--
with created as (
  select time, event_uid, subject_uid, actor_uid, src_ip
  from account_action
  where action = 'create' and is_effective and subject_uid is not null and actor_uid is not null
    and (cardinality($automation_actors) = 0 or not array_has($automation_actors, actor_uid))
),
granted as (
  select time, event_uid, subject_uid, actor_uid, src_ip, privilege as item, is_privileged
  from access_fact
  where effect = 'open' and is_effective and time >= $from
  union all
  select time, event_uid, subject_uid, actor_uid, src_ip, 'group:' || group_key as item,
    is_privileged_group as is_privileged
  from group_change
  where activity_key = 3 and is_effective and time >= $from
),
given_key as (
  select k.time, k.event_uid, coalesce(k.owner_uid, k.actor_uid) as subject_uid, k.actor_uid, k.src_ip, k.key_uid as item
  from api_key_fact k
  join identity i on i.uid = coalesce(k.owner_uid, k.actor_uid) and i.user_type = 'Service'
  where k.action = 'create' and k.is_effective and k.time >= $from
),
followed as (
  select 'create_and_grant' as pattern, time, event_uid, subject_uid, actor_uid, src_ip, item
  from granted
  where is_privileged
  union all
  select 'create_and_key' as pattern, time, event_uid, subject_uid, actor_uid, src_ip, item
  from given_key
),
-- The latest create at or before the grant, then the window.
paired as (
  select
    g.pattern, g.time, g.event_uid, g.subject_uid, g.actor_uid, g.src_ip, g.item,
    max(c.time) as create_time,
    last_value(c.event_uid order by c.time, coalesce(c.event_uid, '')) as create_event_uid,
    last_value(c.src_ip order by c.time, coalesce(c.event_uid, '')) as create_ip
  from followed g
  join created c
    on c.subject_uid = g.subject_uid and c.actor_uid = g.actor_uid and c.time <= g.time and c.time >= g.time - $window
  group by g.pattern, g.time, g.event_uid, g.subject_uid, g.actor_uid, g.src_ip, g.item
),
violation as (
  select pattern, time, create_time, subject_uid, actor_uid, item, src_ip, event_uid, true as is_privileged
  from paired
  union all
  select
    pattern, time, create_time, subject_uid, actor_uid, item, create_ip as src_ip, create_event_uid as event_uid,
    true as is_privileged
  from paired
  union all
  select 'self_grant' as pattern, time, null as create_time, subject_uid, actor_uid, item, src_ip, event_uid, is_privileged
  from granted
  where subject_uid = actor_uid and (is_privileged or $any_privilege)
),
found as (
  select
    pattern, actor_uid, subject_uid, max(create_time) as create_time, time as grant_time,
    bool_or(is_privileged) as is_privileged,
    array_agg(distinct item order by item) filter (where item is not null) as items,
    array_agg(distinct src_ip order by src_ip) filter (where src_ip is not null) as src_ips,
    array_agg(distinct event_uid order by event_uid) filter (where event_uid is not null) as event_uids
  from violation
  group by pattern, actor_uid, subject_uid, time
)
select
  f.pattern, f.actor_uid, coalesce(a.label, f.actor_uid) as actor_label,
  f.subject_uid, coalesce(s.label, f.subject_uid) as subject_label,
  f.create_time, f.grant_time,
  (cast(f.grant_time as bigint) - cast(f.create_time as bigint)) / 1000 / 60000.0 as gap_minutes,
  coalesce(f.items, make_array()) as items, coalesce(f.src_ips, make_array()) as src_ips,
  coalesce(f.event_uids, make_array()) as event_uids,
  case
    when f.pattern = 'self_grant' and f.is_privileged and a.user_type is distinct from 'Admin' then 5
    when f.pattern = 'create_and_key' or not f.is_privileged then 3
    else 4
  end as severity_id,
  finding_key('sod-violations', f.pattern, f.actor_uid, f.subject_uid, f.grant_time) as finding_key
from found f
left join identity s on s.uid = f.subject_uid
left join identity a on a.uid = f.actor_uid
order by severity_id desc, f.grant_time, f.subject_uid, f.actor_uid, f.pattern
