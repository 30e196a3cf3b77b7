//! How a session runs its queries, and which part of the lake it sees.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;

use super::conventions::Conventions;

/// How a session runs its queries.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes that all queries of the session may hold before they spill; none is no limit.
    pub memory_limit: Option<usize>,
    /// Where queries spill to, and how many bytes may lie there; none is the system's folder for temporary files.
    pub spill_folder: Option<PathBuf>,
    pub spill_limit: Option<u64>,
    /// How long a statement may take, from its text to its last row.
    pub timeout: Option<Duration>,
    /// The state of the lake to see; none is the newest.
    pub as_of: Option<AsOf>,
    /// Events before `since_us` and at or after `until_us` do not exist for the session.
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    /// The conventions; none are those inside the program.
    pub conventions: Option<Arc<Conventions>>,
    /// Rules of the optimizer to leave out, by their names: none of them may change an answer, and a test looks.
    pub without_rules: Vec<String>,
    /// Answer from the tables of classes alone, and neither read nor keep facts.
    pub without_facts: bool,
    /// Where facts are kept when the lake cannot be written.
    pub facts_folder: Option<PathBuf>,
    /// Tables that take the place of the lake's, or of conventions which stand for an input, by their names.
    pub given: Vec<(String, Arc<dyn TableProvider>)>,
}

/// A state of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this ledger entry.
    Sequence(u64),
    /// After the last entry that was written at or before this time.
    Time { time_ms: i64 },
}
