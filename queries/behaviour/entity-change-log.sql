--- report
-- id = "entity-change-log"
-- title = "Changes to managed resources"
-- question = "What was created, changed, moved or deleted, by whom, and under which change reference?"
-- readers = "change manager; auditor (change management)"
-- kind = "evidence listing"
-- tier = 2
-- grade = "A"
-- order = "time, event_uid"
-- severity = "3 effective delete of an entity kind in critical_kinds without change_ref; 2 other effective changes without change_ref when require_ref; else 1."
-- answers = ["time", "actor_label", "activity", "entity_kind", "before_name", "after_name", "outcome"]
-- limits = """
-- A row is one change to a managed resource: a voice, an agent, a webhook, a key, a setting. Reading is left out
-- unless `include_reads` is set. `change_ref` is the first text in the comment, else in the message, that looks like
-- the number of a change or a ticket; `require_ref` marks changes without one.
--
-- Name the kinds of resources that must not disappear without a ticket in `critical_kinds`, in the form that
-- `entity_kind` has. Where an event names no resource, kind and uid are taken from the path of the request: good for
-- finding it, weaker as proof.
--
-- `before_name` and `after_name` are what the event itself says; this source seldom sends the second. What was changed
-- in a resource, field by field, is not in the log."""
--
-- [chart]
-- kind = "bar"
-- x = "time"
-- per = "day"
-- colour = "activity"
--
-- [controls]
-- soc2 = ["CC8.1", "CC7.1"]
-- iso = ["A.8.9", "A.8.32"]
-- nist = ["CM-3", "CM-5", "CM-6"]
-- csf = ["PR.PS-01", "DE.CM-09"]
-- pci = ["10.2.1.7"]
-- hipaa = ["164.312(b)", "164.312(c)(1)"]
-- gdpr = ["5(2)"]
-- cis = ["8.5"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3004", elements = ["object", "actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- include_reads = { type = "boolean", default = false }
-- critical_kinds = { type = "list<string>", default = [] }
-- require_ref = { type = "boolean", default = false }
-- ref_pattern = { type = "regex", default = "[A-Z][A-Z0-9]+-[0-9]+" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- time = "timestamp"
-- activity = "string"
-- outcome = "string"
-- entity_kind = "string"
-- entity_uid = "string"
-- before_name = "string"
-- after_name = "string"
-- actor_uid = "string"
-- actor_label = "string"
-- src_ip = "string"
-- http_method = "string"
-- path = "string"
-- comment = "string"
-- change_ref = "string"
-- event_uid = "string"
-- severity_id = "int"
---
with change as (
  select
    time, event_uid, activity_id, activity_key, outcome, actor_uid, src_ip, http_method, path, comment,
    is_effective,
    coalesce(entity_kind, case
      when is_api_key then 'api_key'
      else regexp_replace(lower(regexp_match(path, '/v[0-9]+/([^/?#]+)')[1]), '[^a-z0-9]+', '_', 'g')
    end) as entity_kind,
    coalesce(
      entity_key,
      -- The last segment behind the kind that has a digit.
      regexp_match(regexp_match(path, '/v[0-9]+/[^/?#]+([^?#]*)')[1], '^(?:.*/)?([^/]*[0-9][^/]*)')[1]
    ) as entity_uid,
    entity_name as before_name, entity_result_name as after_name,
    coalesce(regexp_match(comment, '(' || $ref_pattern || ')')[1], regexp_match(message, '(' || $ref_pattern || ')')[1])
      as change_ref
  from event
  where class_uid = 3004 and (activity_id is distinct from 2 or $include_reads) and time >= $from and time < $to
)
select
  c.time, a.activity, c.outcome, c.entity_kind, c.entity_uid, c.before_name, c.after_name, c.actor_uid,
  coalesce(i.label, c.actor_uid) as actor_label,
  c.src_ip, c.http_method, c.path, c.comment, c.change_ref, c.event_uid,
  case
    when c.activity_id = 4 and c.is_effective and array_has($critical_kinds, c.entity_kind) and c.change_ref is null then 3
    when $require_ref and c.is_effective and (c.activity_id is distinct from 2) and c.change_ref is null then 2
    else 1
  end as severity_id
from change c
join activity a on a.class_uid = 3004 and a.activity_key = c.activity_key
left join identity i on i.uid = c.actor_uid
order by c.time, c.event_uid nulls last
