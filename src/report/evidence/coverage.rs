//! Coverage of the log: which stretches of time hold events, which ones the collector asked for, and which are silent.
//!
//! Coverage follows the catalogue's log-gaps with its default: a stretch without any event that is longer than a day is a
//! gap, and it is covered when the collector walked it to the end. Like that report, and unlike all others, it looks
//! beyond the end of the period, so that a period whose last hours were silent is not taken for one whose end has not
//! been collected yet.

use serde::{Deserialize, Serialize};

/// The default `max_gap` of log-gaps, and of C18.
pub const MAX_GAP_MS: i64 = 86_400_000;

/// All events of one state of the lake, in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// First and last event of each hour that has any, in order: gaps are longer than an hour, so none hides within one.
    pub hours: Vec<(i64, i64)>,
    /// Stretches that the collector asked its sources for, `[since, until)`, in order.
    pub walked: Vec<(i64, i64)>,
}

/// A stretch of time, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    pub start_ms: i64,
    pub end_ms: i64,
}

/// How much of the period the log covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    pub from_ms: i64,
    pub to_ms: i64,
    pub max_gap_ms: i64,
    /// The length of the gaps that are not covered.
    pub uncovered_ms: i64,
    /// `1 - uncovered / period`, rounded down to a millionth: this few digits come back from JSON as the same number.
    pub share: f64,
    pub gaps: Vec<Gap>,
}

/// A stretch without any event that is longer than the log may be silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    pub kind: GapKind,
    /// The start, not clipped to the period.
    pub start_ms: i64,
    pub end_ms: i64,
    /// Whether the collector asked its sources for all of it and found nothing.
    pub covered: bool,
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

impl Timeline {
    pub fn start_ms(&self) -> Option<i64> {
        self.hours.first().map(|(first, _)| *first)
    }

    pub fn end_ms(&self) -> Option<i64> {
        self.hours.last().map(|(_, last)| *last)
    }

    /// Computes the coverage of a period; `has_events` says whether it holds any, which hours alone do not tell for a
    /// short one.
    pub fn coverage(&self, (from_ms, to_ms): (i64, i64), has_events: bool) -> Coverage {
        let inside = self.hours.iter().filter(|(first, last)| has_events && *last >= from_ms && *first < to_ms);
        let points: Vec<(i64, i64)> =
            inside.map(|(first, last)| ((*first).max(from_ms), (*last).min(to_ms - 1))).collect();
        // For an hour that straddles an end of the period, the nearest millisecond is as good as the true one.
        let before = self.hours.iter().take_while(|(first, _)| *first < from_ms).last();
        let before = before.map(|(_, last)| (*last).min(from_ms - 1));
        let after = self.hours.iter().find(|(_, last)| *last >= to_ms).map(|(first, _)| (*first).max(to_ms));
        Coverage::of((from_ms, to_ms), before, &points, after, &self.walked)
    }

    /// Returns the stretches before `end_ms` that hold neither an event nor any part of a walked window and are longer
    /// than the log may be silent (C18). They have their full length; before the first event or window no silence is
    /// counted.
    pub fn silences(&self, end_ms: i64) -> Vec<Stretch> {
        let mut held: Vec<(i64, i64)> = self.hours.iter().chain(&self.walked).copied().collect();
        held.sort_unstable();
        let mut found = Vec::new();
        let mut last: Option<i64> = None;
        let mut push = |start_ms: i64, next_ms: i64| {
            if next_ms.saturating_sub(start_ms) > MAX_GAP_MS && start_ms < end_ms {
                found.push(Stretch { start_ms, end_ms: next_ms });
            }
        };
        for (start_ms, until_ms) in held {
            if let Some(last) = last {
                push(last, start_ms);
            }
            last = Some(last.map_or(until_ms, |last| last.max(until_ms)));
        }
        if let Some(last) = last.filter(|last| *last < end_ms) {
            push(last, end_ms);
        }
        found
    }
}

impl Stretch {
    /// Returns how much of it lies within others.
    pub fn overlap_ms(&self, from_ms: i64, to_ms: i64) -> i64 {
        (self.end_ms.min(to_ms) - self.start_ms.max(from_ms)).max(0)
    }
}

