--- report
-- id = "burst-deletion"
-- title = "Bursts of destructive actions"
-- question = "Did one actor delete unusually many accounts, resources, groups or keys in a short time?"
-- readers = "security operations on call"
-- kind = "detection"
-- tier = 1
-- grade = "A"
-- order = "trigger_time, actor_uid"
-- severity = "5 if actions >= 5 x threshold or accounts are among the targets and the actor is a service; 4 otherwise."
-- answers = ["actor_label", "actions", "targets", "kinds", "first_time", "last_time"]
-- limits = """
-- A row is an episode in which one actor deleted at least `threshold` things within `window`. `targets` counts
-- different things, `kinds` says of what classes.
--
-- Cleaning up is the usual reason, and so are scripts of the provisioning; a person who does this at night, or a
-- service that deletes accounts, is not. Ask for the change before you ask the person.
--
-- Deletions that failed are not counted. Slow deletions below the threshold are not found: entity-change-log lists
-- every one."""
--
-- [chart]
-- kind = "bar"
-- x = "first_time"
-- per = "day"
-- values = ["actions"]
--
-- [controls]
-- soc2 = ["CC7.2", "CC7.3"]
-- iso = ["A.8.16", "A.5.25"]
-- nist = ["AU-6", "SI-4", "AC-2(12)"]
-- csf = ["DE.CM-03", "DE.AE-02"]
-- pci = ["10.2.1.7", "10.4.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)", "164.312(c)(1)"]
-- gdpr = ["32(1)(b)", "33(1)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3001,3004,3006", elements = ["actor", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- threshold = { type = "int", default = 10 }
-- window = { type = "duration", default = "PT10M" }
-- lookback = { type = "duration", default = "P1D" }
-- include_revokes = { type = "boolean", default = false }
--
-- [columns]
-- actor_uid = "string"
-- actor_label = "string"
-- first_time = "timestamp"
-- trigger_time = "timestamp"
-- last_time = "timestamp"
-- actions = "bigint"
-- max_in_window = "bigint"
-- targets = "bigint"
-- kinds = "list<string>"
-- src_ips = "list<string>"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- The window is that of brute-force-by-user: n(e) is a running sum, +1 when an action happens and -1 one window later; at
-- the same ms both have been added, so (t - window, t] is open on the left. An action is covered when the next one with
-- n >= threshold, itself included, comes before one window has passed.
--
-- A target that no object names (grade A) is told by the path of the request.
--
with action as (
  select
    actor_uid, time, src_ip, class_uid, target_uid
  from event
  where is_successful and actor_uid is not null and time >= $from - $lookback and time < $to
    and (
      class_uid = 3001 and activity_id = 6 or class_uid = 3004 and activity_id = 4
      or class_uid = 3006 and activity_id = 5
      or $include_revokes and (class_uid = 3005 and activity_id = 2 or class_uid = 3006 and activity_id in (2, 4))
    )
),
swept as (
  select
    *,
    sum(change) over (
      partition by actor_uid order by case change when 1 then time else time + $window end
    ) as in_window
  from action cross join (values (1), (-1)) as step(change)
),
counted as (
  select
    *,
    min(case when in_window >= $threshold then time end) over (
      partition by actor_uid order by time range between current row and unbounded following
    ) as next_trigger
  from swept
  where change = 1
),
covered as (
  select *, lag(time) over (partition by actor_uid order by time) as previous
  from counted
  where next_trigger < time + $window
),
numbered as (
  select *, sum(case when time < previous + $window then 0 else 1 end) over (
    partition by actor_uid order by time rows between unbounded preceding and current row
  ) as episode
  from covered
),
found as (
  select
    actor_uid,
    min(time) as first_time,
    min(time) filter (where in_window >= $threshold) as trigger_time,
    max(time) as last_time,
    count(*) as actions,
    max(in_window) as max_in_window,
    count(distinct target_uid) as targets,
    array_agg(distinct class order by class) as kinds,
    array_agg(distinct src_ip order by src_ip) filter (where src_ip is not null) as src_ips,
    bool_or((class_uid = 3001)) as has_accounts
  from (
    select n.*, c.class from numbered n join activity c on c.class_uid = n.class_uid and c.activity_key = 0
  )
  group by actor_uid, episode
  having min(time) filter (where in_window >= $threshold) >= $from
)
select
  f.actor_uid, coalesce(i.label, f.actor_uid) as actor_label,
  f.first_time, f.trigger_time, f.last_time, f.actions, f.max_in_window, f.targets, f.kinds,
  coalesce(f.src_ips, make_array()) as src_ips,
  case
    when f.actions >= 5 * $threshold or f.has_accounts and i.user_type is not distinct from 'Service' then 5
    else 4
  end as severity_id,
  finding_key('burst-deletion', f.actor_uid, f.trigger_time) as finding_key
from found f
left join identity i on i.uid = f.actor_uid
order by f.trigger_time, f.actor_uid
