//! The section `[anchor]` as the file has it.

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// The settings for recording heads of the ledger elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The command that gets the head on its stdin, and answers on its stdout; empty when heads are not recorded.
    pub command: Vec<String>,
    #[serde(deserialize_with = "value::duration")]
    pub every: Duration,
    /// The command that gets the head and the answer on its stdin, and judges by its exit code; empty when answers are
    /// not judged.
    pub verify: Vec<String>,
    #[serde(deserialize_with = "value::some_duration")]
    pub timeout: Duration,
}
