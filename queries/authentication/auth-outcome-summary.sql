--- report
-- id = "auth-outcome-summary"
-- title = "Logon outcomes"
-- question = "How many logons succeeded and failed per day and per user, and how does the ratio move?"
-- readers = "security operations; monthly log review"
-- kind = "periodic summary"
-- tier = 1
-- grade = "A"
-- order = "bucket_start, key"
-- severity = "3 if failures >= min_failures and failure_rate > 0.5; else 1."
-- answers = ["bucket_start", "key", "successes", "failures", "failure_rate", "mfa_share"]
-- limits = """
-- A row is a day or an hour, for all, or for each user, address or protocol. `failure_rate` leaves out logons whose
-- outcome nobody recorded; `mfa_share` is the share of successful logons that said that there was a second factor.
--
-- Logons at an identity provider that never reach the workspace are not in this log: many failures and lock-outs
-- happen there."""
--
-- [chart]
-- kind = "line"
-- x = "bucket_start"
-- per = "day"
-- values = ["successes", "failures"]
--
-- [controls]
-- soc2 = ["CC6.1", "CC7.2"]
-- iso = ["A.8.5", "A.8.15", "A.8.16"]
-- nist = ["AC-7", "AU-6", "AU-7"]
-- csf = ["PR.AA-03", "DE.CM-03"]
-- pci = ["10.2.1.4", "10.4.1"]
-- hipaa = ["164.308(a)(5)(ii)(C)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["8.11"]
--
-- [verdict]
-- judges = false
-- needs = [
--   { events = "3002/1", elements = ["subject", "outcome"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- tz = { type = "timezone", default = "UTC" }
-- bucket = { type = "string", default = "day", values = ["day", "hour"] }
-- by = { type = "string", default = "all", values = ["all", "user", "ip", "protocol"] }
-- min_failures = { type = "int", default = 20 }
--
-- [columns]
-- bucket_start = "timestamp"
-- key = "string"
-- successes = "bigint"
-- failures = "bigint"
-- other = "bigint"
-- failure_rate = "double"
-- mfa_share = "double"
-- distinct_users = "bigint"
-- distinct_ips = "bigint"
-- severity_id = "int"
---
--
-- The series of buckets comes from instants a quarter of an hour apart, cut to the bucket in local time: days of 23 and 25
-- hours, and days that do not begin at midnight, come out right.
--
with attempt as (
  select
    date_trunc($bucket, time at time zone $tz) as bucket_start,
    case $by when 'user' then subject_uid when 'ip' then src_ip when 'protocol' then protocol else 'all' end as key,
    outcome, mfa, subject_uid, src_ip
  from logon
  where time >= $from and time < $to
),
counted as (
  select
    bucket_start, key,
    count(*) filter (where outcome = 'success') as successes,
    count(*) filter (where outcome = 'failure') as failures,
    count(*) filter (where outcome not in ('success', 'failure')) as other,
    count(*) filter (where outcome = 'success' and mfa) as with_mfa,
    count(distinct subject_uid) as distinct_users,
    count(distinct src_ip) as distinct_ips
  from attempt
  group by bucket_start, key
),
series as (
  select distinct date_trunc($bucket, instant at time zone $tz) as bucket_start, 'all' as key
  from (
    select unnest(range($from, $to, interval '15 minutes')) as instant
    union all
    select $to - interval '1 millisecond' as instant
  )
  where $by = 'all' and instant >= $from
),
filled as (
  select
    coalesce(c.bucket_start, s.bucket_start) as bucket_start, coalesce(c.key, s.key) as key,
    coalesce(successes, 0) as successes, coalesce(failures, 0) as failures, coalesce(other, 0) as other,
    with_mfa, coalesce(distinct_users, 0) as distinct_users, coalesce(distinct_ips, 0) as distinct_ips
  from counted c full join series s on c.bucket_start = s.bucket_start and c.key = s.key
)
select
  bucket_start, key, successes, failures, other,
  cast(failures as double) / nullif(successes + failures, 0) as failure_rate,
  cast(with_mfa as double) / nullif(successes, 0) as mfa_share,
  distinct_users, distinct_ips,
  case when failures >= $min_failures and failures > successes then 3 else 1 end as severity_id
from filled
order by bucket_start, key nulls last
