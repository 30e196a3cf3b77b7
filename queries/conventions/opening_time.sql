-- view: opening_time
-- convention: C17
-- purpose: one row: since when the ledgers count; null without a snapshot, and then they count from the first event
select max(taken_at) as since from snapshot_access