impl Coverage {
    /// Computes coverage from `points`: first and last event of stretches within the period that have no gap, in order.
    fn of(
        (from_ms, to_ms): (i64, i64),
        before: Option<i64>,
        points: &[(i64, i64)],
        after: Option<i64>,
        walked: &[(i64, i64)],
    ) -> Coverage {
        let mut gaps = Vec::new();
        let mut push = |kind: GapKind, start_ms: i64, end_ms: i64| {
            let is_long = end_ms - start_ms > MAX_GAP_MS || kind == GapKind::Empty;
            let inside = (start_ms.max(from_ms), end_ms.min(to_ms));
            if is_long && inside.1 > inside.0 {
                // Before the first event nothing is covered: a source cannot show what it no longer keeps.
                let has_before = kind != GapKind::Leading && (kind != GapKind::Empty || before.is_some());
                let covered = has_before && is_asked(inside, walked);
                gaps.push(Gap { kind, start_ms, end_ms, covered });
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
            (None, _) => push(GapKind::Empty, from_ms, to_ms),
            (Some((_, last)), Some(after)) => push(GapKind::Inner, *last, after),
            (Some((_, last)), None) => push(GapKind::Trailing, *last, to_ms),
        }
        let overlap = |gap: &Gap| gap.end_ms.min(to_ms) - gap.start_ms.max(from_ms);
        let uncovered_ms = gaps.iter().filter(|gap| !gap.covered).map(overlap).sum();
        let period_ms = to_ms - from_ms;
        let covered = (period_ms - uncovered_ms) as f64 * 1e6;
        let share = if period_ms == 0 { 0.0 } else { (covered / period_ms as f64).floor() / 1e6 };
        Coverage { from_ms, to_ms, max_gap_ms: MAX_GAP_MS, uncovered_ms, share, gaps }
    }

    /// Returns whether no part of the period is missing. A period without length shows nothing.
    pub fn is_whole(&self) -> bool {
        self.uncovered_ms == 0 && self.to_ms > self.from_ms
    }

    /// Returns the gaps that nobody asked a source about.
    pub fn holes(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter().filter(|gap| !gap.covered)
    }

    /// Returns the missing part in percent: rounded up, so that a hole never reads as nothing.
    pub fn missing_percent(&self) -> f64 {
        let period_ms = i128::from(self.to_ms - self.from_ms);
        if period_ms == 0 {
            return 100.0;
        }
        let tenths = (i128::from(self.uncovered_ms) * 1000 + period_ms - 1) / period_ms;
        tenths as f64 / 10.0
    }
}

/// Returns whether windows lie over a stretch except for pieces no longer than the log may be silent.
fn is_asked((start_ms, end_ms): (i64, i64), walked: &[(i64, i64)]) -> bool {
    let mut end_of_last = None;
    for (since, until) in walked.iter().filter(|(since, until)| *since < end_ms && *until > start_ms) {
        if since.saturating_sub(end_of_last.unwrap_or(start_ms)) > MAX_GAP_MS {
            return false;
        }
        end_of_last = Some(*until);
    }
    end_of_last.is_some_and(|last| end_ms.saturating_sub(last) <= MAX_GAP_MS)
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
        let coverage = Coverage::of((0, 3 * DAY), None, &points, Some(3 * DAY), &[]);
        assert_eq!(gaps(&coverage), [(GapKind::Inner, DAY, 2 * DAY + 1)]);
        assert_eq!(coverage.uncovered_ms, DAY + 1);
        assert!(!coverage.is_whole());
        assert_eq!(coverage.missing_percent(), 33.4);
    }

    #[test]
    fn the_ends_are_gaps_only_where_the_log_does_not_go_on() {
        let points = [(2 * DAY, 8 * DAY)];
        let period = (0, 10 * DAY);
        let coverage = Coverage::of(period, None, &points, None, &[]);
        assert_eq!(gaps(&coverage), [(GapKind::Leading, 0, 2 * DAY), (GapKind::Trailing, 8 * DAY, 10 * DAY)]);
        assert_eq!(coverage.share, 0.6);
        // Neighbours beyond the period: the whole gap counts for its length, its part in the period for coverage.
        let coverage = Coverage::of(period, Some(-1), &points, Some(10 * DAY + 5), &[]);
        assert_eq!(gaps(&coverage), [(GapKind::Inner, -1, 2 * DAY), (GapKind::Inner, 8 * DAY, 10 * DAY + 5)]);
        assert_eq!(coverage.uncovered_ms, 4 * DAY);
        let near = Coverage::of(period, Some(DAY), &[(2 * DAY, 9 * DAY)], Some(10 * DAY), &[]);
        assert!(near.is_whole());
    }

