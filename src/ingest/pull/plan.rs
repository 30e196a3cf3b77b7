//! The windows to request, and their order.
//!
//! Windows that were never covered come first, from the oldest on, then the overlap is read again. Oldest first,
//! because then all that is known about a backfill is one instant: everything before it is in the lake, and nothing
//! that arrives meanwhile moves a page of a day that is over.
//!
//! How far back the log goes is not documented. So the first window has no beginning, and a window whose first page is
//! not its last is halved before it is walked, down to one or two days: that finds the beginning of the log in a few
//! dozen requests wherever it is, and reads a small one in one request. A window that fits into one page doubles the
//! next, so quiet years cost little; in busy times it goes day by day, and a cursor that the server no longer accepts
//! costs at most one or two days of pages.

use chrono::DateTime;

use super::Scope;
use crate::lake::{Interval, PullState};

pub(super) const DAY_MS: i64 = 86_400_000;
/// A window up to this length is walked whatever its number of pages; half of it is about a day.
const SHORT_MS: i64 = 2 * DAY_MS;

/// The windows that are left to request from one source.
#[derive(Debug)]
pub(super) struct Plan {
    /// The windows in ascending order, apart from one another.
    todo: Vec<Interval>,
    /// The limit of the length of the next window; `None` is no limit.
    span_ms: Option<i64>,
    whole_ms: i64,
}

impl Plan {
    /// Plans for a source with its coverage so far, up to `to_ms`, which is now less the settling time. `walked_ms` is
    /// when the walk began that moved the covered end.
    pub fn new(covered: &[Interval], walked_ms: i64, scope: &Scope, overlap_ms: i64, to_ms: i64) -> Plan {
        // Nothing in the future was walked, whatever a clock said that was ahead.
        let state = PullState { covered: covered.to_vec(), walked_ms, ..PullState::default() }.credible(to_ms);
        let (covered, walked_ms) = (&state.covered, state.walked_ms);
        let end_ms = scope.until_ms.map_or(to_ms, |until| to_ms.min(until - 1));
        let period = Interval { from_ms: scope.since_ms, to_ms: end_ms };
        if period.from_ms.is_some_and(|from| from > end_ms) {
            return Plan { todo: Vec::new(), span_ms: None, whole_ms: 0 };
        }
        let mut todo = state.holes(period);
        // Late entries lie before the covered end. A period that ends in the past is read again only when that was
        // requested.
        let again_ms = scope.deep_ms.or(scope.until_ms.is_none().then_some(overlap_ms)).unwrap_or(0);
        let begun = covered.iter().filter(|interval| interval.from_ms.is_none_or(|from| from <= end_ms));
        let reached = begun.map(|interval| interval.to_ms.min(end_ms)).max();
        // In a backfill that continues, events that happened long before its walk had the whole overlap to arrive in.
        let is_old = scope.deep_ms.is_none() && reached.is_some_and(|reached| walked_ms - overlap_ms > reached);
        if let Some(reached) = reached.filter(|_| again_ms > 0 && !is_old) {
            let from = reached.saturating_sub(again_ms).saturating_add(1);
            let from = scope.since_ms.map_or(from, |since| since.max(from));
            let begins = covered.first().and_then(|interval| interval.from_ms);
            let from = begins.map_or(from, |begins| begins.max(from));
            if from <= reached {
                crate::lake::cover(&mut todo, Interval { from_ms: Some(from), to_ms: reached });
            }
        }
        let whole_ms = todo.iter().map(length).sum();
        Plan { todo, span_ms: None, whole_ms }
    }

    /// Returns the next window to request.
    pub fn next(&self) -> Option<Interval> {
        let whole = *self.todo.first()?;
        let Some(span) = self.span_ms.filter(|span| *span < length(&whole)) else { return Some(whole) };
        let start = whole.from_ms.unwrap_or(0);
        // Windows end with a day, so that they look the same in every account.
        let end = midnight(start.saturating_add(span)).max(midnight(start) + DAY_MS) - 1;
        Some(Interval { from_ms: whole.from_ms, to_ms: end.min(whole.to_ms) })
    }

