//! What a run stands on besides its rows: how much of the period the log covers, and how many events name nobody.
//!
//! Coverage follows the catalogue's log-gaps with its default: a stretch without any event that is longer than a day
//! is not covered. Like that report, and unlike all others, it looks beyond the end of the period, so that a period
//! whose last hours were silent is not taken for one whose end has not been collected yet.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};

use super::params::Params;
use crate::error::{Context, Kind, Result};
use crate::sql::{Horizon, Session};

/// `max_gap` of log-gaps.
pub const MAX_GAP_MS: i64 = 86_400_000;

/// First and last event of each hour of the period: gaps are longer than an hour, so none hides within one.
const HOURS: &str = "select min(time), max(time), count(*) from event_row
    where time >= $begin and time < $end group by date_trunc('hour', time) order by 1";

const AROUND: &str = "select min(time), max(time), max(case when time < $begin then time end),
    min(case when time >= $end then time end) from event_row";

const UNNAMED: &str = "select count(*) filter (where subject_uid is null), count(*) filter (where actor_uid is null),
    count(*) filter (where subject_uid is null and actor_uid is null)
    from event where time >= $begin and time < $end";

/// The time that a run is about, half-open; an as-of report's begins with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
}

/// Facts about one span of one state of the lake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub coverage: Coverage,
    /// First and last event of the log, whatever the period.
    pub log_start_ms: Option<i64>,
    pub log_end_ms: Option<i64>,
    /// Events in the period.
    pub events: u64,
    pub unnamed: Unnamed,
}

/// How much of the period the log covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    pub from_ms: i64,
    pub to_ms: i64,
    pub max_gap_ms: i64,
    pub uncovered_ms: i64,
    /// `1 - uncovered / period`, rounded down to a millionth: so few digits come back from JSON as the same number.
    pub share: f64,
    pub gaps: Vec<Gap>,
}

/// A stretch without any event that is longer than the log may be silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    pub kind: GapKind,
    /// Not clipped to the period.
    pub start_ms: i64,
    pub end_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapKind {
    /// No event in the whole period.
    Empty,
    Leading,
    Inner,
    Trailing,
}

/// Events of the period whose people cannot be named (C5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unnamed {
    pub subject: u64,
    pub actor: u64,
    pub neither: u64,
}

impl Span {
    /// The span of a run with these parameters; `asked` is the period of a report that has neither `to` nor `as_of`.
    pub fn of(params: &Params, asked: Option<(i64, i64)>) -> Span {
        let (from, to) = (params.timestamp("from"), params.timestamp("to"));
        match (to, params.timestamp("as_of"), asked) {
            (Some(to), _, _) => Span { from_ms: from, to_ms: Some(to) },
            (None, Some(as_of), _) => Span { from_ms: None, to_ms: Some(as_of.saturating_add(1)) },
            (None, None, Some((from, to))) => Span { from_ms: Some(from), to_ms: Some(to) },
            (None, None, None) => Span { from_ms: None, to_ms: None },
        }
    }
}

impl Facts {
    /// Asks a session. Only what is named sees no further than the period: who is who is a matter of what came before.
    pub async fn gather(span: Span, session: &Session) -> Result<Facts> {
        let far = (span.from_ms.unwrap_or(0), span.to_ms.unwrap_or(i64::MAX / 1000));
        let around = ask(AROUND, far, Horizon::All, session).await?;
        let log_start_ms = time(&around, 0, 0);
        let log_end_ms = time(&around, 1, 0);
        let from_ms = span.from_ms.or(log_start_ms).unwrap_or_default();
        let to_ms = span.to_ms.or(log_end_ms.map(|end| end + 1)).unwrap_or(from_ms).max(from_ms);

        let hours = ask(HOURS, (from_ms, to_ms), Horizon::All, session).await?;
        let mut points = Vec::with_capacity(hours.num_rows());
        for row in 0..hours.num_rows() {
            if let (Some(first), Some(last)) = (time(&hours, 0, row), time(&hours, 1, row)) {
                points.push((first, last));
            }
        }
        let before = if span.from_ms.is_some() { time(&around, 2, 0) } else { None };
        let coverage = Coverage::of((from_ms, to_ms), before, &points, time(&around, 3, 0));
        let unnamed = ask(UNNAMED, (from_ms, to_ms), Horizon::Before { time_ms: to_ms }, session).await?;
        let events = (0..hours.num_rows()).map(|row| number(&hours, 2, row)).sum();
        let unnamed =
            Unnamed { subject: number(&unnamed, 0, 0), actor: number(&unnamed, 1, 0), neither: number(&unnamed, 2, 0) };
        Ok(Facts { coverage, log_start_ms, log_end_ms, events, unnamed })
    }
}

