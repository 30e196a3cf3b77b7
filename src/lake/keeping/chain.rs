//! Level 0 of the ledger: every entry exists, follows the one before, and adds up; and so do the checkpoints.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use super::super::files::file::{FileEntry, RowDigest};
use super::super::files::layout::{LEDGER, checkpoint_sequence, entry_path, entry_sequence};
use super::super::files::store::Durable;
use super::super::ledger::change::{Change, each};
use super::super::ledger::checkpoint;
use super::super::ledger::entries::{get, hash_of};
use super::super::ledger::entry::{Body, CheckpointRef, Counts, Entry, Ingest, LakeInfo, checkpoint_path};
use super::super::ledger::parse::parse;
use super::super::ledger::signed::{self, Signed};
use super::super::tables::commit::EntryRef;
use super::super::tables::reject::REJECT_TABLE;
use super::super::tables::revision::REVISION_TABLE;
use super::anchor::Head;
use super::faults::Faults;
use super::recorded::{Compared, Heads};
use crate::error::{Context, Error, Kind, Result};
use crate::signing::PublicKey;
use crate::typed::Hash32;

/// The content of the entries that can be read.
#[derive(Debug)]
pub struct Chain {
    pub lake: LakeInfo,
    /// The head: the newest entry that can be read.
    pub head: Head,
    /// The newest entry that exists.
    pub last: u64,
    /// Entries that ingested rows or changed files, in their order.
    pub commits: Vec<Commit>,
    /// The files of the tables.
    pub live: Vec<FileEntry>,
    /// Files that left their tables and are still on the disk.
    pub aside: Vec<FileEntry>,
    pub entries: u64,
    /// Entries that exist but cannot be read.
    pub unreadable: BTreeSet<u64>,
    /// The last entry that the public key has signed; it vouches for all before it.
    pub signed_to: Option<u64>,
    pub anchors: Compared,
}

/// One entry's effect on files.
#[derive(Debug)]
pub struct Commit {
    pub entry: EntryRef,
    pub counts: Counts,
    pub files: Vec<FileEntry>,
    /// None for an entry that only adds files.
    pub change: Option<Change>,
}

impl Chain {
    /// Returns the files of the tables.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.live.iter()
    }

    /// Adds up the effect of the entries on files.
    pub fn add_up(&mut self) {
        let mut live: BTreeMap<(&str, String), &FileEntry> = BTreeMap::new();
        let mut aside: BTreeMap<(&str, String), &FileEntry> = BTreeMap::new();
        for commit in &self.commits {
            if let Some(change) = &commit.change {
                for (table, path) in each(&change.replaced) {
                    if let Some((file, entry)) = live.remove_entry(&(table, path.to_string())) {
                        aside.insert(file, entry);
                    }
                }
                for (table, path) in each(&change.dropped) {
                    aside.remove(&(table, path.to_string()));
                }
            }
            live.extend(commit.files.iter().map(|file| ((file.table(), file.path()), file)));
        }
        let (live, aside) = (live.into_values().cloned().collect(), aside.into_values().cloned().collect());
        (self.live, self.aside) = (live, aside);
    }
}

/// Returns the names of the files in a lake's `_ledger/`.
pub async fn names(store: &Durable) -> Result<Vec<String>> {
    store.names(&Path::from(LEDGER)).await.context(Kind::Unavailable, || "cannot list `_ledger/`")
}

/// Walks the ledger, whose folder has the files `names`, from its first entry to its last. Errors when there is no
/// usable lake, or a newer one.
pub async fn walk(
    objects: &Arc<dyn ObjectStore>,
    names: &[String],
    heads: Heads<'_>,
    public_key: Option<&PublicKey>,
    faults: &mut Faults,
    notes: &mut Faults,
) -> Result<Chain> {
    let there: BTreeSet<u64> = names.iter().filter_map(|name| entry_sequence(name)).collect();
    let Some(&last) = there.last() else {
        return Err(Error::new(Kind::Integrity, "the ledger is gone: `_ledger/` has no entry")
            .hint("restore `_ledger/` from a backup"));
    };
    for name in names.iter().filter(|name| entry_sequence(name).is_none() && checkpoint_sequence(name).is_none()) {
        faults.add(format!("{LEDGER}/{name}"), "it is not a file of a ledger: it was added or renamed");
    }
    let mut walking = Walking { heads, public_key, ..Walking::default() };
    for sequence in 0..=last {
        let path = entry_path(sequence);
        match get(objects, &path).await? {
            None => {
                faults.add(&path, "it is missing, and later entries are there");
                walking.before = None;
            }
            Some(bytes) => walking.take(sequence, &bytes, faults)?,
        }
    }
    checkpoints(objects, names, &walking, faults, notes).await?;
    let (Some(lake), Some(head)) = (walking.lake.take(), walking.head.take()) else {
        return Err(Error::new(Kind::Integrity, "the first entry of the ledger cannot be read")
            .hint("restore `_ledger/` from a backup"));
    };
    let anchors = std::mem::take(&mut walking.heads).compare(&lake.lake_id, last, faults);
    let head = Head { lake_id: lake.lake_id.clone(), ..head };
    let Walking { commits, unreadable, signed_to, .. } = walking;
    let entries = there.len() as u64;
    let (live, aside) = (Vec::new(), Vec::new());
    let mut chain = Chain { lake, head, last, commits, live, aside, entries, unreadable, signed_to, anchors };
    chain.add_up();
    Ok(chain)
}