    /// Returns whether a window is requested in smaller pieces when it has more than one page.
    pub fn is_divisible(window: &Interval) -> bool {
        length(window) > SHORT_MS
    }

    /// Narrows the next window, which was too large.
    pub fn narrow(&mut self, window: &Interval) {
        self.span_ms = Some((length(window) / 2).max(DAY_MS));
    }

    /// Records that the next window was walked to its end.
    pub fn done(&mut self, window: &Interval, pages: u64) {
        if let Some(first) = self.todo.first_mut() {
            if window.to_ms < first.to_ms {
                first.from_ms = Some(window.to_ms + 1);
            } else {
                self.todo.remove(0);
            }
        }
        self.span_ms = match pages {
            0 | 1 => self.span_ms.and_then(|span| span.checked_mul(2)),
            _ => Some(DAY_MS),
        };
    }

    /// Removes what lies after `to_ms`, because now is earlier than was thought.
    pub fn limit(&mut self, to_ms: i64) {
        self.todo = self.todo.iter().filter_map(|window| window.until(to_ms)).collect();
    }

    /// Returns the share of the time in question that is done, 0 to 1.
    pub fn share_done(&self) -> f64 {
        let left: i64 = self.todo.iter().map(length).sum();
        if self.whole_ms == 0 { 1.0 } else { 1.0 - left as f64 / self.whole_ms as f64 }
    }
}

/// Returns the milliseconds of a window; one without a beginning counts from 1970.
fn length(window: &Interval) -> i64 {
    window.to_ms.saturating_sub(window.from_ms.unwrap_or(0)).saturating_add(1).max(0)
}

fn midnight(time_ms: i64) -> i64 {
    time_ms.div_euclid(DAY_MS) * DAY_MS
}

