//! The polls of API sources, and what they add up to: how far each source is covered, and what arrived late.
//!
//! ```text
//! walk of a window -> Poll in the ledger entry, with the rows -> PullState: covered intervals, open window, late
//! ```
//!
//! A window counts as covered when it was walked to its end, whatever came; nothing else makes coverage. Times are
//! milliseconds of event time, both bounds inclusive, as the API has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::SourceRange;
use super::poll::{COMPLETE, Interval, Poll};

/// Rejected lines of one source that are remembered, so that reading them again does not reject them again. Lines
/// beyond this number within the overlap of two polls would be rejected once per poll.
const REMEMBERED_REJECTS: usize = 4096;

/// The sum of the polls of one source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PullState {
    /// The intervals that were walked to their end; apart from one another, ascending.
    pub covered: Vec<Interval>,
    /// The time when the walk began that moved the covered end.
    #[serde(default)]
    pub walked_ms: i64,
    /// A window whose walk was interrupted.
    pub open: Option<OpenWindow>,
    /// The time of the last entry with a poll of this source; the next field is the state of that poll.
    pub last_ms: i64,
    pub last_state: String,
    pub polls: u64,
    pub requests: u64,
    pub pages: u64,
    pub received: u64,
    /// See [`Poll::late`].
    pub late: BTreeMap<String, u64>,
    /// See [`Poll::reject_digests`]; the newest [`REMEMBERED_REJECTS`].
    pub rejects: Vec<String>,
}

/// A walk that continues with a cursor, if the server still accepts it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenWindow {
    pub url: String,
    pub window: Interval,
    pub limit: u32,
    pub cursor: String,
    /// The time when the walk began.
    pub started_ms: i64,
    /// See [`Poll::known_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_ms: Option<i64>,
}

/// A part of a period, covered or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub interval: Interval,
    pub is_covered: bool,
    /// Entries that arrived when their time was already covered. They are counted by day: a day belongs to the span in
    /// which it begins.
    pub late: u64,
}

impl PullState {
    /// Adds a poll of the next entry.
    pub(in crate::lake) fn take(&mut self, source: &SourceRange, poll: &Poll, time_ms: i64) {
        let window = poll.window();
        let is_complete = source.state == COMPLETE;
        if let Some(covered) = poll.covering().filter(|_| is_complete) {
            if self.covered.last().is_none_or(|last| last.to_ms <= covered.to_ms) {
                self.walked_ms = poll.started_ms.min(poll.known_ms.unwrap_or(i64::MAX));
            }
            cover(&mut self.covered, covered);
        }
        self.open = poll.cursor.clone().filter(|_| !is_complete).map(|cursor| OpenWindow {
            url: poll.url.clone(),
            window,
            limit: poll.limit,
            cursor,
            started_ms: poll.started_ms,
            known_ms: poll.known_ms,
        });
        self.last_ms = time_ms;
        self.last_state.clone_from(&source.state);
        self.polls += poll.polls;
        self.requests += poll.requests;
        self.pages += poll.pages;
        self.received += poll.received;
        for (day, count) in &poll.late {
            *self.late.entry(day.clone()).or_default() += count;
        }
        self.rejects.extend(poll.reject_digests.iter().cloned());
        let surplus = self.rejects.len().saturating_sub(REMEMBERED_REJECTS);
        self.rejects.drain(..surplus);
    }

    /// Returns the same as far as it is credible at `now_ms`: coverage after that was recorded by a clock that was
    /// ahead, and is a hole.
    pub fn credible(&self, now_ms: i64) -> PullState {
        let covered = self.covered.iter().filter_map(|interval| interval.until(now_ms)).collect();
        PullState { covered, walked_ms: self.walked_ms.min(now_ms), ..self.clone() }
    }

    pub fn is_covered(&self, time_ms: i64) -> bool {
        self.covered.iter().any(|interval| interval.contains(time_ms))
    }

    /// Returns the parts of `period` that were not walked.
    pub fn holes(&self, period: Interval) -> Vec<Interval> {
        let mut holes = Vec::new();
        let mut next = period.from_ms;
        for covered in &self.covered {
            if covered.start() > period.to_ms {
                break;
            }
            if next.is_some_and(|next| covered.to_ms < next) {
                continue;
            }
            if covered.start() > next.unwrap_or(i64::MIN) {
                holes.push(Interval { from_ms: next, to_ms: covered.start() - 1 });
            }
            match covered.to_ms.checked_add(1) {
                Some(after) => next = Some(after),
                None => return holes,
            }
        }
        if next.is_none_or(|next| next <= period.to_ms) {
            holes.push(Interval { from_ms: next, to_ms: period.to_ms });
        }
        holes
    }

