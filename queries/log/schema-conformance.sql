--- report
-- id = "schema-conformance"
-- title = "Events outside OCSF 1.6.0"
-- question = "Which stored values do not exist in the schema version that the events claim?"
-- readers = "log owner; developer of the collector"
-- kind = "data quality"
-- tier = 2
-- grade = "A"
-- order = "rule, class, value"
-- severity = "3 class_unknown, type_uid_wrong, table_mismatch; 2 activity_unknown, required_missing, constraint; else 1."
-- answers = ["rule", "value", "class", "events"]
-- limits = """
-- A row is a rule of OCSF 1.6.0 that events break, for a class and a value, with the number of events and one example.
-- The rules ask whether the numbers are known, whether they fit each other, whether what is required is there, and
-- whether a text says the same as the number beside it.
--
-- None of this loses an event, and most of it does no harm. What matters is the first three rules: an unknown class, a
-- type that is not class and activity, and an activity that the version does not know are read by other tools as
-- something else. `activity_name` is free text at this source and is not compared.
--
-- The lake refuses events without a class or a time; they are in the table `reject` and not here."""
--
-- [chart]
-- kind = "bar"
-- x = "rule"
-- values = ["events"]
--
-- [controls]
-- soc2 = ["CC2.1"]
-- iso = ["A.8.15"]
-- nist = ["AU-3", "AU-12"]
-- csf = ["PR.PS-04"]
-- pci = ["10.2.2"]
-- hipaa = ["164.312(b)"]
-- gdpr = ["5(2)"]
-- cis = ["8.5"]
--
-- [verdict]
-- judges = false
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
--
-- [columns]
-- rule = "string"
-- class = "string"
-- value = "string"
-- events = "bigint"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- example_event_uid = "string"
-- severity_id = "int"
---
--
-- `class_unknown` compares with all classes of OCSF 1.6.0, also those that we have no table for. Of an event outside the tables
-- of classes only the numbers are looked at, since its schema is not known; one of a class that has a table is there because
-- its class name or category contradicts its class.
--
with claim as (
  select
    c.*, n.class as caption_of_class, coalesce(n.class, c.class_text, cast(c.class_uid as varchar)) as class_shown,
    c.caption is not null as is_known,
    array_has(make_array(
      0, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 2001, 2002, 2003, 2004, 2005, 2006, 2007, 2008,
      3001, 3002, 3003, 3004, 3005, 3006, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 4011, 4012, 4013, 4014,
      5001, 5002, 5003, 5004, 5006, 5007, 5008, 5009, 5010, 5011, 5012, 5013, 5014, 5015, 5016, 5017, 5018, 5019, 5020, 5021,
      5022, 5023, 5040, 6001, 6002, 6003, 6004, 6005, 6006, 6007, 6008, 7001, 7002, 7003, 7004, 8001, 8002,
      201001, 201002, 201003, 201004, 205004, 205005, 205019
    ), c.class_uid) as is_of_ocsf
  from event_claim c
  left join (select distinct class_uid, class from activity where class_uid is not null) n on n.class_uid = c.class_uid
  where c.time >= $from and time < $to
),
broken as (
  select class_shown, time, event_uid, fault.rule as rule, fault.value as value
  from (
    select class_shown, time, event_uid, unnest(make_array(
      named_struct('rule', 'class_unknown', 'value', case when not is_of_ocsf then cast(class_uid as varchar) end),
      named_struct('rule', 'table_mismatch', 'value', case
        when class_uid <> table_uid or not is_known and caption_of_class is not null then cast(class_uid as varchar)
      end),
      named_struct('rule', 'activity_unknown', 'value', case
        when is_known and activity_id is not null and activity_caption is null then cast(activity_id as varchar)
      end),
      named_struct('rule', 'type_uid_wrong', 'value', case
        when type_uid <> class_uid * 100 + coalesce(activity_id, 0) then cast(type_uid as varchar)
      end),
      named_struct('rule', 'category_wrong', 'value', case
        when category_uid <> class_uid % 100000 / 1000 then cast(category_uid as varchar)
      end),
      named_struct('rule', 'status_unknown', 'value', case when status_id not in (0, 1, 2, 99) then cast(status_id as varchar) end),
      named_struct('rule', 'severity_unknown', 'value', case
        when severity_id not in (0, 1, 2, 3, 4, 5, 6, 99) then cast(severity_id as varchar)
      end),
      named_struct('rule', 'version_other', 'value', case when version <> '1.6.0' then version end),
      named_struct('rule', 'required_missing', 'value', case when not has_metadata then 'metadata' end),
      named_struct('rule', 'required_missing', 'value', case when severity_id is null then 'severity_id' end),
      named_struct('rule', 'required_missing', 'value', case when is_known and class_uid in (3001, 3002, 3005) and not has_user then 'user' end),
      named_struct('rule', 'required_missing', 'value', case when is_known and class_uid = 3004 and not has_entity then 'entity' end),
      named_struct('rule', 'required_missing', 'value', case when is_known and class_uid = 3006 and not has_group then 'group' end),
      named_struct('rule', 'required_missing', 'value', case when is_known and class_uid = 3005 and not has_privileges then 'privileges' end),
      named_struct('rule', 'constraint', 'value', case when is_known and class_uid = 3002 and not has_service then 'service or dst_endpoint' end),
      named_struct('rule', 'constraint', 'value', case when is_known and has_user and not is_user_named then 'user: account, name or uid' end),
      named_struct('rule', 'constraint', 'value', case
        when is_known and has_actor and not is_actor_named then 'actor: process, user, invoked_by, session, app_name or app_uid'
      end),
      named_struct('rule', 'caption_mismatch', 'value', case
        when lower(class_text) <> lower(caption_of_class) then 'class_name ' || class_uid || ': ' || class_text
      end),
      named_struct('rule', 'caption_mismatch', 'value', case
        when lower(category_text) <> lower(category_caption) then 'category_name ' || category_uid || ': ' || category_text
      end),
      named_struct('rule', 'caption_mismatch', 'value', case
        when lower(type_text) <> lower(type_caption) and type_uid % 100 <> 99 then 'type_name ' || type_uid || ': ' || type_text
      end),
      named_struct('rule', 'caption_mismatch', 'value', case
        when lower(severity_text) <> lower(severity_caption) and severity_id <> 99
        then 'severity ' || severity_id || ': ' || severity_text
      end),
      named_struct('rule', 'caption_mismatch', 'value', case
        when lower(status_text) <> lower(status_caption) and status_id <> 99 then 'status ' || status_id || ': ' || status_text
      end)
    )) as fault
    from claim
  )
  where fault.value is not null
)
select
  rule, class_shown as class, value, count(*) as events, min(time) as first_time, max(time) as last_time,
  min(event_uid) as example_event_uid,
  case
    when rule in ('class_unknown', 'type_uid_wrong', 'table_mismatch') then 3
    when rule in ('activity_unknown', 'required_missing', 'constraint') then 2
    else 1
  end as severity_id
from broken
group by rule, class_shown, value
order by rule, class_shown, value