/// Formats an instant for messages.
pub(super) fn show(time_ms: i64) -> String {
    DateTime::from_timestamp_millis(time_ms)
        .map_or_else(|| time_ms.to_string(), |time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600_000;
    const OVERLAP: i64 = DAY_MS;

    fn interval(from_ms: Option<i64>, to_ms: i64) -> Interval {
        Interval { from_ms, to_ms }
    }

    /// Walks a plan over a log whose entries are at `times`, in pages of `limit`.
    fn walk(mut plan: Plan, times: &[i64], limit: usize) -> (Vec<Interval>, usize) {
        let (mut walked, mut requests) = (Vec::new(), 0);
        while let Some(window) = plan.next() {
            let pages = times.iter().filter(|time| window.contains(**time)).count().div_ceil(limit).max(1);
            if pages > 1 && Plan::is_divisible(&window) {
                requests += 1;
                plan.narrow(&window);
                continue;
            }
            requests += pages;
            plan.done(&window, pages as u64);
            walked.push(window);
            assert!(requests < 10_000, "the plan does not end");
        }
        (walked, requests)
    }

    fn whole(walked: &[Interval]) -> Vec<Interval> {
        let mut covered = Vec::new();
        walked.iter().for_each(|window| crate::lake::cover(&mut covered, *window));
        covered
    }

    #[test]
    fn a_small_log_takes_one_request() {
        let plan = Plan::new(&[], 0, &Scope::default(), OVERLAP, NOW);
        let (walked, requests) = walk(plan, &[NOW - 5, NOW - 3 * 365 * DAY_MS], 100);
        assert_eq!((walked, requests), (vec![interval(None, NOW)], 1));
    }

    #[test]
    fn the_beginning_of_a_large_log_is_found_in_few_requests() {
        let times: Vec<i64> = (0..30_000).map(|n| NOW - n * 60_000 * 3).collect();
        let plan = Plan::new(&[], 0, &Scope::default(), OVERLAP, NOW);
        let (walked, requests) = walk(plan, &times, 100);
        assert_eq!(whole(&walked), [interval(None, NOW)]);
        let pages: usize = walked.iter().map(|w| times.iter().filter(|t| w.contains(**t)).count().div_ceil(100)).sum();
        assert!(requests - pages < 40, "{requests} requests for {pages} pages");
        let is_short = |window: &&Interval| length(window) <= SHORT_MS;
        assert!(walked.iter().filter(is_short).count() > 55, "the busy part goes day by day: {walked:?}");
    }

    #[test]
    fn a_quiet_year_within_a_log_costs_little() {
        let mut times: Vec<i64> = (0..500).map(|n| NOW - 700 * DAY_MS - n * 1000).collect();
        times.extend((0..500).map(|n| NOW - n * 1000));
        let (walked, requests) = walk(Plan::new(&[], 0, &Scope::default(), OVERLAP, NOW), &times, 100);
        assert_eq!(whole(&walked), [interval(None, NOW)]);
        assert!(requests < 80, "{requests}");
    }

    #[test]
    fn after_the_first_time_only_the_overlap_is_read_again() {
        let covered = [interval(None, NOW - 60_000)];
        let plan = Plan::new(&covered, 0, &Scope::default(), OVERLAP, NOW);
        assert_eq!(plan.todo, [interval(Some(NOW - 60_000 - DAY_MS + 1), NOW)]);
        let deep = Scope { deep_ms: Some(30 * DAY_MS), ..Scope::default() };
        assert_eq!(Plan::new(&covered, 0, &deep, OVERLAP, NOW).todo[0].from_ms, Some(NOW - 60_000 - 30 * DAY_MS + 1));
        // A backfill continues where it stopped.
        let old = [interval(None, NOW - 100 * DAY_MS)];
        assert_eq!(
            Plan::new(&old, NOW, &Scope::default(), OVERLAP, NOW).todo,
            [interval(Some(NOW - 100 * DAY_MS + 1), NOW)]
        );
        // Nothing has settled since.
        assert_eq!(Plan::new(&[interval(None, NOW)], 0, &Scope::default(), 0, NOW).todo, []);
    }

    #[test]
    fn holes_are_filled_oldest_first_and_a_scope_cuts() {
        let covered =
            [interval(Some(1000 * DAY_MS), 1100 * DAY_MS - 1), interval(Some(1200 * DAY_MS), 1300 * DAY_MS - 1)];
        let plan = Plan::new(&covered, 0, &Scope::default(), DAY_MS, 1400 * DAY_MS);
        assert_eq!(
            plan.todo,
            [
                interval(None, 1000 * DAY_MS - 1),
                interval(Some(1100 * DAY_MS), 1200 * DAY_MS - 1),
                interval(Some(1299 * DAY_MS), 1400 * DAY_MS)
            ]
        );
        let scope = Scope { since_ms: Some(1050 * DAY_MS), until_ms: Some(1150 * DAY_MS), deep_ms: None };
        let plan = Plan::new(&covered, 0, &scope, DAY_MS, 1400 * DAY_MS);
        assert_eq!(plan.todo, [interval(Some(1100 * DAY_MS), 1150 * DAY_MS - 1)]);
        let scope = Scope { since_ms: Some(1000 * DAY_MS), until_ms: Some(1100 * DAY_MS), deep_ms: None };
        assert!(Plan::new(&covered, 0, &scope, DAY_MS, 1400 * DAY_MS).next().is_none());
        let scope = Scope { deep_ms: Some(10 * DAY_MS), ..scope };
        assert_eq!(
            Plan::new(&covered, 0, &scope, DAY_MS, 1400 * DAY_MS).todo,
            [interval(Some(1090 * DAY_MS), 1100 * DAY_MS - 1)]
        );
    }
}
