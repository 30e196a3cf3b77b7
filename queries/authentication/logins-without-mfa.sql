--- report
-- id = "logins-without-mfa"
-- title = "Logons without a second factor"
-- question = "Which accounts log on without a second factor, and are any of them privileged?"
-- readers = "PCI / SOC 2 auditor; security owner"
-- kind = "detection"
-- tier = 2
-- grade = "B"
-- order = "severity_id desc, without_mfa desc, subject_uid"
-- severity = "4 without_mfa > 0 and privileged; 3 without_mfa > 0; 1 only unknown."
-- answers = ["subject_label", "privileged", "without_mfa", "logons", "share_without"]
-- limits = """
-- A row is an account that logged on at least once without a second factor, or whose events do not say whether there
-- was one. `without_mfa` counts the logons that said no, `unknown_mfa` those that said nothing; rows with only unknown
-- logons are shown as context and are no findings.
--
-- Many sources say nothing about the second factor when an identity provider checked it. Where your provider enforces
-- it, set `sso_counts`: a logon by OpenID, SAML or OAuth 2.0 that says nothing then counts as one with a second
-- factor. This is an assumption about your provider and not something that the log shows.
--
-- `privileged` tells whether the account held privileged access at the end of the period. Service and system accounts
-- are left out, because they cannot use a second factor; service-account-review looks at their logons."""
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.6"]
-- iso = ["A.8.5"]
-- nist = ["IA-2(1)", "IA-2(2)"]
-- csf = ["PR.AA-03"]
-- pci = ["8.4.1", "8.4.2", "8.4.3"]
-- hipaa = ["164.312(d)"]
-- gdpr = ["32(1)(b)"]
-- cis = ["6.3", "6.5"]
--
-- [verdict]
-- judges = true
-- needs = [
--   { events = "3002/1 successful", elements = ["subject", "mfa"] },
-- ]
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- sso_counts = { type = "boolean", default = false }
-- report_unknown = { type = "boolean", default = true }
-- privileged_pattern = { type = "regex", default = "@privileged_pattern" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- logons = "bigint"
-- without_mfa = "bigint"
-- unknown_mfa = "bigint"
-- share_without = "double"
-- protocols = "list<string>"
-- first_time = "timestamp"
-- last_time = "timestamp"
-- privileged = "boolean"
-- severity_id = "int"
-- finding_key = "string"
---
with counted as (
  select
    l.subject_uid, i.label, l.time, l.protocol,
    case when l.mfa is null and $sso_counts and l.auth_protocol_id in (4, 5, 6) then true else l.mfa end as mfa
  from logon l
  left join identity i on i.uid = l.subject_uid
  where l.outcome = 'success' and l.subject_uid is not null and l.time >= $from and l.time < $to
    and coalesce(i.user_type not in ('Service', 'System'), true)
),
found as (
  select
    subject_uid, coalesce(max(label), subject_uid) as subject_label, count(*) as logons,
    count(*) filter (where not mfa) as without_mfa,
    count(*) filter (where mfa is null) as unknown_mfa,
    array_agg(distinct protocol order by protocol) as protocols,
    min(time) as first_time, max(time) as last_time
  from counted
  group by subject_uid
),
judged as (
  select f.*, s.subject_uid is not null as privileged
  from found f
  left join privileged_span s on s.subject_uid = f.subject_uid and s.until is null
  where f.without_mfa > 0 or f.unknown_mfa > 0 and $report_unknown
)
select
  subject_uid, subject_label, logons, without_mfa, unknown_mfa,
  cast(without_mfa as double) / logons as share_without, protocols, first_time, last_time, privileged,
  case when without_mfa = 0 then 1 when privileged then 4 else 3 end as severity_id,
  finding_key('logins-without-mfa', subject_uid, first_time) as finding_key
from judged
order by severity_id desc, without_mfa desc, subject_uid
