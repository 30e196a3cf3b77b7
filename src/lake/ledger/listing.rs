//! The names in `_ledger/`, listed before anything in it is trusted.
//!
//! Absence never counts as the end: an entry that was deleted, or a folder that was put back to an older state, would
//! otherwise pass for a younger lake, and the next commit would make that final.

use std::collections::BTreeSet;

use super::super::files::layout::{checkpoint_sequence, entry_sequence};
use super::checkpoint::kept;
use crate::error::{Error, Kind, Result};

/// The entries and checkpoints that a ledger's folder holds.
#[derive(Debug, Default)]
pub struct Listing {
    entries: BTreeSet<u64>,
    checkpoints: Vec<(u64, String)>,
}

impl Listing {
    pub fn of(names: impl IntoIterator<Item = String>) -> Listing {
        let mut listing = Listing::default();
        for name in names {
            if let Some(sequence) = entry_sequence(&name) {
                listing.entries.insert(sequence);
            } else if let Some(sequence) = checkpoint_sequence(&name) {
                listing.checkpoints.push((sequence, name));
            }
        }
        listing
    }

    /// Returns the newest entry; `None` when there is none at all.
    ///
    /// Errors with [`Kind::Integrity`] when one before it is missing.
    pub fn head(&self) -> Result<Option<u64>> {
        let Some(&head) = self.entries.last() else { return Ok(None) };
        if self.entries.len() as u64 == head + 1 {
            return Ok(Some(head));
        }
        let missing = (0..head).find(|sequence| !self.entries.contains(sequence)).unwrap_or_default();
        let after = self.entries.range(missing..).next().copied().unwrap_or(head);
        Err(gap(missing, after))
    }

    /// Returns the files of checkpoints that need not be kept; the file that names the others comes first.
    pub fn surplus_checkpoints(&self, head: u64) -> impl Iterator<Item = &str> {
        let kept = kept(&self.checkpoints.iter().map(|(sequence, _)| *sequence).collect(), head);
        let mut surplus: Vec<&(u64, String)> =
            self.checkpoints.iter().filter(|(sequence, _)| !kept.contains(sequence)).collect();
        surplus.sort_by_key(|(sequence, name)| (*sequence, !name.ends_with(".json")));
        surplus.into_iter().map(|(_, name)| name.as_str())
    }
}

/// Makes the error for a missing entry `missing` before an existing entry `after`.
pub fn gap(missing: u64, after: u64) -> Error {
    Error::new(Kind::Integrity, format!("ledger entry {missing} is missing, and entry {after} is there"))
        .hint("restore `_ledger/` from a backup; nothing was written")
}

#[cfg(test)]
mod tests {
    use super::super::super::files::layout::entry_path;
    use super::*;

    fn listing(sequences: &[u64]) -> Listing {
        Listing::of(sequences.iter().map(|sequence| entry_path(*sequence).filename().unwrap().to_string()))
    }

    #[test]
    fn a_gap_is_no_end() {
        assert_eq!(listing(&[]).head().unwrap(), None);
        assert_eq!(listing(&[0, 2, 1]).head().unwrap(), Some(2));
        for (sequences, missing) in [(&[0, 2][..], 1), (&[1, 2], 0), (&[0, 1, 5], 2)] {
            let error = listing(sequences).head().unwrap_err();
            assert_eq!(error.kind(), Kind::Integrity);
            assert!(error.to_string().contains(&format!("ledger entry {missing} is missing")), "{error}");
        }
    }
}
