//! Merges small files, and removes the replaced ones when their time of grace is over.
//!
//! A partition's small files become files of a target size. The entry names the files that it replaces and those that
//! it adds, and is refused where the digests of the two differ. Replaced files are in `_replaced/` from then on, where
//! readers of older states find them and a plain glob does not, until an entry of kind `drop` removes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use serde::Serialize;

use super::super::files::file::FileEntry;
use super::super::ledger::change::{Change, Paths, paths_of};
use super::super::ledger::entry::{Body, Compact};
use super::super::ledger::state::State;
use super::super::writing::stage::Made;
use super::keeper::Keeper;
use super::merge::{MERGED_BYTES, Rows};
use crate::error::{Error, Kind, Result};
use crate::failpoint;

/// The most rows of one merged file: two row groups.
const MERGED_ROWS: u64 = 256 * 1024;
/// The most files that one entry replaces.
const ENTRY_FILES: usize = 20_000;
/// A file smaller than this is merged whenever others are.
const FLOOR: u64 = 1 << 20;

/// Options of a compaction.
#[derive(Debug, Clone)]
pub struct CompactOptions {
    /// The target size of files. One of half the size is left alone.
    pub target_bytes: u64,
    /// The time that replaced files are kept.
    pub grace: Duration,
    /// After an ingest: merge where a partition has at least this many small files.
    pub from_files: usize,
    /// After an ingest: begin nothing new after this time.
    pub budget: Duration,
}

impl Default for CompactOptions {
    fn default() -> Self {
        CompactOptions {
            target_bytes: 32 << 20,
            grace: Duration::from_secs(7 * 86_400),
            from_files: 32,
            budget: Duration::from_secs(10),
        }
    }
}

/// The result of a compaction, real or foreseen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// The entries that were written; none for a dry run.
    pub entries: Vec<u64>,
    pub files_before: u64,
    pub bytes_before: u64,
    /// Unknown for a dry run.
    pub files_after: u64,
    pub bytes_after: u64,
    pub rows: u64,
    /// Replaced files that were removed.
    pub dropped: u64,
    pub dropped_bytes: u64,
    /// Files that were replaced and are kept for now.
    pub kept: u64,
    pub kept_bytes: u64,
    /// Groups of files that were not merged, for lack of time or because another run had changed them.
    pub left: u64,
}

/// Files of one table and partition that become one file.
pub type Group = Vec<Arc<FileEntry>>;

