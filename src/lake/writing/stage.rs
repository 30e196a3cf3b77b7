//! Entries that add or replace files, and the files of an attempt at one: staged, moved into place when the attempt is an
//! entry, taken away when it is not.
//!
//! Every writer of a lake follows this one protocol, a batch as well as a compaction.

use std::collections::HashSet;
use std::sync::OnceLock;

use bytes::Bytes;
use object_store::ObjectStoreExt;

use super::super::files::file::FileEntry;
use super::super::files::layout::entry_path;
use super::super::fingerprints::{self, Fingerprinter, Fingerprints, Section};
use super::super::identity::Hasher;
use super::super::ledger::entry::Body;
use super::super::ledger::log::{Appended, Moment};
use super::super::tables::commit::EntryRef;
use super::super::tables::recover::tables_of;
use super::super::tables::table::Projection;
use super::super::{Lake, random};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::typed::{Hash32, hex};

/// A file's bytes, and what the ledger says of it.
#[derive(Debug, Clone)]
pub struct Made {
    pub file: FileEntry,
    pub bytes: Bytes,
    /// The fingerprints of its rows; none where nothing is looked up in the file, and where nobody could make them.
    pub fingerprints: Option<Fingerprints>,
}

/// The attempts of one process at the head of a lake's ledger; any number of processes may.
pub(in crate::lake) struct Attempts {
    /// Random: entries and files say who wrote them.
    id: [u8; 16],
    /// Attempts at a sequence so far; files are named by it.
    count: u16,
    projection: Projection,
    /// The entry up to which this process knows the tables to be complete.
    settled: Option<u64>,
    /// None without the lake's key.
    pub fingerprinter: Option<Fingerprinter>,
}

impl Attempts {
    pub fn at(lake: &Lake) -> Result<Attempts> {
        Ok(Attempts {
            id: random()?,
            count: 0,
            projection: lake.projection(),
            settled: None,
            fingerprinter: Fingerprinter::find(lake),
        })
    }

    /// Names the files of the next attempt: no other writer has it, and no other attempt of ours.
    pub fn nonce(&mut self) -> [u8; 6] {
        self.count = self.count.wrapping_add(1);
        let [a, b] = self.count.to_be_bytes();
        [self.id[0], self.id[1], self.id[2], self.id[3], a, b]
    }

    /// Takes in what others wrote, and finishes what they left.
    pub async fn catch_up(&mut self, lake: &mut Lake) -> Result<()> {
        lake.refresh().await?;
        failpoint::reached("commit.refreshed");
        if self.settled != Some(lake.state().sequence) {
            lake.recover(&self.projection).await?;
            self.settled = Some(lake.state().sequence);
        }
        failpoint::reached("commit.recovered");
        Ok(())
    }

    /// One attempt at the next sequence, by which `made` are named: its number, when the entry is in the ledger and in all
    /// tables; `None` when another writer took it, and then nothing is left of the attempt.
    pub async fn commit(&mut self, lake: &mut Lake, made: &[&Made], moment: Moment, body: Body) -> Result<Option<u64>> {
        let sequence = lake.state().sequence + 1;
        let staged = made.iter().map(|made| (made.file.staging_path(), made.bytes.clone())).collect();
        if let Err(error) = lake.store.put_all(staged).await {
            lake.unstage_after_trouble(made).await;
            return Err(error).context(Kind::Unavailable, || "cannot write to `_staging/`");
        }
        failpoint::reached("commit.staged");
        let hash = match lake.ledger.append(&hex(&self.id), moment, body.clone()).await {
            Ok(Appended::Committed(hash)) => hash,
            Ok(Appended::Lost) => {
                lake.unstage(made).await?;
                return Ok(None);
            }
            Err(error) => {
                // A full disk stays full of what nobody will name.
                if !lake.root().join(entry_path(sequence).as_ref()).exists() {
                    lake.unstage_after_trouble(made).await;
                }
                return Err(error);
            }
        };
        failpoint::reached("commit.recorded");
        let entry = EntryRef::made(sequence, hash, moment.time_ms, &body);
        self.project(lake, &entry, &body, made).await.map_err(|error| {
            let rows = match &body {
                Body::Ingest(ingest) => format!(" with {} rows", ingest.counts.accepted),
                _ => String::new(),
            };
            let message =
                format!("ledger entry {sequence}{rows} is committed, but cannot be brought into its tables yet");
            Error::new(error.kind(), message).caused_by(error).hint("nothing is lost: the next run finishes it")
        })?;
        self.settled = Some(sequence);
        Ok(Some(sequence))
    }

