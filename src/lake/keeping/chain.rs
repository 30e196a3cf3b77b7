//! Level 0 of the ledger: every entry is there, follows the one before, and adds up; and so do the checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use super::super::checkpoint;
use super::super::commit::EntryRef;
use super::super::entries::{get, hash_of};
use super::super::entry::{Body, CheckpointRef, Counts, Entry, Ingest, LakeInfo};
use super::super::file::FileEntry;
use super::super::format::parse;
use super::super::layout::{LEDGER, checkpoint_path, checkpoint_sequence, entry_path, entry_sequence};
use super::super::reject::REJECT_TABLE;
use super::super::revision::REVISION_TABLE;
use super::super::signed::{self, Signed};
use super::super::store::Durable;
use super::anchor::{Anchor, Head};
use super::faults::Faults;
use crate::error::{Context, Error, Kind, Result};
use crate::signing::PublicKey;
use crate::typed::Hash32;

/// What the entries say, those that can be read.
#[derive(Debug)]
pub struct Chain {
    pub lake: LakeInfo,
    /// Of the newest entry that can be read.
    pub head: Head,
    /// The newest entry that is there.
    pub last: u64,
    /// Entries that took something in, in their order.
    pub commits: Vec<Commit>,
    pub entries: u64,
    /// Entries that are there and cannot be read.
    pub unreadable: BTreeSet<u64>,
    /// The last entry that the public key has signed; it vouches for all before it.
    pub signed_to: Option<u64>,
}

/// One entry, as far as files go.
#[derive(Debug)]
pub struct Commit {
    pub entry: EntryRef,
    pub counts: Counts,
    pub files: Vec<FileEntry>,
}

impl Chain {
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.commits.iter().flat_map(|commit| &commit.files)
    }
}

/// Walks the ledger from its first entry to its last. Errors when there is no lake to speak of, or a newer one.
pub async fn walk(
    store: &Arc<Durable>,
    anchor: Option<&Anchor>,
    public_key: Option<&PublicKey>,
    faults: &mut Faults,
    notes: &mut Faults,
) -> Result<Chain> {
    let folder = Path::from(LEDGER);
    let names = store.names(&folder).await.context(Kind::Unavailable, || "cannot list `_ledger/`")?;
    let there: BTreeSet<u64> = names.iter().filter_map(|name| entry_sequence(name)).collect();
    let Some(&last) = there.last() else {
        return Err(Error::new(Kind::Integrity, "the ledger is gone: `_ledger/` has no entry")
            .hint("restore `_ledger/` from a backup"));
    };
    for name in names.iter().filter(|name| entry_sequence(name).is_none() && checkpoint_sequence(name).is_none()) {
        faults.add(format!("{LEDGER}/{name}"), "it is not a file of a ledger: it was added or renamed");
    }
    let objects: Arc<dyn ObjectStore> = store.clone();
    let mut walking = Walking { anchor, public_key, ..Walking::default() };
    for sequence in 0..=last {
        let path = entry_path(sequence);
        match get(&objects, &path).await? {
            None => {
                faults.add(&path, "it is missing, and later entries are there");
                walking.before = None;
            }
            Some(bytes) => walking.take(sequence, &bytes, faults)?,
        }
    }
    if let Some(anchor) = anchor.filter(|anchor| anchor.sequence > last) {
        let fault = format!("the ledger ends here, and entry {} was written down: it was put back", anchor.sequence);
        faults.add(entry_path(last), fault);
    }
    if public_key.is_some() && walking.signed_to < Some(last) {
        // What a signed entry follows is signed with it; what comes after the last one is not.
        let (first, fault) = match walking.signed_to {
            None => (0, "no entry of the ledger is signed by this key".to_string()),
            Some(sequence) => (sequence + 1, format!("entry {sequence} is the last one that this key vouches for")),
        };
        faults.add(entry_path(first), format!("{fault}: whoever can write to the lake may have written the others"));
    }
    checkpoints(&objects, &names, &walking, faults, notes).await?;
    let (Some(lake), Some(head)) = (walking.lake.take(), walking.head.take()) else {
        return Err(Error::new(Kind::Integrity, "the first entry of the ledger cannot be read")
            .hint("restore `_ledger/` from a backup"));
    };
    if let Some(other) = anchor.and_then(|anchor| anchor.lake_id.as_ref()).filter(|id| **id != lake.lake_id) {
        faults.add(entry_path(0), format!("the lake is {}, and the head of {other} was written down", lake.lake_id));
    }
    let head = Head { lake_id: lake.lake_id.clone(), ..head };
    let Walking { commits, unreadable, signed_to, .. } = walking;
    Ok(Chain { lake, head, last, commits, entries: there.len() as u64, unreadable, signed_to })
}

