//! The ledger: entries, each of which names the one before by its hash, and the state they add up to.
//!
//! `entry` is the content of an entry, `parse` and `entries` read and write them, and `log` is the ledger that is
//! opened and appended to. `state`, `pulls` and `streams` are what the entries add up to, and a checkpoint is a copy of
//! that.

pub(super) mod change;
pub(super) mod checkpoint;
mod columns;
pub(super) mod entries;
pub(super) mod entry;
pub(super) mod format;
pub(super) mod listing;
pub(super) mod log;
pub(super) mod parse;
mod past;
pub(super) mod poll;
pub(super) mod pulls;
pub(super) mod signed;
pub(super) mod state;
pub(super) mod streams;
pub(super) mod told;
