-- view: logon
-- convention: C5 C6 C8 C9
-- purpose: one row per logon
--
-- `mfa` is null when nobody said whether there was a second factor.
select
  time, event_uid, outcome, subject_uid, actor_uid, src_ip, country, city, lat, long, is_vpn, user_agent, mfa,
  auth_protocol_id,
  case coalesce(auth_protocol_id, 0)
    when 0 then 'Unknown' when 1 then 'NTLM' when 2 then 'Kerberos' when 3 then 'Digest' when 4 then 'OpenID'
    when 5 then 'SAML' when 6 then 'OAUTH 2.0' when 7 then 'PAP' when 8 then 'CHAP' when 9 then 'EAP'
    when 10 then 'RADIUS' when 11 then 'Basic Authentication' when 12 then 'LDAP' else 'Other'
  end as protocol
from event
where class_uid = 3002 and activity_id = 1
