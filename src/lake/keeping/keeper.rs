//! Entries that change files: compaction, retention, removal. The protocol is that of a batch.
//!
//! ```text
//! files are made -> lock -> are those that they replace still there? -> _staging/ -> ledger entry -> tables, _replaced/
//!                           no: give up, and nothing was changed
//! ```

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::super::commit::EntryRef;
use super::super::entry::Body;
use super::super::file::{FileEntry, FileName};
use super::super::layout::entry_path;
use super::super::ledger::Appended;
use super::super::recover::tables_of;
use super::super::state::State;
use super::super::table::Projection;
use super::super::{Lake, random};
use crate::clock::Clock;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::typed::hex;

/// A file that is to be added, under a name that is not its last one.
#[derive(Debug, Clone)]
pub struct Made {
    pub file: FileEntry,
    pub bytes: Bytes,
}

/// Changes the files of one lake; one keeper a process, any number of processes.
pub struct Keeper {
    lake: Lake,
    /// Random: entries and files say who wrote them.
    id: [u8; 16],
    /// Attempts at a sequence so far; files are named by it.
    attempts: u16,
    clock: Clock,
    projection: Projection,
    /// The entry up to which this process knows the tables to be complete.
    settled: Option<u64>,
}

impl Keeper {
    pub fn new(lake: Lake, clock: Clock) -> Result<Keeper> {
        let projection = lake.projection();
        Ok(Keeper { lake, id: random()?, attempts: 0, clock, projection, settled: None })
    }

    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    pub fn state(&self) -> &State {
        self.lake.state()
    }

    /// The time of an entry that would be written now.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms().max(self.state().time_ms)
    }

    /// Takes in what others wrote, and finishes what they left.
    pub async fn catch_up(&mut self) -> Result<()> {
        let _lock = self.lake.lock().await?;
        self.catch_up_locked().await
    }

    async fn catch_up_locked(&mut self) -> Result<()> {
        self.lake.refresh().await?;
        if self.settled != Some(self.state().sequence) {
            self.lake.recover(&self.projection).await?;
            self.settled = Some(self.state().sequence);
        }
        Ok(())
    }

    /// Commits one entry, which `body` makes of the state and of the files under their last names. `None` when another
    /// run has replaced a file that this entry would replace: then nothing is changed.
    pub async fn commit(
        &mut self,
        made: &[Made],
        body: impl Fn(&State, Vec<FileEntry>) -> Result<Option<Body>>,
    ) -> Result<Option<u64>> {
        let _lock = self.lake.lock().await?;
        failpoint::reached("keep.locked");
        loop {
            self.lake.ledger.check_writable()?;
            self.catch_up_locked().await?;
            let has_checkpoint = self.lake.ledger.checkpoint_if_due().await;
            let (sequence, nonce) = (self.state().sequence + 1, self.nonce());
            let name = |part: usize| FileName { sequence, part: part as u32, nonce };
            let made: Vec<Made> = made
                .iter()
                .enumerate()
                .map(|(part, made)| Made { file: made.file.renamed(name(part)), bytes: made.bytes.clone() })
                .collect();
            let Some(body) = body(self.state(), made.iter().map(|made| made.file.clone()).collect())? else {
                return Ok(None);
            };
            match self.state().check(&body) {
                Err(error) if error.kind() == Kind::Conflict => return Ok(None),
                checked => checked?,
            }
            if let Some(sequence) = self.attempt(&made, body).await? {
                if has_checkpoint {
                    self.lake.thin_checkpoints().await;
                }
                failpoint::reached("keep.done");
                return Ok(Some(sequence));
            }
        }
    }

    /// One attempt at the next sequence; `None` when another writer took it.
    async fn attempt(&mut self, made: &[Made], body: Body) -> Result<Option<u64>> {
        let sequence = self.state().sequence + 1;
        let staged: Vec<_> = made.iter().map(|made| (made.file.staging_path(), made.bytes.clone())).collect();
        let paths: Vec<Path> = staged.iter().map(|(path, _)| path.clone()).collect();
        if let Err(error) = self.lake.store.put_all(staged).await {
            self.unstage_after_trouble(paths).await;
            return Err(error).context(Kind::Unavailable, || "cannot write to `_staging/`");
        }
        failpoint::reached("keep.staged");
        let moment = self.lake.ledger.moment(self.clock.now_ms());
        match self.lake.ledger.append(&hex(&self.id), moment, body).await {
            Ok(Appended::Committed(_)) => {}
            Ok(Appended::Lost) => {
                self.lake.store.remove_all(paths).await.context(Kind::Unavailable, || "cannot clear `_staging/`")?;
                return Ok(None);
            }
            Err(error) => {
                // A full disk stays full of what nobody will name.
                if !self.lake.root().join(entry_path(sequence).as_ref()).exists() {
                    self.unstage_after_trouble(paths).await;
                }
                return Err(error);
            }
        }
        failpoint::reached("keep.recorded");
        self.project(sequence, made).await.map_err(|error| {
            let message = format!("ledger entry {sequence} is committed, but cannot be brought into its tables yet");
            Error::new(error.kind(), message).caused_by(error).hint("nothing is lost: the next run finishes it")
        })?;
        self.settled = Some(sequence);
        Ok(Some(sequence))
    }

    async fn project(&mut self, sequence: u64, made: &[Made]) -> Result<()> {
        let files: Vec<FileEntry> = made.iter().map(|made| made.file.clone()).collect();
        let missing = self.lake.place(&files).await?;
        // Somebody who took us for dead cleared them away; the entry stands, and we have their bytes.
        for made in made.iter().filter(|made| missing.contains(&made.file.data_path())) {
            let path = made.file.data_path();
            let put = self.lake.store.put(&path, made.bytes.clone().into()).await;
            put.context(Kind::Unavailable, || format!("cannot write {path}"))?;
        }
        let (entry, hash) = self.lake.entry(sequence).await?;
        let state = self.lake.state().clone();
        let version = |table: &str| state.tables.get(table).map_or(0, |table| table.commits);
        self.lake.project(&self.projection, &EntryRef::of(&entry, &hash), &entry.body, version).await?;
        self.lake.sweep().await?;
        for table in tables_of(&entry.body) {
            if let Err(error) = self.projection.checkpoint_if_due(table, version(table)).await {
                tracing::warn!(table, %error, "cannot write a checkpoint of a Delta table");
            }
        }
        Ok(())
    }

    async fn unstage_after_trouble(&self, paths: Vec<Path>) {
        if let Err(error) = self.lake.store.remove_all(paths).await {
            tracing::warn!(%error, "staged files are left; they are cleared away when their sequence is taken");
        }
    }

    /// Names the files of the next attempt: no other writer has it, and no other attempt of ours.
    fn nonce(&mut self) -> [u8; 6] {
        self.attempts = self.attempts.wrapping_add(1);
        let [a, b] = self.attempts.to_be_bytes();
        [self.id[0], self.id[1], self.id[2], self.id[3], a, b]
    }
}
