//! Sources go into the lake: read, decode, redact, commit, in batches of bounded size. A reader thread makes chunks, worker
//! threads decode and redact them, and in their order again they become batches for `Writer::commit`.
//!
//! Every stage holds a bounded number of chunks, so memory does not grow with the input. While one batch is committed
//! the next one is decoded. Rows, rejects and the position in each source enter the ledger in one entry.

mod activity;
mod dry;
mod feed;
mod load;
mod memory;
mod options;
mod own;
mod pending;
mod pull;
mod retry;
mod seals;
mod series;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::decode::{Encoder, Times};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Body, Counts, Lake, Notes, Receipt, Restore, Writer};
use crate::redact::Policy;
use crate::source::{self, Input, Inputs, Unreadable};
use crate::typed::Hash32;

pub use activity::Activity;
pub use dry::dry_run;
use feed::Feed;
pub use options::{Options, RejectLimit};
pub use own::{Producer, batch_of_own};
use pending::Pending;
pub use pull::{
    Event, Origin, PullOptions, PullProgress, PullRun, PullSource, PullSummary, Scope, SourcePull, Stop, Tell, pull,
};
pub use retry::{RetryRun, RetrySummary, Unread, retry};
pub use seals::{SealedFile, Seals};
pub use series::{Left, READS_PURPOSE, Series, faults as faults_of_series, left, put_aside, was_put_aside};

/// A batch is committed when it has this many rejects: a short bad line takes a hundred times its own size in memory.
const BATCH_REJECTS: usize = 100_000;

/// A batch is committed when its rows take this many times the limit of its text: columns are many, values few.
const HEAVY: u64 = 2;

/// The time in which a run that waits for its source notices that it must stop.
const STOP_LATENCY: Duration = Duration::from_millis(200);

/// The time that a stopping run waits for chunks that are being decoded.
const STOP_AFTER: Duration = Duration::from_millis(600);

/// Batches of this size or more may grow while the one before is committed.
const GROWING_BYTES: u64 = 8 << 20;

/// The result of a run, as it is printed and written as JSON.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    pub counts: Counts,
    #[serde(flatten)]
    pub notes: Notes,
    /// Rows added, by table; `reject` and `revision` among them.
    pub rows: BTreeMap<String, u64>,
    pub sources: Vec<SourceSummary>,
    /// The number of sources that could not be opened.
    pub unreadable: u64,
    /// Files and directories that were found but not read, since their names are not those of logs.
    pub passed_over: Vec<String>,
    /// Bytes of the (decompressed) input that were decoded.
    pub bytes_read: u64,
    /// Bytes of the Parquet files that were written.
    pub bytes_written: u64,
    pub files_written: u64,
    /// Ledger entries that were written.
    pub batches: u64,
    pub last_sequence: Option<u64>,
    pub rejects: BTreeMap<String, u64>,
    pub redacted: BTreeMap<String, u64>,
    pub drift: BTreeMap<String, u64>,
    /// Files of the lake that the search for duplicates had to read.
    pub files_looked_up: u64,
    pub seconds: f64,
    pub is_interrupted: bool,
    /// Whether the run was stopped at `--max-rejects`.
    pub has_too_many_rejects: bool,
}

/// The state of a source that was already ingested and has nothing new.
const SKIPPED: &str = "skipped";

/// The state of a source whose lines are all rejects: it is the wrong file, or has to be converted first.
const NOT_EVENTS: &str = "not-events";

/// The result of one source.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct SourceSummary {
    pub name: String,
    /// `complete`, `skipped` (ingested before, nothing new), `open` (interrupted), `pending` (its last line is not
    /// whole yet), `not-events` (not one of its lines is a row), `refused` (a format that is not read), `unreadable`,
    /// or how it was cut short: `truncated`, `corrupt`, `bomb`, `unterminated`.
    pub state: String,
    pub detail: String,
    /// Lines that an earlier run had ingested.
    pub resumed_lines: u64,
    pub lines: u64,
    /// The number of lines that are not rows.
    pub rejected: u64,
}

impl SourceSummary {
    /// Returns the summary of a source that cannot be read, before anything is read.
    fn unreadable(source: &Unreadable) -> SourceSummary {
        let (name, state, detail) = (source.name.clone(), "unreadable".to_string(), source.why.clone());
        SourceSummary { name, state, detail, ..SourceSummary::default() }
    }

    fn is_complete(&self) -> bool {
        matches!(self.state.as_str(), "complete" | SKIPPED)
    }
}