    #[test]
    fn a_period_without_events_is_not_covered_at_all() {
        let coverage = Coverage::of((0, 60_000), Some(-1), &[], Some(60_000), &[]);
        assert_eq!(gaps(&coverage), [(GapKind::Empty, 0, 60_000)]);
        assert_eq!((coverage.share, coverage.missing_percent()), (0.0, 100.0));
        assert!(!Coverage::of((5, 5), None, &[], None, &[]).is_whole());
    }

    #[test]
    fn a_small_hole_does_not_round_away() {
        let points = [(0, 0), (DAY + 1, 365_000 * DAY)];
        let coverage = Coverage::of((0, 365_000 * DAY), None, &points, Some(365_000 * DAY), &[]);
        assert_eq!(coverage.missing_percent(), 0.1);
    }

    #[test]
    fn a_weekend_that_was_walked_is_covered_and_one_of_a_file_is_not() {
        let weekend = [(0, 0), (3 * DAY, 4 * DAY)];
        let covered = |walked: &[(i64, i64)]| {
            let coverage = Coverage::of((0, 4 * DAY), None, &weekend, Some(4 * DAY), walked);
            assert_eq!(coverage.gaps.len(), 1);
            coverage.gaps[0].covered
        };
        assert!(!covered(&[]));
        assert!(covered(&[(0, 3 * DAY)]));
        // Pieces as long as the log may be silent do not matter; a millisecond more does.
        assert!(covered(&[(DAY, 2 * DAY)]));
        assert!(!covered(&[(DAY + 1, 2 * DAY + 1)]));
        assert!(!covered(&[(DAY, 2 * DAY - 1)]));
        assert!(covered(&[(0, DAY / 2), (DAY + DAY / 2, 2 * DAY)]));
        assert!(!covered(&[(0, DAY / 2), (DAY + DAY / 2 + 1, 2 * DAY + 1)]));
        // A source may have forgotten everything before the first event.
        let coverage = Coverage::of((0, 4 * DAY), None, &[(3 * DAY, 4 * DAY)], Some(4 * DAY), &[(0, 4 * DAY)]);
        assert!(!coverage.gaps[0].covered);
    }

    #[test]
    fn silence_lies_between_events_and_windows_and_ends_with_the_period() {
        let stretches = |timeline: &Timeline, end_ms: i64| {
            timeline.silences(end_ms).iter().map(|found| (found.start_ms, found.end_ms)).collect::<Vec<_>>()
        };
        let hours = vec![(0, 10), (DAY + 10, DAY + 20), (3 * DAY, 3 * DAY)];
        let timeline = Timeline { hours: hours.clone(), walked: Vec::new() };
        // Exactly a day is not a silence; an end after the period keeps its full length.
        assert_eq!(stretches(&timeline, 3 * DAY), [(DAY + 20, 3 * DAY)]);
        assert_eq!(stretches(&timeline, 2 * DAY), [(DAY + 20, 3 * DAY)]);
        assert_eq!(stretches(&timeline, 4 * DAY), [(DAY + 20, 3 * DAY)]);
        assert_eq!(stretches(&timeline, 4 * DAY + 1), [(DAY + 20, 3 * DAY), (3 * DAY, 4 * DAY + 1)]);
        assert_eq!(stretches(&timeline, DAY + 20), []);
        let walked = |walked: Vec<(i64, i64)>| Timeline { hours: hours.clone(), walked };
        assert_eq!(stretches(&walked(vec![(2 * DAY, 5 * DAY)]), 6 * DAY), []);
        assert_eq!(stretches(&walked(vec![(DAY, 2 * DAY)]), 3 * DAY), []);
        // Between a window before the log and the log.
        assert_eq!(stretches(&walked(vec![(-9 * DAY, -8 * DAY)]), DAY), [(-8 * DAY, 0)]);
        assert_eq!(stretches(&Timeline::default(), DAY), []);
    }

    #[test]
    fn an_hour_on_the_edge_of_the_period_counts_on_both_sides() {
        let timeline = Timeline { hours: vec![(0, 5), (2 * DAY - 5, 2 * DAY + 5)], walked: Vec::new() };
        assert!(timeline.coverage((2 * DAY, 2 * DAY + 9), true).is_whole());
        assert_eq!(gaps(&timeline.coverage((DAY, 2 * DAY), true)), [(GapKind::Inner, 5, 2 * DAY - 5)]);
        // The period lies between two events of one hour.
        let empty = timeline.coverage((2 * DAY, 2 * DAY + 2), false);
        assert_eq!(gaps(&empty), [(GapKind::Empty, 2 * DAY, 2 * DAY + 2)]);
    }
}
