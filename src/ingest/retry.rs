//! Rejected lines once more, after a fix: a schema was added, rules changed, a limit raised.
//!
//! ```text
//! open rejects -> by source and entry -> read the range again -> decode, redact -> batch -> Writer::commit
//! ```
//!
//! A reject holds a redacted excerpt, not the line, so the line is read again where it was. A range counts only when
//! the stream has the hashes at its two ends that the ledger recorded: then every byte of it is unchanged. A line that
//! is still not a row stays the reject that it is; one that cannot be read again is reported with the reason.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use serde::Serialize;
use url::Url;

use super::work::Worker;
use super::{Options, restore, times};
use crate::clock::Clock;
use crate::decode::RowOrigin;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::lake::{Arrived, Batch, Body, Counts, Lake, Notes, RejectFilter, RetryLine, SourceRange, Writer};
use crate::redact::{self, Policy};
use crate::schema::EventBatch;
use crate::source::{self, Input, Mark, Source};

/// The context of a retry.
pub struct RetryRun {
    pub lake: Lake,
    pub policy: Arc<Policy>,
    /// Version of the policy's rules; empty when nothing is redacted.
    pub redaction_version: String,
    pub clock: Clock,
    pub options: Options,
    pub filter: RejectFilter,
}

/// The result of a retry.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RetrySummary {
    /// The selected open rejects.
    pub open: u64,
    /// Lines that are no longer rejects: read = accepted + duplicate + revised.
    pub counts: Counts,
    #[serde(flatten)]
    pub notes: Notes,
    pub rows: BTreeMap<String, u64>,
    /// Lines that were read again and are not rows, by reason.
    pub still_rejected: BTreeMap<String, u64>,
    /// Lines that could not be read again.
    pub unread: Vec<Unread>,
    pub batches: u64,
    pub last_sequence: Option<u64>,
    pub seconds: f64,
}

/// Lines of one source that could not be read again.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Unread {
    pub source: String,
    pub lines: u64,
    pub why: String,
}

/// The part of an open reject that matters for finding the line again.
#[derive(Debug, Clone, Copy)]
struct Open {
    batch: u64,
    line: u64,
    offset: u64,
}

/// Open rejects of one range that one entry read.
struct Range {
    path: PathBuf,
    from: Mark,
    to: Mark,
    lines: Vec<Open>,
}

/// The content of a range when it was read again.
#[derive(Default)]
struct Found {
    events: Vec<EventBatch>,
    /// Lines that are rows; and whether the row already exists, since another entry had rejected the same line.
    taken: Vec<(Open, bool)>,
    rejected: BTreeMap<String, u64>,
    /// Lines that no longer exist, although no byte changed: a limit moved where lines begin.
    lost: usize,
    bytes: u64,
    redacted: redact::Counts,
    drift: BTreeMap<String, u64>,
}

/// Ingests the lines that are valid now.
pub async fn retry(run: RetryRun) -> Result<RetrySummary> {
    let started = Instant::now();
    let RetryRun { lake, policy, redaction_version, clock, options, filter } = run;
    let mut summary = RetrySummary::default();
    let by_source = open_by_source(&lake, &filter, &mut summary).await?;
    let known = lake.state().sequence;
    let times = times(lake.latest_time_ms(clock), &options);
    let worker = Worker { ocsf: lake.ocsf().clone(), policy, lines: lake.hasher("line")?, times };
    let writer = Writer::new(lake, clock, options.threads, restore())?;
    let mut taking = Taking { writer, known, pending: Batch::default(), bytes: 0, redaction_version, summary };
    for (name, lines) in by_source {
        let ranges = taking.ranges(&name, lines).await?;
        taking.take_source(&name, ranges, &worker, &options).await?;
    }
    taking.commit().await?;
    let mut summary = taking.summary;
    summary.counts.check()?;
    summary.seconds = started.elapsed().as_secs_f64();
    Ok(summary)
}

