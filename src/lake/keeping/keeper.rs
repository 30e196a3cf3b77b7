//! Entries that change files: compaction, retention, removal. The protocol is that of a batch.
//!
//! ```text
//! files are made -> lock -> do the files that they replace still exist? -> _staging/ -> ledger entry -> tables, _replaced/
//!                           no: give up, and nothing was changed
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use object_store::ObjectStore;

use super::super::Lake;
use super::super::files::file::FileEntry;
use super::super::files::name::FileName;
use super::super::fingerprints::{self, Folder, Section};
use super::super::identity::Hasher;
use super::super::ledger::entry::Body;
use super::super::ledger::state::State;
use super::super::tables::reject::REJECT_TABLE;
use super::super::writing::indexed;
use super::super::writing::stage::{Attempts, Made};
use super::merge::Rows;
use crate::clock::Clock;
use crate::error::{Kind, Result};
use crate::failpoint;
use crate::typed::Hash32;

/// Bytes of new files that are held until their entry is written.
const ENTRY_BYTES: u64 = 64 << 20;

/// Rows whose fingerprints are held until they are written.
const AT_A_TIME: u64 = 1 << 19;

/// Changes the files of one lake; one keeper per process, any number of processes.
pub struct Keeper {
    lake: Lake,
    attempts: Attempts,
    clock: Clock,
    /// The limit of bytes of new files above which an entry is written.
    pub(super) entry_bytes: u64,
}

impl Keeper {
    pub fn new(lake: Lake, clock: Clock) -> Result<Keeper> {
        Ok(Keeper { attempts: Attempts::at(&lake)?, lake, clock, entry_bytes: ENTRY_BYTES })
    }

    #[cfg(test)]
    pub fn limit(&mut self, entry_bytes: u64) {
        self.entry_bytes = entry_bytes;
    }

    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    pub fn state(&self) -> &State {
        self.lake.state()
    }

    /// Returns the time of an entry that would be written now.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms().max(self.state().time_ms)
    }

    /// Reads what others wrote, and finishes what they left.
    pub async fn catch_up(&mut self) -> Result<()> {
        let _lock = self.lake.lock().await?;
        self.attempts.catch_up(&mut self.lake).await
    }

    /// Writes the rows of some files of one table and partition as one file; returns `None` when there is no row.
    pub(super) async fn merged(&self, rows: Vec<Rows>) -> Result<Option<Made>> {
        self.lake.merged(rows, self.attempts.fingerprinter).await
    }

    /// Makes the fingerprints that files lack, as long as `is_late` does not say that it is enough, and removes those that
    /// are of no file. Returns the number of files that it made some for. A thorough one also makes those anew that were damaged.
    pub(super) async fn complete_fingerprints(&mut self, is_thorough: bool, is_late: impl Fn() -> bool) -> Result<u64> {
        let Some(maker) = self.attempts.fingerprinter else { return Ok(0) };
        {
            let _lock = self.lake.lock().await?;
            let live = self.live_files().await?;
            if is_thorough {
                fingerprints::remove_damaged(&self.lake.store, maker.seal).await?;
            }
            fingerprints::forget(&self.lake.store, |data| !live.contains(data), || Some(maker.seal)).await?;
        }
        let store: Arc<dyn ObjectStore> = self.lake.store();
        let files = self.lake.files().filter(|file| file.table() != REJECT_TABLE).cloned();
        let files: Vec<Arc<FileEntry>> = files.collect();
        let folder = Folder::open(&store, maker.seal, files.iter().map(|file| file.sha256)).await;
        let lacking: Vec<Arc<FileEntry>> = files.into_iter().filter(|file| !folder.has(file)).collect();
        let (mut sections, mut rows, mut made) = (Vec::new(), 0, 0);
        for (number, file) in lacking.iter().enumerate() {
            if is_late() {
                break;
            }
            let fingerprints = indexed::fingerprints(&store, file, &maker.identity).await?;
            rows += fingerprints.rows();
            sections.push((file.sha256, fingerprints));
            if rows >= AT_A_TIME || number + 1 == lacking.len() {
                made += self.keep_fingerprints(maker.seal, std::mem::take(&mut sections)).await?;
                rows = 0;
            }
        }
        made += self.keep_fingerprints(maker.seal, sections).await?;
        Ok(made)
    }

    async fn live_files(&mut self) -> Result<HashSet<Hash32>> {
        self.lake.refresh().await?;
        Ok(self.lake.files().map(|file| file.sha256).collect())
    }

    /// Keeps fingerprints of those files that are in their tables still: another run may have removed some.
    async fn keep_fingerprints(&mut self, seal: Hasher, mut sections: Vec<Section>) -> Result<u64> {
        if sections.is_empty() {
            return Ok(0);
        }
        let _lock = self.lake.lock().await?;
        let live = self.live_files().await?;
        sections.retain(|(data, _)| live.contains(data));
        self.lake.add_fingerprints(seal, &sections).await?;
        Ok(sections.len() as u64)
    }

    /// Commits one entry, which `body` makes of the state and of the files under their final names. Returns `None` when
    /// another run has replaced a file that this entry would replace: then nothing is changed.
    pub async fn commit(
        &mut self,
        made: &[Made],
        body: impl Fn(&State, Vec<FileEntry>) -> Result<Option<Body>>,
    ) -> Result<Option<u64>> {
        let _lock = self.lake.lock().await?;
        failpoint::reached("keep.locked");
        loop {
            self.lake.ledger.check_writable()?;
            self.attempts.catch_up(&mut self.lake).await?;
            let has_checkpoint = self.lake.ledger.checkpoint_if_due().await;
            let (sequence, nonce) = (self.state().sequence + 1, self.attempts.nonce());
            let name = |part: usize| FileName { sequence, part: part as u32, nonce };
            let made: Vec<Made> = made
                .iter()
                .enumerate()
                .map(|(part, made)| Made { file: made.file.renamed(name(part)), ..made.clone() })
                .collect();
            let Some(body) = body(self.state(), made.iter().map(|made| made.file.clone()).collect())? else {
                return Ok(None);
            };
            match self.state().check(&body) {
                Err(error) if error.kind() == Kind::Conflict => return Ok(None),
                checked => checked?,
            }
            let moment = self.lake.ledger.moment(self.clock.now_ms());
            let made: Vec<&Made> = made.iter().collect();
            if let Some(sequence) = self.attempts.commit(&mut self.lake, &made, moment, body).await? {
                if has_checkpoint {
                    self.lake.thin_checkpoints().await;
                }
                failpoint::reached("keep.done");
                return Ok(Some(sequence));
            }
        }
    }
}
