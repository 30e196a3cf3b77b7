//! The section `[anchor]`, as it is written.

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// How heads of the ledger are recorded elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Gets the head on its stdin, and answers on its stdout; empty when heads are recorded nowhere.
    pub command: Vec<String>,
    #[serde(deserialize_with = "value::duration")]
    pub every: Duration,
    /// Gets the head and the answer on its stdin, and judges by its exit code; empty when nobody does.
    pub verify: Vec<String>,
    #[serde(deserialize_with = "value::some_duration")]
    pub timeout: Duration,
}
