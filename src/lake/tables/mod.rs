//! The tables of a lake: the Delta tables, which follow from the ledger, and the two tables that hold no events.
//!
//! `commit` is the text of a Delta commit, `table` puts it, `recover` finishes what an entry began, and `trust` compares
//! the tables with the ledger. `reject` and `revision` are the schemas of the tables of those names, `described` has the
//! comments on the columns of all.

pub(super) mod commit;
pub(super) mod described;
pub(super) mod recover;
pub(super) mod reject;
pub(super) mod revision;
pub(super) mod table;
mod trust;
