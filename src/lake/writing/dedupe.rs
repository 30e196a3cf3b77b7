//! Have we seen this event? The index is the lake itself, so no crash can put it out of step.
//!
//! An event is looked up in the files whose time range meets its own time: first the fingerprints of the file's rows, or
//! its bloom filter of uids where there are none, and only when those cannot exclude it the columns of its identity, once
//! a file and process. An event without a uid has no identity beyond its place; it is looked up by the digest of its line,
//! to count exact doubles.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt, TryStreamExt};
use hashbrown::HashMap as FastMap;
use object_store::ObjectStore;

use super::super::REVISION_TABLE;
use super::super::files::file::FileEntry;
use super::super::fingerprints::{Fingerprinter, Fingerprints, Folder};
use super::super::identity::{Hasher, Key, Known, digests};
use super::super::reading::read::{self, Excluding};
use super::super::tables::revision;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::Hash32;

/// What is remembered of files between batches, filters and rows together: two million rows.
const REMEMBERED_BYTES: usize = 96 << 20;

/// Files that are looked at together, and the rows that they have at most.
const TOGETHER_FILES: usize = 8192;
const TOGETHER_ROWS: u64 = 1 << 19;

/// Files whose filters one task reads, and tasks that are at it.
const FILES_A_TASK: usize = 32;
const TASKS: usize = 4;

/// A row as it is looked up. Without a uid, `identity` is the digest of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Indexed {
    uid: u64,
    identity: u128,
    digest: u128,
    row: u64,
}

/// The rows of one file, sorted for look-up.
#[derive(Debug, Default)]
pub struct Rows(Vec<Indexed>);

impl Rows {
    /// Reads the rows of a file of `table` from its batches; with the columns of their identity, at least.
    pub fn of(table: &str, batches: &[RecordBatch], hasher: &Hasher) -> Result<Option<Rows>> {
        let mut rows = Vec::new();
        for batch in batches {
            if !add(table, batch, hasher, &mut rows)? {
                return Ok(None);
            }
        }
        Ok(Some(Rows::sorted(rows)))
    }

    fn sorted(mut rows: Vec<Indexed>) -> Rows {
        rows.sort_unstable_by_key(|row| (row.uid, row.identity));
        rows.shrink_to_fit();
        Rows(rows)
    }

    pub fn fingerprints(&self) -> Fingerprints {
        Fingerprints::of(self.0.iter().map(|row| row.uid))
    }

    fn memory_size(&self) -> usize {
        self.0.len() * size_of::<Indexed>()
    }

    fn find(&self, key: Key, mut found: impl FnMut(Match)) {
        let place = |row: &Indexed| (row.uid, row.identity);
        let from = self.0.partition_point(|row| place(row) < (key.uid, key.identity));
        let to = from + self.0[from..].partition_point(|row| place(row) == (key.uid, key.identity));
        for row in &self.0[from..to] {
            found(Match::Twin { row: row.row, digest: row.digest });
        }
        let is_of_uid = |at: Option<usize>| at.and_then(|at| self.0.get(at)).is_some_and(|row| row.uid == key.uid);
        if is_of_uid(from.checked_sub(1)) || is_of_uid(Some(to)) {
            found(Match::Shared);
        }
    }
}

/// The fingerprints of the rows of a file in the lake.
pub async fn fingerprints(store: &Arc<dyn ObjectStore>, file: &FileEntry, hasher: &Hasher) -> Result<Fingerprints> {
    let mut rows = Vec::with_capacity(file.rows as usize);
    let mut batches = read::identities(store, file).await?;
    while let Some(batch) = batches.try_next().await? {
        if !add(file.table(), &batch, hasher, &mut rows)? {
            return Err(read::lacks_columns(file));
        }
    }
    Ok(Fingerprints::of(rows.iter().map(|row| row.uid)))
}

/// Adds the rows of a batch, which follow those that are there; false when it lacks our own columns.
fn add(table: &str, batch: &RecordBatch, hasher: &Hasher, rows: &mut Vec<Indexed>) -> Result<bool> {
    let known = if table == REVISION_TABLE { revision::known(batch)? } else { Known::of_events(batch)? };
    let Some(digests) = digests(batch) else { return Ok(false) };
    let first = rows.len() as u64;
    for ((key, digest), row) in known.keys(hasher)?.into_iter().zip(digests).zip(first..) {
        let Key { uid, identity } = key.unwrap_or(of_line(digest));
        rows.push(Indexed { uid, identity, digest, row });
    }
    Ok(true)
}

