//! A batch goes into the lake: all of it, or none of it.
//!
//! The order is the protocol of DESIGN section 3: look up duplicates, encode, stage and sync the files, put the ledger
//! entry if it is absent, move the files into place, commit to the Delta tables, answer. Losing the race for the
//! sequence means looking again at what the winner wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use hashbrown::HashMap as FastMap;
use object_store::ObjectStoreExt;
use tokio::task::JoinSet;

use super::Lake;
use super::arrange::{arrange, fill_batch};
use super::dedupe::Index;
use super::encode::{Part, encode};
use super::entry::{Body, Counts, FileEntry, Ingest, Retried, SourceRange};
use super::layout::staging_path;
use super::ledger::Appended;
use super::poll::account;
use super::reject::{REJECT_TABLE, RejectRow, reject_batch};
use super::retry::Retry;
use super::sift::{long, text};
use super::table::{EntryRef, Projection};
use crate::clock::Clock;
use crate::error::{Context, Kind, Result};
use crate::failpoint;
use crate::schema::{EventBatch, EventClass};

/// Gives a row back as the JSON text of its event; handed in, since the lake does not know JSON.
pub type Restore = Arc<dyn Fn(&EventClass, &RecordBatch, usize) -> Result<Vec<u8>> + Send + Sync>;

/// What is committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Decoded and redacted; in the order of arrival.
    pub events: Vec<Arrived>,
    pub rejects: Vec<RejectRow>,
    pub sources: Vec<SourceRange>,
    /// Lines that were split off, blank ones included.
    pub read: u64,
    pub blank: u64,
    /// Of the lines read, those that the source's polls told again, known without a look-up.
    pub repeated: u64,
    pub redaction_version: String,
    pub redacted: BTreeMap<String, u64>,
    pub drift: BTreeMap<String, u64>,
    /// Set when the events are lines that an earlier entry rejected; then `read`, `blank` and `rejects` are not.
    pub retry: Option<Retry>,
}

/// Events of one source.
#[derive(Debug)]
pub struct Arrived {
    /// Becomes `_source`.
    pub source: Arc<str>,
    pub events: EventBatch,
}

/// What became of a batch.
#[derive(Debug, Clone, Default)]
pub struct Receipt {
    pub sequence: u64,
    pub counts: Counts,
    /// Accepted rows by table, and rejects under `reject`.
    pub rows: BTreeMap<String, u64>,
    /// Rejects by reason.
    pub rejects: BTreeMap<String, u64>,
    /// Bytes of the files written.
    pub bytes: u64,
    pub files: u64,
    /// Of an API source: rows of time that had been covered before.
    pub late: u64,
    /// Of an API source: keyed hashes of the lines that became rejects.
    pub reject_digests: Vec<i64>,
}

/// Writes batches into one lake; one writer a process, any number of processes.
pub struct Writer {
    pub(super) lake: Lake,
    clock: Clock,
    pub(super) index: Index,
    pub(super) restore: Restore,
    projection: Projection,
    /// The entry up to which this process knows the tables to be complete.
    settled: Option<u64>,
    /// The entry up to which we know what everybody took in: when we began to read, or our last commit.
    pub(super) known: u64,
    threads: Arc<tokio::sync::Semaphore>,
}

impl Writer {
    pub fn new(lake: Lake, clock: Clock, threads: usize, restore: Restore) -> Result<Writer> {
        let index = Index::new(lake.derive_seed("uid"));
        let projection = lake.projection()?;
        let threads = Arc::new(tokio::sync::Semaphore::new(threads.max(1)));
        let known = lake.state().sequence;
        Ok(Writer { lake, clock, index, restore, projection, settled: None, known, threads })
    }

    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Files whose uids had to be looked at.
    pub fn files_looked_up(&self) -> u64 {
        self.index.files_read
    }

