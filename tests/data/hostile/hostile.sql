--- report
-- id = "hostile"
-- title = "</td></tr></table><script>alert(1)</script>"
-- question = "</td></tr></table><script>alert(1)</script>"
-- kind = "detection"
-- order = "</td></tr></table><script>alert(1)</script>"
-- expectation = "no rows"
-- [chart]
-- kind = "bar"
-- x = "privilege"
-- colour = "who"
-- [parameters]
-- from = { type = "timestamp" }
-- to = { type = "timestamp" }
-- note = { type = "string", default = "</td></tr></table><script>alert(1)</script>" }
-- [columns]
-- time = "timestamp"
-- privilege = "string"
-- who = "string"
-- src_ip = "string"
-- names = "list<string>"
-- number = "int"
-- share = "double"
-- flag = "boolean"
-- severity_id = "int"
-- finding_key = "string"
---
select time, privileges[1] as privilege, actor_uid as who, src_ip, privileges as names,
row_number() over (order by time) as number, 1.5 as share, true as flag,
cast(1 + row_number() over (order by time) % 5 as bigint) as severity_id, 'hostile|' || event_uid as finding_key
from event where time >= $from and time < $to order by time
