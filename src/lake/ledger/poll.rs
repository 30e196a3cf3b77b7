//! A poll of an API source as an entry records it, and stretches of event time.
//!
//! Times are milliseconds of event time, both bounds inclusive, as in the API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The state of a [`SourceRange`](super::entry::SourceRange) that was walked to its end.
pub const COMPLETE: &str = "complete";

/// A poll of one window of an API source, or the part of one that one ledger entry records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    /// The address of the requests; never with a key.
    pub url: String,
    /// The first requested millisecond, and the next field the last; `None` is without a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    pub to_ms: i64,
    /// By our clock, when its walk began, be it in an entry before, and when its last page came.
    pub started_ms: i64,
    pub ended_ms: i64,
    /// The time up to which the server can have known events, by its own clock: its date when the first page came, less
    /// the settling time. Nothing later counts as covered, whatever was requested by a clock that was ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_ms: Option<i64>,
    /// The most entries that a page could have.
    pub limit: u32,
    /// More than one: polls without anything new, merged.
    pub polls: u64,
    /// Requests, including those that failed, and those that found a window to be too large.
    pub requests: u64,
    pub pages: u64,
    pub received: u64,
    pub accepted: u64,
    pub duplicate: u64,
    #[serde(default)]
    pub revised: u64,
    pub rejected: u64,
    /// Accepted entries whose time was already covered, by day.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<String, u64>,
    /// Received entries whose time is not in the window.
    #[serde(default)]
    pub outside: u64,
    /// The order in which entries came: `descending`, `ascending`, `mixed`; empty when it is unknown.
    #[serde(default)]
    pub order: String,
    /// The cursor with which the walk continues; `None` when it has ended or begins anew.
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

    /// Returns the part of the window that counts as covered once it is walked to its end.
    pub fn covering(&self) -> Option<Interval> {
        self.window().until(self.known_ms.unwrap_or(i64::MAX))
    }
}

/// A stretch of event time, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The beginning; `None` means from the beginning of time.
    #[serde(default)]
    pub from_ms: Option<i64>,
    pub to_ms: i64,
}

impl Interval {
    pub fn contains(&self, time_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| from <= time_ms) && time_ms <= self.to_ms
    }

    /// Returns the part of it that is not after `last_ms`.
    pub fn until(self, last_ms: i64) -> Option<Interval> {
        (self.start() <= last_ms).then(|| Interval { to_ms: self.to_ms.min(last_ms), ..self })
    }

    /// Returns the start for comparisons: no bound is before all bounds.
    pub fn start(&self) -> i64 {
        self.from_ms.unwrap_or(i64::MIN)
    }
}
