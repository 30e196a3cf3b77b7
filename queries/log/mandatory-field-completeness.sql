--- report
-- id = "mandatory-field-completeness"
-- title = "Do the records say who, what, when, where and with what result?"
-- question = "For how many events is each piece of information that auditors expect in a log record missing?"
-- readers = "auditor (PCI 10.2.2, AU-3); log owner"
-- kind = "data quality"
-- tier = 1
-- grade = "A"
-- order = "class, element"
-- severity = "4 share > 0.5 for who, what, when or outcome; 3 share > max_share; else 1. example = smallest uid lacking it."
-- answers = ["class", "element", "share", "missing", "events"]
-- limits = """
-- A row is a class of events and an element that an auditor expects in a record, with the share of events that lack
-- it. `share` 1 means that the source never sends it for that class, which no reader of this log can mend.
--
-- It asks whether something is said, and not whether it is true."""
--
-- [chart]
-- kind = "heatmap"
-- x = "element"
-- y = "class"
-- values = ["share"]
--
-- [controls]
-- soc2 = ["CC2.1", "CC7.2"]
-- iso = ["A.8.15"]
-- nist = ["AU-3", "AU-3(1)", "AU-12"]
-- csf = ["PR.PS-04"]
-- pci = ["10.2.2"]
-- hipaa = ["164.312(b)", "164.312(a)(2)(i)"]
-- gdpr = ["5(2)"]
-- cis = ["8.5"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- max_share = { type = "double", default = 0.01 }
--
-- [columns]
-- class = "string"
-- element = "string"
-- events = "bigint"
-- missing = "bigint"
-- share = "double"
-- example_event_uid = "string"
-- severity_id = "int"
---
--
-- One pass over the events, then a row for each class and element. An element that is not asked for has no row.
--
with counted as (
  select
    class_uid,
    count(has_who) as who_events, count(*) filter (where not has_who) as who_missing,
    min(event_uid) filter (where not has_who) as who_example,
    count(has_subject) as subject_events, count(*) filter (where not has_subject) as subject_missing,
    min(event_uid) filter (where not has_subject) as subject_example,
    count(has_what) as what_events, count(*) filter (where not has_what) as what_missing,
    min(event_uid) filter (where not has_what) as what_example,
    count(has_when) as when_events, count(*) filter (where not has_when) as when_missing,
    min(event_uid) filter (where not has_when) as when_example,
    count(has_outcome) as outcome_events, count(*) filter (where not has_outcome) as outcome_missing,
    min(event_uid) filter (where not has_outcome) as outcome_example,
    count(has_origin) as origin_events, count(*) filter (where not has_origin) as origin_missing,
    min(event_uid) filter (where not has_origin) as origin_example,
    count(has_object) as object_events, count(*) filter (where not has_object) as object_missing,
    min(event_uid) filter (where not has_object) as object_example,
    count(has_event_id) as event_id_events, count(*) filter (where not has_event_id) as event_id_missing,
    min(event_uid) filter (where not has_event_id) as event_id_example,
    count(has_product) as product_events, count(*) filter (where not has_product) as product_missing,
    min(event_uid) filter (where not has_product) as product_example,
    count(has_version) as version_events, count(*) filter (where not has_version) as version_missing,
    min(event_uid) filter (where not has_version) as version_example
  from event_element
  where time >= $from and time < $to
  group by class_uid
),
listed as (
  select
    class_uid, element,
    case element
      when 'who' then who_events
      when 'subject' then subject_events
      when 'what' then what_events
      when 'when' then when_events
      when 'outcome' then outcome_events
      when 'origin' then origin_events
      when 'object' then object_events
      when 'event_id' then event_id_events
      when 'product' then product_events
      when 'version' then version_events
    end as events,
    case element
      when 'who' then who_missing
      when 'subject' then subject_missing
      when 'what' then what_missing
      when 'when' then when_missing
      when 'outcome' then outcome_missing
      when 'origin' then origin_missing
      when 'object' then object_missing
      when 'event_id' then event_id_missing
      when 'product' then product_missing
      when 'version' then version_missing
    end as missing,
    case element
      when 'who' then who_example
      when 'subject' then subject_example
      when 'what' then what_example
      when 'when' then when_example
      when 'outcome' then outcome_example
      when 'origin' then origin_example
      when 'object' then object_example
      when 'event_id' then event_id_example
      when 'product' then product_example
      when 'version' then version_example
    end as example_event_uid
  from counted cross join (values
    ('who'), ('subject'), ('what'), ('when'), ('outcome'), ('origin'),
    ('object'), ('event_id'), ('product'), ('version')
  ) as known(element)
)
select
  c.class, l.element, l.events, l.missing,
  cast(l.missing as double) / l.events as share,
  l.example_event_uid,
  case
    when l.element in ('who', 'what', 'when', 'outcome') and cast(l.missing as double) / l.events > 0.5 then 4
    when cast(l.missing as double) / l.events > $max_share then 3
    else 1
  end as severity_id
from listed l
join activity c on c.class_uid = l.class_uid and c.activity_key = 0
where l.events > 0
order by c.class, l.element