impl Summary {
    /// Returns the summary of these inputs before anything is read.
    fn of(inputs: &Inputs) -> Summary {
        Summary {
            sources: inputs.unreadable.iter().map(SourceSummary::unreadable).collect(),
            passed_over: inputs.passed_over.clone(),
            ..Summary::default()
        }
    }

    /// Returns whether every source was read to its end.
    pub fn is_complete(&self) -> bool {
        self.sources.iter().all(SourceSummary::is_complete)
    }

    /// Counts the sources in this state.
    pub fn sources_in(&self, state: &str) -> usize {
        self.sources.iter().filter(|source| source.state == state).count()
    }

    fn finish(&mut self, started: Instant) -> Result<()> {
        self.unreadable = self.sources_in("unreadable") as u64;
        self.seconds = started.elapsed().as_secs_f64();
        self.counts.check()
    }

    fn add(&mut self, receipt: &Receipt) {
        self.counts.add(&receipt.counts);
        self.notes.add(&receipt.notes);
        for (table, rows) in &receipt.rows {
            *self.rows.entry(table.clone()).or_default() += rows;
        }
        for (reason, rejects) in &receipt.rejects {
            *self.rejects.entry(reason.clone()).or_default() += rejects;
        }
        self.bytes_written += receipt.bytes;
        self.files_written += receipt.files;
        self.batches += 1;
        self.last_sequence = Some(receipt.sequence);
    }
}

/// The progress of a run, for display.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub source: String,
    /// Bytes of the files as they are on the disk; the total is known when all are files.
    pub raw_bytes: u64,
    pub total_bytes: Option<u64>,
    pub lines: u64,
    pub rejected: u64,
}

/// The context of a run, besides its inputs.
pub struct Run<'a> {
    pub lake: Lake,
    pub policy: Arc<Policy>,
    /// Version of the policy's rules; empty when nothing is redacted.
    pub redaction_version: String,
    pub clock: Clock,
    pub options: Options,
    /// Set to finish the current batch and stop.
    pub stop: Arc<AtomicBool>,
    pub progress: &'a mut (dyn FnMut(&Progress) + Send),
}

/// Ingests all inputs, and accounts for every line.
pub async fn run(run: Run<'_>, inputs: &Inputs) -> Result<Summary> {
    let started = Instant::now();
    let Run { mut lake, policy, redaction_version, clock, options, stop, progress } = run;
    let lines = lake.hasher("line")?;
    let streams = lake.streams().await?;
    let times = times(lake.latest_time_ms(clock), &options);
    let worker = work::Worker { ocsf: lake.ocsf().clone(), policy, lines, times };
    let mut writer = Committing::Idle(Box::new(Writer::new(lake, clock, options.threads, restore())?));
    let mut feed = Feed::start(inputs.found.clone(), streams, worker, &options, stop.clone());
    let mut summary = Summary::of(inputs);
    let mut pending = Pending::new(redaction_version);
    let mut watched = Progress { total_bytes: total(&inputs.found), ..Progress::default() };
    let mut trouble = None;
    let mut idle = Duration::ZERO;
    loop {
        // A run that waits for a slow source checks now and then whether it must stop.
        let wait = options.batch_age.saturating_sub(pending.age()).min(STOP_LATENCY);
        match tokio::time::timeout(wait, feed.next()).await {
            Ok(Some(Ok(loaded))) => {
                idle = Duration::ZERO;
                watched.raw_bytes = loaded.raw_bytes;
                for piece in &loaded.pieces {
                    watched.lines += piece.read;
                    watched.rejected += piece.rejects.len() as u64;
                }
                summary.sources.extend(pending.add(*loaded));
                watched.source = pending.source_name().to_string();
                progress(&watched);
                let limit = options.max_rejects;
                if limit.is_some_and(|limit| limit.is_exceeded(watched.rejected, watched.lines)) {
                    summary.has_too_many_rejects = true;
                    break;
                }
            }
            Ok(Some(Err(error))) => {
                trouble = Some(error);
                break;
            }
            Ok(None) => break,
            // The reader waits for its source, and everything that it had read before has arrived by now.
            Err(_) if stop.load(Ordering::Relaxed) && idle >= STOP_AFTER => break,
            Err(_) => idle += STOP_LATENCY,
        }
        let is_heavy = pending.memory >= HEAVY * options.batch_bytes;
        let is_full = pending.bytes >= options.batch_bytes || is_heavy || pending.rejects() >= BATCH_REJECTS;
        // A commit takes longer while the disk is busy. Then the next batch may grow to twice its size, and nothing
        // waits. Small batches were requested, and stay small.
        let may_grow = options.batch_bytes >= GROWING_BYTES
            && pending.bytes < 2 * options.batch_bytes
            && !is_heavy
            && pending.rejects() < BATCH_REJECTS;
        if (is_full || pending.age() >= options.batch_age) && !(writer.is_busy() && may_grow) {
            writer = writer.commit(&mut pending, &mut summary).await?;
        }
    }
    summary.sources.extend(pending.leave());
    // The input that was read before any trouble is sound: it is kept, and the next run continues from there.
    writer = writer.commit(&mut pending, &mut summary).await?;
    let writer = writer.finish(&mut summary).await?;
    if let Some(error) = trouble {
        return Err(error);
    }
    summary.files_looked_up = writer.files_looked_up();
    forgive(&mut summary, writer.lake()).await?;
    summary.is_interrupted = stop.load(Ordering::Relaxed);
    summary.finish(started)?;
    Ok(summary)
}

