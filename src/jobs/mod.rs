//! Schedules: when a job is due, what was done, and doing each job once.
//!
//! ```text
//! Calendar (cron, systemd) + Log (what was done) + now -> occurrences, the oldest first -> act -> Log -> afterwards
//! ```
//!
//! Nothing here knows what a job does: the caller passes closures. The log is a hash-chained list of files in the lake,
//! `_runs/`, beside the ledger and not in it: an entry of the ledger is a new state of the data, which every session,
//! cache and Delta table has to follow, and a report that ran changes no data. A lake of an older program would also
//! refuse entries of a kind it does not know.

mod calendar;
mod due;
mod log;

pub use calendar::Calendar;
pub use due::{Acted, Job, Told, run_due};
pub use log::{Body, Entry, Log};

/// The lake's log of runs. Its name begins with an underscore, like everything that is not a table.
pub const RUNS: &str = "_runs";
