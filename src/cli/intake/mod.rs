//! Commands that bring events into a lake, and that show the results.

pub(super) mod coverage;
pub(super) mod generate;
pub(super) mod ingest;
pub(super) mod progress;
pub(super) mod pull;
pub(super) mod redact;
pub(super) mod redaction;
pub(super) mod reject;
pub(super) mod tally;
