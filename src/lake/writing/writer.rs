//! A batch goes into the lake: all of it, or none of it.
//!
//! The order is the protocol of DESIGN section 3: look up duplicates, encode, stage and sync the files, put the ledger
//! entry if it is absent, move the files into place, commit to the Delta tables, answer. Losing the race for the
//! sequence means looking again at what the winner wrote.
//!
//! A lock keeps writers from encoding in vain, and there are disks on which it locks nothing. What keeps the lake right
//! without it: the put of the entry decides, every file has a name that no other writer gives, and nobody deletes what
//! may belong to somebody else who is alive.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::task::JoinSet;

use super::super::Lake;
use super::super::files::name::FileName;
use super::super::fingerprints::Fingerprinter;
use super::super::identity::Hasher;
use super::super::ledger::entry::{Body, Counts, Ingest, Notes, Retried, SourceRange};
use super::super::ledger::log::Moment;
use super::super::parquet::{Part, encode};
use super::super::tables::reject::{REJECT_TABLE, RejectRow, reject_batch};
use super::super::tables::revision::REVISION_TABLE;
use super::account::account;
use super::arrange::{arrange, fill_batch};
use super::dedupe::Index;
use super::indexed::Rows;
use super::retry::Retry;
use super::sifted::Sifted;
use super::stage::{Attempts, Made};
use crate::clock::Clock;
use crate::error::{Context, Kind, Result};
use crate::failpoint;
use crate::schema::{EventBatch, EventClass, FieldIds};

/// A clock that is behind the ledger by more than this is worth a word: two machines may differ by seconds.
const SKEW_MS: i64 = 60_000;

/// Gives a row back as the JSON text of its event; handed in, since the decoder knows how its rows were made.
pub type Restore = Arc<dyn Fn(&EventClass, &RecordBatch, usize) -> Result<Vec<u8>> + Send + Sync>;

/// Rows that are committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Decoded and redacted; in the order of arrival.
    pub events: Vec<Arrived>,
    pub rejects: Vec<RejectRow>,
    pub sources: Vec<SourceRange>,
    /// Lines that were split off, blank ones included.
    pub read: u64,
    pub blank: u64,
    /// Lines that the source's polls told again, known without a look-up.
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

/// The result of a batch.
#[derive(Debug, Clone, Default)]
pub struct Receipt {
    pub sequence: u64,
    pub counts: Counts,
    pub notes: Notes,
    /// Accepted rows by table, rejects under `reject`, and later versions under `revision`.
    pub rows: BTreeMap<String, u64>,
    /// Rejects by reason.
    pub rejects: BTreeMap<String, u64>,
    /// Bytes of the files written.
    pub bytes: u64,
    pub files: u64,
    /// Rows of an API source whose time had been covered before.
    pub late: u64,
    /// Keyed hashes of the lines of an API source that became rejects.
    pub reject_digests: Vec<u128>,
    /// By how much this machine's clock was behind the ledger; none when it was not.
    pub skew_ms: Option<i64>,
}

/// Writes batches into one lake; one writer a process, any number of processes.
pub struct Writer {
    pub(in crate::lake) lake: Lake,
    attempts: Attempts,
    clock: Clock,
    pub(in crate::lake) index: Index,
    /// Hashes contents.
    pub(in crate::lake) contents: Hasher,
    /// Versions of the redaction rules, by the entry that they were used for.
    pub(in crate::lake) redactions: HashMap<u64, String>,
    pub(in crate::lake) restore: Restore,
    /// The entry up to which we know what everybody took in: when we began to read, or our last commit.
    pub(in crate::lake) known: u64,
    threads: Arc<tokio::sync::Semaphore>,
    /// A clock that is behind was told of.
    is_told: bool,
}

