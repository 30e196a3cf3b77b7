//! Pulls API sources into the lake: window after window, each walked to its end before it counts as covered.
//!
//! ```text
//! Plan: next window -> walk: fetch a page -> Guard: does it move on? -> Gather: rows, counts, cursor -> one entry
//!                           └ Live: budget, patience, server                                └ or waits, if silent
//!                           └ Recording: pages from the disk
//! ```
//!
//! Nothing is assumed about the order of entries, about how far back they go, or about how long a cursor lives. Rows,
//! counts, window and cursor are in one ledger entry, so a process that is killed at any page loses only what it had
//! not committed, and the next one continues with the cursor, or with the window from its beginning when the server no
//! longer accepts the cursor. Each source runs as a task of its own; they share one writer.

mod fetch;
mod gather;
mod guard;
mod plan;
mod take;
mod walk;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::restore;
use super::work::Worker;
use crate::clock::Clock;
use crate::decode::Times;
use crate::disk::Lock;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Counts, Lake, Notes, Writer};
use crate::redact::Policy;
use crate::source::{Budget, Client, Recording};
use walk::Puller;

/// Options of a pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// Entries per page; the API allows 100.
    pub page_size: u32,
    /// The time before the covered end that every run reads again: entries may arrive late.
    pub overlap: Duration,
    /// The most recent time that is not requested yet.
    pub settling: Duration,
    /// Pages that are committed together within a walk, and the age at which fewer are.
    pub batch_pages: u64,
    pub batch_age: Duration,
    /// The total time to wait for one page, over all attempts.
    pub max_wait: Duration,
    /// A seed, so that processes with different ones do not wait in step.
    pub jitter_seed: u64,
    /// Files that are encoded at the same time.
    pub threads: usize,
    /// See [`super::Options`].
    pub keep_odd_times: bool,
}

impl Default for PullOptions {
    fn default() -> Self {
        PullOptions {
            page_size: 100,
            overlap: Duration::from_secs(24 * 3600),
            settling: Duration::from_secs(60),
            batch_pages: 50,
            batch_age: Duration::from_secs(60),
            max_wait: Duration::from_secs(900),
            jitter_seed: 0,
            threads: 2,
            keep_odd_times: false,
        }
    }
}

/// The selected part of the log; by default all of it.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Inclusive.
    pub since_ms: Option<i64>,
    /// The first instant that is not selected.
    pub until_ms: Option<i64>,
    /// The time before the covered end that is read again, instead of the overlap.
    pub deep_ms: Option<i64>,
}

/// One source.
#[derive(Debug)]
pub struct PullSource {
    pub name: String,
    pub origin: Origin,
    /// The log's beginning, where the configuration says that nothing, or nothing wanted, exists before.
    pub since_ms: Option<i64>,
    /// The directory in which pages are recorded too.
    pub record: Option<PathBuf>,
}

/// The origin of pages.
#[derive(Debug)]
pub enum Origin {
    Server { client: Box<Client>, budget: Budget },
    Recording(Recording),
}

/// A stop flag; when it is set, sources finish the current page and commit.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// The time in which a run that waits notices that it must stop.
const STOP_LATENCY: Duration = Duration::from_millis(100);

impl Stop {
    /// Makes a stop from the flag, which signals set.
    pub fn new(flag: Arc<AtomicBool>) -> Stop {
        Stop(flag)
    }

    /// Returns whether the run was told to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    async fn wait(&self) {
        while !self.is_set() {
            tokio::time::sleep(STOP_LATENCY).await;
        }
    }
}

/// An event of a run in progress.
#[derive(Debug)]
pub enum Event<'a> {
    /// A page came.
    Page { source: &'a str, progress: &'a PullProgress },
    /// A server is left alone for a while.
    Waiting { source: &'a str, wait: Duration, why: &'a str },
    /// Something that a user should know but need not act on.
    Note { source: &'a str, text: &'a str },
    /// A round of a run that continues is over, with its result.
    Round { source: &'a str, summary: &'a SourcePull },
}

/// Receives the events of a run.
pub type Tell = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// The progress of one source.
#[derive(Debug, Clone, Default)]
pub struct PullProgress {
    pub pages: u64,
    pub received: u64,
    /// The walked share of the time in question, 0 to 1.
    pub done: f64,
    /// The covered end.
    pub reached_ms: Option<i64>,
}

/// The context of a run, besides its sources.
pub struct PullRun {
    pub lake: Lake,
    pub policy: Arc<Policy>,
    /// Version of the policy's rules; empty when nothing is redacted.
    pub redaction_version: String,
    pub clock: Clock,
    pub options: PullOptions,
    pub scope: Scope,
    /// The interval between rounds of a run that continues; `None` means one round.
    pub watch: Option<Duration>,
    pub stop: Stop,
    pub tell: Tell,
}

