//! One run of a report, and the basis of its result.
//!
//! `run` runs the statement. `facts` says how much of what it needs the log covers, from `coverage` and `reads`, and
//! `reason` why it could not see the rest. `findings` judges rows, `suppress` knows the explained ones, and `record` is
//! `evidence.json`.

pub(super) mod coverage;
pub(super) mod facts;
pub(super) mod findings;
mod geo;
pub(super) mod hashes;
pub(super) mod input;
pub(super) mod reads;
pub(super) mod reason;
pub(super) mod record;
pub(super) mod run;
pub(super) mod suppress;
