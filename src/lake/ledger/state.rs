//! The state that the entries of a ledger add up to: the live files of each table, and the polls of API sources.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::super::files::file::{FileEntry, Place, RowDigest};
use super::super::files::name::FileName;
use super::change::{Aside, Change};
use super::entry::{Body, CheckpointRef, Compact, Counts, Entry, Hold, HoldStep, LakeInfo, Notes, Retain, Retried};
use super::format::{FIRST, Format};
use super::pulls::PullState;
use crate::error::{Error, Kind, Result};

/// The lake after one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub sequence: u64,
    /// SHA-256 of the bytes of entry `sequence`.
    pub hash: String,
    /// The time when that entry was written.
    pub time_ms: i64,
    /// Program and version that wrote it.
    pub writer: String,
    pub format: Format,
    pub lake: LakeInfo,
    pub tables: BTreeMap<String, TableState>,
    /// API sources by name.
    pub pulls: BTreeMap<String, PullState>,
    /// Counts over the whole life of the lake; a reject that was ingested later counts as what it became.
    pub totals: Counts,
    pub notes: Notes,
    /// Entries that ingested rejected lines.
    pub retries: Vec<u64>,
    /// Files that left their tables and are still on the disk, by the entry that replaced them.
    pub aside: Vec<Aside>,
    /// For each table the time before which events were removed and are not ingested again; microseconds since 1970.
    pub before_us: BTreeMap<String, i64>,
    /// The holds in force.
    pub holds: Vec<Hold>,
    /// The newest known checkpoint: entries name it.
    pub checkpoint: Option<CheckpointRef>,
    /// The weight of the entries since that checkpoint.
    pub(in crate::lake) weight: u64,
}

/// The files of one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableState {
    /// The last entry that touched the table, and the SHA-256 of its bytes.
    pub sequence: u64,
    pub hash: String,
    /// The number of entries that touched it, each of which is a version of the Delta table.
    pub commits: u64,
    /// Whether the last of them removed files from the table.
    pub is_rewritten: bool,
    pub files: Vec<Arc<FileEntry>>,
}

