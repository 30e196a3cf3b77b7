-- view: opening_balance
-- convention: C10 C17
-- purpose: the newest snapshot of access as facts: everything it lists is opened at its time, by nobody known
select
  *,
  ledger = 'access' and scope = 'workspace' and regexp_like(item, $privileged_pattern, 'i') as is_privileged
from (
  select
    *, case when resource_uid <> '*' and array_has($sharing_roles, lower(item)) then 'resource' else 'workspace' end as scope
  from (
    select
      case trim(s.item_type) when 'privilege' then 'access' when 'group' then 'member' when 'api_key' then 'api_key' end
        as ledger,
      s.taken_at as time,
      nullif(trim(s.subject_uid), '') as subject_uid, nullif(trim(s.item), '') as item,
      coalesce(nullif(trim(s.resource_uid), ''), '*') as resource_uid
    from snapshot_access s
    join (select max(taken_at) as taken_at from snapshot_access) newest on s.taken_at = newest.taken_at
  )
)