/// The key of a row that has no uid.
pub fn of_line(digest: u128) -> Key {
    Key { uid: digest as u64, identity: digest }
}

/// An event to look up.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub uid: Option<&'a str>,
    pub key: Key,
    pub time_us: i64,
}

/// What a file has of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// A row of the same identity.
    Twin { row: u64, digest: u128 },
    /// A row of the same uid and another identity.
    Shared,
}

/// A row that stands in the lake.
#[derive(Debug, Clone)]
pub struct Twin {
    pub file: Arc<FileEntry>,
    pub row: u64,
    pub digest: u128,
}

/// What is known of one file.
#[derive(Debug)]
enum Looked {
    Outside(Excluding),
    Printed(Fingerprints),
    Inside(Rows),
}

impl Looked {
    /// Whether the file may have a row of the candidate's uid or, without one, of its line.
    fn may_hold(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Looked::Outside(excluding) => excluding.may_hold(candidate.uid),
            Looked::Printed(fingerprints) => fingerprints.may_hold(candidate.key.uid),
            Looked::Inside(_) => true,
        }
    }

    fn memory_size(&self) -> usize {
        match self {
            Looked::Outside(excluding) => excluding.memory_size(),
            Looked::Printed(fingerprints) => fingerprints.memory_size(),
            Looked::Inside(rows) => rows.memory_size(),
        }
    }
}

/// Reads by what uids are excluded from files, in the order of the files: fingerprints, and filters where there are none.
fn looks(
    store: &Arc<dyn ObjectStore>,
    folder: Folder,
    files: Vec<Arc<FileEntry>>,
) -> impl Stream<Item = Result<(Arc<FileEntry>, Looked)>> + Unpin + use<> {
    let (store, folder) = (store.clone(), Arc::new(folder));
    let pieces = together(files).into_iter().map(move |files| {
        let (store, folder) = (store.clone(), folder.clone());
        async move { Ok::<_, Error>(futures::stream::iter(look(&store, &folder, files).await?.into_iter().map(Ok))) }
    });
    futures::stream::iter(pieces).then(|piece| piece).try_flatten().boxed()
}

async fn look(
    store: &Arc<dyn ObjectStore>,
    folder: &Folder,
    files: Vec<Arc<FileEntry>>,
) -> Result<Vec<(Arc<FileEntry>, Looked)>> {
    let mut printed = folder.read(&files).await;
    let others = files.iter().filter(|file| !printed.contains_key(&file.sha256)).cloned().collect();
    let mut others = excluding(store, others);
    let mut looked = Vec::with_capacity(files.len());
    for file in files {
        let look = match printed.remove(&file.sha256) {
            Some(fingerprints) => Looked::Printed(fingerprints),
            None => match others.try_next().await? {
                Some((_, excluding)) => Looked::Outside(excluding),
                None => return Err(Error::new(Kind::Internal, format!("{file} was not looked at"))),
            },
        };
        looked.push((file, look));
    }
    Ok(looked)
}

/// The files, in pieces that take little memory.
fn together(files: Vec<Arc<FileEntry>>) -> Vec<Vec<Arc<FileEntry>>> {
    let mut pieces: Vec<Vec<Arc<FileEntry>>> = Vec::new();
    let mut rows = 0;
    for file in files {
        rows += file.rows;
        match pieces.last_mut() {
            Some(piece) if piece.len() < TOGETHER_FILES && rows <= TOGETHER_ROWS => piece.push(file),
            _ => {
                rows = file.rows;
                pieces.push(vec![file]);
            }
        }
    }
    pieces
}

