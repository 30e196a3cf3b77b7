--- report
-- id = "brute-force-by-user"
-- title = "Brute force against one account"
-- question = "Which accounts took a burst of failed logons, from where, and did the attack get in or end in a lock?"
-- readers = "security operations on call"
-- kind = "detection"
-- tier = 1
-- grade = "A"
-- order = "trigger_time, subject_uid"
-- severity = "4 if success_time is set; else 2 if lockout_time is set (the control worked); else 3. src_ips sorted bytewise, nulls left out."
-- answers = ["subject_label", "failures", "success_time", "lockout_time", "first_time", "success_ip", "src_ips"]
-- limits = """
-- A row is an episode: at least `threshold` failed logons of one account within `window`. `success_time` means that a
-- logon succeeded while it lasted or soon after, which is what severity 4 points at; `lockout_time` means that the
-- account was locked.
--
-- A forgotten password and a device with an old one look the same. Look at the addresses: the attack usually comes
-- from one that the account never used.
--
-- Failures that name nobody cannot be counted to an account."""
--
-- [chart]
-- kind = "bar"
-- x = "first_time"
-- per = "day"
-- values = ["failures"]
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.6", "CC7.2", "CC7.3"]
-- iso = ["A.8.5", "A.8.16"]
-- nist = ["AC-7", "AU-6", "SI-4"]
-- csf = ["DE.CM-03", "DE.AE-02", "PR.AA-03"]
-- pci = ["8.3.4", "10.2.1.4", "10.4.1.1"]
-- hipaa = ["164.308(a)(5)(ii)(C)", "164.308(a)(6)(ii)"]
-- gdpr = ["32(1)(b)", "33(1)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3002/1", elements = ["subject", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- threshold = { type = "int", default = 5 }
-- window = { type = "duration", default = "PT15M" }
-- lookback = { type = "duration", default = "P1D" }
-- success_window = { type = "duration", default = "PT1H" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- first_time = "timestamp"
-- trigger_time = "timestamp"
-- last_time = "timestamp"
-- failures = "bigint"
-- max_in_window = "bigint"
-- distinct_ips = "bigint"
-- src_ips = "list<string>"
-- lockout_time = "timestamp"
-- success_time = "timestamp"
-- success_ip = "string"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- n(e) is a running sum: a failure counts +1 when it happens and -1 one window later, and at the same ms both have been
-- added, so the window (t - window, t] is open on the left. A failure is covered when the next failure with n >= threshold, itself
-- included, comes before one window has passed.
--
with failure as (
  select subject_uid, time, src_ip
  from logon
  where outcome = 'failure' and subject_uid is not null and time >= $from - $lookback and time < $to
),
swept as (
  select
    subject_uid, time, src_ip, change,
    sum(change) over (
      partition by subject_uid
      order by case change when 1 then time else time + $window end
    ) as in_window
  from failure cross join (values (1), (-1)) as step(change)
),
counted as (
  select
    subject_uid, time, src_ip, in_window,
    min(case when in_window >= $threshold then time end) over (
      partition by subject_uid order by time range between current row and unbounded following
    ) as next_trigger
  from swept
  where change = 1
),
covered as (
  select *, lag(time) over (partition by subject_uid order by time) as previous
  from counted
  where next_trigger < time + $window
),
numbered as (
  select *, sum(case when time < previous + $window then 0 else 1 end) over (
    partition by subject_uid order by time rows between unbounded preceding and current row
  ) as episode
  from covered
),
found as (
  select
    subject_uid, episode,
    min(time) as first_time,
    min(time) filter (where in_window >= $threshold) as trigger_time,
    max(time) as last_time,
    count(*) as failures,
    max(in_window) as max_in_window,
    count(distinct src_ip) as distinct_ips,
    array_agg(distinct src_ip order by src_ip) filter (where src_ip is not null) as src_ips
  from numbered
  group by subject_uid, episode
  having min(time) filter (where in_window >= $threshold) >= $from
),
follow as (
  select subject_uid, time, event_uid, src_ip, true as is_logon
  from logon
  where outcome = 'success' and time >= $from - $lookback
  union all
  select subject_uid, time, event_uid, src_ip, false as is_logon
  from account_action
  where action = 'lock' and is_effective and time >= $from - $lookback
),
answered as (
  select
    f.subject_uid, f.episode, f.first_time, f.trigger_time, f.last_time, f.failures, f.max_in_window, f.distinct_ips,
    first_value(f.src_ips) as src_ips,
    min(e.time) filter (where not is_logon and e.time <= f.last_time + $window) as lockout_time,
    min(e.time) filter (
      where is_logon and e.time >= f.trigger_time and e.time <= f.last_time + $success_window
    ) as success_time,
    first_value(e.src_ip order by e.time, coalesce(e.event_uid, '')) filter (
      where is_logon and e.time >= f.trigger_time and e.time <= f.last_time + $success_window
    ) as success_ip
  from found f
  left join follow e on e.subject_uid = f.subject_uid and e.time >= f.first_time
  group by f.subject_uid, f.episode, f.first_time, f.trigger_time, f.last_time, f.failures, f.max_in_window, f.distinct_ips
)
select
  f.subject_uid, coalesce(i.label, f.subject_uid) as subject_label,
  f.first_time, f.trigger_time, f.last_time,
  f.failures, f.max_in_window, f.distinct_ips,
  coalesce(f.src_ips, make_array()) as src_ips,
  f.lockout_time, f.success_time, f.success_ip,
  case when f.success_time is not null then 4 when f.lockout_time is not null then 2 else 3 end as severity_id,
  finding_key('brute-force-by-user', f.subject_uid, f.trigger_time) as finding_key
from answered f
left join identity i on i.uid = f.subject_uid
order by f.trigger_time, f.subject_uid
