//! The rows of a file, as they are looked up.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use object_store::ObjectStore;

use super::super::REVISION_TABLE;
use super::super::files::file::FileEntry;
use super::super::fingerprints::Fingerprints;
use super::super::identity::{Hasher, Key, Known, digests};
use super::super::reading::read;
use super::super::tables::revision;
use crate::error::Result;

/// An event to look up.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub uid: Option<&'a str>,
    pub key: Key,
    pub time_us: i64,
}

/// The finding about a candidate in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// A row of the same identity.
    Twin { row: u64, digest: u128 },
    /// A row of the same uid and another identity.
    Shared,
}

/// A row as it is looked up. Without a uid, `identity` is the digest of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    pub uid: u64,
    pub identity: u128,
    pub digest: u128,
    pub row: u64,
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

    pub fn sorted(mut rows: Vec<Indexed>) -> Rows {
        rows.sort_unstable_by_key(|row| (row.uid, row.identity));
        rows.shrink_to_fit();
        Rows(rows)
    }

    pub fn fingerprints(&self) -> Fingerprints {
        Fingerprints::of(self.0.iter().map(|row| row.uid))
    }

    pub fn memory_size(&self) -> usize {
        self.0.len() * size_of::<Indexed>()
    }

    pub fn find(&self, key: Key, mut found: impl FnMut(Match)) {
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
pub fn add(table: &str, batch: &RecordBatch, hasher: &Hasher, rows: &mut Vec<Indexed>) -> Result<bool> {
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
