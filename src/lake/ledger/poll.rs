//! A poll of an API source as an entry tells it, and stretches of event time.
//!
//! Times are milliseconds of event time, both bounds inclusive, as the API has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The state of a [`SourceRange`](super::entry::SourceRange) that was walked to its end.
pub const COMPLETE: &str = "complete";

/// A poll of one window of an API source, or a part of one, as far as one ledger entry tells it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    /// The address that was asked; never with a key.
    pub url: String,
    /// The first and the last millisecond that were asked for; none is without a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    pub to_ms: i64,
    /// By our clock, when its walk began, be it in an entry before, and when its last page came.
    pub started_ms: i64,
    pub ended_ms: i64,
    /// What the server can have known, by its own clock: its date when the first page came, but for the settling time.
    /// Nothing later counts as covered, whatever was asked for by a clock that was ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_ms: Option<i64>,
    /// Entries that a page was allowed to have.
    pub limit: u32,
    /// More than one: polls without anything new, told together.
    pub polls: u64,
    /// Including those that failed, and those that found a window to be too large.
    pub requests: u64,
    pub pages: u64,
    pub received: u64,
    pub accepted: u64,
    pub duplicate: u64,
    #[serde(default)]
    pub revised: u64,
    pub rejected: u64,
    /// Accepted entries whose time had been covered before, by day.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<String, u64>,
    /// Received entries whose time is not in the window.
    #[serde(default)]
    pub outside: u64,
    /// In what order entries came: `descending`, `ascending`, `mixed`; empty when that cannot be told.
    #[serde(default)]
    pub order: String,
    /// Where the walk goes on; none when it has ended or begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Keyed hashes of the lines that were rejected, hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject_digests: Vec<String>,
}

impl Poll {
    pub fn window(&self) -> Interval {
        Interval { from_ms: self.from_ms, to_ms: self.to_ms }
    }

    /// What of the window counts as covered once it is walked to its end.
    pub fn covering(&self) -> Option<Interval> {
        self.window().until(self.known_ms.unwrap_or(i64::MAX))
    }
}

/// A stretch of event time, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// None: from the beginning.
    #[serde(default)]
    pub from_ms: Option<i64>,
    pub to_ms: i64,
}

impl Interval {
    pub fn contains(&self, time_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| from <= time_ms) && time_ms <= self.to_ms
    }

    /// The part of it that is not after `last_ms`.
    pub fn until(self, last_ms: i64) -> Option<Interval> {
        (self.start() <= last_ms).then(|| Interval { to_ms: self.to_ms.min(last_ms), ..self })
    }

    /// For comparing: no bound is before all bounds.
    pub fn start(&self) -> i64 {
        self.from_ms.unwrap_or(i64::MIN)
    }
}
