-- view: observable
-- convention: C1
-- purpose: one observable of an event: type, name and value as the source named them
select
  time, class, class_uid, item.type_id as type_id, item.type as type, item.name as name, item.value as value,
  _event_uid, _batch
from (select time, class, class_uid, unnest(observables) as item, _event_uid, _batch from event_row)
