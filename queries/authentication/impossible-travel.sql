--- report
-- id = "impossible-travel"
-- title = "Impossible travel"
-- question = "Did one account log on from two places that nobody can travel between in the time?"
-- readers = "security operations; incident responder"
-- kind = "detection"
-- tier = 1
-- grade = "C"
-- order = "time, subject_uid, event_uid"
-- severity = "4 if both countries are known and differ and is_mfa is not true; else 3. is_mfa = MFA (C6) of the later logon."
-- answers = ["subject_label", "time", "prev_country", "country", "speed_kmh", "distance_km", "prev_ip", "ip"]
-- limits = """
-- A row is a pair of logons that nobody can have made by travelling: farther apart than an aeroplane goes in that
-- time. It needs positions, from the events or from `ip_geo`; without them the verdict is not assessable.
--
-- Positions of addresses are estimates. VPNs, mobile networks and cloud browsers move people over continents in
-- seconds and make most of these rows."""
--
-- [controls]
-- soc2 = ["CC6.1", "CC6.6", "CC7.2"]
-- iso = ["A.8.5", "A.8.16"]
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
--   { events = "3002/1 successful", elements = ["subject", "place"] },
-- ]
-- input = { ip_geo = "place" }
--
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- max_speed_kmh = { type = "double", default = 900 }
-- min_distance_km = { type = "double", default = 100 }
-- lookback = { type = "duration", default = "P1D" }
--
-- [columns]
-- subject_uid = "string"
-- subject_label = "string"
-- prev_time = "timestamp"
-- time = "timestamp"
-- prev_ip = "string"
-- ip = "string"
-- prev_country = "string"
-- country = "string"
-- prev_city = "string"
-- city = "string"
-- distance_km = "double"
-- gap_seconds = "double"
-- speed_kmh = "double"
-- simultaneous = "boolean"
-- is_mfa = "boolean"
-- prev_event_uid = "string"
-- event_uid = "string"
-- severity_id = "int"
-- finding_key = "string"
---
--
-- Distance by the haversine formula on a sphere of 6371.0088 km. What is skipped (no position, VPN) does not break the
-- chain: the next position is compared with the last known one.
--
with position as (
  select subject_uid, time, event_uid, src_ip, country, city, lat, long, mfa
  from logon
  where outcome = 'success' and subject_uid is not null and lat is not null and (is_vpn is distinct from true)
    and time >= $from - $lookback and time < $to
),
paired as (
  select
    *,
    lag(time) over in_order as prev_time, lag(event_uid) over in_order as prev_event_uid,
    lag(src_ip) over in_order as prev_ip, lag(country) over in_order as prev_country,
    lag(city) over in_order as prev_city, lag(lat) over in_order as prev_lat, lag(long) over in_order as prev_long
  from position
  window in_order as (partition by subject_uid order by time, coalesce(event_uid, ''), src_ip, lat, long)
),
measured as (
  select
    *,
    (cast(time as bigint) - cast(prev_time as bigint)) / 1000 as gap_ms,
    2 * 6371.0088 * asin(least(1.0, sqrt(
      power(sin(radians(lat - prev_lat) / 2), 2)
      + cos(radians(prev_lat)) * cos(radians(lat)) * power(sin(radians(long - prev_long) / 2), 2)
    ))) as distance
  from paired
  where prev_time is not null and time >= $from
),
rated as (
  select *, case when gap_ms > 0 then distance / (gap_ms / 3600000.0) end as speed from measured
)
select
  r.subject_uid, coalesce(i.label, r.subject_uid) as subject_label,
  r.prev_time, r.time, r.prev_ip, r.src_ip as ip,
  r.prev_country, r.country, r.prev_city, r.city,
  round(r.distance, 1) as distance_km,
  r.gap_ms / 1000.0 as gap_seconds,
  round(r.speed, 1) as speed_kmh,
  r.gap_ms = 0 as simultaneous,
  r.mfa as is_mfa,
  r.prev_event_uid, r.event_uid,
  case when r.prev_country <> r.country and r.mfa is distinct from true then 4 else 3 end as severity_id,
  finding_key('impossible-travel', r.subject_uid, r.prev_event_uid, r.event_uid, r.prev_time, r.time) as finding_key
from rated r
left join identity i on i.uid = r.subject_uid
where r.distance >= $min_distance_km and (r.gap_ms = 0 or r.speed > $max_speed_kmh)
  and coalesce(r.src_ip <> r.prev_ip, true)
order by r.time, r.subject_uid, r.event_uid nulls last