impl Coverage {
    /// `points`: first and last event of stretches within the period that have no gap, in order.
    fn of((from_ms, to_ms): (i64, i64), before: Option<i64>, points: &[(i64, i64)], after: Option<i64>) -> Coverage {
        let mut gaps = Vec::new();
        let mut push = |kind: GapKind, start_ms: i64, end_ms: i64| {
            if end_ms - start_ms > MAX_GAP_MS && end_ms.min(to_ms) > start_ms.max(from_ms) {
                gaps.push(Gap { kind, start_ms, end_ms });
            }
        };
        let mut previous = before;
        for (first, last) in points {
            match previous {
                Some(previous) => push(GapKind::Inner, previous, *first),
                None => push(GapKind::Leading, from_ms, *first),
            }
            previous = Some(*last);
        }
        match (points.last(), after) {
            // Nothing at all in the period is a gap of any length.
            (None, _) if to_ms > from_ms => gaps.push(Gap { kind: GapKind::Empty, start_ms: from_ms, end_ms: to_ms }),
            (None, _) => {}
            (Some((_, last)), Some(after)) => push(GapKind::Inner, *last, after),
            (Some((_, last)), None) => push(GapKind::Trailing, *last, to_ms),
        }
        let overlap = |gap: &Gap| gap.end_ms.min(to_ms) - gap.start_ms.max(from_ms);
        let uncovered_ms = gaps.iter().map(overlap).sum();
        let period_ms = to_ms - from_ms;
        let covered = (period_ms - uncovered_ms) as f64 * 1e6;
        let share = if period_ms == 0 { 0.0 } else { (covered / period_ms as f64).floor() / 1e6 };
        Coverage { from_ms, to_ms, max_gap_ms: MAX_GAP_MS, uncovered_ms, share, gaps }
    }

    /// Whether no part of the period is missing. A period without length shows nothing.
    pub fn is_whole(&self) -> bool {
        self.uncovered_ms == 0 && self.to_ms > self.from_ms
    }

    /// What is missing in percent: rounded up, so that a hole never reads as nothing.
    pub fn missing_percent(&self) -> f64 {
        let period_ms = i128::from(self.to_ms - self.from_ms);
        if period_ms == 0 {
            return 100.0;
        }
        let tenths = (i128::from(self.uncovered_ms) * 1000 + period_ms - 1) / period_ms;
        tenths as f64 / 10.0
    }
}

async fn ask(sql: &str, (begin, end): (i64, i64), horizon: Horizon, session: &Session) -> Result<RecordBatch> {
    let time = |time_ms: i64| ScalarValue::TimestampMicrosecond(Some(time_ms.saturating_mul(1000)), Some("UTC".into()));
    let params = vec![("begin".to_string(), time(begin)), ("end".to_string(), time(end))];
    let rows = session.query(sql, &params, horizon).await?;
    let schema = rows.schema.clone();
    let batches = rows.collect().await?;
    arrow::compute::concat_batches(&schema, &batches).context(Kind::Internal, || "cannot read the facts of a run")
}

fn time(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    let times = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
    // A fraction of a millisecond does not move a boundary: events have none.
    (row < times.len() && times.is_valid(row)).then(|| times.value(row).div_euclid(1000))
}

fn number(batch: &RecordBatch, column: usize, row: usize) -> u64 {
    let numbers = batch.column(column).as_primitive_opt::<Int64Type>();
    numbers.filter(|numbers| row < numbers.len()).map_or(0, |numbers| numbers.value(row) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn gaps(coverage: &Coverage) -> Vec<(GapKind, i64, i64)> {
        coverage.gaps.iter().map(|gap| (gap.kind, gap.start_ms, gap.end_ms)).collect()
    }

    #[test]
    fn a_gap_of_exactly_the_limit_is_none_and_one_more_millisecond_is_one() {
        let points = [(0, 0), (DAY, DAY), (2 * DAY + 1, 2 * DAY + 1)];
        let coverage = Coverage::of((0, 3 * DAY), None, &points, Some(3 * DAY));
        assert_eq!(gaps(&coverage), [(GapKind::Inner, DAY, 2 * DAY + 1)]);
        assert_eq!(coverage.uncovered_ms, DAY + 1);
        assert!(!coverage.is_whole());
        assert_eq!(coverage.missing_percent(), 33.4);
    }

    #[test]
    fn the_ends_are_gaps_only_where_the_log_does_not_go_on() {
        let points = [(2 * DAY, 8 * DAY)];
        let period = (0, 10 * DAY);
        let coverage = Coverage::of(period, None, &points, None);
        assert_eq!(gaps(&coverage), [(GapKind::Leading, 0, 2 * DAY), (GapKind::Trailing, 8 * DAY, 10 * DAY)]);
        assert_eq!(coverage.share, 0.6);
        // Neighbours beyond the period: the whole gap counts for its length, its part in the period for coverage.
        let coverage = Coverage::of(period, Some(-1), &points, Some(10 * DAY + 5));
        assert_eq!(gaps(&coverage), [(GapKind::Inner, -1, 2 * DAY), (GapKind::Inner, 8 * DAY, 10 * DAY + 5)]);
        assert_eq!(coverage.uncovered_ms, 4 * DAY);
        let near = Coverage::of(period, Some(DAY), &[(2 * DAY, 9 * DAY)], Some(10 * DAY));
        assert!(near.is_whole());
    }

    #[test]
    fn a_period_without_events_is_not_covered_at_all() {
        let coverage = Coverage::of((0, 60_000), Some(-1), &[], Some(60_000));
        assert_eq!(gaps(&coverage), [(GapKind::Empty, 0, 60_000)]);
        assert_eq!((coverage.share, coverage.missing_percent()), (0.0, 100.0));
        assert!(!Coverage::of((5, 5), None, &[], None).is_whole());
    }

    #[test]
    fn a_small_hole_does_not_round_away() {
        let points = [(0, 0), (DAY + 1, 365_000 * DAY)];
        let coverage = Coverage::of((0, 365_000 * DAY), None, &points, Some(365_000 * DAY));
        assert_eq!(coverage.missing_percent(), 0.1);
    }
}