    /// Keeps the fingerprints of new files. Losing them loses nothing, so trouble is logged and not returned.
    async fn add_fingerprints(&self, lake: &Lake, made: &[&Made]) {
        let Some(Fingerprinter { seal, .. }) = self.fingerprinter else { return };
        let section = |made: &&Made| Some((made.file.sha256, made.fingerprints.clone()?));
        let sections: Vec<Section> = made.iter().filter_map(section).collect();
        if let Err(error) = lake.add_fingerprints(seal, &sections).await {
            tracing::warn!(%error, "cannot keep fingerprints of new files: later batches look into the files");
        }
    }

    /// Brings the files of an entry that is in the ledger into place and into the tables.
    async fn project(&mut self, lake: &Lake, entry: &EntryRef, body: &Body, made: &[&Made]) -> Result<()> {
        lake.put_again(made).await?;
        let state = lake.state().clone();
        let version = |table: &str| state.tables.get(table).map_or(0, |table| table.commits);
        // Both wait for the disk, and neither asks for the other.
        let (projected, ()) =
            futures::join!(lake.project(&self.projection, entry, body, version), self.add_fingerprints(lake, made));
        projected?;
        failpoint::reached("commit.applied");
        lake.sweep().await?;
        failpoint::reached("commit.swept");
        for table in tables_of(body) {
            let version = version(table);
            if let Err(error) = self.projection.checkpoint_if_due(table, version).await {
                tracing::warn!(table, version, %error, "cannot write a checkpoint of a Delta table");
            }
        }
        Ok(())
    }
}

impl Lake {
    /// Adds fingerprints of files that are in their tables, and merges files of them where there are many.
    pub(in crate::lake) async fn add_fingerprints(&self, seal: Hasher, sections: &[Section]) -> Result<()> {
        if fingerprints::add(&self.store, &seal, sections).await?.is_none() {
            return Ok(());
        }
        let live = OnceLock::new();
        let is_live = |data: &Hash32| {
            let live: &HashSet<Hash32> = live.get_or_init(|| self.files().map(|file| file.sha256).collect());
            live.contains(data)
        };
        fingerprints::thin(&self.store, seal, is_live).await
    }

    /// Removes our own staged files, of which others may have removed some: the sequence was theirs.
    async fn unstage(&self, made: &[&Made]) -> Result<()> {
        let staged = made.iter().map(|made| made.file.staging_path()).collect();
        self.store.remove_all(staged).await.context(Kind::Unavailable, || "cannot clear `_staging/`")
    }

    /// The same when an error is on its way already, which says more than one about the clearing would.
    async fn unstage_after_trouble(&self, made: &[&Made]) {
        if let Err(error) = self.unstage(made).await {
            tracing::warn!(%error, "staged files are left; they are cleared away when their sequence is taken");
        }
    }

    /// Moves files into place. Those that somebody cleared away who took us for dead are written again: the entry stands,
    /// and we have their bytes.
    pub(in crate::lake) async fn put_again(&self, made: &[&Made]) -> Result<()> {
        let files: Vec<FileEntry> = made.iter().map(|made| made.file.clone()).collect();
        let missing = self.place(&files).await?;
        for made in made.iter().filter(|made| missing.contains(&made.file.data_path())) {
            let path = made.file.data_path();
            let put = self.store.put(&path, made.bytes.clone().into()).await;
            put.context(Kind::Unavailable, || format!("cannot write {path}"))?;
        }
        Ok(())
    }
}
