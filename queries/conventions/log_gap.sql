-- view: log_gap
-- convention: C3 C18
-- purpose: stretches of [from, to) without any event longer than the log may be silent, whole or by class
-- evaluate: once
--
-- The only view that looks beyond the period: a gap that began before it or ends after it has its full length here.
-- Points are the different times of events in the period, the latest before and the earliest after it, or else the ends
-- of the period themselves. At one time an end stands outside of an event. `covered`: the collector asked its sources for
-- all of it but for pieces as long as the log may be silent, and there was nothing. Never before the first event: what
-- the source no longer keeps it cannot show.
with moment as (
  select case when $stream_by = 'class' then cast(class_uid as varchar) else 'all' end as stream, time, event_uid
  from always.event_row
),
stream as (
  select stream
  from (
    select 'all' as stream
    union
    select cast(class_uid as varchar) from activity where class_uid between 3000 and 3999
    union
    -- other classes are expected from sources that have sent some
    select cast(class_uid as varchar) from always.event_row
  )
  where (stream = 'all') = ($stream_by = 'all')
),
before as (
  select stream, max(time) as time, last_value(event_uid order by time, coalesce(event_uid, '')) as largest
  from moment where time < $from group by stream
),
after as (
  select stream, min(time) as time, first_value(event_uid order by time, event_uid nulls last) as smallest
  from moment where time >= $to group by stream
),
point as (
  select
    s.stream, coalesce(b.time, $from) as time, 0 as place, b.time is null as is_edge,
    cast(null as varchar) as smallest, b.largest
  from stream s left join before b on b.stream = s.stream
  union all
  select stream, time, 1 as place, false as is_edge, min(event_uid) as smallest, max(event_uid) as largest
  from moment where time >= $from and time < $to group by stream, time
  union all
  select s.stream, coalesce(a.time, $to) as time, 2 as place, a.time is null as is_edge, a.smallest, null as largest
  from stream s left join after a on a.stream = s.stream
),
neighbour as (
  select stream, time, is_edge, smallest,
    lag(time) over in_time as prev_time, lag(is_edge) over in_time as prev_is_edge,
    lag(largest) over in_time as largest,
    count(*) filter (where place = 1) over (partition by stream) as events
  from point
  window in_time as (partition by stream order by time, place)
),
found as (
  select
    stream, gap_type, gap_start, gap_end, has_before,
    greatest(gap_start, $from) as overlap_start, least(gap_end, $to) as overlap_end,
    prev_event_uid, next_event_uid
  from (
    select
      stream, prev_time as gap_start, time as gap_end, largest as prev_event_uid, smallest as next_event_uid,
      case when prev_is_edge then 'leading' when is_edge then 'trailing' else 'inner' end as gap_type,
      not prev_is_edge as has_before
    from neighbour where events > 0 and time > prev_time + $max_gap
    union all
    select
      stream, $from as gap_start, $to as gap_end, null as prev_event_uid, null as next_event_uid, 'empty' as gap_type,
      not prev_is_edge as has_before
    from neighbour where events = 0 and prev_time is not null
  )
),
-- What of a gap lies before each window, and after the last.
piece as (
  select
    g.stream, g.gap_start, g.overlap_end, w.since, least(w.until, g.overlap_end) as until,
    coalesce(
      lag(w.until) over (partition by g.stream, g.gap_start order by w.since), g.overlap_start
    ) as before
  from found g join walked_window w on w.since < g.overlap_end and w.until > g.overlap_start
  where g.has_before
),
asked as (
  select
    stream, gap_start,
    bool_and(since <= before + $max_gap) and max(overlap_end) <= max(until) + $max_gap as covered
  from piece
  group by stream, gap_start
)
select
  f.stream, gap_type, f.gap_start, gap_end,
  (cast(gap_end as bigint) - cast(f.gap_start as bigint)) / 1000 as gap_ms,
  (cast(overlap_end as bigint) - cast(overlap_start as bigint)) / 1000 as overlap_ms,
  coalesce(covered, false) as covered, prev_event_uid, next_event_uid
from found f left join asked a on a.stream = f.stream and a.gap_start = f.gap_start
where overlap_start < overlap_end
