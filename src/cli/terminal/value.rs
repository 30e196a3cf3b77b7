//! Values of flags, read by [`crate::typed`]. The error of the command line names flag and text; these errors add the
//! reason and the right form.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::sql::AsOf;
use crate::typed::{self, When};

/// The value of `--as-of`: a ledger entry, or a time. Thirteen digits are milliseconds: no lake has that many entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Sequence(u64),
    When(When),
}

impl State {
    pub fn as_of(self, now_ms: i64) -> AsOf {
        match self {
            State::Sequence(sequence) => AsOf::Sequence(sequence),
            // Entries have whole milliseconds: a finer time is rounded down, to the last entry before it.
            State::When(when) => AsOf::Time { time_ms: when.micros(now_ms).div_euclid(1000) },
        }
    }
}

pub fn state(text: &str) -> Result<State, String> {
    let is_sequence = text.len() < 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(sequence) if is_sequence => Ok(State::Sequence(sequence)),
        _ => when(text).map(State::When).map_err(|why| format!("{why}; or the number of a ledger entry")),
    }
}

pub fn when(text: &str) -> Result<When, String> {
    said(text, text.parse())
}

/// Reads a duration above zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    match said(text, typed::parse_duration(text))? {
        Duration::ZERO => Err("write a duration longer than that".to_string()),
        duration => Ok(duration),
    }
}

/// Reads a duration, or `0s` for no waiting.
pub fn lock_timeout(text: &str) -> Result<Duration, String> {
    said(text, typed::parse_duration(text))
}

/// Reads a size above zero.
pub fn size(text: &str) -> Result<u64, String> {
    match said(text, typed::parse_size(text))? {
        0 => Err("write a size greater than that".to_string()),
        size => Ok(size),
    }
}

pub fn count(text: &str) -> Result<u64, String> {
    said(text, typed::parse_count(text))
}

/// Checks that a period is not empty.
pub fn check_period(since: Option<i64>, until: Option<i64>) -> Result<()> {
    match (since, until) {
        (Some(since), Some(until)) if since >= until => {
            Err(Error::usage("the period is empty: --since must be before --until")
                .hint("--until is the first instant after the period"))
        }
        _ => Ok(()),
    }
}

/// Returns the reason and the hint of an error, without the words that the command line adds itself.
fn said<T>(text: &str, read: Result<T>) -> Result<T, String> {
    read.map_err(|error| {
        let message = error.message();
        let why = message.split_once(&format!("`{text}`: ")).map(|(_, why)| why);
        let parts: Vec<&str> = [why, error.hint_text()].into_iter().flatten().collect();
        if parts.is_empty() { message.to_string() } else { parts.join("; ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_once() {
        assert_eq!(
            when("2026-02-30").unwrap_err(),
            "this day does not exist; write 2026-01-31, 2026-01-31 12:00 or 2026-01-31T12:00:00Z; or 7d for seven days ago"
        );
        assert_eq!(duration("90").unwrap_err(), "it has no unit: write 90s, 90m, 90h or 90d");
        assert!(duration("0s").is_err() && size("0").is_err());
        assert_eq!(size("1MiB"), Ok(1 << 20));
    }

    #[test]
    fn a_state_is_an_entry_or_a_time() {
        let now_ms = 1_767_225_600_000;
        let as_of = |text: &str| state(text).unwrap().as_of(now_ms);
        assert_eq!(as_of("7"), AsOf::Sequence(7));
        assert_eq!(as_of("999999999999"), AsOf::Sequence(999_999_999_999));
        assert_eq!(as_of("1767225600000"), AsOf::Time { time_ms: now_ms });
        assert_eq!(as_of("2026-01-01"), AsOf::Time { time_ms: now_ms });
        assert_eq!(as_of("1d"), AsOf::Time { time_ms: now_ms - 86_400_000 });
        assert!(state("yesterday").unwrap_err().ends_with("or the number of a ledger entry"));
    }
}