/// Returns the groups to merge. `is_thorough`: wherever there are two small files; else where there are many.
pub fn plan(state: &State, options: &CompactOptions, is_thorough: bool) -> Vec<Group> {
    let mut folders: BTreeMap<(&str, &str), Group> = BTreeMap::new();
    for (name, table) in &state.tables {
        for file in table.files.iter().filter(|file| file.bytes < options.target_bytes / 2) {
            folders.entry((name, file.partition())).or_default().push(file.clone());
        }
    }
    let mut groups = Vec::new();
    for mut files in folders.into_values() {
        if !is_thorough {
            files = worthwhile(files);
            if files.len() < options.from_files.max(2) {
                continue;
            }
        }
        files.sort_by_key(|file| (file.min_time_us, file.name().sequence, file.name().part));
        let (mut group, mut bytes, mut rows) = (Group::new(), 0, 0);
        for file in files {
            if !group.is_empty() && (bytes + file.bytes > options.target_bytes || rows + file.rows > MERGED_ROWS) {
                groups.push(std::mem::take(&mut group));
                (bytes, rows) = (0, 0);
            }
            bytes += file.bytes;
            rows += file.rows;
            group.push(file);
        }
        groups.push(group);
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Leaves out files that are much larger than all smaller ones together: merging would write them again and again.
fn worthwhile(mut files: Group) -> Group {
    files.sort_by_key(|file| file.bytes);
    let mut sum = 0;
    let is_worth = |file: &Arc<FileEntry>| {
        let is_worth = file.bytes <= FLOOR.max(2 * sum);
        sum += file.bytes;
        is_worth
    };
    files.into_iter().take_while(is_worth).collect()
}

/// Describes what a compaction would do.
pub fn foresee(state: &State, options: &CompactOptions, now_ms: i64) -> Compacted {
    let groups = plan(state, options, true);
    let files = groups.iter().flatten();
    let due = due(state, options.grace, now_ms);
    let (dropped, dropped_bytes) = due.iter().fold((0, 0), |sum, aside| (sum.0 + aside.1, sum.1 + aside.2));
    let (kept, kept_bytes) = state.replaced();
    Compacted {
        files_before: files.clone().count() as u64,
        bytes_before: files.clone().map(|file| file.bytes).sum(),
        rows: files.map(|file| file.rows).sum(),
        files_after: groups.len() as u64,
        dropped,
        dropped_bytes,
        kept: kept - dropped,
        kept_bytes: kept_bytes - dropped_bytes,
        ..Compacted::default()
    }
}

/// Returns the entries whose replaced files have had their time of grace, with their files and bytes.
fn due(state: &State, grace: Duration, now_ms: i64) -> Vec<(u64, u64, u64)> {
    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    let is_over = |time_ms: i64| time_ms.saturating_add(grace_ms) <= now_ms;
    let due = state.aside.iter().filter(|aside| is_over(aside.time_ms));
    due.map(|aside| (aside.sequence, aside.files, aside.bytes)).collect()
}

impl Keeper {
    /// Merges small files, and removes those that were replaced long enough ago.
    pub async fn compact(&mut self, options: &CompactOptions, is_thorough: bool) -> Result<Compacted> {
        let began = Instant::now();
        let is_late = || !is_thorough && began.elapsed() >= options.budget;
        self.catch_up().await?;
        let mut done = Compacted::default();
        let groups = plan(self.state(), options, is_thorough);
        let (mut made, mut replaced, mut files): (Vec<Made>, Group, usize) = (Vec::new(), Group::new(), 0);
        let all = groups.len();
        for (number, group) in groups.into_iter().enumerate() {
            if is_late() {
                done.left += (all - number) as u64;
                break;
            }
            files += group.len();
            self.merge(group, &mut made, &mut replaced).await?;
            let bytes: u64 = made.iter().map(|made| made.bytes.len() as u64).sum();
            if bytes >= self.entry_bytes || files >= ENTRY_FILES {
                self.record(std::mem::take(&mut made), std::mem::take(&mut replaced), &mut done).await?;
                files = 0;
            }
        }
        self.record(made, replaced, &mut done).await?;
        self.drop_replaced(options.grace, &mut done).await?;
        // What was merged is in the lake whatever becomes of this.
        if let Err(error) = self.complete_fingerprints(is_thorough, is_late).await {
            tracing::warn!(%error, "cannot make the fingerprints that files lack: batches look into the files");
        }
        (done.kept, done.kept_bytes) = self.state().replaced();
        Ok(done)
    }

    /// Merges a group, in pieces where its rows take too much memory.
    async fn merge(&self, group: Group, made: &mut Vec<Made>, replaced: &mut Group) -> Result<()> {
        let store: Arc<dyn ObjectStore> = self.lake().store();
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut piece = Group::new();
        let mut pieces = Vec::new();
        for file in group {
            let read = Rows::read(&store, &file).await?;
            if bytes > 0 && bytes + read.bytes > MERGED_BYTES {
                pieces.push((std::mem::take(&mut piece), self.merged(std::mem::take(&mut rows)).await?));
                bytes = 0;
            }
            bytes += read.bytes;
            rows.push(read);
            piece.push(file);
        }
        pieces.push((piece, self.merged(rows).await?));
        for (piece, one) in pieces {
            // A file that is alone by now stays as it is.
            let Some(one) = one.filter(|_| piece.len() > 1) else { continue };
            let (rows, digest) = (piece.iter().map(|f| f.rows).sum::<u64>(), piece.iter().map(|f| f.digest).sum());
            if one.file.rows != rows || one.file.digest != digest {
                let message = format!("cannot merge {} files of `{}`", piece.len(), one.file.table());
                return Err(Error::new(
                    Kind::Integrity,
                    format!("{message}: their rows are not those that were written"),
                )
                .hint("nothing was changed; `auditlake verify --level 3` says which file was"));
            }
            made.push(one);
            replaced.extend(piece);
        }
        failpoint::reached("keep.merged");
        Ok(())
    }

    /// Writes an entry for files that were merged.
    async fn record(&mut self, made: Vec<Made>, replaced: Group, done: &mut Compacted) -> Result<()> {
        if made.is_empty() {
            return Ok(());
        }
        let paths = paths_of(replaced.iter().map(Arc::as_ref));
        let (rows, digest) =
            (replaced.iter().map(|file| file.rows).sum(), replaced.iter().map(|file| file.digest).sum());
        let body = |_: &State, files: Vec<FileEntry>| {
            let change = Change { files, replaced: paths.clone(), ..Change::default() };
            Ok(Some(Body::Compact(Compact { change, rows, digest })))
        };
        match self.commit(&made, body).await? {
            None => done.left += made.len() as u64,
            Some(sequence) => {
                done.entries.push(sequence);
                done.rows += rows;
                done.files_before += replaced.len() as u64;
                done.bytes_before += replaced.iter().map(|file| file.bytes).sum::<u64>();
                done.files_after += made.len() as u64;
                done.bytes_after += made.iter().map(|made| made.file.bytes).sum::<u64>();
            }
        }
        Ok(())
    }

    /// Removes files that were replaced long enough ago, by an entry that names them.
    async fn drop_replaced(&mut self, grace: Duration, done: &mut Compacted) -> Result<()> {
        let due = due(self.state(), grace, self.now_ms());
        if due.is_empty() {
            return Ok(());
        }
        let settled: Vec<u64> = due.iter().map(|aside| aside.0).collect();
        let dropped = self.set_aside_by(&settled).await?;
        let body = |state: &State, _: Vec<FileEntry>| {
            let is_there = |sequence: &u64| state.aside.iter().any(|aside| aside.sequence == *sequence);
            let change = Change { dropped: dropped.clone(), settled: settled.clone(), ..Change::default() };
            Ok(settled.iter().all(is_there).then_some(Body::Drop(change)))
        };
        if let Some(sequence) = self.commit(&[], body).await? {
            done.entries.push(sequence);
            (done.dropped, done.dropped_bytes) = due.iter().fold((0, 0), |sum, one| (sum.0 + one.1, sum.1 + one.2));
        }
        Ok(())
    }

    /// Returns the files that some entries set aside.
    pub(super) async fn set_aside_by(&self, sequences: &[u64]) -> Result<Paths> {
        let mut paths = Paths::new();
        for sequence in sequences {
            let (entry, _) = self.lake().entry(*sequence).await?;
            for (table, path) in entry.body.change().iter().flat_map(|change| change.set_aside()) {
                paths.entry(table.to_string()).or_default().push(path.to_string());
            }
        }
        Ok(paths)
    }
}