/// Reports from which entry on the key does not vouch for a lake's ledger.
pub fn end(chain: &Chain, public_key: Option<&PublicKey>, faults: &mut Faults) {
    let last = chain.last;
    if public_key.is_some() && chain.signed_to < Some(last) {
        // A signed entry vouches for its predecessors; entries after the last one are not covered.
        let (first, fault) = match chain.signed_to {
            None => (0, "no entry of the ledger is signed by this key".to_string()),
            Some(sequence) => (sequence + 1, format!("entry {sequence} is the last one that this key vouches for")),
        };
        faults.add(entry_path(first), format!("{fault}: whoever can write to the lake may have written the others"));
    }
}

#[derive(Default)]
struct Walking<'a> {
    heads: Heads<'a>,
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
    /// Rows and digests of the files of the tables.
    live: HashMap<(String, String), (u64, RowDigest)>,
}

impl Walking<'_> {
    fn take(&mut self, sequence: u64, bytes: &[u8], faults: &mut Faults) -> Result<()> {
        let path = entry_path(sequence);
        let hash = hash_of(bytes);
        self.heads.take(sequence, &hash);
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
                _ if sequence == 0 => faults.add(&path, "it does not create a lake"),
                body => {
                    let fault = match &body {
                        Body::Ingest(ingest) => accounts(ingest),
                        // The effect of an unreadable entry is unknown.
                        _ if !self.unreadable.is_empty() => None,
                        body => self.changes(body),
                    };
                    if let Some(fault) = fault {
                        faults.add(&path, fault);
                    }
                    self.commit(entry_ref, body);
                }
            }
        } else {
            self.unreadable.insert(sequence);
            self.before = Some((hash, i64::MIN));
        }
        Ok(())
    }

    fn commit(&mut self, entry: EntryRef, body: Body) {
        let change = body.change().cloned();
        let replaced = change.iter().flat_map(|change| each(&change.replaced));
        for (table, path) in replaced {
            self.live.remove(&(table.to_string(), path.to_string()));
        }
        let known = |file: &FileEntry| ((file.table().to_string(), file.path()), (file.rows, file.digest));
        self.live.extend(body.files().iter().map(known));
        let files = body.files().to_vec();
        let counts = if let Body::Ingest(ingest) = body { ingest.counts } else { Counts::default() };
        self.commits.push(Commit { entry, counts, files, change });
    }

    /// Describes the faults of an entry that replaces files.
    fn changes(&self, body: &Body) -> Option<String> {
        let change = body.change()?;
        let (mut rows, mut digest) = (0, RowDigest::default());
        for (table, path) in each(&change.replaced) {
            let Some((of_file, more)) = self.live.get(&(table.to_string(), path.to_string())) else {
                return Some(format!("it replaces {table}/{path}, which is not a file of the table"));
            };
            (rows, digest) = (rows + of_file, digest.plus(*more));
        }
        let (gone_rows, gone, new) = body.difference();
        let after = change.files.iter().map(|file| file.rows).sum::<u64>() + gone_rows;
        let sum = change.files.iter().map(|file| file.digest).sum::<RowDigest>().plus(gone);
        match body {
            _ if rows != after || digest.plus(new) != sum => {
                Some(format!("it replaces {rows} rows of digest {digest} by {after} rows of digest {sum}"))
            }
            Body::Compact(told) if (told.rows, told.digest) != (rows, digest) => {
                Some("it does not tell the rows of the files that it merges".to_string())
            }
            _ => None,
        }
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

/// Describes the faults in the numbers of an entry.
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