/// Clears a source without any row, whose rejects a retry may have turned into rows since.
async fn forgive(summary: &mut Summary, lake: &Lake) -> Result<()> {
    let mut accused: Vec<&mut SourceSummary> =
        summary.sources.iter_mut().filter(|source| source.state == NOT_EVENTS && source.lines == 0).collect();
    if accused.is_empty() {
        return Ok(());
    }
    for sequence in lake.state().retries.clone() {
        let (entry, _) = lake.entry(sequence).await?;
        let Body::Ingest(ingest) = entry.body else { continue };
        for source in &mut accused {
            if ingest.retried.iter().any(|retried| retried.source == source.name) {
                (source.state, source.detail) = (SKIPPED.to_string(), String::new());
            }
        }
    }
    Ok(())
}

/// The writer, or the commit that it is busy with.
enum Committing {
    Idle(Box<Writer>),
    Busy(JoinHandle<Result<(Box<Writer>, Receipt)>>),
}

impl Committing {
    fn is_busy(&self) -> bool {
        matches!(self, Committing::Busy(handle) if !handle.is_finished())
    }

    /// Waits for the commit before, then starts the next one.
    async fn commit(self, pending: &mut Pending, summary: &mut Summary) -> Result<Committing> {
        let Some(batch) = pending.take(summary) else { return Ok(self) };
        let mut writer = self.finish(summary).await?;
        Ok(Committing::Busy(tokio::spawn(async move {
            let receipt = writer.commit(batch).await?;
            Ok((writer, receipt))
        })))
    }

    async fn finish(self, summary: &mut Summary) -> Result<Box<Writer>> {
        match self {
            Committing::Idle(writer) => Ok(writer),
            Committing::Busy(handle) => {
                let (writer, receipt) = handle.await.context(Kind::Internal, || "the commit stopped")??;
                summary.add(&receipt);
                Ok(writer)
            }
        }
    }
}

/// Returns the times that events may have, `latest_ms` being the last one that is believed.
fn times(latest_ms: i64, options: &Options) -> Times {
    Times { latest_ms, keeps_odd: options.keep_odd_times }
}

/// Returns how the lake turns a row back into the event's JSON text.
pub fn restore() -> Restore {
    Arc::new(|class, batch, row| {
        let mut line = Vec::new();
        Encoder::new(class).write(batch, row, &mut line)?;
        Ok(line)
    })
}

fn total(inputs: &[Input]) -> Option<u64> {
    let bytes = |input: &Input| match input {
        Input::File(path) => Some(std::fs::metadata(path).map_or(0, |metadata| metadata.len())),
        Input::Pipe(_) | Input::Stdin => None,
    };
    inputs.iter().map(bytes).sum()
}

impl From<&crate::lake::Mark> for source::Mark {
    fn from(mark: &crate::lake::Mark) -> Self {
        source::Mark { offset: mark.offset, number: mark.line, hash: mark.blake3.0 }
    }
}

impl From<&source::Mark> for crate::lake::Mark {
    fn from(mark: &source::Mark) -> Self {
        crate::lake::Mark { offset: mark.offset, line: mark.number, blake3: Hash32(mark.hash) }
    }
}

/// Reports a thread of ours that panicked, which is a bug, as an error.
fn stopped(what: &str) -> Error {
    Error::new(Kind::Internal, format!("the {what} stopped"))
}
