//! Entries as files: a single one is put if it is absent, and many are read at a time.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::super::files::layout::entry_path;
use super::entry::Entry;
use super::parse::parse;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::Hash32;

/// Entries that one task reads and decodes, and the number of tasks: a local disk answers at once, an object store in
/// tens of milliseconds.
const ENTRIES_A_TASK: u64 = 64;
const TASKS: usize = 8;

/// An entry, the hash of its bytes, and their number.
pub type Read = (Entry, String, usize);

/// Returns the entries from `first` to `last`, in their order; many are read at a time.
pub fn entries(
    store: &Arc<dyn ObjectStore>,
    first: u64,
    last: u64,
) -> impl futures::Stream<Item = Result<Read>> + Unpin + use<> {
    let store = store.clone();
    let tasks = (first..=last).step_by(ENTRIES_A_TASK as usize).map(move |from| {
        let (store, to) = (store.clone(), last.min(from + ENTRIES_A_TASK - 1));
        async move {
            let task = tokio::spawn(async move {
                let mut read = Vec::with_capacity(ENTRIES_A_TASK as usize);
                for sequence in from..=to {
                    read.push(require(&store, sequence).await?);
                }
                Ok::<_, Error>(read)
            });
            task.await.context(Kind::Internal, || "a task that reads the ledger stopped")?
        }
    });
    let read = futures::stream::iter(tasks).buffered(TASKS);
    read.map_ok(|read| futures::stream::iter(read.into_iter().map(Ok))).try_flatten().boxed()
}

pub async fn require(store: &Arc<dyn ObjectStore>, sequence: u64) -> Result<Read> {
    read_entry(store, sequence).await?.ok_or_else(|| {
        Error::new(Kind::Integrity, format!("ledger entry {sequence} is missing"))
            .hint("restore `_ledger/` from a backup; the entries after it depend on it")
    })
}

pub async fn read_entry(store: &Arc<dyn ObjectStore>, sequence: u64) -> Result<Option<Read>> {
    let path = entry_path(sequence);
    let Some(bytes) = get(store, &path).await? else { return Ok(None) };
    let entry = parse(&bytes, sequence, path.as_ref())?;
    Ok(Some((entry, hash_of(&bytes), bytes.len())))
}

/// The owner of the entry at a sequence.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    Ours,
    Taken,
}

/// The number of times that an entry is put again when a put reports a conflict and no look finds one.
const ATTEMPTS: u32 = 5;

/// Puts an entry if none exists. Only the bytes tell whose it is: a request that is repeated, by us or on the way, may
/// meet its own success.
pub async fn put_entry(store: &Arc<dyn ObjectStore>, entry: &Entry, bytes: &[u8]) -> Result<Put> {
    let path = entry_path(entry.sequence);
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let put = store.put_opts(&path, bytes.to_vec().into(), PutOptions::from(PutMode::Create)).await;
        match put {
            Ok(_) => return Ok(Put::Ours),
            Err(error) => {
                let is_taken = matches!(error, StoreError::AlreadyExists { .. });
                if !is_taken && last.is_some() {
                    return Err(error).context(Kind::Unavailable, || format!("cannot write ledger entry {path}"));
                }
                if !is_taken {
                    // It may still exist, and it may not be durable: put it again, and then look.
                    tracing::warn!(%error, %path, "a ledger entry may be half written; looking again");
                } else if let Some(there) = get(store, &path).await? {
                    return Ok(if there == bytes { Put::Ours } else { Put::Taken });
                }
                last = Some(error);
            }
        }
    }
    Err(last.expect("an attempt failed")).context(Kind::Unavailable, || format!("cannot write ledger entry {path}"))
}

pub async fn exists(store: &Arc<dyn ObjectStore>, sequence: u64) -> Result<bool> {
    let path = entry_path(sequence);
    match store.head(&path).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error).context(Kind::Unavailable, || format!("cannot look for {path}")),
    }
}

pub async fn get(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Option<Vec<u8>>> {
    let read = async { store.get(path).await?.bytes().await };
    match read.await {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error).context(Kind::Unavailable, || format!("cannot read {path}")),
    }
}

pub fn hash_of(bytes: &[u8]) -> String {
    Hash32::sha256(bytes).to_string()
}
