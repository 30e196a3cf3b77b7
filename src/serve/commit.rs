//! Commits the log of reads to the lake: files of this server as they are sealed, files of dead servers at the start.
//!
//! A file is removed when its lines are committed. A crash in between leaves a file whose lines the lake has: they are
//! then duplicates, which costs nothing. A file whose seals are wrong yields the lines before the first wrong one, and
//! is put aside.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::journal::Sealed;
use super::life::Turn;
use crate::clock::Clock;
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::ingest::{Left, Producer, Seals, Series, batch_of_own, left, put_aside, restore};
use crate::lake::{Lake, Writer};
use crate::redact::Policy;

/// The origin of these lines in the ledger.
const ORIGIN: Producer = Producer { kind: "serve", name: "audit-log reads" };
/// The time after which a failed commit is tried again; it doubles with each failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(60);

/// Commits files of readings.
pub struct Committer {
    writer: Writer,
    policy: Arc<Policy>,
    redaction_version: String,
    backlog: Arc<AtomicU64>,
}

/// The lines that were committed for servers that have ended.
pub struct Recovered {
    pub lines: u64,
    /// Turns that must be logged before their records are removed.
    pub turns: Vec<Turn>,
    left: Vec<Left>,
}

impl Recovered {
    /// Removes the records of these servers: what they left has been logged.
    pub fn forget(self) -> Result<()> {
        self.left.iter().filter(|left| left.record.exists()).try_for_each(|left| remove(&left.record))
    }
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

    /// Ingests what servers that are gone left in `folder`.
    pub async fn recover(&mut self, folder: &Path, key: [u8; 32]) -> Result<Recovered> {
        let mut recovered = Recovered { lines: 0, turns: Vec::new(), left: left(folder, key)? };
        for left in &recovered.left {
            let server = || left.server.clone();
            let missing = |from, why: &str| Turn::Missing { server: server(), from, why: why.to_string() };
            let mut next = left.committed + 1;
            // A hole is logged once, and not again by the piece after it.
            let mut is_told = left.fault.is_some();
            if let Some(fault) = left.fault {
                recovered.turns.push(missing(next, fault));
            }
            for (first, place) in &left.pieces {
                if *first > next && !is_told {
                    recovered.turns.push(missing(next, "lines are missing"));
                }
                is_told = !place.exists();
                if is_told {
                    recovered.turns.push(missing(*first, "a piece is missing"));
                    continue;
                }
                let taken = self.commit(place, Seals::new(key, &left.server, *first), u64::MAX).await?;
                recovered.lines += taken.lines;
                next = next.max(taken.next);
                left.note_committed(&key, next - 1)?;
                if taken.is_whole {
                    remove(place)?
                } else {
                    recovered.turns.push(missing(taken.next, "a line is not as it was written"));
                    put_aside(place)?;
                }
            }
            recovered.turns.push(Turn::Recovered { server: server(), last: next - 1 });
        }
        Ok(recovered)
    }

    /// Commits files as they come until no more come.
    pub async fn run(mut self, series: Arc<Series>, mut sealed: UnboundedReceiver<Sealed>) {
        while let Some(next) = sealed.recv().await {
            let mut wait = FIRST_WAIT;
            while let Err(error) = self.take(&series, &next).await {
                tracing::error!(%error, "reads wait to be committed; the file keeps them");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LAST_WAIT);
            }
            self.backlog.fetch_sub(next.bytes, Ordering::Relaxed);
        }
    }

    async fn take(&mut self, series: &Series, sealed: &Sealed) -> Result<()> {
        let taken = self.commit(&sealed.place, series.seals(sealed.first), sealed.bytes).await?;
        series.committed(taken.next - 1)?;
        if taken.is_whole {
            return remove(&sealed.place);
        }
        tracing::error!(from = taken.next, "the log of reads was changed while it waited; the rest is put aside");
        put_aside(&sealed.place)
    }

    async fn commit(&mut self, place: &Path, mut seals: Seals, bytes: u64) -> Result<Taken> {
        let mut read = fs::read(place).context(Kind::Unavailable, || format!("cannot read {}", place.display()))?;
        let is_short = bytes != u64::MAX && (read.len() as u64) < bytes;
        read.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        let (lake, policy, version) = (self.writer.lake().clone(), self.policy.clone(), self.redaction_version.clone());
        // Ten thousand lines take long enough to keep requests waiting.
        let made = tokio::task::spawn_blocking(move || {
            let (events, is_whole) = seals.open(&read);
            let batch = batch_of_own(&lake, &policy, &version, ORIGIN, events)?;
            Ok((batch, Taken { lines: 0, next: seals.number, is_whole: is_whole && !is_short }))
        });
        let (batch, taken) = made.await.context(Kind::Internal, || "cannot decode the log of reads")??;
        let lines = batch.read;
        if lines > 0 {
            self.writer.commit(batch).await?;
        }
        Ok(Taken { lines, ..taken })
    }
}

/// The lines that a file gave.
struct Taken {
    lines: u64,
    /// The number after its last line.
    next: u64,
    is_whole: bool,
}

fn remove(place: &Path) -> Result<()> {
    disk::remove(place).context(Kind::Unavailable, || format!("cannot remove {}", place.display()))
}
