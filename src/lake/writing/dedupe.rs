//! Have we seen this event? The index is the lake itself, so no crash can put it out of step.
//!
//! An event is looked up in the files whose time range meets its own time: first the fingerprints of the file's rows, or
//! its bloom filter of uids where there are none, and only when those cannot exclude it the columns of its identity, once
//! a file and process. An event without a uid has no identity beyond its place; it is looked up by the digest of its line,
//! to count exact doubles.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use hashbrown::HashMap as FastMap;
use object_store::ObjectStore;

use super::super::files::file::FileEntry;
use super::super::fingerprints::{Fingerprinter, Folder};
use super::super::identity::Hasher;
use super::super::reading::read;
use super::indexed::{Candidate, Indexed, Match, Rows, add};
use super::looked::{Looked, looks};
use crate::error::Result;
use crate::typed::Hash32;

/// Bytes that are remembered about files between batches, filters and rows together: two million rows.
const REMEMBERED_BYTES: usize = 96 << 20;

/// A row that stands in the lake.
#[derive(Debug, Clone)]
pub struct Twin {
    pub file: Arc<FileEntry>,
    pub row: u64,
    pub digest: u128,
}

#[derive(Debug)]
struct Remembered {
    looked: Looked,
    bytes: usize,
    /// The look-up that used it last.
    used: u64,
}

/// The memory that a process has of the lake's files, bounded.
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
        let mut coming = if unknown.is_empty() {
            None
        } else {
            let wanted = unknown.iter().map(|file| file.sha256);
            let folder = Folder::open(store, self.fingerprinter.seal, wanted).await;
            Some(looks(store, folder, unknown))
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
