//! A batch after the look-up.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::super::ledger::entry::Notes;

/// A batch after the look-up: what is new, by table, and what is not.
#[derive(Default)]
pub(in crate::lake) struct Sifted {
    pub tables: BTreeMap<String, Vec<RecordBatch>>,
    pub revisions: Vec<RecordBatch>,
    pub accepted: u64,
    pub duplicates: u64,
    pub revised: u64,
    /// Events of a time that retention removed.
    pub outside: u64,
    pub notes: Notes,
}

impl Sifted {
    /// Counts a duplicate whose line is not the same, byte for byte.
    pub fn redelivered(&mut self) {
        self.duplicates += 1;
        self.notes.redelivered += 1;
    }
}