/// What excludes uids from files, in their order; several tasks read it.
fn excluding(
    store: &Arc<dyn ObjectStore>,
    files: Vec<Arc<FileEntry>>,
) -> impl Stream<Item = Result<(Arc<FileEntry>, Excluding)>> + Unpin + use<> {
    let store = store.clone();
    let some: Vec<Vec<Arc<FileEntry>>> = files.chunks(FILES_A_TASK).map(<[_]>::to_vec).collect();
    let tasks = some.into_iter().map(move |files| {
        let store = store.clone();
        let task = async move {
            let mut read = Vec::with_capacity(files.len());
            for file in files {
                let excluding = read::excluding(&store, &file).await?;
                read.push(Ok((file, excluding)));
            }
            Ok::<_, Error>(futures::stream::iter(read))
        };
        async move { tokio::spawn(task).await.context(Kind::Internal, || "a task that reads filters stopped")? }
    });
    futures::stream::iter(tasks).buffered(TASKS).try_flatten().boxed()
}

#[derive(Debug)]
struct Remembered {
    looked: Looked,
    bytes: usize,
    /// The look-up that used it last.
    used: u64,
}

/// What the process remembers of the lake's files, bounded.
#[derive(Debug)]
pub struct Index {
    fingerprinter: Fingerprinter,
    files: HashMap<Hash32, Remembered>,
    bytes: usize,
    /// Bytes that are remembered at most. A file that takes more than half of them is read anew when it is needed.
    limit: usize,
    look_ups: u64,
    /// Files of which anything was read.
    pub files_read: u64,
}

impl Index {
    pub fn new(fingerprinter: Fingerprinter) -> Self {
        Index { fingerprinter, files: HashMap::new(), bytes: 0, limit: REMEMBERED_BYTES, look_ups: 0, files_read: 0 }
    }

    #[cfg(test)]
    pub fn limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    #[cfg(test)]
    pub fn remembered(&self) -> usize {
        self.bytes
    }

    pub fn hasher(&self) -> Hasher {
        self.fingerprinter.identity
    }