#[derive(Default)]
struct Walking<'a> {
    anchor: Option<&'a Anchor>,
    public_key: Option<&'a PublicKey>,
    signed_to: Option<u64>,
    lake: Option<LakeInfo>,
    head: Option<Head>,
    /// Hash and time of the entry before, when it was read.
    before: Option<(String, i64)>,
    commits: Vec<Commit>,
    unreadable: BTreeSet<u64>,
    named: BTreeMap<u64, BTreeSet<Hash32>>,
    newest: Option<CheckpointRef>,
}

impl Walking<'_> {
    fn take(&mut self, sequence: u64, bytes: &[u8], faults: &mut Faults) -> Result<()> {
        let path = entry_path(sequence);
        let hash = hash_of(bytes);
        if self.anchor.is_some_and(|anchor| anchor.sequence == sequence && anchor.sha256 != hash) {
            faults.add(&path, "it is not the entry that was written down: the lake was put back, or written anew");
        }
        if let Some(entry) = faults.take(&path, parse(bytes, sequence, path.as_ref()))? {
            self.follow(&entry, faults);
            if let Some(key) = self.public_key {
                match signed::check(key, bytes, &entry)? {
                    Signed::No => {}
                    Signed::Yes => self.signed_to = Some(sequence),
                    Signed::Otherwise => faults.add(&path, "its signature is not one that this key has made of it"),
                }
            }
            self.head = Some(Head { lake_id: String::new(), sequence, sha256: hash.clone(), time_ms: entry.time_ms });
            if let Some(named) = entry.checkpoint {
                self.named.entry(named.sequence).or_default().insert(named.sha256);
                self.newest = Some(named);
            }
            let entry_ref = EntryRef::of(&entry, &hash);
            self.before = Some((hash, entry.time_ms));
            match entry.body {
                Body::Create(lake) if sequence == 0 => self.lake = Some(lake),
                Body::Create(_) => faults.add(&path, "it creates the lake again"),
                Body::Ingest(_) if sequence == 0 => faults.add(&path, "it does not create a lake"),
                Body::Ingest(ingest) => {
                    if let Some(fault) = accounts(&ingest) {
                        faults.add(&path, fault);
                    }
                    self.commits.push(Commit { entry: entry_ref, counts: ingest.counts, files: ingest.files });
                }
            }
        } else {
            self.unreadable.insert(sequence);
            self.before = Some((hash, i64::MIN));
        }
        Ok(())
    }

    fn follow(&self, entry: &Entry, faults: &mut Faults) {
        let path = entry_path(entry.sequence);
        match &self.before {
            Some((hash, _)) if entry.previous.as_ref() != Some(hash) => {
                let before = entry.sequence.saturating_sub(1);
                faults.add(&path, format!("it does not follow entry {before}: one of the two was changed"));
            }
            Some((_, time_ms)) if entry.time_ms < *time_ms => faults.add(&path, "it is older than the entry before"),
            None if entry.sequence == 0 && entry.previous.is_some() => faults.add(&path, "it follows another entry"),
            _ => {}
        }
    }
}

/// What is wrong with the numbers of an entry.
fn accounts(ingest: &Ingest) -> Option<String> {
    if let Err(error) = ingest.counts.check() {
        return Some(error.to_string());
    }
    let rows = |is_meant: &dyn Fn(&str) -> bool| -> u64 {
        ingest.files.iter().filter(|file| is_meant(file.table())).map(|file| file.rows).sum()
    };
    let Counts { accepted, revised, rejected, .. } = ingest.counts;
    let stored = [
        ("accepted", accepted, rows(&|table| table != REJECT_TABLE && table != REVISION_TABLE)),
        ("revised", revised, rows(&|table| table == REVISION_TABLE)),
        ("rejected", rejected, rows(&|table| table == REJECT_TABLE)),
    ];
    let (what, counted, rows) = stored.into_iter().find(|(_, counted, rows)| counted != rows)?;
    Some(format!("it counts {counted} {what} lines, and its files have {rows} rows of them"))
}

async fn checkpoints(
    store: &Arc<dyn ObjectStore>,
    names: &[String],
    walking: &Walking<'_>,
    faults: &mut Faults,
    notes: &mut Faults,
) -> Result<()> {
    for (&sequence, hashes) in &walking.named {
        for &sha256 in hashes {
            let named = CheckpointRef { sequence, sha256 };
            let path = checkpoint_path(&named);
            let is_there = path.filename().is_some_and(|name| names.iter().any(|there| there == name));
            if !is_there {
                // Older ones are removed in time. They are copies: nothing is lost but time.
                if walking.newest == Some(named) {
                    notes.add(&path, "the newest checkpoint is missing: opening reads more entries instead");
                }
                continue;
            }
            if let Some(Some(found)) = faults.take(&path, checkpoint::read(store, &named).await)? {
                faults.take(&path, found.streams.read(store).await)?;
            }
        }
    }
    Ok(())
}
