//! A batch goes into the lake: all of it, or none of it.
//!
//! The order is the protocol of DESIGN section 3: look up duplicates, encode, stage and sync the files, put the ledger
//! entry if it is absent, move the files into place, commit to the Delta tables, answer. Losing the race for the
//! sequence means looking again at what the winner wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use hashbrown::HashMap as FastMap;
use object_store::ObjectStoreExt;
use tokio::task::JoinSet;

use super::arrange::{arrange, fill_batch, fill_source};
use super::dedupe::{Candidate, Index, Twin};
use super::encode::{Part, encode, times};
use super::entry::{Body, Counts, FileEntry, Ingest, SourceRange};
use super::layout::staging_path;
use super::ledger::Appended;
use super::plain::plain;
use super::reject::{REJECT_TABLE, RejectRow, reject_batch};
use super::table::{EntryRef, Projection};
use super::{Lake, lock, read};
use crate::clock::Clock;
use crate::error::{Context, Error, Kind, Result};
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
    pub redaction_version: String,
    pub redacted: BTreeMap<String, u64>,
    pub drift: BTreeMap<String, u64>,
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
}

/// Writes batches into one lake; one writer a process, any number of processes.
pub struct Writer {
    lake: Lake,
    clock: Clock,
    index: Index,
    restore: Restore,
    projection: Projection,
    /// The entry up to which this process knows the tables to be complete.
    settled: Option<u64>,
    threads: Arc<tokio::sync::Semaphore>,
}

/// A batch after the look-up: what is new, by table, and what is not.
struct Sifted {
    tables: BTreeMap<String, Vec<RecordBatch>>,
    conflicts: Vec<RejectRow>,
    duplicates: u64,
    accepted: u64,
}

impl Writer {
    pub fn new(lake: Lake, clock: Clock, threads: usize, restore: Restore) -> Result<Writer> {
        let index = Index::new(lake.derive_seed("uid"));
        let projection = lake.projection()?;
        let threads = Arc::new(tokio::sync::Semaphore::new(threads.max(1)));
        Ok(Writer { lake, clock, index, restore, projection, settled: None, threads })
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
        let _lock = lock(self.lake.root()).await?;
        loop {
            self.lake.ledger.refresh().await?;
            if self.settled != Some(self.lake.state().sequence) {
                self.lake.recover(&mut self.projection).await?;
            }
            if let Some(receipt) = self.attempt(&batch).await? {
                self.settled = Some(receipt.sequence);
                self.lake.ledger.checkpoint_if_due().await;
                return Ok(receipt);
            }
        }
    }

