//! Have we seen this event? The index is the lake itself, so no crash can put it out of step.
//!
//! An event is looked up by uid in the files whose time range meets its own time: first the file's bloom filter, and
//! only when that cannot exclude it the `_event_uid` and `_digest` columns, once a file and process. The digest is a
//! keyed hash of the line as it came: equal means the event was taken in before; different means that the two rows
//! have to be compared.

use std::collections::HashMap;
use std::sync::Arc;

use hashbrown::HashMap as FastMap;
use object_store::ObjectStore;
use parquet::bloom_filter::Sbbf;

use super::file::FileEntry;
use super::read;
use super::state::State;
use crate::error::Result;
use crate::typed::Hash32;

/// Rows of which uid and digest are remembered between batches: about 100 MiB of them.
const REMEMBERED_ROWS: usize = 3 << 20;

/// What is known about the uids of one file.
#[derive(Debug)]
enum Known {
    Filters(Vec<Sbbf>),
    /// Uid hash to (digest, row in the file).
    Rows(FastMap<u64, (i64, u64)>),
}

/// An event to look up.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub uid: &'a str,
    /// [`Index::hash`] of the uid.
    pub hash: u64,
    pub time_us: i64,
}

/// Where an event's twin stands.
#[derive(Debug, Clone)]
pub struct Twin {
    pub file: Arc<FileEntry>,
    pub row: u64,
    pub digest: i64,
}

/// What the process remembers of the lake's uids, bounded.
#[derive(Debug)]
pub struct Index {
    /// Keyed with the lake's secret, so that nobody can make two uids collide.
    seed: u64,
    files: HashMap<Hash32, Known>,
    rows: usize,
    /// Files of which anything was read.
    pub files_read: u64,
}

impl Index {
    pub fn new(seed: u64) -> Self {
        Index { seed, files: HashMap::new(), rows: 0, files_read: 0 }
    }

    pub fn hash(&self, uid: &str) -> u64 {
        super::hash(self.seed, uid.as_bytes())
    }

    /// For each candidate, in order, the row that holds the same uid already.
    pub async fn look_up(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        state: &State,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<Option<Twin>>> {
        let mut twins = vec![None; candidates.len()];
        let mut by_time: Vec<usize> = (0..candidates.len()).collect();
        by_time.sort_by_key(|&i| candidates[i].time_us);
        let events = state.tables.iter().filter(|(name, _)| *name != super::REJECT_TABLE);
        for file in events.flat_map(|(_, table)| &table.files) {
            let from = by_time.partition_point(|&i| candidates[i].time_us < file.min_time_us);
            let to = by_time.partition_point(|&i| candidates[i].time_us <= file.max_time_us);
            if from < to {
                self.look_into(store, file, candidates, &by_time[from..to], &mut twins).await?;
            }
        }
        Ok(twins)
    }

    async fn look_into(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        file: &Arc<FileEntry>,
        candidates: &[Candidate<'_>],
        wanted: &[usize],
        twins: &mut [Option<Twin>],
    ) -> Result<()> {
        if !self.files.contains_key(&file.sha256) {
            self.files_read += 1;
            let filters = read::uid_filters(store, file).await?;
            self.files.insert(file.sha256, Known::Filters(filters));
        }
        if let Some(Known::Filters(filters)) = self.files.get(&file.sha256) {
            let may_hold = |uid: &str| filters.is_empty() || filters.iter().any(|filter| filter.check(&uid));
            if !wanted.iter().any(|&i| may_hold(candidates[i].uid)) {
                return Ok(());
            }
            let rows = read::uids(store, file, |uid| self.hash(uid)).await?;
            self.remember(file, rows);
        }
        if let Some(Known::Rows(rows)) = self.files.get(&file.sha256) {
            for &i in wanted {
                if let Some(&(digest, row)) = rows.get(&candidates[i].hash) {
                    twins[i].get_or_insert(Twin { file: file.clone(), row, digest });
                }
            }
        }
        Ok(())
    }

    /// Remembers the rows of a file, and forgets the others when they become too many.
    pub fn remember(&mut self, file: &FileEntry, rows: FastMap<u64, (i64, u64)>) {
        if self.rows + rows.len() > REMEMBERED_ROWS {
            self.files.clear();
            self.rows = 0;
        }
        self.rows += rows.len();
        self.files.insert(file.sha256, Known::Rows(rows));
    }
}