impl Writer {
    pub fn new(lake: Lake, clock: Clock, threads: usize, restore: Restore) -> Result<Writer> {
        let index = Index::new(Fingerprinter::of(&lake)?);
        let contents = lake.hasher("content")?;
        let threads = Arc::new(tokio::sync::Semaphore::new(threads.max(1)));
        let known = lake.state().sequence;
        let attempts = Attempts::at(&lake)?;
        Ok(Writer {
            lake,
            attempts,
            clock,
            index,
            contents,
            redactions: HashMap::new(),
            restore,
            known,
            threads,
            is_told: false,
        })
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
            self.lake.ledger.check_writable()?;
            self.attempts.catch_up(&mut self.lake).await?;
            if let Some(retry) = &batch.retry {
                retry.check(self.lake.state())?;
            }
            self.check_sources(&batch).await?;
            // Before the entry, since it is the entry that vouches for the checkpoint.
            let has_checkpoint = self.lake.ledger.checkpoint_if_due().await;
            if let Some(receipt) = self.attempt(&batch).await? {
                self.known = receipt.sequence;
                if has_checkpoint {
                    self.lake.thin_checkpoints().await;
                }
                failpoint::reached("commit.done");
                return Ok(receipt);
            }
        }
    }

    /// How a batch would be counted if it were committed now; nothing is written.
    pub async fn weigh(&mut self, batch: &Batch) -> Result<(Counts, Notes)> {
        let _lock = self.lake.lock().await?;
        self.attempts.catch_up(&mut self.lake).await?;
        let sifted = self.sift(batch).await?;
        Ok((counts(batch, &sifted), sifted.notes))
    }

    /// One attempt at the next sequence; `None` when someone else took it.
    async fn attempt(&mut self, batch: &Batch) -> Result<Option<Receipt>> {
        let sequence = self.lake.state().sequence + 1;
        let moment = self.moment();
        let mut sifted = self.sift(batch).await?;
        failpoint::reached("commit.sifted");
        let (mut counts, mut retried) = (counts(batch, &sifted), Vec::new());
        if let Some(retry) = &batch.retry {
            let (lines, copies) = retry.taken();
            counts.read = lines.iter().map(Retried::count).sum();
            counts.duplicate += copies;
            retried = lines;
        }
        counts.check()?;
        let notes = sifted.notes;
        let mut sources = batch.sources.clone();
        let late = account(&mut sources, self.lake.state(), &sifted, &batch.rejects)?;
        if !batch.rejects.is_empty() {
            let rows = reject_batch(&batch.rejects, moment.time_ms * 1000)?;
            sifted.tables.insert(REJECT_TABLE.to_string(), vec![rows]);
        }
        if !sifted.revisions.is_empty() {
            let rows = std::mem::take(&mut sifted.revisions);
            sifted.tables.insert(REVISION_TABLE.to_string(), rows);
        }
        let encoded = self.encode(std::mem::take(&mut sifted.tables), sequence).await?;
        failpoint::reached("commit.encoded");
        let ingest = Ingest {
            sources,
            counts,
            notes,
            redaction_version: batch.redaction_version.clone(),
            redacted: batch.redacted.clone(),
            drift: batch.drift.clone(),
            files: encoded.iter().map(|encoded| encoded.made.file.clone()).collect(),
            retried,
        };
        let made: Vec<&Made> = encoded.iter().map(|encoded| &encoded.made).collect();
        let committed = self.attempts.commit(&mut self.lake, &made, moment, Body::Ingest(ingest)).await?;
        let Some(sequence) = committed else { return Ok(None) };

        let mut receipt = Receipt { sequence, counts, notes, late, skew_ms: moment.skew_ms, ..Receipt::default() };
        for reject in &batch.rejects {
            receipt.reject_digests.push(reject.digest);
            *receipt.rejects.entry(reject.reason.clone()).or_default() += 1;
        }
        for encoded in encoded {
            let file = encoded.made.file;
            receipt.bytes += file.bytes;
            receipt.files += 1;
            *receipt.rows.entry(file.table().to_string()).or_default() += file.rows;
            if let Some(rows) = encoded.rows {
                self.index.remember(&file, rows);
            }
        }
        Ok(Some(receipt))
    }

    /// When the next entry is written, which is said when this machine's clock is not to be believed.
    fn moment(&mut self) -> Moment {
        let moment = self.lake.ledger.moment(self.clock.now_ms());
        if let Some(skew_ms) = moment.skew_ms.filter(|skew_ms| *skew_ms > SKEW_MS && !self.is_told) {
            self.is_told = true;
            tracing::warn!(
                seconds = skew_ms / 1000,
                "this machine's clock is behind the newest ledger entry: one of the clocks that wrote to this lake is wrong"
            );
        }
        moment
    }

    /// Encodes each table's rows, one file a partition, several at once.
    async fn encode(&mut self, tables: BTreeMap<String, Vec<RecordBatch>>, sequence: u64) -> Result<Vec<Encoded>> {
        let partition = self.lake.state().lake.partition;
        let latest_us = self.lake.latest_time_ms(self.clock).saturating_mul(1000);
        let nonce = self.attempts.nonce();
        let mut tasks = JoinSet::new();
        let mut number = 0;
        for (table, batches) in tables {
            let ids = Arc::new(self.lake.field_ids(&table));
            for part in arrange(&table, batches, partition, latest_us)? {
                let permit = self.threads.clone().acquire_owned().await.context(Kind::Internal, || "no encoder")?;
                let (hasher, place, ids) = (self.index.hasher(), number, Arc::clone(&ids));
                let name = FileName { sequence, part: number as u32, nonce };
                tasks.spawn_blocking(move || {
                    let _permit = permit;
                    Encoded::new(part, name, &ids, hasher).map(|encoded| (place, encoded))
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
}

/// How a batch is counted, its retried lines aside.
fn counts(batch: &Batch, sifted: &Sifted) -> Counts {
    Counts {
        read: batch.read,
        accepted: sifted.accepted,
        duplicate: sifted.duplicates + batch.repeated,
        revised: sifted.revised,
        rejected: batch.rejects.len() as u64,
        blank: batch.blank,
        outside: sifted.outside,
    }
}

/// A file, and its rows for the look-up; rejects are not looked up.
struct Encoded {
    made: Made,
    rows: Option<Rows>,
}

impl Encoded {
    fn new(part: Part, name: FileName, ids: &FieldIds, hasher: Hasher) -> Result<Encoded> {
        let batches = part.batches.iter().map(|batch| fill_batch(batch, name.sequence)).collect::<Result<_>>()?;
        let part = Part { batches, ..part };
        let (file, bytes) = encode(&part, name, ids)?;
        let rows = if file.table() == REJECT_TABLE { None } else { Rows::of(file.table(), &part.batches, &hasher)? };
        let fingerprints = rows.as_ref().map(Rows::fingerprints);
        Ok(Encoded { made: Made { file, bytes: bytes.into(), fingerprints }, rows })
    }
}