impl TableState {
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Adds a file; files of one partition share their common parts.
    pub(in crate::lake) fn push(&mut self, file: &FileEntry) {
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
    /// Returns the state after entry 0.
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
            format: entry.format.unwrap_or(FIRST),
            lake: lake.clone(),
            tables: BTreeMap::new(),
            pulls: BTreeMap::new(),
            totals: Counts::default(),
            notes: Notes::default(),
            retries: Vec::new(),
            aside: Vec::new(),
            before_us: BTreeMap::new(),
            holds: Vec::new(),
            checkpoint: None,
            weight: 0,
        })
    }

    /// Applies the next entry, whose bytes hash to `hash`.
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
                self.add_files(entry.sequence, &hash, &ingest.files);
                self.totals.add(&ingest.counts);
                self.notes.add(&ingest.notes);
                self.settle_rejects(entry.sequence, &ingest.retried)?;
                for source in &ingest.sources {
                    if let Some(poll) = &source.poll {
                        self.pulls.entry(source.name.clone()).or_default().take(source, poll, entry.time_ms);
                    }
                }
            }
            _ => {}
        }
        if let Some(change) = entry.body.change() {
            self.check(&entry.body).map_err(|error| {
                let message = format!("ledger entry {} is not sound", entry.sequence);
                Error::new(Kind::Integrity, message).caused_by(error).hint("restore `_ledger/` from a backup")
            })?;
            self.change(entry, &hash, change);
        }
        match &entry.body {
            Body::Retain(retain) => self.retain(retain),
            Body::Hold(HoldStep::Add(hold)) => self.holds.push(hold.clone()),
            Body::Hold(HoldStep::Release { name, .. }) => self.holds.retain(|hold| hold.name != *name),
            _ => {}
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

    /// Begins the effect of entry `sequence` on a table: one version of its Delta log.
    fn touch(&mut self, table: &str, sequence: u64, hash: &str) -> &mut TableState {
        let table = self.tables.entry(table.to_string()).or_default();
        if table.sequence != sequence {
            table.sequence = sequence;
            table.hash = hash.to_string();
            table.commits += 1;
            table.is_rewritten = false;
        }
        table
    }

    fn add_files(&mut self, sequence: u64, hash: &str, files: &[FileEntry]) {
        for file in files {
            self.touch(file.table(), sequence, hash).push(file);
        }
    }

    /// Removes files from their tables, and adds others.
    fn change(&mut self, entry: &Entry, hash: &str, change: &Change) {
        let aside: HashSet<(&str, &str)> = change.set_aside().collect();
        let mut left = Aside { sequence: entry.sequence, time_ms: entry.time_ms, files: 0, bytes: 0 };
        for (name, paths) in &change.replaced {
            let gone: HashSet<&str> = paths.iter().map(String::as_str).collect();
            let table = self.touch(name, entry.sequence, hash);
            table.is_rewritten = true;
            table.files.retain(|file| {
                let path = file.path();
                let is_gone = gone.contains(path.as_str());
                if is_gone && aside.contains(&(name.as_str(), path.as_str())) {
                    left.files += 1;
                    left.bytes += file.bytes;
                }
                !is_gone
            });
        }
        self.add_files(entry.sequence, hash, &change.files);
        self.aside.retain(|aside| !change.settled.contains(&aside.sequence));
        if left.files > 0 {
            self.aside.push(left);
        }
    }

    fn retain(&mut self, retain: &Retain) {
        for (table, before_us) in &retain.before_us {
            let known = self.before_us.entry(table.clone()).or_insert(i64::MIN);
            *known = (*known).max(*before_us);
        }
    }

    /// Errors with [`Kind::Conflict`] when files that an entry replaces do not exist, and with [`Kind::Internal`] when
    /// it would not keep the rows that it claims to keep. Such an entry must not be written, and is not believed.
    pub(in crate::lake) fn check(&self, body: &Body) -> Result<()> {
        let Some(change) = body.change() else { return Ok(()) };
        let (mut rows, mut digest) = (0, RowDigest::default());
        for (name, paths) in &change.replaced {
            let files = self.files_at(name, paths)?;
            rows += files.iter().map(|file| file.rows).sum::<u64>();
            digest = digest.plus(files.iter().map(|file| file.digest).sum());
        }
        let after_rows: u64 = change.files.iter().map(|file| file.rows).sum();
        let after: RowDigest = change.files.iter().map(|file| file.digest).sum();
        if let Body::Compact(Compact { rows: told, digest: says, .. }) = body
            && (*told != rows || *says != digest)
        {
            return Err(uneven("the merged files do not have the rows that the entry tells"));
        }
        let (gone_rows, gone, new) = body.difference();
        if rows == after_rows + gone_rows && digest.plus(new) == after.plus(gone) {
            Ok(())
        } else {
            Err(uneven("the files after it do not hold the rows of the files before it"))
        }
    }

    /// Returns the files of a table at these paths, all of which must be its files.
    pub(in crate::lake) fn files_at(&self, name: &str, paths: &[String]) -> Result<Vec<&Arc<FileEntry>>> {
        let wanted: HashSet<&str> = paths.iter().map(String::as_str).collect();
        let all = self.tables.get(name).map_or(&[][..], |table| &table.files);
        let found: Vec<&Arc<FileEntry>> = all.iter().filter(|file| wanted.contains(file.path().as_str())).collect();
        if found.len() == paths.len() {
            Ok(found)
        } else {
            Err(Error::new(
                Kind::Conflict,
                format!("cannot replace files of `{name}`: some of them are not in the table"),
            )
            .hint("another run replaced them first; run the command again"))
        }
    }

    /// Returns whether a file of this name is one of the table's.
    pub(in crate::lake) fn has_file(&self, table: &str, name: FileName) -> bool {
        self.tables.get(table).is_some_and(|table| table.files.iter().rev().any(|file| file.name() == name))
    }

    /// Returns bytes and number of files that were replaced and are still on the disk.
    pub fn replaced(&self) -> (u64, u64) {
        self.aside.iter().fold((0, 0), |(files, bytes), aside| (files + aside.files, bytes + aside.bytes))
    }

    /// Counts lines that were counted as rejects as what they are by now.
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

fn uneven(why: &str) -> Error {
    Error::new(Kind::Integrity, format!("cannot replace files: {why}"))
        .hint("nothing was changed; `auditlake verify --level 3` says which file is not what was written")
}
