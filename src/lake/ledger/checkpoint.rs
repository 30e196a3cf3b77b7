//! Checkpoints: the state after some entry, so that opening a lake reads a copy of the state and a few entries.
//!
//! ```text
//! _ledger/checkpoint-<sequence>-<hash>.json              the small parts, and the hashes of the other two
//! _ledger/checkpoint-<sequence>-<hash>.files.parquet     the files of all tables
//! _ledger/checkpoint-<sequence>-<hash>.streams.parquet   how far each stream was read; only ingests read it
//! ```
//!
//! A checkpoint is only a copy, and a copy is trusted when an entry of the chain names its hash: the writer of an entry
//! writes the checkpoint first. One that is missing or not as it was named is skipped and reported, and an older one or
//! the entries are read instead. It is written when the entries since the one before weigh as much as the state, so
//! that all checkpoints ever written add up to a multiple of the entries; and of those only a thinning ladder is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::files::file::Footer;
use super::super::files::layout::checkpoint_part;
use super::change::Aside;
use super::columns::{Listed, write_files, write_streams};
use super::entry::{CheckpointRef, Counts, Hold, LakeInfo, Notes, checkpoint_path};
use super::format::Format;
use super::parse::parse_copy;
use super::pulls::PullState;
use super::state::{State, TableState};
use super::streams::{Stream, Streams};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::typed::Hash32;

const FILES: &str = "files.parquet";
const STREAMS: &str = "streams.parquet";

/// Fewer entries than this are as quick to read as a checkpoint of them.
const LEAST_WEIGHT: u64 = 32 * BLOCK;
/// The size of a small file on a disk, which is also about the cost of opening it.
const BLOCK: u64 = 4096;

/// The newest checkpoints, which are never removed: somebody may be reading one.
const NEWEST: usize = 3;

/// Returns the weight of an entry of this many bytes.
pub fn weight(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(BLOCK)
}

/// A checkpoint without its long lists.
#[derive(Serialize, Deserialize)]
struct Root {
    #[serde(flatten)]
    format: Format,
    /// Program and version that wrote the checkpoint.
    writer: String,
    sequence: u64,
    /// SHA-256 of the entry `sequence`.
    hash: String,
    time_ms: i64,
    lake: LakeInfo,
    totals: Counts,
    notes: Notes,
    tables: BTreeMap<String, Table>,
    #[serde(default)]
    pulls: BTreeMap<String, PullState>,
    #[serde(default)]
    retries: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aside: Vec<Aside>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    before_us: BTreeMap<String, i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holds: Vec<Hold>,
    files: Part,
    streams: Part,
}

/// A table of a checkpoint without its files.
#[derive(Serialize, Deserialize)]
struct Table {
    sequence: u64,
    hash: String,
    commits: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_rewritten: bool,
    files: u64,
}

/// A list of a checkpoint, which is a file of its own.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Part {
    rows: u64,
    bytes: u64,
    sha256: Hash32,
    footer: Footer,
}

/// The result of reading a checkpoint.
pub struct Checkpoint {
    pub state: State,
    pub streams: StreamsPart,
    /// The bytes of all its files.
    pub bytes: u64,
}

/// The positions of the streams of a checkpoint; most callers that open a lake do not need them.
#[derive(Debug, Clone, Copy)]
pub struct StreamsPart {
    sequence: u64,
    part: Part,
}

/// Returns whether a checkpoint of `state` is worth its bytes by now.
pub fn is_due(state: &State, last_bytes: u64) -> bool {
    state.weight >= LEAST_WEIGHT.max(last_bytes)
}

/// Writes the state after an entry; the checkpoint counts from when an entry names it.
pub async fn write(store: &Arc<dyn ObjectStore>, state: &State, streams: &Streams) -> Result<(CheckpointRef, u64)> {
    failpoint::reached("ledger.checkpoint");
    let sequence = state.sequence;
    let rows = state.tables.values().map(|table| table.files.len() as u64).sum();
    let files = put_part(store, sequence, FILES, rows, write_files(&state.tables)?).await?;
    let rows = streams.all().len() as u64;
    let streams = put_part(store, sequence, STREAMS, rows, write_streams(streams.all())?).await?;
    failpoint::reached("ledger.checkpoint-parts");
    let table = |table: &TableState| Table {
        sequence: table.sequence,
        hash: table.hash.clone(),
        commits: table.commits,
        is_rewritten: table.is_rewritten,
        files: table.files.len() as u64,
    };
    let root = Root {
        format: state.format,
        writer: super::super::WRITER.to_string(),
        sequence,
        hash: state.hash.clone(),
        time_ms: state.time_ms,
        lake: state.lake.clone(),
        totals: state.totals,
        notes: state.notes,
        tables: state.tables.iter().map(|(name, state)| (name.clone(), table(state))).collect(),
        pulls: state.pulls.clone(),
        retries: state.retries.clone(),
        aside: state.aside.clone(),
        before_us: state.before_us.clone(),
        holds: state.holds.clone(),
        files,
        streams,
    };
    let mut bytes = serde_json::to_vec(&root).context(Kind::Internal, || "cannot encode a checkpoint")?;
    bytes.push(b'\n');
    let total = bytes.len() as u64 + files.bytes + streams.bytes;
    let checkpoint = CheckpointRef { sequence, sha256: Hash32::sha256(&bytes) };
    put(store, checkpoint_path(&checkpoint), bytes).await?;
    failpoint::reached("ledger.checkpoint-written");
    Ok((checkpoint, total))
}

