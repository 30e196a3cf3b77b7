--- report
-- id = "first-seen-actor-action"
-- title = "First time an actor does something"
-- question = "Which actors performed a kind of action for the first time in 90 days, and which actors are new altogether?"
-- readers = "threat hunter"
-- kind = "detection"
-- tier = 2
-- grade = "A"
-- order = "time, event_uid"
-- severity = "4 admin action with peers = 0 by somebody who is no administrator (C12); 3 admin action (C12); 2 else."
-- answers = ["actor_label", "action", "time", "new_actor", "peers"]
-- limits = """
-- A row is the first time within `baseline` that somebody did a kind of thing: the class and activity of the event,
-- and for resources their kind too. `peers` counts the others who did the same in that time: 0 means that nobody did.
-- `new_actor` marks people and applications that had not appeared at all.
--
-- New people do everything for the first time, and so does everybody after a new feature: look first at administrative
-- actions (severity 3), and at those that nobody did before and that somebody did who was no administrator (severity
-- 4).
--
-- Everything is new in a new log. Rows begin when the log is half as old as `baseline`; `history_days` says how old it
-- was. A run whose baseline reaches back before the log can find something, but its silence proves nothing, and the
-- verdict says so."""
--
-- [controls]
-- soc2 = ["CC7.2", "CC7.3"]
-- iso = ["A.8.16"]
-- nist = ["AC-2(12)", "SI-4", "AU-6"]
-- csf = ["DE.CM-03", "DE.AE-02"]
-- pci = ["10.4.1.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001,3002,3004,3005,3006", elements = ["actor"] },
-- ]
-- look_back = "baseline"
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- baseline = { type = "duration", default = "P90D" }
-- api_key_kinds = { type = "list<string>", default = "@api_key_kinds" }
--
-- [columns]
-- actor_uid = "string"
-- actor_label = "string"
-- user_type = "string"
-- time = "timestamp"
-- action_key = "bigint"
-- action = "string"
-- entity_kind = "string"
-- new_actor = "boolean"
-- peers = "bigint"
-- history_days = "bigint"
-- count_in_period = "bigint"
-- src_ip = "string"
-- event_uid = "string"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- What was done before is worked out for each time and not for each event: at the same ms nothing is before anything.
--
with done as (
  select
    actor_uid, class_uid * 100 + coalesce(activity_id, 0) as action_key, case class_uid when 3004 then entity_kind end as entity_kind,
    time
  from event
  where is_not_failed and actor_uid is not null and class_uid in (3001, 3002, 3004, 3005, 3006)
    and time >= $from - $baseline
),
moment as (
  select
    actor_uid, action_key, entity_kind, time, actions,
    lag(time) over (partition by actor_uid, action_key, entity_kind order by time) as done_before,
    count(distinct actor_uid) over (
      partition by action_key, entity_kind order by time
      range between $baseline preceding and interval '1 millisecond' preceding
    ) as peers
  from (
    select actor_uid, action_key, entity_kind, time, count(*) as actions
    from done
    group by actor_uid, action_key, entity_kind, time
  )
),
begun as (
  select min(time) as log_begin from event
),
first_new as (
  select *
  from (
    select
      *,
      row_number() over (partition by actor_uid, action_key, entity_kind order by time) as nth
    from (
      select
        m.*, b.log_begin,
        sum(case when m.time >= $from then m.actions else 0 end) over (
          partition by m.actor_uid, m.action_key, m.entity_kind
        ) as count_in_period
      from moment m cross join begun b
    )
    where time >= $from and coalesce(done_before < time - $baseline, true)
      and (cast(time as bigint) - cast(log_begin as bigint)) * 2 >= cast(time as bigint) - cast(time - $baseline as bigint)
  )
  where nth = 1
),
appeared as (
  select actor_uid, time, lag(time) over (partition by actor_uid order by time) as seen_before
  from (select distinct actor_uid, time from event where actor_uid is not null and time >= $from - $baseline)
),
acted as (
  select
    actor_uid, class_uid * 100 + coalesce(activity_id, 0) as action_key, case class_uid when 3004 then entity_kind end as entity_kind,
    class_uid, activity_key, time, event_uid, src_ip, is_admin, is_administrator,
    row_number() over (
      partition by actor_uid, class_uid, activity_id, case class_uid when 3004 then entity_kind end, time
      order by coalesce(event_uid, ''), src_ip
    ) as nth
  from event_authority
  where is_not_failed and actor_uid is not null and class_uid in (3001, 3002, 3004, 3005, 3006)
    and time >= $from and time < $to
)
select
  f.actor_uid, coalesce(i.label, f.actor_uid) as actor_label, coalesce(i.user_type, 'Unknown') as user_type,
  f.time, f.action_key, c.class || ': ' || c.activity as action, f.entity_kind,
  coalesce(s.seen_before < f.time - $baseline, true) as new_actor, f.peers,
  (cast(f.time as bigint) - cast(f.log_begin as bigint)) / 86400000000 as history_days, f.count_in_period,
  a.src_ip, a.event_uid,
  case when not a.is_admin then 2 when f.peers = 0 and not a.is_administrator then 4 else 3 end as severity_id,
  finding_key('first-seen-actor-action', f.actor_uid, f.action_key, f.entity_kind, a.event_uid, f.time) as finding_key
from first_new f
join acted a
  on a.actor_uid = f.actor_uid and a.action_key = f.action_key and coalesce(a.entity_kind, '') = coalesce(f.entity_kind, '')
  and a.time = f.time and a.nth = 1
join appeared s on s.actor_uid = f.actor_uid and s.time = f.time
join activity c on c.class_uid = a.class_uid and c.activity_key = a.activity_key
left join identity i on i.uid = f.actor_uid
order by f.time, a.event_uid nulls last
