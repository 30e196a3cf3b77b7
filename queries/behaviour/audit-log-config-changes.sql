--- report
-- id = "audit-log-config-changes"
-- title = "Audit-log access and security settings changes"
-- question = "Who read or exported the audit log, and who touched logging, log forwarding, single sign-on, network or privacy settings?"
-- readers = "PCI auditor (10.2.1.3, 10.2.1.6); security owner"
-- kind = "detection"
-- tier = 1
-- grade = "A"
-- order = "time, event_uid"
-- severity = "1 approved reading; 4 log_access by a reader not approved; 2 webhook_config, any outcome; 5 effective delete or disable (3001/5, 6; 3004/4, 9, 11, 12; 3006/5) in log_config; 4 effective delete or disable elsewhere; 3 every other effective change (create, update, enable, attach ...); 2 the rest (failed, or a closing change of unknown outcome)."
-- answers = ["time", "actor_label", "category", "activity", "target", "outcome"]
-- limits = """
-- A row is a change to what keeps you safe: the audit log and its export, logons, networks, keys, privacy, webhooks;
-- or somebody reading the audit log. Categories are found by words in paths and names, which are parameters.
--
-- Readers that you named are context, one row per day. A change that the words do not match is not found: look at
-- entity-change-log too after a new feature of the product."""
--
-- [chart]
-- kind = "bar"
-- x = "time"
-- per = "day"
-- colour = "category"
--
-- [controls]
-- soc2 = ["CC7.1", "CC7.2", "CC8.1"]
-- iso = ["A.8.15", "A.8.9", "A.5.33"]
-- nist = ["AU-9", "AU-9(4)", "AU-12", "CM-5", "CM-6"]
-- csf = ["PR.PS-04", "PR.PS-01"]
-- pci = ["10.2.1.3", "10.2.1.6", "10.3.1", "10.3.2"]
-- hipaa = ["164.312(b)", "164.312(c)(1)"]
-- gdpr = ["32(1)(b)", "25(2)"]
-- cis = ["8.1", "8.2", "8.12"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3004", elements = ["object", "actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- approved_readers = { type = "list<string>", default = [] }
-- patterns = { type = "map<string,regex>", default = "@patterns" }
--
-- [columns]
-- time = "timestamp"
-- category = "string"
-- activity = "string"
-- outcome = "string"
-- target = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- src_ip = "string"
-- http_method = "string"
-- path = "string"
-- events = "bigint"
-- event_uid = "string"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- Reading by $approved_readers is one row per actor and day (UTC): time, event and the other columns of its first event.
-- The target is the entity, else the group, else the account, else the path.
--
with found as (
  select
    e.time, e.category, e.class_uid, e.activity_id, c.activity, e.outcome, e.is_effective, e.actor_uid, e.src_ip,
    e.http_method, e.path, e.event_uid,
    coalesce(e.entity_name, e.entity_uid, e.group_name, e.group_key, e.subject_uid, e.path) as target,
    e.category = 'log_access' and coalesce(array_has($approved_readers, e.actor_uid), false) as is_approved
  from event_category e
  join activity c on c.class_uid = e.class_uid and c.activity_key = e.activity_key
  where e.category is not null and e.time >= $from and e.time < $to
),
listed as (
  select *, 1 as events
  from found
  where not is_approved
  union all
  select * exclude (position)
  from (
    select
      *,
      count(*) over (partition by actor_uid, date_trunc('day', time)) as events,
      row_number() over (
        partition by actor_uid, date_trunc('day', time)
        order by time, coalesce(event_uid, ''), target, path, http_method, src_ip, activity_id, outcome
      ) as position
    from found
    where is_approved
  )
  where position = 1
)
select
  l.time, l.category, l.activity, l.outcome, l.target,
  l.actor_uid, coalesce(i.label, l.actor_uid) as actor_label,
  l.src_ip, l.http_method, l.path, l.events, l.event_uid,
  case
    when l.is_approved then 1
    when l.category = 'log_access' then 4
    when l.category = 'webhook_config' then 2
    when l.is_effective and coalesce(
      (l.class_uid = 3001) and l.activity_id in (5, 6) or l.class_uid = 3004 and l.activity_id in (4, 9, 11, 12)
      or l.class_uid = 3006 and l.activity_id = 5, false
    ) then case l.category when 'log_config' then 5 else 4 end
    when l.is_effective then 3
    else 2
  end as severity_id,
  case
    when l.is_approved then finding_key('audit-log-config-changes', l.category, l.actor_uid, cast(l.time as date))
    else finding_key('audit-log-config-changes', l.category, l.event_uid, l.time)
  end as finding_key
from listed l
left join identity i on i.uid = l.actor_uid
order by l.time, l.event_uid nulls last, l.category, l.actor_uid nulls last, l.target nulls last, l.path nulls last
