//! Requests that were refused before anything was read: counted, and kept apart by reason, user and address.
//!
//! Anybody can cause them as often as they like, so each does not get a line of its own. The first of a kind does, at
//! once, and then the tenth, the hundredth: a line covers all since the line before, so that a server that is killed
//! loses less than nine tenths of a count and never a kind. Nobody is charged with the requests of others: a field that
//! differs between the requests of a line is not in it, and when there are too many kinds, the rest is counted by
//! reason alone, without an address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::reading::Reading;

/// Kinds that are kept apart until the next line of each is due anyway.
const KINDS: usize = 1000;

type Kind = (Option<&'static str>, Option<String>, Option<IpAddr>);

/// Counts of one interval.
#[derive(Default)]
pub struct Refusals {
    kinds: HashMap<Kind, Counted>,
    since: Option<Instant>,
}

struct Counted {
    /// The count of the whole interval.
    count: u64,
    /// The refused requests that are not in a line yet.
    waiting: Option<Reading>,
}

impl Refusals {
    /// Returns when the first of this interval came.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Counts one. Returns the line that is due with it.
    pub fn count(&mut self, reading: Reading) -> Option<Reading> {
        self.since.get_or_insert_with(Instant::now);
        let user = reading.user.as_ref().map(|(user, _)| user.clone());
        let mut kind: Kind = (reading.code, user, reading.peer);
        let mut reading = reading;
        if !self.kinds.contains_key(&kind) && self.kinds.len() >= KINDS {
            kind = (reading.code, None, None);
            reading = reading.of_nobody();
        }
        let counted = self.kinds.entry(kind).or_insert(Counted { count: 0, waiting: None });
        counted.count += 1;
        let is_due = is_power_of_ten(counted.count);
        counted.waiting = Some(match counted.waiting.take() {
            Some(waiting) => waiting.with(reading),
            None => reading,
        });
        if is_due { counted.waiting.take() } else { None }
    }

    /// Restores the counts of a line that could not be written.
    pub fn restore(&mut self, line: Reading) {
        let user = line.user.as_ref().map(|(user, _)| user.clone());
        if let Some(counted) = self.kinds.get_mut(&(line.code, user, line.peer)) {
            counted.waiting = Some(match counted.waiting.take() {
                Some(waiting) => line.with(waiting),
                None => line,
            });
        }
    }

    /// Returns the lines that are left, and ends the interval.
    pub fn drain(&mut self) -> Vec<Reading> {
        self.since = None;
        let mut lines: Vec<Reading> = self.kinds.drain().filter_map(|(_, counted)| counted.waiting).collect();
        lines.sort_by_key(|line| line.start_ms);
        lines
    }
}

fn is_power_of_ten(count: u64) -> bool {
    10_u64.checked_pow(count.ilog10()) == Some(count)
}

#[cfg(test)]
mod tests {
    use super::super::reading::blank;
    use super::*;

    fn refused(peer: &str, agent: &str, time_ms: i64) -> Reading {
        let blank = blank(format!("{peer}-{time_ms}"), format!("{peer}:1").parse().unwrap(), time_ms, "/p");
        Reading { code: Some("invalid_api_key"), status: 401, user_agent: Some(agent.to_string()), ..blank }
    }

    fn told(line: &Reading) -> (String, u64, i64, i64) {
        (line.peer.map(|peer| peer.to_string()).unwrap_or_default(), line.count, line.start_ms, line.time_ms)
    }

    /// Twenty guesses of one client and one of a bystander were once "the bystander, 22 times".
    #[test]
    fn a_guess_is_booked_on_nobody_else() {
        let mut refusals = Refusals::default();
        let mut written = Vec::new();
        for time_ms in 0..20 {
            written.extend(refusals.count(refused("192.0.2.1", "bruteforce-A", time_ms)));
        }
        written.extend(refusals.count(refused("192.0.2.77", "bystander", 30)));
        assert_eq!(refusals.count(refused("192.0.2.1", "other", 40)).map(|line| told(&line)), None);
        let of = |peer: &str, count, start, end| (peer.to_string(), count, start, end);
        let lines: Vec<_> = written.iter().map(told).collect();
        assert_eq!(lines, [of("192.0.2.1", 1, 0, 0), of("192.0.2.1", 9, 1, 9), of("192.0.2.77", 1, 30, 30)]);
        let left = refusals.drain();
        assert_eq!(left.iter().map(told).collect::<Vec<_>>(), [of("192.0.2.1", 11, 10, 40)]);
        // They differ in their agent, so the line names none as the one, and both as seen.
        assert_eq!((left[0].user_agent.as_deref(), left[0].agents.len()), (None, 2));
        assert!(refusals.drain().is_empty() && refusals.since().is_none());
    }

    #[test]
    fn kinds_are_bounded_and_the_rest_has_no_address() {
        let mut refusals = Refusals::default();
        let address = |number: usize| format!("10.{}.{}.1", number / 256, number % 256);
        let written = (0..KINDS + 500).filter_map(|number| refusals.count(refused(&address(number), "a", 0)));
        let written: Vec<Reading> = written.collect();
        let left = refusals.drain();
        let of_nobody: u64 =
            written.iter().chain(&left).filter(|line| line.peer.is_none()).map(|line| line.count).sum();
        assert_eq!((of_nobody, written.len() + left.len()), (500, KINDS + 4));
        assert!(left.iter().all(|line| line.user_agent.is_none() && line.agents.is_empty()));
    }

    #[test]
    fn a_line_that_could_not_be_written_is_not_lost() {
        let mut refusals = Refusals::default();
        let first = refusals.count(refused("192.0.2.1", "a", 0)).unwrap();
        assert!(refusals.count(refused("192.0.2.1", "a", 1)).is_none());
        refusals.restore(first);
        assert_eq!(refusals.drain().iter().map(told).collect::<Vec<_>>(), [("192.0.2.1".to_string(), 2, 0, 1)]);
    }
}
