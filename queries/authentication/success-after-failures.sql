--- report
-- id = "success-after-failures"
-- title = "Logon after a run of failures"
-- question = "Which successful logons came right after repeated failures of the same account?"
-- readers = "security operations"
-- kind = "detection"
-- tier = 2
-- grade = "A"
-- order = "success_time, subject_uid"
-- severity = "4 if new_ip and MFA not true (C6); 3 if same_ip or new_ip; else 2."
-- answers = ["subject_label", "success_time", "failures", "success_ip", "new_ip", "same_ip", "is_mfa"]
-- limits = """
-- A row is a successful logon after at least `threshold` failures of the same account, with no other success between.
-- `new_ip` says that the account had not used the address for 90 days, `same_ip` that the failures came from it too.
--
-- Most of these are people who got their password right at last. A new address without a second factor is the row to
-- follow up."""
--
-- [controls]
-- soc2 = ["CC7.2", "CC7.3"]
-- iso = ["A.8.5", "A.8.16", "A.5.25"]
-- nist = ["AC-7", "AU-6", "SI-4"]
-- csf = ["DE.AE-02", "DE.AE-03"]
-- pci = ["10.2.1.4", "10.4.1.1"]
-- hipaa = ["164.308(a)(5)(ii)(C)", "164.308(a)(6)(ii)"]
-- gdpr = ["33(1)"]
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
-- window = { type = "duration", default = "PT30M" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- success_time = "timestamp"
-- failures = "bigint"
-- first_failure = "timestamp"
-- success_ip = "string"
-- failure_ips = "list<string>"
-- same_ip = "boolean"
-- new_ip = "boolean"
-- is_mfa = "boolean"
-- event_uid = "string"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- Successes of a subject are numbered in C4 order; what lies between two belongs to the second. Failures of the same ms as
-- the success do not count, nor do those before the window.
--
with attempt as (
  select
    *,
    count(*) filter (where outcome = 'success') over (
      partition by subject_uid order by time, coalesce(event_uid, ''), src_ip
      rows between unbounded preceding and 1 preceding
    ) as run
  from logon
  where outcome in ('success', 'failure') and subject_uid is not null and time < $to
    and time >= $from - interval '90 days' - $window
),
arrived as (
  select
    subject_uid, run, time, event_uid, src_ip, mfa,
    max(time) over (
      partition by subject_uid, src_ip order by time groups between unbounded preceding and 1 preceding
    ) as last_from_ip
  from attempt
  where outcome = 'success'
),
failed as (
  select
    s.subject_uid, s.run, s.time, s.event_uid, s.src_ip, s.mfa, s.last_from_ip,
    count(*) as failures,
    min(f.time) as first_failure,
    array_agg(distinct f.src_ip order by f.src_ip) filter (where f.src_ip is not null) as failure_ips
  from arrived s
  join attempt f on f.subject_uid = s.subject_uid and f.run = s.run and f.outcome = 'failure'
    and f.time < s.time and f.time >= s.time - $window
  where s.time >= $from
  group by s.subject_uid, s.run, s.time, s.event_uid, s.src_ip, s.mfa, s.last_from_ip
  having count(*) >= $threshold
),
judged as (
  select
    *,
    coalesce(array_has(failure_ips, src_ip), false) as same_ip,
    src_ip is not null and coalesce(last_from_ip < time - interval '90 days', true) as new_ip
  from failed
)
select
  j.subject_uid, coalesce(i.label, j.subject_uid) as subject_label,
  j.time as success_time, j.failures, j.first_failure, j.src_ip as success_ip,
  coalesce(j.failure_ips, make_array()) as failure_ips,
  j.same_ip, j.new_ip, j.mfa as is_mfa, j.event_uid,
  case
    when j.new_ip and (j.mfa is distinct from true) then 4
    when j.same_ip or j.new_ip then 3
    else 2
  end as severity_id,
  finding_key('success-after-failures', j.subject_uid, j.event_uid, j.time) as finding_key
from judged j
left join identity i on i.uid = j.subject_uid
order by j.time, j.subject_uid, j.event_uid nulls last
