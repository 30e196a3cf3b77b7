-- view: ledger_step
-- convention: C14 C15 C16
-- purpose: one entry of a ledger, of API keys too, with what stood before it: whether its key was held, and closed at the same ms
-- evaluate: once
--
-- The entries are those of the ledgers, in their order. An API key is a key of a ledger of its own.
with entry as (
  select
    family, ledger, time, event_uid, effect, is_named, holder, item, resource_uid, source, actor_uid
  from ledger_entry
  union all
  select
    'api_key' as family, 'api_key' as ledger, time, event_uid, case action when 'create' then 'open' else 'close' end as effect,
    true as is_named, cast(null as varchar) as holder, key_uid as item, cast(null as varchar) as resource_uid,
    cast(null as varchar) as source, actor_uid
  from api_key_fact
  where action in ('create', 'delete') and is_effective and key_uid is not null
)
select
  *,
  lag(effect) over (
    partition by ledger, holder, item, resource_uid, source order by time, effect, coalesce(event_uid, '')
  ) as effect_before,
  max(case when effect = 'close' then 1 else 0 end) over (
    partition by ledger, holder, item, resource_uid, source, time
  ) = 1 as is_closed_then
from entry
