--- report
-- id = "new-location-or-ip"
-- title = "First logon from a new country or address"
-- question = "Which accounts logged on from a country or address never seen for them in the last 90 days?"
-- readers = "security operations"
-- kind = "detection"
-- tier = 2
-- grade = "A"
-- order = "time, subject_uid, value_type, value"
-- severity = "country: 4 without MFA, 3 with; ip: 2; plus 1 for a subject with privileged grants open (cap 5)."
-- answers = ["subject_label", "value", "value_type", "time", "known_values", "is_mfa"]
-- limits = """
-- A row is the first successful logon of an account from a country or an address that the account had not used in the
-- `baseline` before (90 days unless the run says otherwise). Later logons from there in the same period are counted in
-- `repeat_count` and are no rows of their own.
--
-- Accounts with fewer than `min_history` logons in that time are left out, since everything is new for a new account.
-- IPv6 addresses are compared by their /64 network, because devices change the rest by themselves.
--
-- Countries are as good as the data base that they come from: without positions in the events and without `ip_geo`
-- only addresses are compared. Travel, mobile networks and VPNs make most of these rows; one without a second factor,
-- or of a privileged account, deserves the first look."""
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.6", "CC7.2"]
-- iso = ["A.8.5", "A.8.16"]
-- nist = ["AC-2(12)", "SI-4"]
-- csf = ["DE.CM-03"]
-- pci = ["10.4.1.1"]
-- hipaa = ["164.308(a)(1)(ii)(D)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3002/1 successful", elements = ["subject", "address"] },
-- ]
-- look_back = "baseline"
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- baseline = { type = "duration", default = "P90D" }
-- min_history = { type = "int", default = 5 }
-- ipv6_prefix = { type = "boolean", default = true }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- time = "timestamp"
-- value_type = "string"
-- value = "string"
-- history_logons = "bigint"
-- known_values = "bigint"
-- repeat_count = "bigint"
-- is_mfa = "boolean"
-- user_agent = "string"
-- event_uid = "string"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- Each logon is one row for its country and one for its address. At the same ms nothing is before anything, so what is known
-- is worked out for each time and not for each logon.
--
with history as (
  select
    time, event_uid, subject_uid, mfa, user_agent,
    make_array(
      named_struct('value_type', 'country', 'value', country),
      named_struct('value_type', 'ip', 'value', case when $ipv6_prefix then ipv6_network(src_ip, 64) else src_ip end)
    ) as places
  from logon
  where outcome = 'success' and subject_uid is not null and time >= $from - $baseline and time < $to
),
experience as (
  select subject_uid, time, sum(logons) over (
    partition by subject_uid order by time range between $baseline preceding and interval '1 millisecond' preceding
  ) as history_logons
  from (select subject_uid, time, count(*) as logons from history group by subject_uid, time)
),
placed as (
  select time, event_uid, subject_uid, mfa, user_agent, place.value_type as value_type, place.value as value
  from (select time, event_uid, subject_uid, mfa, user_agent, unnest(places) as place from history)
  where place.value is not null
),
seen as (
  select
    subject_uid, value_type, value, time,
    lag(time) over (partition by subject_uid, value_type, value order by time) as seen_before,
    count(distinct value) over (
      partition by subject_uid, value_type order by time
      range between $baseline preceding and interval '1 millisecond' preceding
    ) as known_values
  from (select distinct subject_uid, value_type, value, time from placed)
),
judged as (
  select
    p.*, e.history_logons, s.known_values,
    s.time >= $from and e.history_logons >= $min_history and coalesce(s.seen_before < s.time - $baseline, true) as is_new,
    row_number() over in_order as nth,
    count(*) over (partition by p.subject_uid, p.value_type, p.value) as logons
  from placed p
  join seen s
    on s.subject_uid = p.subject_uid and s.value_type = p.value_type and s.value = p.value and s.time = p.time
  join experience e on e.subject_uid = p.subject_uid and e.time = p.time
  window in_order as (partition by p.subject_uid, p.value_type, p.value order by p.time, coalesce(p.event_uid, ''))
),
first_new as (
  select * from (
    select *, row_number() over (
      partition by subject_uid, value_type, value order by time, coalesce(event_uid, '')
    ) as rank
    from judged
    where is_new
  )
  where rank = 1
)
select
  f.subject_uid, coalesce(i.label, f.subject_uid) as subject_label, f.time, f.value_type, f.value,
  f.history_logons, f.known_values, f.logons - cast(f.nth as bigint) as repeat_count, f.mfa as is_mfa, f.user_agent, f.event_uid,
  least(5,
    case when f.value_type = 'ip' then 2 when f.mfa then 3 else 4 end
      + case when s.subject_uid is not null then 1 else 0 end
  ) as severity_id,
  finding_key('new-location-or-ip', f.subject_uid, f.value_type, f.value, f.event_uid, f.time) as finding_key
from first_new f
left join privileged_span s on s.subject_uid = f.subject_uid and s.since <= f.time and (s.until is null or f.time < s.until)
left join identity i on i.uid = f.subject_uid
order by f.time, f.subject_uid, f.value_type, f.value
