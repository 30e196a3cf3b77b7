//! The ledger: an append-only, hash-chained list of entries, and the state they add up to.
//!
//! An entry exists when its file exists. It is created with put-if-absent, so of two writers one wins and the other
//! reads what the winner wrote. Every 32 entries the state is written as a checkpoint, so that opening a lake reads
//! one checkpoint and a few entries whatever the lake's age. A checkpoint is only a copy: one that is missing or
//! damaged is passed over and the entries are read instead.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use super::entry::{Body, Entry};
use super::layout::{checkpoint_path, entry_path, last_checkpoint_path};
use super::state::State;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::typed::Hash32;

/// A checkpoint costs a write of the size of the state; this many entries cost about as much to read one by one.
const CHECKPOINT_EVERY: u64 = 32;

/// The ledger of one lake, read up to some entry.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Arc<dyn ObjectStore>,
    state: Arc<State>,
}

/// What became of an attempt to append.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    Committed,
    /// Another writer took the sequence: refresh and look again.
    Lost,
}

#[derive(Serialize, Deserialize)]
struct CheckpointHint {
    sequence: u64,
    /// Of the checkpoint's bytes.
    sha256: String,
}

impl Ledger {
    /// Reads the ledger to its head; `None` when there is no entry at all.
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Option<Ledger>> {
        let state = match latest_checkpoint(&store, u64::MAX).await? {
            Some(state) => state,
            None => match read_entry(&store, 0).await? {
                Some((entry, hash)) => State::begin(&entry, hash)?,
                None => return Ok(None),
            },
        };
        let mut ledger = Ledger { store, state: Arc::new(state) };
        ledger.refresh().await?;
        Ok(Some(ledger))
    }

    /// Begins a ledger with entry 0; [`Appended::Lost`] as `None` when there is one already.
    pub async fn begin(store: Arc<dyn ObjectStore>, entry: Entry) -> Result<Option<Ledger>> {
        let bytes = to_bytes(&entry)?;
        match put_entry(&store, &entry, &bytes).await? {
            Appended::Lost => Ok(None),
            Appended::Committed => {
                let state = State::begin(&entry, hash_of(&bytes))?;
                Ok(Some(Ledger { store, state: Arc::new(state) }))
            }
        }
    }

    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Takes in the entries that others wrote since.
    pub async fn refresh(&mut self) -> Result<()> {
        while let Some((entry, hash)) = read_entry(&self.store, self.state.sequence + 1).await? {
            Arc::make_mut(&mut self.state).apply(&entry, hash)?;
        }
        Ok(())
    }

    /// Appends an entry at the head. The sequence and the previous hash are ours to set.
    pub async fn append(&mut self, time_ms: i64, body: Body) -> Result<Appended> {
        let entry = Entry {
            sequence: self.state.sequence + 1,
            previous: Some(self.state.hash.clone()),
            time_ms,
            writer: super::WRITER.to_string(),
            body,
        };
        let bytes = to_bytes(&entry)?;
        failpoint::reached("ledger.append");
        let appended = put_entry(&self.store, &entry, &bytes).await?;
        failpoint::reached("ledger.appended");
        if appended == Appended::Committed {
            Arc::make_mut(&mut self.state).apply(&entry, hash_of(&bytes))?;
        }
        Ok(appended)
    }

    /// Writes a checkpoint when one is due. Losing it loses nothing, so trouble is logged and not returned.
    pub async fn checkpoint_if_due(&self) {
        if !self.state.sequence.is_multiple_of(CHECKPOINT_EVERY) {
            return;
        }
        if let Err(error) = self.write_checkpoint().await {
            tracing::warn!(sequence = self.state.sequence, %error, "cannot write a ledger checkpoint");
        }
    }

    async fn write_checkpoint(&self) -> Result<()> {
        let bytes = serde_json::to_vec(self.state.as_ref()).context(Kind::Internal, || "cannot encode the state")?;
        let hint = CheckpointHint { sequence: self.state.sequence, sha256: hash_of(&bytes) };
        let hint = serde_json::to_vec(&hint).context(Kind::Internal, || "cannot encode the checkpoint hint")?;
        failpoint::reached("ledger.checkpoint");
        self.put(checkpoint_path(self.state.sequence), bytes).await?;
        failpoint::reached("ledger.checkpoint-written");
        self.put(last_checkpoint_path(), hint).await?;
        failpoint::reached("ledger.checkpoint-named");
        Ok(())
    }

    async fn put(&self, path: Path, bytes: Vec<u8>) -> Result<()> {
        self.store.put(&path, bytes.into()).await.context(Kind::Unavailable, || format!("cannot write {path}"))?;
        Ok(())
    }

