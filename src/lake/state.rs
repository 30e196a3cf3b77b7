//! What the entries of a ledger add up to: the live files of each table, and what was asked of API sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::{Body, CheckpointRef, Counts, Entry, LakeInfo, Notes, Retried};
use super::file::{FileEntry, FileName, Place};
use super::format::{Format, OURS};
use super::poll::PullState;
use crate::error::{Error, Kind, Result};

/// The lake after one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub sequence: u64,
    /// SHA-256 of the bytes of entry `sequence`.
    pub hash: String,
    /// When that entry was written.
    pub time_ms: i64,
    /// Program and version that wrote it.
    pub writer: String,
    pub format: Format,
    pub lake: LakeInfo,
    pub tables: BTreeMap<String, TableState>,
    /// API sources by name.
    pub pulls: BTreeMap<String, PullState>,
    /// Over the whole life of the lake; a reject that was taken in later counts as what it became.
    pub totals: Counts,
    pub notes: Notes,
    /// Entries that took rejected lines in.
    pub retries: Vec<u64>,
    /// The newest checkpoint that is known: entries name it.
    pub checkpoint: Option<CheckpointRef>,
    /// What the entries since that checkpoint weigh.
    pub(super) weight: u64,
}

/// The files of one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableState {
    /// The last entry that touched the table, and the SHA-256 of its bytes.
    pub sequence: u64,
    pub hash: String,
    /// How many entries touched it, each of which is a version of the Delta table.
    pub commits: u64,
    pub files: Vec<Arc<FileEntry>>,
}

impl TableState {
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Adds a file; files of one partition share what they have in common.
    pub(super) fn push(&mut self, file: &FileEntry) {
        let mut file = file.clone();
        // Files come by partition, and most batches are about the newest.
        const LOOK_BACK: usize = 64;
        let known = self.files.iter().rev().take(LOOK_BACK).map(|known| &known.place);
        if let Some(place) = known.into_iter().find(|place: &&Arc<Place>| **place == file.place) {
            file.place = Arc::clone(place);
        }
        self.files.push(Arc::new(file));
    }
}

impl State {
    /// The state after entry 0.
    pub fn begin(entry: &Entry, hash: String) -> Result<State> {
        let Body::Create(lake) = &entry.body else {
            return Err(Error::new(Kind::Integrity, "ledger entry 0 does not create a lake"));
        };
        Ok(State {
            sequence: 0,
            hash,
            time_ms: entry.time_ms,
            writer: entry.writer.clone(),
            // An entry 0 without a format is not read.
            format: entry.format.unwrap_or(OURS),
            lake: lake.clone(),
            tables: BTreeMap::new(),
            pulls: BTreeMap::new(),
            totals: Counts::default(),
            notes: Notes::default(),
            retries: Vec::new(),
            checkpoint: None,
            weight: 0,
        })
    }

    /// Takes in the next entry, whose bytes hash to `hash`.
    pub fn apply(&mut self, entry: &Entry, hash: String) -> Result<()> {
        if entry.sequence != self.sequence + 1 || entry.previous.as_deref() != Some(self.hash.as_str()) {
            return Err(Error::new(
                Kind::Integrity,
                format!(
                    "the ledger's chain is broken at entry {}: it does not follow entry {}",
                    entry.sequence, self.sequence
                ),
            )
            .hint("an entry was changed or replaced; restore `_ledger/` from a backup"));
        }
        if entry.time_ms < self.time_ms {
            let message = format!("ledger entry {} is older than the entry before it", entry.sequence);
            return Err(Error::new(Kind::Integrity, message)
                .hint("no writer of this format does that; restore `_ledger/` from a backup"));
        }
        match &entry.body {
            Body::Create(_) => {
                return Err(Error::new(
                    Kind::Integrity,
                    format!("ledger entry {} creates the lake again", entry.sequence),
                ));
            }
            Body::Ingest(ingest) => {
                for file in &ingest.files {
                    let table = self.tables.entry(file.table().to_string()).or_default();
                    if table.sequence != entry.sequence {
                        table.sequence = entry.sequence;
                        table.hash.clone_from(&hash);
                        table.commits += 1;
                    }
                    table.push(file);
                }
                self.totals.add(&ingest.counts);
                self.notes.add(&ingest.notes);
                self.settle_rejects(entry.sequence, &ingest.retried)?;
                for source in &ingest.sources {
                    if let Some(poll) = &source.poll {
                        self.pulls.entry(source.name.clone()).or_default().take(source, poll, entry.time_ms);
                    }
                }
            }
        }
        if let Some(format) = entry.format {
            self.format = self.format.raised_by(format).unwrap_or(self.format);
        }
        if let Some(checkpoint) = entry.checkpoint
            && self.checkpoint.is_none_or(|known| known.sequence < checkpoint.sequence)
        {
            self.checkpoint = Some(checkpoint);
        }
        self.sequence = entry.sequence;
        self.hash = hash;
        self.time_ms = entry.time_ms;
        self.writer.clone_from(&entry.writer);
        Ok(())
    }

    /// Whether a file of this name is one of the table's.
    pub(super) fn has_file(&self, table: &str, name: FileName) -> bool {
        self.tables.get(table).is_some_and(|table| table.files.iter().rev().any(|file| file.name() == name))
    }

    /// Lines that were counted as rejects are counted as what they are by now.
    fn settle_rejects(&mut self, sequence: u64, retried: &[Retried]) -> Result<()> {
        if retried.is_empty() {
            return Ok(());
        }
        let lines: u64 = retried.iter().map(Retried::count).sum();
        let rejected = self.totals.rejected.checked_sub(lines);
        self.totals.rejected = rejected.ok_or_else(|| {
            let message = format!("ledger entry {sequence} takes in more rejected lines than there are");
            Error::new(Kind::Integrity, message)
        })?;
        // They were read once.
        self.totals.read -= lines;
        self.retries.push(sequence);
        Ok(())
    }
}
