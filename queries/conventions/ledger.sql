-- view: ledger
-- convention: C14 C15
-- purpose: the ledgers of access, group members, subgroups and group privileges: one row per time that a key was held
-- evaluate: once
--
-- The state machine, once for all: entries of a key in the order time, closing before opening, event uid, so that at
-- the same ms the grant wins. The first opening after a close begins a row, further ones only add to `opens`; the next
-- close ends it. A key is held at T (inclusive) when opened_time <= T and not closed_time <= T. `ambiguous`: a close at
-- the very ms of the opening. Of privileges there is `scope` (a sharing role on one `resource`, or `workspace`) and
-- is_privileged.
with numbered as (
  select
    family, ledger, time, event_uid, effect, holder, item, resource_uid, source, scope, is_privileged, actor_uid,
    sum(case effect when 'close' then 1 else 0 end) over entries as closes,
    max(case effect when 'close' then time end) over entries as last_close
  from ledger_entry
  window entries as (
    partition by family, ledger, holder, item, resource_uid, source
    order by time, effect, coalesce(event_uid, '') rows between unbounded preceding and current row
  )
)
select
  family, ledger, holder, item, resource_uid, source, scope, is_privileged,
  min(time) filter (where effect = 'open') as opened_time,
  first_value(actor_uid order by time, coalesce(event_uid, '')) filter (where effect = 'open') as opened_by,
  first_value(event_uid order by time, coalesce(event_uid, '')) filter (where effect = 'open') as opened_event_uid,
  count(*) filter (where effect = 'open') as opens,
  max(time) filter (where effect = 'close') as closed_time,
  max(actor_uid) filter (where effect = 'close') as closed_by,
  coalesce(min(time) filter (where effect = 'open') = max(last_close) filter (where effect = 'open'), false) as ambiguous
from numbered
-- A close belongs to what it ends: there is at most one in a group.
group by family, ledger, holder, item, resource_uid, source, scope, is_privileged,
  case effect when 'close' then closes - 1 else closes end
having count(*) filter (where effect = 'open') > 0