    /// Commits a batch. When this returns, the batch is on the disk and visible in every table.
    pub async fn commit(&mut self, batch: Batch) -> Result<Receipt> {
        let _lock = self.lake.lock().await?;
        failpoint::reached("commit.locked");
        loop {
            self.catch_up().await?;
            if let Some(retry) = &batch.retry {
                retry.check(self.lake.state())?;
            }
            self.check_sources(&batch)?;
            if let Some(receipt) = self.attempt(&batch).await? {
                self.settled = Some(receipt.sequence);
                self.known = receipt.sequence;
                self.lake.ledger.checkpoint_if_due().await;
                failpoint::reached("commit.done");
                return Ok(receipt);
            }
        }
    }

    /// How a batch would be counted if it were committed now; nothing is written.
    pub async fn weigh(&mut self, batch: &Batch) -> Result<Counts> {
        let _lock = self.lake.lock().await?;
        self.catch_up().await?;
        let sifted = self.sift(batch).await?;
        let rejected = (batch.rejects.len() + sifted.conflicts.len()) as u64;
        let duplicate = sifted.duplicates + batch.repeated;
        Ok(Counts { read: batch.read, accepted: sifted.accepted, duplicate, rejected, blank: batch.blank })
    }

    /// Takes in what others wrote, and finishes what they left.
    async fn catch_up(&mut self) -> Result<()> {
        self.lake.ledger.refresh().await?;
        failpoint::reached("commit.refreshed");
        if self.settled != Some(self.lake.state().sequence) {
            self.lake.recover(&mut self.projection).await?;
            self.settled = Some(self.lake.state().sequence);
        }
        failpoint::reached("commit.recovered");
        Ok(())
    }

    /// One attempt at the next sequence; `None` when someone else took it.
    async fn attempt(&mut self, batch: &Batch) -> Result<Option<Receipt>> {
        let sequence = self.lake.state().sequence + 1;
        let time_ms = self.clock.now_ms();
        let mut sifted = self.sift(batch).await?;
        failpoint::reached("commit.sifted");
        let mut retried = Vec::new();
        let mut rejects: Vec<&RejectRow> = Vec::new();
        let counts = match &batch.retry {
            None => {
                rejects.extend(batch.rejects.iter().chain(&sifted.conflicts));
                Counts {
                    read: batch.read,
                    accepted: sifted.accepted,
                    duplicate: sifted.duplicates + batch.repeated,
                    rejected: rejects.len() as u64,
                    blank: batch.blank,
                }
            }
            // A line whose uid is taken stays the reject that it is.
            Some(retry) => {
                let (lines, copies) = retry.without(&sifted.conflicts);
                retried = lines;
                let read = retried.iter().map(Retried::count).sum();
                let duplicate = sifted.duplicates + copies;
                Counts { read, accepted: sifted.accepted, duplicate, ..Counts::default() }
            }
        };
        counts.check()?;
        if batch.retry.is_some() && retried.is_empty() {
            return Ok(Some(Receipt { sequence: sequence - 1, ..Receipt::default() }));
        }
        let mut sources = batch.sources.clone();
        let late = account(&mut sources, self.lake.state(), &sifted, &rejects)?;
        if !rejects.is_empty() {
            let rows = reject_batch(&rejects, time_ms * 1000)?;
            sifted.tables.insert(REJECT_TABLE.to_string(), vec![rows]);
        }
        let encoded = self.encode(std::mem::take(&mut sifted.tables), sequence).await?;
        failpoint::reached("commit.encoded");
        let files: Vec<FileEntry> = encoded.iter().map(|encoded| encoded.file.clone()).collect();
        self.stage(&encoded).await?;
        failpoint::reached("commit.staged");

        let ingest = Ingest {
            sources,
            counts,
            redaction_version: batch.redaction_version.clone(),
            redacted: batch.redacted.clone(),
            drift: batch.drift.clone(),
            files: files.clone(),
            retried,
        };
        if self.lake.ledger.append(time_ms, Body::Ingest(ingest)).await? == Appended::Lost {
            self.unstage(&files).await?;
            return Ok(None);
        }
        failpoint::reached("commit.recorded");
        self.lake.apply(&mut self.projection, EntryRef { sequence, time_ms }, &files).await?;
        failpoint::reached("commit.applied");
        self.lake.note_applied()?;
        failpoint::reached("commit.noted");

        let mut receipt = Receipt { sequence, counts, late, ..Receipt::default() };
        for reject in &rejects {
            receipt.reject_digests.push(reject.digest);
            *receipt.rejects.entry(reject.reason.clone()).or_default() += 1;
        }
        for encoded in encoded {
            receipt.bytes += encoded.file.bytes;
            receipt.files += 1;
            *receipt.rows.entry(encoded.file.table.clone()).or_default() += encoded.file.rows;
            if encoded.file.table != REJECT_TABLE {
                self.index.remember(&encoded.file, encoded.uids);
            }
        }
        Ok(Some(receipt))
    }

