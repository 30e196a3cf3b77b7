--- report
-- id = "many"
-- title = "Many rows"
-- question = "Does a page of a large result still open and sort?"
-- kind = "evidence listing"
-- order = "number"
-- [chart]
-- kind = "bar"
-- x = "kind"
-- [columns]
-- number = "bigint"
-- kind = "string"
-- text = "string"
-- share = "double"
-- severity_id = "int"
---
select
  value as number, 'kind ' || cast(value % 7 as varchar) as kind, 'row ' || cast((value * 7919) % 100000 as varchar) as text,
  cast(value as double) / 3 as share, 1 + value % 5 as severity_id
from (select unnest(range(1, 100001)) as value)
order by value