/// Returns the open rejects by source, each with its place.
async fn open_by_source(
    lake: &Lake,
    filter: &RejectFilter,
    summary: &mut RetrySummary,
) -> Result<BTreeMap<Arc<str>, Vec<Open>>> {
    let mut by_source: BTreeMap<Arc<str>, Vec<Open>> = BTreeMap::new();
    let tell = |rows: RecordBatch| {
        let lacks = || Error::new(Kind::Integrity, "the reject table lacks our own columns");
        let sources = column::<StringArray>(&rows, "_source").ok_or_else(lacks)?;
        let batches = column::<Int64Array>(&rows, "_batch").ok_or_else(lacks)?;
        let lines = column::<Int64Array>(&rows, "line").ok_or_else(lacks)?;
        let offsets = column::<Int64Array>(&rows, "byte_offset").ok_or_else(lacks)?;
        for row in 0..rows.num_rows() {
            let of = |column: &Int64Array| column.value(row) as u64;
            let open = Open { batch: of(batches), line: of(lines), offset: of(offsets) };
            by_source.entry(sources.value(row).into()).or_default().push(open);
        }
        summary.open += rows.num_rows() as u64;
        Ok(())
    };
    lake.open_rejects(filter, tell).await?;
    Ok(by_source)
}

fn column<'a, T: 'static>(rows: &'a RecordBatch, name: &str) -> Option<&'a T> {
    rows.column_by_name(name)?.as_any().downcast_ref()
}

/// Lines that became rows and wait for their commit.
struct Taking {
    writer: Writer,
    /// See [`Retry::known`].
    known: u64,
    pending: Batch,
    bytes: u64,
    redaction_version: String,
    summary: RetrySummary,
}

impl Taking {
    /// Finds the ranges that the rejects of one source were read in, in the order in which they can be read again.
    async fn ranges(&mut self, name: &Arc<str>, mut lines: Vec<Open>) -> Result<Vec<Range>> {
        lines.sort_by_key(|open| (open.batch, open.offset));
        let mut ranges: Vec<Range> = Vec::new();
        for of_entry in lines.chunk_by(|a, b| a.batch == b.batch) {
            let (entry, _) = self.writer.lake().entry(of_entry[0].batch).await?;
            let Body::Ingest(ingest) = entry.body else { continue };
            let source = ingest.sources.into_iter().find(|source| source.name == **name);
            let Some(SourceRange { head: Some(_), from, to, url, .. }) = source else {
                self.leave(name, of_entry.len(), "it did not come from a file: send it once more");
                continue;
            };
            let Some(path) = url.and_then(|url| Url::parse(&url).ok()?.to_file_path().ok()) else {
                self.leave(name, of_entry.len(), "its name held a secret and was redacted: send it once more");
                continue;
            };
            let (within, behind): (Vec<Open>, Vec<Open>) = of_entry.iter().partition(|open| open.offset < to.offset);
            if !behind.is_empty() {
                let why = "the source ended within the line: `auditlake ingest` reads it when it is whole";
                self.leave(name, behind.len(), why);
            }
            if !within.is_empty() {
                ranges.push(Range { path, from: (&from).into(), to: (&to).into(), lines: within });
            }
        }
        ranges.sort_by(|a, b| (&a.path, a.from.offset, a.to.offset).cmp(&(&b.path, b.from.offset, b.to.offset)));
        Ok(ranges)
    }

    /// Reads the ranges of one source again, and ingests the lines that are rows.
    async fn take_source(
        &mut self,
        name: &Arc<str>,
        ranges: Vec<Range>,
        worker: &Worker,
        options: &Options,
    ) -> Result<()> {
        let mut source: Option<(PathBuf, Source)> = None;
        let mut done: HashSet<u64> = HashSet::new();
        for range in ranges {
            let (count, path) = (range.lines.len(), range.path.clone());
            // Files of one name may have been in several directories; their lines are not each other's.
            let before = source.take().filter(|(before, _)| *before == path);
            if before.is_none() {
                done.clear();
            }
            let reader = before.map(|(_, source)| source).filter(|source| source.position() <= range.from.offset);
            let (input, worker, limits) = (Input::File(path.clone()), worker.clone(), options.source.clone());
            // A line that was rejected counted as whole.
            let limits = source::Options { is_final: true, ..limits };
            let mut known = std::mem::take(&mut done);
            let task = tokio::task::spawn_blocking(move || {
                let reader = reader.map_or_else(|| Source::open(&input, limits), Ok);
                let read = reader.and_then(|reader| read(reader, range, &worker, &mut known));
                (read, known)
            });
            let (read, known) = task.await.context(Kind::Internal, || "a reader stopped")?;
            done = known;
            match read {
                Ok(Some((reader, found))) => {
                    failpoint::reached("retry.read");
                    source = Some((path, reader));
                    self.add(name, found);
                }
                Ok(None) => self.leave(name, count, "the file is not what it was when the line was read"),
                Err(error) if error.kind() == Kind::Unavailable => self.leave(name, count, &error.to_string()),
                Err(error) => return Err(error),
            }
            if self.bytes >= options.batch_bytes {
                self.commit().await?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &Arc<str>, found: Found) {
        for (reason, lines) in found.rejected {
            *self.summary.still_rejected.entry(reason).or_default() += lines;
        }
        if found.lost > 0 {
            self.leave(name, found.lost, "no line begins there any more: a limit was changed that moves lines");
        }
        if found.taken.is_empty() {
            return;
        }
        self.bytes += found.bytes;
        let batch = &mut self.pending;
        batch.events.extend(found.events.into_iter().map(|events| Arrived { source: name.clone(), events }));
        if batch.sources.last().is_none_or(|source| source.name != **name) {
            let (kind, state) = ("retry".to_string(), "complete".to_string());
            batch.sources.push(SourceRange { kind, name: name.to_string(), state, ..SourceRange::default() });
        }
        let lines = found.taken.into_iter().map(|(open, is_copy)| {
            let Open { batch, line, offset } = open;
            RetryLine { batch, source: name.clone(), line, offset, is_copy }
        });
        batch.retry.get_or_insert_default().lines.extend(lines);
        for (rule, count) in found.redacted.iter() {
            *batch.redacted.entry(rule.to_string()).or_default() += count;
        }
        for (what, count) in found.drift {
            *batch.drift.entry(what).or_default() += count;
        }
    }

    fn leave(&mut self, name: &str, lines: usize, why: &str) {
        let unread = &mut self.summary.unread;
        match unread.iter_mut().find(|unread| unread.source == name && unread.why == why) {
            Some(unread) => unread.lines += lines as u64,
            None => unread.push(Unread { source: name.to_string(), lines: lines as u64, why: why.to_string() }),
        }
    }

    async fn commit(&mut self) -> Result<()> {
        let mut batch = std::mem::take(&mut self.pending);
        self.bytes = 0;
        let Some(retry) = &mut batch.retry else { return Ok(()) };
        retry.known = self.known;
        batch.redaction_version.clone_from(&self.redaction_version);
        let receipt = self.writer.commit(batch).await?;
        self.known = receipt.sequence;
        let summary = &mut self.summary;
        summary.counts.add(&receipt.counts);
        summary.notes.add(&receipt.notes);
        summary.batches += 1;
        summary.last_sequence = Some(receipt.sequence);
        for (table, rows) in receipt.rows {
            *summary.rows.entry(table).or_default() += rows;
        }
        Ok(())
    }
}

/// Reads one range again; returns `None` when the stream has changed. `done` has the places of lines that are ingested.
fn read(mut source: Source, range: Range, worker: &Worker, done: &mut HashSet<u64>) -> Result<Option<(Source, Found)>> {
    let mut wanted: HashMap<u64, Vec<Open>> = HashMap::new();
    for open in range.lines {
        wanted.entry(open.offset).or_default().push(open);
    }
    let mut found = Found::default();
    let mut decoder = worker.decoder();
    let mut places = Vec::new();
    let is_same = source.reread(&range.from, &range.to, |chunk| {
        for line in &chunk.lines {
            let Some(opens) = wanted.remove(&line.offset) else { continue };
            let is_there = done.contains(&line.offset);
            let bytes = &chunk.bytes[line.range.clone()];
            let origin = RowOrigin { digest: worker.lines.hash(bytes), number: line.number, offset: line.offset };
            if !is_there && let Err(reject) = decoder.push(bytes, origin) {
                *found.rejected.entry(reject.reason.to_string()).or_default() += opens.len() as u64;
                continue;
            }
            found.bytes += bytes.len() as u64;
            places.push(line.offset);
            let opens = opens.into_iter().enumerate();
            found.taken.extend(opens.map(|(at, open)| (open, is_there || at > 0)));
        }
        for fault in &chunk.faults {
            if let Some(opens) = wanted.remove(&fault.offset) {
                *found.rejected.entry(fault.reason.to_string()).or_default() += opens.len() as u64;
            }
        }
    });
    if !is_same {
        return Ok(None);
    }
    done.extend(places);
    found.lost = wanted.values().map(Vec::len).sum();
    found.events = decoder.flush();
    for events in &mut found.events {
        events.batch = worker.policy.apply(events.batch.clone(), &mut found.redacted)?;
    }
    found.drift = worker.drift(&mut decoder);
    Ok(Some((source, found)))
}
