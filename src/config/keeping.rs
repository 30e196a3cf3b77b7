//! `[compact]` and `[retain]`: how a lake is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::value;
use crate::lake::{CompactOptions, RetainPolicy};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compact {
    pub(super) automatic: bool,
    #[serde(deserialize_with = "value::size")]
    target: u64,
    files: usize,
    #[serde(deserialize_with = "value::duration")]
    budget: Duration,
    #[serde(deserialize_with = "value::duration")]
    grace: Duration,
}

impl Compact {
    pub(super) fn options(&self) -> CompactOptions {
        CompactOptions { target_bytes: self.target, grace: self.grace, from_files: self.files, budget: self.budget }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retain {
    #[serde(deserialize_with = "value::duration_or_none")]
    keep: Option<Duration>,
    class: BTreeMap<String, Keep>,
}

/// The time that one table is kept.
#[derive(Debug, Clone, Deserialize)]
struct Keep(#[serde(deserialize_with = "value::duration_or_none")] Option<Duration>);

impl Retain {
    pub(super) fn policy(&self) -> RetainPolicy {
        let tables = self.class.iter().map(|(table, keep)| (table.clone(), keep.0)).collect();
        RetainPolicy { keep: self.keep, tables }
    }
}
