//! The tables that a statement can name: those of the lake, of its ledger, and of its schema.
//!
//! `table` is a table of the lake as one scan of Parquet files, and `scope` is the part of the lake that a session sees.

pub(super) mod activity;
pub(super) mod coverage_table;
pub(super) mod deferred;
pub(super) mod ledger_table;
pub(super) mod purpose;
pub(super) mod scope;
pub(super) mod table;