    /// The state after entry `sequence`, which must exist.
    pub async fn state_at(&self, sequence: u64) -> Result<State> {
        if sequence == self.state.sequence {
            return Ok(self.state.as_ref().clone());
        }
        if sequence > self.state.sequence {
            return Err(Error::input(format!("no ledger entry {sequence}"))
                .hint(format!("the last one is {}", self.state.sequence)));
        }
        let mut state = match latest_checkpoint(&self.store, sequence).await? {
            Some(state) => state,
            None => {
                let (entry, hash) = self.entry(0).await?;
                State::begin(&entry, hash)?
            }
        };
        while state.sequence < sequence {
            let (entry, hash) = self.entry(state.sequence + 1).await?;
            state.apply(&entry, hash)?;
        }
        Ok(state)
    }

    /// Reads one entry, with the hash of its bytes.
    pub async fn entry(&self, sequence: u64) -> Result<(Entry, String)> {
        read_entry(&self.store, sequence).await?.ok_or_else(|| {
            Error::new(Kind::Integrity, format!("ledger entry {sequence} is missing"))
                .hint("restore `_ledger/` from a backup; the entries after it depend on it")
        })
    }
}

async fn read_entry(store: &Arc<dyn ObjectStore>, sequence: u64) -> Result<Option<(Entry, String)>> {
    let path = entry_path(sequence);
    let Some(bytes) = get(store, &path).await? else { return Ok(None) };
    let entry: Entry =
        serde_json::from_slice(&bytes).context(Kind::Integrity, || format!("cannot read ledger entry {path}"))?;
    if entry.sequence != sequence {
        return Err(Error::new(Kind::Integrity, format!("ledger entry {path} says it is entry {}", entry.sequence)));
    }
    Ok(Some((entry, hash_of(&bytes))))
}

/// The newest usable checkpoint at or before `limit`.
async fn latest_checkpoint(store: &Arc<dyn ObjectStore>, limit: u64) -> Result<Option<State>> {
    let Some(hint) = get(store, &last_checkpoint_path()).await? else { return Ok(None) };
    let Ok(hint) = serde_json::from_slice::<CheckpointHint>(&hint) else {
        tracing::warn!("the ledger's checkpoint hint is damaged; reading the entries instead");
        return Ok(None);
    };
    // Only the newest one has its hash on record; older ones are tried by name and checked by the chain that follows.
    let mut sequence = hint.sequence.min(limit) / CHECKPOINT_EVERY * CHECKPOINT_EVERY;
    while sequence > 0 {
        if let Some(bytes) = get(store, &checkpoint_path(sequence)).await? {
            let is_intact = sequence != hint.sequence || hash_of(&bytes) == hint.sha256;
            match serde_json::from_slice::<State>(&bytes) {
                Ok(state) if is_intact && state.sequence == sequence => return Ok(Some(state)),
                _ => tracing::warn!(sequence, "a ledger checkpoint is damaged; passing it over"),
            }
        }
        sequence -= CHECKPOINT_EVERY;
    }
    Ok(None)
}

async fn put_entry(store: &Arc<dyn ObjectStore>, entry: &Entry, bytes: &[u8]) -> Result<Appended> {
    let path = entry_path(entry.sequence);
    let put = || store.put_opts(&path, bytes.to_vec().into(), PutOptions::from(PutMode::Create));
    match put().await {
        Ok(_) => return Ok(Appended::Committed),
        Err(StoreError::AlreadyExists { .. }) => return Ok(Appended::Lost),
        Err(error) => tracing::warn!(%error, %path, "a ledger entry may be half written; looking again"),
    }
    // The entry may be there all the same, and it may not be durable: put again, and then only its bytes tell whose it is.
    match put().await {
        Ok(_) => Ok(Appended::Committed),
        Err(StoreError::AlreadyExists { .. }) => match get(store, &path).await? {
            Some(there) if there == bytes => Ok(Appended::Committed),
            _ => Ok(Appended::Lost),
        },
        Err(error) => Err(error).context(Kind::Unavailable, || format!("cannot write ledger entry {path}")),
    }
}

async fn get(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Option<Vec<u8>>> {
    let read = async { store.get(path).await?.bytes().await };
    match read.await {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error).context(Kind::Unavailable, || format!("cannot read {path}")),
    }
}

fn to_bytes(entry: &Entry) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(entry).context(Kind::Internal, || "cannot encode a ledger entry")?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(super) fn hash_of(bytes: &[u8]) -> String {
    Hash32::sha256(bytes).to_string()
}
