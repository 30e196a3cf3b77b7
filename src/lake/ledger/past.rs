//! Older states of a lake, and the fate of their files.

use std::collections::HashSet;
use std::path::PathBuf;

use super::super::Lake;
use super::super::files::layout::{data_path, replaced_path};
use super::super::files::name::FileName;
use super::state::State;
use crate::error::{Error, Kind, Result};

impl Lake {
    /// Returns the state after entry `sequence`.
    ///
    /// Errors with [`Kind::Unavailable`] when files of that state were removed since.
    pub async fn state_at(&self, sequence: u64) -> Result<State> {
        let state = self.ledger.state_at(sequence).await?;
        self.check_files(&state)?;
        Ok(state)
    }

    /// Returns the state after entry `sequence` as the ledger has it, whether or not its files still exist.
    pub async fn state_as_recorded(&self, sequence: u64) -> Result<State> {
        self.ledger.state_at(sequence).await
    }

    /// Counts the files of an older state that are off the disk: their time of grace was over, or rows of them were
    /// removed.
    pub fn files_gone(&self, state: &State) -> u64 {
        let head = self.state();
        let gone = state.tables.iter().map(|(name, table)| {
            let live = head.tables.get(name).map_or(&[][..], |table| &table.files);
            let live: HashSet<FileName> = live.iter().map(|file| file.name()).collect();
            let left = table.files.iter().filter(|file| !live.contains(&file.name()));
            left.filter(|file| !self.place_of(name, &file.path()).exists()).count() as u64
        });
        gone.sum()
    }

    /// Returns where a data file is: in its table, or in the folder of files that left it.
    pub fn place_of(&self, table: &str, path: &str) -> PathBuf {
        let place = self.root.join(data_path(table, path).as_ref());
        if place.exists() { place } else { self.root.join(replaced_path(table, path).as_ref()) }
    }

    fn check_files(&self, state: &State) -> Result<()> {
        let gone = self.files_gone(state);
        if gone == 0 {
            return Ok(());
        }
        let message = format!(
            "cannot read the lake as it was after ledger entry {}: {gone} of its files were merged into others or lost \
             rows to retention, and were removed since",
            state.sequence
        );
        Err(Error::new(Kind::Unavailable, message).hint(
            "`select * from ingest_log where kind in ('drop', 'retain', 'erase')` lists the entries that did; the rows \
             that are left are in the lake as it is now",
        ))
    }
}