/// The result of a run, as it is printed and written as JSON.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PullSummary {
    pub counts: Counts,
    #[serde(flatten)]
    pub notes: Notes,
    pub sources: Vec<SourcePull>,
    pub seconds: f64,
    pub is_interrupted: bool,
}

/// The result of one source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourcePull {
    pub name: String,
    /// `complete`, `stopped`, or the reason in the ledger why it ended early.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub windows: u64,
    pub requests: u64,
    pub pages: u64,
    pub received: u64,
    pub counts: Counts,
    #[serde(flatten)]
    pub notes: Notes,
    /// Rows whose time was already covered.
    pub late: u64,
    /// Received entries whose time is not in the requested window.
    pub outside: u64,
    /// Ledger entries that were written.
    pub entries: u64,
    pub last_sequence: Option<u64>,
    /// The covered end, as text.
    pub covered_until: Option<String>,
    /// Waits that a server asked for, or that followed its failures.
    pub waited_seconds: f64,
}

/// The state that the tasks of one run share.
struct Shared {
    writer: Mutex<Box<Writer>>,
    worker: Worker,
    redaction_version: String,
    clock: Clock,
    options: PullOptions,
    scope: Scope,
    watch: Option<Duration>,
    stop: Stop,
    tell: Tell,
}

/// Pulls all sources at the same time. The summary describes all of them, even beside the first error.
pub async fn pull(run: PullRun, sources: Vec<PullSource>) -> (PullSummary, Option<Error>) {
    let started = Instant::now();
    let mut summary = PullSummary::default();
    let stop = run.stop.clone();
    let error = match run_all(run, sources, &mut summary).await {
        Ok(error) => error,
        Err(error) => Some(error),
    };
    summary.sources.sort_by(|a, b| a.name.cmp(&b.name));
    for source in &summary.sources {
        summary.counts.add(&source.counts);
        summary.notes.add(&source.notes);
    }
    summary.is_interrupted = stop.is_set() && error.is_none();
    summary.seconds = started.elapsed().as_secs_f64();
    (summary, error)
}

async fn run_all(run: PullRun, sources: Vec<PullSource>, summary: &mut PullSummary) -> Result<Option<Error>> {
    let PullRun { lake, policy, redaction_version, clock, options, scope, watch, stop, tell } = run;
    let times = Times { latest_ms: lake.latest_time_ms(clock), keeps_odd: options.keep_odd_times };
    let worker = Worker { ocsf: lake.ocsf().clone(), policy, lines: lake.hasher("line")?, times };
    // A run holds the locks of its sources, so that a job that starts again while it still runs does no harm.
    let mut locks = Vec::new();
    for source in &sources {
        // The ledger finds the source again by its name, so it cannot be replaced there.
        if worker.policy.own(&source.name) != source.name {
            return Err(Error::usage("the name of a source looks like a secret, and names are stored")
                .hint("give the `[[source]]` another name"));
        }
        locks.push(lock(&lake, &source.name)?);
    }
    let writer = Mutex::new(Box::new(Writer::new(lake, clock, options.threads, restore())?));
    let shared = Arc::new(Shared { writer, worker, redaction_version, clock, options, scope, watch, stop, tell });
    let mut tasks = JoinSet::new();
    for source in sources {
        let shared = shared.clone();
        tasks.spawn(async move { Puller::new(shared, source).await?.run().await });
    }
    let mut errors = VecDeque::new();
    while let Some(done) = tasks.join_next().await {
        match done.context(Kind::Internal, || "a puller stopped")? {
            Ok((pulled, error)) => {
                summary.sources.push(pulled);
                errors.extend(error);
            }
            Err(error) => errors.push_back(error),
        }
        // A user who watches wants to know that one source is silent, and not only that the others continue.
        if shared.watch.is_some() && !errors.is_empty() {
            shared.stop.set();
        }
    }
    drop(locks);
    let first = errors.pop_front();
    for error in errors {
        (shared.tell)(&Event::Note { source: "", text: &format!("error: {error}") });
    }
    Ok(first)
}

/// Takes the lock of a source, and fails when another run has it.
fn lock(lake: &Lake, source: &str) -> Result<Lock> {
    let place = lake.pull_folder()?.join(format!("{source}.lock"));
    Lock::attempt(&place)?.ok_or_else(|| {
        Error::new(Kind::Locked, format!("another run is pulling the source `{source}` into this lake"))
            .hint("wait for it, or stop it; it commits what it has")
    })
}