    /// Tells for each candidate, by its number, what `files` have of it.
    pub async fn look_up<'f>(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        files: impl Iterator<Item = &'f Arc<FileEntry>>,
        candidates: &[Candidate<'_>],
        mut found: impl FnMut(usize, &Arc<FileEntry>, Match),
    ) -> Result<()> {
        self.look_ups += 1;
        let mut by_time: Vec<usize> = (0..candidates.len()).collect();
        by_time.sort_by_key(|&i| candidates[i].time_us);
        let meets = |file: &'f Arc<FileEntry>| {
            let from = by_time.partition_point(|&i| candidates[i].time_us < file.min_time_us);
            let to = by_time.partition_point(|&i| candidates[i].time_us <= file.max_time_us);
            (from < to).then_some((file, from..to, self.files.contains_key(&file.sha256)))
        };
        let met: Vec<_> = files.filter_map(meets).collect();
        let unknown = met.iter().filter(|(_, _, is_known)| !is_known).map(|(file, ..)| Arc::clone(file));
        let unknown: Vec<Arc<FileEntry>> = unknown.collect();
        let mut coming = match unknown.is_empty() {
            true => None,
            false => {
                let wanted = unknown.iter().map(|file| file.sha256);
                let folder = Folder::open(store, self.fingerprinter.seal, wanted).await;
                Some(looks(store, folder, unknown))
            }
        };
        for (file, range, is_known) in met {
            if !is_known
                && let Some(coming) = &mut coming
                && let Some((file, look)) = coming.try_next().await?
            {
                self.learn(&file, look);
            }
            self.look_into(store, file, candidates, &by_time[range], &mut found).await?;
        }
        Ok(())
    }

    /// Keeps what excludes uids from a file.
    fn learn(&mut self, file: &FileEntry, look: Looked) {
        self.files_read += u64::from(matches!(look, Looked::Outside(_)));
        self.keep(file, look);
    }

    async fn look_into(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        file: &Arc<FileEntry>,
        candidates: &[Candidate<'_>],
        wanted: &[usize],
        found: &mut impl FnMut(usize, &Arc<FileEntry>, Match),
    ) -> Result<()> {
        if !self.files.contains_key(&file.sha256) {
            // It was forgotten since: more is looked at than is remembered.
            let excluding = read::excluding(store, file).await?;
            self.learn(file, Looked::Outside(excluding));
        }
        let Some(remembered) = self.files.get_mut(&file.sha256) else { return Ok(()) };
        remembered.used = self.look_ups;
        if !matches!(remembered.looked, Looked::Inside(_)) {
            let looked = &remembered.looked;
            let maybe: Vec<usize> = wanted.iter().copied().filter(|&i| looked.may_hold(&candidates[i])).collect();
            if maybe.is_empty() {
                return Ok(());
            }
            self.files_read += u64::from(matches!(looked, Looked::Printed(_)));
            if file.rows as usize * size_of::<Indexed>() > self.limit / 2 {
                return self.pass(store, file, candidates, &maybe, found).await;
            }
            let mut rows = Vec::with_capacity(file.rows as usize);
            self.read(store, file, |batch, hasher| add(file.table(), batch, hasher, &mut rows)).await?;
            self.remember(file, Rows::sorted(rows));
        }
        if let Some(Remembered { looked: Looked::Inside(rows), .. }) = self.files.get(&file.sha256) {
            for &i in wanted {
                rows.find(candidates[i].key, |of| found(i, file, of));
            }
        }
        Ok(())
    }

    /// Looks a file through without remembering it: it is too large.
    async fn pass(
        &self,
        store: &Arc<dyn ObjectStore>,
        file: &Arc<FileEntry>,
        candidates: &[Candidate<'_>],
        wanted: &[usize],
        found: &mut impl FnMut(usize, &Arc<FileEntry>, Match),
    ) -> Result<()> {
        let by_identity: FastMap<u128, usize> = wanted.iter().map(|&i| (candidates[i].key.identity, i)).collect();
        let mut by_uid: FastMap<u64, Vec<usize>> = FastMap::new();
        for &i in wanted {
            by_uid.entry(candidates[i].key.uid).or_default().push(i);
        }
        let mut before = 0;
        let each = |batch: &RecordBatch, hasher: &Hasher| {
            let mut rows = Vec::with_capacity(batch.num_rows());
            let is_whole = add(file.table(), batch, hasher, &mut rows)?;
            for row in &rows {
                let twin = by_identity.get(&row.identity).copied();
                if let Some(i) = twin {
                    found(i, file, Match::Twin { row: before + row.row, digest: row.digest });
                }
                // One word about a uid is enough.
                let sharers = by_uid.get_mut(&row.uid).map(std::mem::take).unwrap_or_default();
                for i in sharers {
                    if twin == Some(i) {
                        by_uid.entry(row.uid).or_default().push(i);
                    } else {
                        found(i, file, Match::Shared);
                    }
                }
            }
            before += batch.num_rows() as u64;
            Ok(is_whole)
        };
        self.read(store, file, each).await
    }

    async fn read(
        &self,
        store: &Arc<dyn ObjectStore>,
        file: &FileEntry,
        mut each: impl FnMut(&RecordBatch, &Hasher) -> Result<bool>,
    ) -> Result<()> {
        let mut batches = read::identities(store, file).await?;
        while let Some(batch) = batches.try_next().await? {
            if !each(&batch, &self.fingerprinter.identity)? {
                return Err(read::lacks_columns(file));
            }
        }
        Ok(())
    }

    /// Remembers the rows of a file.
    pub fn remember(&mut self, file: &FileEntry, rows: Rows) {
        if rows.memory_size() <= self.limit / 2 {
            self.keep(file, Looked::Inside(rows));
        }
    }

    /// Keeps what is known of a file; when that is too much, the half that was not used for the longest time goes.
    fn keep(&mut self, file: &FileEntry, looked: Looked) {
        let (name, bytes) = (file.sha256, looked.memory_size());
        self.bytes += bytes;
        if let Some(old) = self.files.insert(name, Remembered { looked, bytes, used: self.look_ups }) {
            self.bytes -= old.bytes;
        }
        if self.bytes <= self.limit {
            return;
        }
        let mut by_use: Vec<(u64, Hash32)> =
            self.files.iter().map(|(name, file)| (file.used, *name)).filter(|(_, name)| *name != file.sha256).collect();
        by_use.sort_unstable();
        for (_, name) in by_use {
            if self.bytes <= self.limit / 2 {
                break;
            }
            if let Some(gone) = self.files.remove(&name) {
                self.bytes -= gone.bytes;
            }
        }
    }
}