    /// Returns the whole, or a period, in covered and uncovered parts. Without a period it goes from the first to the
    /// last covered instant, so that the holes are those between.
    pub fn spans(&self, from_ms: Option<i64>, to_ms: Option<i64>) -> Vec<Span> {
        let known = |interval: Option<&Interval>| interval.map(|interval| (interval.from_ms, interval.to_ms));
        let (first, last) = (known(self.covered.first()), known(self.covered.last()));
        let from_ms = from_ms.or(first.and_then(|(from, _)| from));
        let Some(to_ms) = to_ms.or(last.map(|(_, to)| to)) else { return Vec::new() };
        let period = Interval { from_ms, to_ms };
        if period.start() > to_ms {
            return Vec::new();
        }
        let mut spans: Vec<(Interval, bool)> = self.holes(period).into_iter().map(|hole| (hole, false)).collect();
        for covered in &self.covered {
            let from = covered.start().max(period.start());
            let to_ms = covered.to_ms.min(period.to_ms);
            if from <= to_ms {
                let from_ms = (from != i64::MIN).then_some(from);
                spans.push((Interval { from_ms, to_ms }, true));
            }
        }
        spans.sort_by_key(|(interval, _)| interval.start());
        spans
            .into_iter()
            .map(|(interval, is_covered)| Span { interval, is_covered, late: self.late_in(interval) })
            .collect()
    }

    fn late_in(&self, interval: Interval) -> u64 {
        let begins_in = |day: &str| day_start(day).is_some_and(|start| interval.contains(start));
        self.late.iter().filter(|(day, _)| begins_in(day)).map(|(_, count)| count).sum()
    }
}

/// Adds an interval; intervals that overlap or touch become one.
pub fn cover(covered: &mut Vec<Interval>, mut new: Interval) {
    covered.retain(|old| {
        let is_apart = old.to_ms < new.start().saturating_sub(1) || new.to_ms < old.start().saturating_sub(1);
        if !is_apart {
            new.from_ms = new.from_ms.and_then(|from| old.from_ms.map(|old| old.min(from)));
            new.to_ms = new.to_ms.max(old.to_ms);
        }
        is_apart
    });
    let place = covered.partition_point(|old| old.start() < new.start());
    covered.insert(place, new);
}

fn day_start(day: &str) -> Option<i64> {
    let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    Some(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(from_ms: Option<i64>, to_ms: i64) -> Interval {
        Interval { from_ms, to_ms }
    }

    fn covered(intervals: &[Interval]) -> PullState {
        let mut state = PullState::default();
        intervals.iter().for_each(|interval| cover(&mut state.covered, *interval));
        state
    }

    #[test]
    fn intervals_that_touch_become_one() {
        let mut state = covered(&[interval(Some(10), 19), interval(Some(40), 49), interval(Some(20), 29)]);
        assert_eq!(state.covered, [interval(Some(10), 29), interval(Some(40), 49)]);
        cover(&mut state.covered, interval(None, 5));
        assert_eq!(state.covered.len(), 3);
        cover(&mut state.covered, interval(Some(3), 60));
        assert_eq!(state.covered, [interval(None, 60)]);
        cover(&mut state.covered, interval(Some(0), 10));
        assert_eq!(state.covered, [interval(None, 60)]);
    }

    #[test]
    fn what_was_not_walked_is_a_hole() {
        let state = covered(&[interval(Some(10), 19), interval(Some(30), 39)]);
        assert_eq!(
            state.holes(interval(None, 50)),
            [interval(None, 9), interval(Some(20), 29), interval(Some(40), 50)]
        );
        assert_eq!(state.holes(interval(Some(15), 34)), [interval(Some(20), 29)]);
        assert_eq!(state.holes(interval(Some(12), 18)), []);
        assert_eq!(state.holes(interval(Some(22), 25)), [interval(Some(22), 25)]);
        assert_eq!(covered(&[interval(None, 9)]).holes(interval(None, 9)), []);
        assert_eq!(PullState::default().holes(interval(None, 9)), [interval(None, 9)]);
    }

    #[test]
    fn a_range_without_a_poll_says_nothing_of_one() {
        let range =
            r#"{"kind":"file","name":"a","from":{"offset":0,"line":0},"to":{"offset":1,"line":1},"state":"complete"}"#;
        let range: SourceRange = serde_json::from_str(range).unwrap();
        assert_eq!(range.poll, None);
        assert!(!serde_json::to_string(&range).unwrap().contains("poll"), "entries of files stay as they were");
    }

    #[test]
    fn spans_tell_the_whole_period_in_order() {
        let mut state = covered(&[interval(None, 86_399_999), interval(Some(172_800_000), 200_000_000)]);
        state.late.insert("1970-01-03".to_string(), 3);
        let told: Vec<_> = state.spans(None, None).iter().map(|span| (span.is_covered, span.late)).collect();
        assert_eq!(told, [(true, 0), (false, 0), (true, 3)]);
        let clipped = state.spans(Some(100), Some(172_800_000));
        assert_eq!(clipped[0].interval, interval(Some(100), 86_399_999));
        assert_eq!(clipped.last().unwrap().interval, interval(Some(172_800_000), 172_800_000));
        assert_eq!(PullState::default().spans(Some(1), None), []);
        assert_eq!(PullState::default().spans(Some(1), Some(2)).len(), 1);
    }
}