async fn put_part(
    store: &Arc<dyn ObjectStore>,
    sequence: u64,
    suffix: &str,
    rows: u64,
    bytes: Vec<u8>,
) -> Result<Part> {
    let part = Part { rows, bytes: bytes.len() as u64, sha256: Hash32::sha256(&bytes), footer: Footer::of(&bytes)? };
    put(store, checkpoint_part(sequence, &part.sha256, suffix), bytes).await?;
    Ok(part)
}

async fn put(store: &Arc<dyn ObjectStore>, path: Path, bytes: Vec<u8>) -> Result<()> {
    store.put(&path, bytes.into()).await.context(Kind::Unavailable, || format!("cannot write {path}"))?;
    Ok(())
}

/// Reads the checkpoint that an entry names; returns `None` when it does not exist.
///
/// Errors with [`Kind::Integrity`] when it is not as it was named.
pub async fn read(store: &Arc<dyn ObjectStore>, named: &CheckpointRef) -> Result<Option<Checkpoint>> {
    let path = checkpoint_path(named);
    let bytes = match async { store.get(&path).await?.bytes().await }.await {
        Ok(bytes) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error).context(Kind::Unavailable, || format!("cannot read {path}")),
    };
    if Hash32::sha256(&bytes) != named.sha256 {
        return Err(not_named(&path));
    }
    let root: Root = parse_copy(&bytes, path.as_ref())?;
    let table = |table: &Table| TableState {
        sequence: table.sequence,
        hash: table.hash.clone(),
        commits: table.commits,
        is_rewritten: table.is_rewritten,
        files: Vec::with_capacity(table.files as usize),
    };
    let mut tables = root.tables.iter().map(|(name, root)| (name.clone(), table(root))).collect();
    let files = checked(store, root.sequence, FILES, &root.files).await?;
    files.files(&mut tables).await?;
    let is_whole = |(name, table): (&String, &Table)| tables[name].files.len() as u64 == table.files;
    if root.sequence != named.sequence || !root.tables.iter().all(is_whole) {
        return Err(not_named(&path));
    }
    let state = State {
        sequence: root.sequence,
        hash: root.hash,
        time_ms: root.time_ms,
        writer: root.writer,
        format: root.format,
        lake: root.lake,
        tables,
        pulls: root.pulls,
        totals: root.totals,
        notes: root.notes,
        retries: root.retries,
        aside: root.aside,
        before_us: root.before_us,
        holds: root.holds,
        checkpoint: Some(*named),
        weight: 0,
    };
    let streams = StreamsPart { sequence: state.sequence, part: root.streams };
    let bytes = bytes.len() as u64 + root.files.bytes + root.streams.bytes;
    Ok(Some(Checkpoint { state, streams, bytes }))
}

/// Returns a list whose bytes are those that the checkpoint names.
async fn checked<'a>(store: &'a Arc<dyn ObjectStore>, sequence: u64, suffix: &str, part: &Part) -> Result<Listed<'a>> {
    let path = checkpoint_part(sequence, &part.sha256, suffix);
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let hashed = async {
        let mut pieces = store.get(&path).await?.into_stream();
        while let Some(piece) = pieces.try_next().await? {
            hash.update(&piece);
            bytes += piece.len() as u64;
        }
        Ok::<_, StoreError>(())
    };
    match hashed.await {
        Err(StoreError::NotFound { .. }) => return Err(not_named(&path)),
        hashed => hashed.context(Kind::Unavailable, || format!("cannot read {path}"))?,
    }
    if bytes != part.bytes || Hash32(hash.finalize().into()) != part.sha256 {
        return Err(not_named(&path));
    }
    Ok(Listed { store, path, bytes: part.bytes, footer: part.footer })
}

impl StreamsPart {
    pub async fn read(&self, store: &Arc<dyn ObjectStore>) -> Result<Vec<Stream>> {
        checked(store, self.sequence, STREAMS, &self.part).await?.streams().await
    }
}

fn not_named(path: &Path) -> Error {
    Error::new(Kind::Integrity, format!("{path} is not the checkpoint that the ledger names"))
}

/// Chooses which checkpoints are kept, among those after these entries.
///
/// The newest ones, and of the others the oldest in each of the stretches that begin one, two, four, eight ... entries
/// before the head. Those move on to the next stretch as the ledger grows, so the further back, the fewer there are.
pub fn kept(sequences: &BTreeSet<u64>, head: u64) -> BTreeSet<u64> {
    let mut kept: BTreeSet<u64> = sequences.iter().rev().take(NEWEST).copied().collect();
    let mut stretches = BTreeSet::new();
    for &sequence in sequences {
        let distance = head.saturating_sub(sequence) + 1;
        if stretches.insert(distance.ilog2()) {
            kept.insert(sequence);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_checkpoints_are_kept_and_the_past_is_never_far_from_one() {
        // Each time one is written the others are thinned, as in a lake.
        let mut there = BTreeSet::new();
        for head in (32..100_000).step_by(32) {
            there.insert(head);
            there = kept(&there, head);
        }
        assert!(there.len() <= 16, "{there:?}");
        assert!(there.iter().rev().take(3).eq(&[99_968, 99_936, 99_904]), "{there:?}");
        assert_eq!(there.first(), Some(&32), "{there:?}");
        // No past state is further from a checkpoint before it than from the head.
        for pair in there.iter().zip(there.iter().skip(1)) {
            assert!(pair.1 - pair.0 <= 2 * (99_968 - pair.0), "{there:?}");
        }
    }
}