    /// Encodes each table's rows, one file a partition, several at once.
    async fn encode(&self, tables: BTreeMap<String, Vec<RecordBatch>>, sequence: u64) -> Result<Vec<Encoded>> {
        let partition = self.lake.state().lake.partition;
        let latest_us = self.lake.latest_time_ms(self.clock).saturating_mul(1000);
        let mut tasks = JoinSet::new();
        let mut number = 0;
        for (table, batches) in tables {
            for part in arrange(&table, batches, partition, latest_us)? {
                let permit = self.threads.clone().acquire_owned().await.context(Kind::Internal, || "no encoder")?;
                let (seed, place) = (self.lake.derive_seed("uid"), number);
                tasks.spawn_blocking(move || {
                    let _permit = permit;
                    Encoded::new(part, sequence, place, seed).map(|encoded| (place, encoded))
                });
                number += 1;
            }
        }
        let mut encoded = Vec::with_capacity(number);
        while let Some(done) = tasks.join_next().await {
            encoded.push(done.context(Kind::Internal, || "an encoder stopped")??);
        }
        encoded.sort_by_key(|(place, _)| *place);
        Ok(encoded.into_iter().map(|(_, encoded)| encoded).collect())
    }

    async fn stage(&self, encoded: &[Encoded]) -> Result<()> {
        let files = encoded
            .iter()
            .map(|encoded| (staging_path(&encoded.file.table, &encoded.file.path), encoded.bytes.clone()))
            .collect();
        self.lake.store.put_all(files).await.context(Kind::Unavailable, || "cannot write to `_staging/`")
    }

    async fn unstage(&self, files: &[FileEntry]) -> Result<()> {
        for file in files {
            let path = staging_path(&file.table, &file.path);
            self.lake.store.delete(&path).await.context(Kind::Unavailable, || format!("cannot delete {path}"))?;
        }
        Ok(())
    }
}

/// A file's bytes, what the ledger says of it, and its uids for the look-up.
struct Encoded {
    file: FileEntry,
    bytes: bytes::Bytes,
    uids: FastMap<u64, (i64, u64)>,
}

impl Encoded {
    fn new(part: Part, sequence: u64, number: usize, seed: u64) -> Result<Encoded> {
        let batches = part.batches.iter().map(|batch| fill_batch(batch, sequence)).collect::<Result<_>>()?;
        let part = Part { batches, ..part };
        let (file, bytes) = encode(&part, sequence, number)?;
        let mut uids = FastMap::with_capacity(file.rows as usize);
        let mut place = 0;
        for batch in &part.batches {
            if let (Some(column), Some(digests)) = (text(batch, "_event_uid"), long(batch, "_digest")) {
                for row in (0..column.len()).filter(|&row| column.is_valid(row)) {
                    uids.insert(
                        super::hash(seed, column.value(row).as_bytes()),
                        (digests.value(row), place + row as u64),
                    );
                }
            }
            place += batch.num_rows() as u64;
        }
        Ok(Encoded { file, bytes: bytes.into(), uids })
    }
}