    /// One attempt at the next sequence; `None` when someone else took it.
    async fn attempt(&mut self, batch: &Batch) -> Result<Option<Receipt>> {
        let sequence = self.lake.state().sequence + 1;
        let time_ms = self.clock.now_ms();
        let mut sifted = self.sift(batch).await?;
        let mut rejects = batch.rejects.clone();
        rejects.append(&mut sifted.conflicts);
        let counts = Counts {
            read: batch.read,
            accepted: sifted.accepted,
            duplicate: sifted.duplicates,
            rejected: rejects.len() as u64,
            blank: batch.blank,
        };
        counts.check()?;
        if !rejects.is_empty() {
            let rows = reject_batch(&rejects, time_ms * 1000)?;
            sifted.tables.insert(REJECT_TABLE.to_string(), vec![rows]);
        }
        let encoded = self.encode(sifted.tables, sequence).await?;
        let files: Vec<FileEntry> = encoded.iter().map(|encoded| encoded.file.clone()).collect();
        self.stage(&encoded).await?;

        let ingest = Ingest {
            sources: batch.sources.clone(),
            counts,
            redaction_version: batch.redaction_version.clone(),
            redacted: batch.redacted.clone(),
            drift: batch.drift.clone(),
            files: files.clone(),
        };
        if self.lake.ledger.append(time_ms, Body::Ingest(ingest)).await? == Appended::Lost {
            self.unstage(&files).await?;
            return Ok(None);
        }
        self.lake.apply(&mut self.projection, EntryRef { sequence, time_ms }, &files).await?;
        self.lake.note_applied()?;

        let mut receipt = Receipt { sequence, counts, ..Receipt::default() };
        for reject in &rejects {
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

    /// Separates what is new from what the lake, or the batch itself, holds already.
    async fn sift(&mut self, batch: &Batch) -> Result<Sifted> {
        let all = batch.events.iter().map(|arrived| Columns::of(&arrived.events)).collect::<Result<Vec<_>>>()?;
        let mut keep: Vec<Vec<bool>> =
            batch.events.iter().map(|arrived| vec![true; arrived.events.batch.num_rows()]).collect();
        let mut sifted = Sifted { tables: BTreeMap::new(), conflicts: Vec::new(), duplicates: 0, accepted: 0 };

        // A chunk's rows stand by class: which event was first tells the line, within the same source.
        let order = arrival(&batch.events);
        let mut places: Vec<(usize, usize)> = Vec::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut seen: FastMap<u64, usize> = FastMap::new();
        for (b, columns) in all.iter().enumerate() {
            for row in (0..columns.uids.len()).filter(|&row| columns.uids.is_valid(row)) {
                let uid = columns.uids.value(row);
                let candidate = Candidate { uid, hash: self.index.hash(uid), time_us: columns.times[row] };
                let Some(&first) = seen.get(&candidate.hash) else {
                    seen.insert(candidate.hash, places.len());
                    places.push((b, row));
                    candidates.push(candidate);
                    continue;
                };
                let mut later = (b, row);
                if order(later) < order(places[first]) {
                    later = std::mem::replace(&mut places[first], later);
                    candidates[first] = candidate;
                }
                let (first_b, first_row) = places[first];
                let (later_b, later_row) = later;
                keep[later_b][later_row] = false;
                let digest = all[first_b].digests.value(first_row);
                let (first, later) = (&batch.events[first_b], &batch.events[later_b]);
                let is_same = digest == all[later_b].digests.value(later_row)
                    || self.is_equal(&first.events, first_row, &later.events, later_row)?;
                match is_same {
                    true => sifted.duplicates += 1,
                    false => sifted.conflicts.push(self.conflict(later, later_row, &all[later_b], digest)?),
                }
            }
        }
        let state = self.lake.state().clone();
        let twins = self.index.look_up(&self.lake.store(), &state, &candidates).await?;
        for (&(b, row), twin) in places.iter().zip(&twins) {
            let Some(twin) = twin else { continue };
            keep[b][row] = false;
            if all[b].digests.value(row) == twin.digest || self.is_stored(twin, &batch.events[b].events, row).await? {
                sifted.duplicates += 1;
            } else {
                sifted.conflicts.push(self.conflict(&batch.events[b], row, &all[b], twin.digest)?);
            }
        }
        for (Arrived { source, events }, keep) in batch.events.iter().zip(keep) {
            let kept = match keep.iter().all(|&keep| keep) {
                true => events.batch.clone(),
                false => filter_record_batch(&events.batch, &BooleanArray::from(keep))
                    .context(Kind::Internal, || "cannot drop duplicates from a batch")?,
            };
            if kept.num_rows() > 0 {
                sifted.accepted += kept.num_rows() as u64;
                sifted.tables.entry(events.class.name.clone()).or_default().push(fill_source(&kept, source)?);
            }
        }
        Ok(sifted)
    }

    /// Whether two rows are the same event, spelling of the JSON text aside.
    fn is_equal(&self, a: &EventBatch, a_row: usize, b: &EventBatch, b_row: usize) -> Result<bool> {
        same_json(&self.line(a, a_row)?, &self.line(b, b_row)?)
    }

    async fn is_stored(&self, twin: &Twin, events: &EventBatch, row: usize) -> Result<bool> {
        let table = &twin.file.table;
        let ocsf = self.lake.ocsf();
        let class = match ocsf.by_name(table) {
            Some(class) => class,
            None if ocsf.other().name == *table => ocsf.other(),
            None => return Err(Error::usage(format!("no schema is loaded for the table `{table}`"))),
        };
        let stored = read::row(&self.lake.store(), &twin.file, twin.row).await?;
        let stored = (self.restore)(class, &stored, 0)?;
        same_json(&stored, &self.line(events, row)?)
    }

    /// The JSON text of an event that was decoded.
    fn line(&self, events: &EventBatch, row: usize) -> Result<Vec<u8>> {
        (self.restore)(&events.class, &plain(&events.batch.slice(row, 1))?, 0)
    }

    /// The reject of an event whose uid is taken by another one; both line hashes are in the detail.
    fn conflict(&self, arrived: &Arrived, row: usize, columns: &Columns, stored: i64) -> Result<RejectRow> {
        let events = &arrived.events;
        let line = self.line(events, row)?;
        let (number, offset) = events.origins.get(row).copied().unwrap_or_default();
        Ok(RejectRow {
            source: arrived.source.to_string(),
            line: number,
            offset,
            reason: "uid-conflict".to_string(),
            detail: format!(
                "another event has this uid: stored line hash {stored:016x}, this line's {:016x}",
                columns.digests.value(row)
            ),
            length: line.len() as u64,
            event_uid: Some(columns.uids.value(row).to_string()),
            excerpt: String::from_utf8_lossy(&line).into_owned(),
            sha256: None,
        })
    }

    /// Encodes each table's rows, one file a partition, several at once.
    async fn encode(&self, tables: BTreeMap<String, Vec<RecordBatch>>, sequence: u64) -> Result<Vec<Encoded>> {
        let partition = self.lake.state().lake.partition;
        let mut tasks = JoinSet::new();
        let mut number = 0;
        for (table, batches) in tables {
            for part in arrange(&table, batches, partition)? {
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

/// The columns that the look-up needs.
struct Columns<'a> {
    uids: &'a StringArray,
    digests: &'a Int64Array,
    times: &'a [i64],
}

impl<'a> Columns<'a> {
    fn of(events: &'a EventBatch) -> Result<Columns<'a>> {
        let lacks = || Error::new(Kind::Internal, format!("a batch of `{}` lacks our own columns", events.class.name));
        Ok(Columns {
            uids: text(&events.batch, "_event_uid").ok_or_else(lacks)?,
            digests: long(&events.batch, "_digest").ok_or_else(lacks)?,
            times: times(&events.batch)?.values(),
        })
    }
}

/// Orders rows, by batch and row, as they arrived: sources follow one another, lines within them.
fn arrival(events: &[Arrived]) -> impl Fn((usize, usize)) -> (usize, u64) {
    let mut source = 0;
    let mut sources = Vec::with_capacity(events.len());
    for (place, arrived) in events.iter().enumerate() {
        source += usize::from(place > 0 && events[place - 1].source != arrived.source);
        sources.push(source);
    }
    move |(batch, row)| (sources[batch], events[batch].events.origins.get(row).map_or(0, |origin| origin.0))
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

fn long<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a Int64Array> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

fn same_json(a: &[u8], b: &[u8]) -> Result<bool> {
    let parse = |bytes: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(bytes).context(Kind::Internal, || "cannot read back an event")
    };
    Ok(a == b || parse(a)? == parse(b)?)
}
