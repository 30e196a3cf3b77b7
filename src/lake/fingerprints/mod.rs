//! Fingerprints: eight bytes for each row, by which a batch is looked up without a look into the data files.
//!
//! ```text
//! _fingerprints/<rows>-<16 hex>.bin     header: which data files, where their sections lie, a seal over it
//!                                       sections: the fingerprints of one data file's rows, ascending
//! ```
//!
//! They are a cache. A section says what follows from the bytes of one data file, which it names by SHA-256, so an older
//! section is as true as a new one: a folder that is missing, incomplete, or put back to an older state costs time and
//! hides no event. What is torn or was changed does not meet its seal and is passed over. The seals, and the fingerprints
//! themselves, are keyed with the lake's secret.
//!
//! A batch adds one file. Eight files of about one size become one, so there are few of them whatever the age of the
//! lake, and each fingerprint is copied a few times only. Whoever takes a data file out of its table takes its section
//! out as well.

mod coding;
mod folder;
#[cfg(test)]
mod tests;

use super::Lake;
use super::identity::Hasher;
use crate::error::Result;

pub use folder::{Folder, Gone, Section, add, forget, left_over, remove_damaged, thin};

/// The fingerprints of the rows of one data file, ascending: of each row the hash of its uid, or of its line when it has
/// no uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprints(Vec<u64>);

impl Fingerprints {
    pub fn of(rows: impl IntoIterator<Item = u64>) -> Fingerprints {
        let mut all: Vec<u64> = rows.into_iter().collect();
        if !all.is_sorted() {
            all.sort_unstable();
        }
        Fingerprints(all)
    }

    /// Whether a row may have this fingerprint: false is certain.
    pub fn may_hold(&self, fingerprint: u64) -> bool {
        self.0.binary_search(&fingerprint).is_ok()
    }

    pub fn rows(&self) -> u64 {
        self.0.len() as u64
    }

    pub fn memory_size(&self) -> usize {
        self.0.len() * size_of::<u64>()
    }
}

/// The two keyed hashes with which fingerprints are made and sealed; they need the lake's key.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprinter {
    pub identity: Hasher,
    pub seal: Hasher,
}

impl Fingerprinter {
    /// Errors when the lake's key is not there, or is another lake's.
    pub fn of(lake: &Lake) -> Result<Fingerprinter> {
        Ok(Fingerprinter { identity: lake.hasher("identity")?, seal: lake.hasher("fingerprints")? })
    }

    /// As [`Fingerprinter::of`], for those who can do without.
    pub fn find(lake: &Lake) -> Option<Fingerprinter> {
        match lake.find_key("fingerprints").and_then(|key| key.map(|_| Fingerprinter::of(lake)).transpose()) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "files are written without fingerprints, so that later batches are looked up more slowly");
                None
            }
        }
    }
}
