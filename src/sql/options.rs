//! Options for running a session's queries, and the part of the lake that it sees.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;

use super::conventions::Conventions;

/// Options for running a session's queries.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes that all queries of the session may hold before they spill; `None` is no limit.
    pub memory_limit: Option<usize>,
    /// The folder that queries spill to (`None` is the system's for temporary files); the next field limits its bytes.
    pub spill_folder: Option<PathBuf>,
    pub spill_limit: Option<u64>,
    /// How long a statement may take, from its text to its last row.
    pub timeout: Option<Duration>,
    /// The state of the lake to see; `None` is the newest.
    pub as_of: Option<AsOf>,
    /// Events before `since_us` and at or after `until_us` do not exist for the session.
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    /// The conventions; `None` means the embedded ones.
    pub conventions: Option<Arc<Conventions>>,
    /// Names of the optimizer's rules to leave out: none of them may change an answer, which a test checks.
    pub without_rules: Vec<String>,
    /// Whether to answer from the tables of classes alone, without reading or keeping facts.
    pub without_facts: bool,
    /// The folder for facts when the lake is not writable.
    pub facts_folder: Option<PathBuf>,
    /// Tables that replace the lake's, or conventions which stand for an input, by their names.
    pub given: Vec<(String, Arc<dyn TableProvider>)>,
}

/// A state of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// The state after this ledger entry.
    Sequence(u64),
    /// The state after the last entry that was written at or before this time.
    Time { time_ms: i64 },
}
