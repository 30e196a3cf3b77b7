//! Entries that change files: compaction, retention, removal. The protocol is that of a batch.
//!
//! ```text
//! files are made -> lock -> do the files that they replace still exist? -> _staging/ -> ledger entry -> tables, _replaced/
//!                           no: give up, and nothing was changed
//! ```

use super::super::Lake;
use super::super::files::file::FileEntry;
use super::super::files::name::FileName;
use super::super::ledger::entry::Body;
use super::super::ledger::state::State;
use super::super::writing::stage::{Attempts, Made};
use crate::clock::Clock;
use crate::error::{Kind, Result};
use crate::failpoint;

/// Bytes of new files that are held until their entry is written.
const ENTRY_BYTES: u64 = 64 << 20;

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
                .map(|(part, made)| Made { file: made.file.renamed(name(part)), bytes: made.bytes.clone() })
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
