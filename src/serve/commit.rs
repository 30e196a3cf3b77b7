//! The log of reads goes into the lake: files of this server as they are sealed, files of servers that died at the start.
//!
//! A file is removed when its lines are committed. Between the two a crash leaves a file whose lines the lake has: they
//! are duplicates then, which costs nothing.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::journal::{FILE_PREFIX, FILE_SUFFIX, Sealed};
use crate::clock::Clock;
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::ingest::{Producer, batch_of_own, restore};
use crate::lake::{Lake, Writer};
use crate::redact::Policy;

/// What the ledger calls these lines.
const ORIGIN: Producer = Producer { kind: "serve", name: "audit-log reads" };
/// A commit that failed is tried again after so long, and then after twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(60);

/// Commits files of readings.
pub struct Committer {
    writer: Writer,
    policy: Arc<Policy>,
    redaction_version: String,
    backlog: Arc<AtomicU64>,
}

impl Committer {
    pub fn new(
        lake: Lake,
        policy: Arc<Policy>,
        redaction_version: String,
        clock: Clock,
        backlog: Arc<AtomicU64>,
    ) -> Result<Committer> {
        Ok(Committer { writer: Writer::new(lake, clock, 1, restore())?, policy, redaction_version, backlog })
    }

    /// Takes in what servers that are gone left in `folder`; their number of lines.
    pub async fn recover(&mut self, folder: &Path) -> Result<u64> {
        let cannot = || format!("cannot look into {}", folder.display());
        // Their servers died before they wrote anything.
        disk::sweep(folder, |name| name.strip_prefix('.').is_some_and(|name| name.starts_with(FILE_PREFIX)))
            .context(Kind::Unavailable, cannot)?;
        let mut lines = 0;
        for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
            let place = entry.context(Kind::Unavailable, cannot)?.path();
            let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !name.starts_with(FILE_PREFIX) || !name.ends_with(FILE_SUFFIX) {
                continue;
            }
            let file = File::open(&place).context(Kind::Unavailable, || format!("cannot open {}", place.display()))?;
            match file.try_lock() {
                // Another server writes to it.
                Err(TryLockError::WouldBlock) => continue,
                locked => locked.context(Kind::Unavailable, || format!("cannot lock {}", place.display()))?,
            }
            lines += self.commit(&place).await?;
        }
        Ok(lines)
    }

    /// Commits what comes until there is no more.
    pub async fn run(mut self, mut sealed: UnboundedReceiver<Sealed>) {
        while let Some(next) = sealed.recv().await {
            let mut wait = FIRST_WAIT;
            while let Err(error) = self.commit(&next.place).await {
                tracing::error!(%error, "reads wait to be committed; the file keeps them");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LAST_WAIT);
            }
            self.backlog.fetch_sub(next.bytes, Ordering::Relaxed);
            drop(next.file);
        }
    }

    async fn commit(&mut self, place: &PathBuf) -> Result<u64> {
        let bytes = fs::read(place).context(Kind::Unavailable, || format!("cannot read {}", place.display()))?;
        let (lake, policy, version) = (self.writer.lake().clone(), self.policy.clone(), self.redaction_version.clone());
        // Ten thousand lines take long enough to keep requests waiting.
        let made = tokio::task::spawn_blocking(move || batch_of_own(&lake, &policy, &version, ORIGIN, bytes));
        let batch = made.await.context(Kind::Internal, || "cannot decode the log of reads")??;
        let lines = batch.read;
        if lines > 0 {
            self.writer.commit(batch).await?;
        }
        remove(place)?;
        Ok(lines)
    }
}

fn remove(place: &Path) -> Result<()> {
    disk::remove(place).context(Kind::Unavailable, || format!("cannot remove {}", place.display()))
}
