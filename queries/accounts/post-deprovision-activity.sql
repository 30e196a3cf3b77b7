--- report
-- id = "post-deprovision-activity"
-- title = "Activity of an account after it was closed"
-- question = "Did an account act after it was disabled or deleted, or was it switched on again?"
-- readers = "security operations; incident responder"
-- kind = "detection"
-- tier = 2
-- grade = "B"
-- order = "severity_id desc, first_time, subject_uid"
-- severity = "5 `activity` after a delete; 4 `activity` after a disable; 3 `reactivated` when the actor is the subject or differs from the actor of the off event; 2 other `reactivated` and `logon_attempt`."
-- answers = ["subject_label", "finding_type", "events", "days_off", "first_time", "last_time", "activities"]
-- limits = """
-- A row is one of three things. `activity`: the account did something, or logged on, after it had been disabled or
-- deleted and before anybody switched it on again. `logon_attempt`: somebody tried to log on to it and failed, which
-- is the control at work and worth knowing. `reactivated`: the account was enabled or created again; `actor_uid` says
-- by whom and `days_off` after how long.
--
-- `grace` forgives what happens within five minutes of the closing, since systems learn of it one after the other.
-- What a session or an API key did that had been opened before the closing counts as activity: it is exactly the
-- access that should have ended.
--
-- Accounts are followed by their uid. Somebody who comes back under a new account is not found here."""
--
-- [chart]
-- kind = "bar"
-- x = "finding_type"
--
-- [controls]
-- soc2 = ["CC6.2", "CC7.2", "CC7.3"]
-- iso = ["A.5.18", "A.8.16"]
-- nist = ["AC-2(3)", "AC-2(12)", "AU-6"]
-- csf = ["DE.CM-03", "DE.AE-02"]
-- pci = ["8.2.5", "10.2.1.4", "10.4.1"]
-- hipaa = ["164.308(a)(3)(ii)(C)", "164.308(a)(1)(ii)(D)"]
-- gdpr = ["33(1)", "32(1)(b)"]
-- cis = ["6.2", "8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001", elements = ["subject", "outcome"] },
--   { events = "3001,3002,3004,3005,3006", elements = ["actor"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- grace = { type = "duration", default = "PT5M" }
-- min_failed = { type = "int", default = 1 }
--
-- [columns]
-- finding_type = "string"
-- subject_uid = "string"
-- subject_label = "string"
-- off_time = "timestamp"
-- off_action = "string"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- events = "bigint"
-- src_ips = "list<string>"
-- activities = "list<string>"
-- actor_uid = "string"
-- days_off = "bigint"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- The entries of the life line stand twice among the events: once at their time, to know whether the account has been
-- switched on, and once `grace` later, to know which closing the event comes after. At the same ms entries stand before events,
-- and closing stands before opening.
--
with entry as (
  select
    subject_uid, time, event_uid, actor_uid, src_ip, action, action in ('create', 'enable') as is_on,
    row_number() over life as nth,
    lag(action) over life as action_before, lag(time) over life as time_before, lag(actor_uid) over life as actor_before
  from account_action
  where is_effective and subject_uid is not null and action in ('create', 'enable', 'disable', 'delete')
  window life as (
    partition by subject_uid
    order by time, case when action in ('create', 'enable') then 1 else 0 end, coalesce(event_uid, ''), action, actor_uid
  )
),
closed as (
  select distinct subject_uid from entry where not is_on
),
act as (
  select
    case when is_not_failed then 'activity' else 'logon_attempt' end as finding_type,
    case when is_not_failed then actor_uid else subject_uid end as subject_uid,
    time, src_ip, class_uid, activity_key
  from event
  where time >= $from and time < $to
    and (is_not_failed and actor_uid is not null
      or class_uid = 3002 and activity_id = 1 and status_id = 2 and subject_uid is not null)
  union all
  -- A logon is activity of its subject too where the event names another actor, or none.
  select 'activity' as finding_type, subject_uid, time, src_ip, class_uid, activity_key
  from event
  where time >= $from and time < $to and is_not_failed and class_uid = 3002 and activity_id = 1
    and subject_uid is not null and (actor_uid is distinct from subject_uid)
),
line as (
  select
    subject_uid, time + $grace as at, 0 as place, nth, is_on, nth as then_nth, null as now_nth,
    null as finding_type, null as time, null as src_ip, null as class_uid, null as activity_key
  from entry
  union all
  select
    subject_uid, time as at, 0 as place, nth, is_on, null as then_nth, nth as now_nth,
    null as finding_type, null as time, null as src_ip, null as class_uid, null as activity_key
  from entry
  union all
  select
    a.subject_uid, a.time as at, 1 as place, null as nth, null as is_on, null as then_nth, null as now_nth,
    a.finding_type, a.time, a.src_ip, a.class_uid, a.activity_key
  from act a join closed c on c.subject_uid = a.subject_uid
),
placed as (
  select
    *,
    last_value(then_nth) ignore nulls over lived as off_nth,
    max(case when is_on then now_nth end) over lived as on_nth
  from line
  window lived as (
    partition by subject_uid order by at, place, nth rows between unbounded preceding and current row
  )
),
grouped as (
  select
    p.finding_type, p.subject_uid, e.time as off_time, e.action as off_action,
    min(p.time) as first_time, max(p.time) as last_time, count(*) as events,
    array_agg(distinct p.src_ip order by p.src_ip) filter (where p.src_ip is not null) as src_ips,
    array_agg(distinct c.class || ': ' || c.activity order by c.class || ': ' || c.activity) as activities
  from placed p
  join entry e on e.subject_uid = p.subject_uid and e.nth = p.off_nth
  join activity c on c.class_uid = p.class_uid and c.activity_key = p.activity_key
  where p.place = 1 and not e.is_on and coalesce(p.on_nth < p.off_nth, true)
  group by p.finding_type, p.subject_uid, e.nth, e.time, e.action
),
found as (
  select
    finding_type, subject_uid, off_time, off_action, first_time, last_time, events, src_ips, activities,
    case finding_type when 'activity' then subject_uid end as actor_uid,
    case when finding_type <> 'activity' then 2 when off_action = 'delete' then 5 else 4 end as severity_id
  from grouped
  where finding_type = 'activity' or events >= $min_failed
  union all
  select
    'reactivated' as finding_type, e.subject_uid, e.time_before as off_time, e.action_before as off_action,
    e.time as first_time, e.time as last_time, 1 as events,
    case when e.src_ip is not null then make_array(e.src_ip) end as src_ips,
    make_array(case e.action when 'create' then 'Account Change: Create' else 'Account Change: Enable' end) as activities,
    e.actor_uid,
    case when e.actor_uid = e.subject_uid or (e.actor_uid is distinct from e.actor_before) then 3 else 2 end as severity_id
  from entry e
  where e.is_on and e.action_before in ('disable', 'delete') and e.time >= $from
)
select
  f.finding_type, f.subject_uid, coalesce(i.label, f.subject_uid) as subject_label, f.off_time, f.off_action,
  f.first_time, f.last_time, f.events, coalesce(f.src_ips, make_array()) as src_ips, f.activities, f.actor_uid,
  (cast(f.first_time as bigint) - cast(f.off_time as bigint)) / 86400000000 as days_off, f.severity_id,
  finding_key('post-deprovision-activity', f.finding_type, f.subject_uid, f.off_time, f.first_time) as finding_key
from found f
left join identity i on i.uid = f.subject_uid
order by f.severity_id desc, f.first_time, f.subject_uid
