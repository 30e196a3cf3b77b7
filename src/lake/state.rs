//! What the entries of a ledger add up to: the live files of each table, and how far each source was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::{Body, Counts, Entry, FileEntry, Head, LakeInfo, Mark, Notes, Retried, SourceRange};
use super::poll::PullState;
use crate::error::{Error, Kind, Result};

/// The lake after one entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub sequence: u64,
    /// SHA-256 of the bytes of entry `sequence`.
    pub hash: String,
    /// When that entry was written.
    pub time_ms: i64,
    pub lake: LakeInfo,
    pub tables: BTreeMap<String, TableState>,
    pub streams: Vec<Stream>,
    /// API sources by name. A checkpoint of a version that did not pull has none.
    #[serde(default)]
    pub pulls: BTreeMap<String, PullState>,
    /// Over the whole life of the lake; a reject that was taken in later counts as what it became.
    pub totals: Counts,
    #[serde(default)]
    pub notes: Notes,
    /// Entries that took rejected lines in.
    #[serde(default)]
    pub retries: Vec<u64>,
}

/// The files of one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableState {
    /// The last entry that touched the table: the version that its Delta transaction must have reached.
    pub sequence: u64,
    pub files: Vec<Arc<FileEntry>>,
}

impl TableState {
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// How far one stream was read, whatever the file was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    pub name: String,
    pub head: Head,
    pub mark: Mark,
    /// As in [`SourceRange::before`].
    pub before: Mark,
    /// As in [`SourceRange::state`].
    pub state: String,
    /// The entry that brought it here.
    #[serde(default)]
    pub sequence: u64,
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
            lake: lake.clone(),
            tables: BTreeMap::new(),
            streams: Vec::new(),
            pulls: BTreeMap::new(),
            totals: Counts::default(),
            notes: Notes::default(),
            retries: Vec::new(),
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
        match &entry.body {
            Body::Create(_) => {
                return Err(Error::new(
                    Kind::Integrity,
                    format!("ledger entry {} creates the lake again", entry.sequence),
                ));
            }
            Body::Ingest(ingest) => {
                for file in &ingest.files {
                    let table = self.tables.entry(file.table.clone()).or_default();
                    table.sequence = entry.sequence;
                    table.files.push(Arc::new(file.clone()));
                }
                self.totals.add(&ingest.counts);
                self.notes.add(&ingest.notes);
                self.settle_rejects(entry.sequence, &ingest.retried)?;
                for source in &ingest.sources {
                    self.advance(source, entry.sequence);
                    if let Some(poll) = &source.poll {
                        self.pulls.entry(source.name.clone()).or_default().take(source, poll, entry.time_ms);
                    }
                }
            }
        }
        self.sequence = entry.sequence;
        self.hash = hash;
        self.time_ms = entry.time_ms;
        Ok(())
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

    fn advance(&mut self, source: &SourceRange, sequence: u64) {
        let Some(head) = &source.head else { return };
        let stream = Stream {
            name: source.name.clone(),
            head: head.clone(),
            mark: source.to.clone(),
            before: source.before.clone(),
            state: source.state.clone(),
            sequence,
        };
        // The same stream read further replaces its mark. One that was short when it was first seen had a shorter
        // head then; it is known by the mark it was resumed from.
        let is_from = |mark: &Mark| mark.offset > 0 && *mark == source.from;
        // All streams of which nothing was taken in have the same mark: they are known by their heads.
        let is_new = |known: &Stream| known.mark.offset == 0 && source.from.offset == 0 && known.head == *head;
        let is_at = |known: &Stream| source.to.offset > 0 && known.mark == source.to;
        // Of a file that began as a copy of another one both are kept: the shorter one may come again.
        let is_grown = |known: &Stream| known.name == source.name && (is_from(&known.mark) || is_from(&known.before));
        let same = |known: &Stream| is_grown(known) || is_at(known) || is_new(known);
        match self.streams.iter_mut().find(|known| same(known)) {
            Some(known) => *known = stream,
            None => self.streams.push(stream),
        }
    }
}
