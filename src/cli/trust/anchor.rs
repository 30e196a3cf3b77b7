//! Records heads of the ledger elsewhere, by the command that the configuration names.
//!
//! ```text
//! commit -> head -> thread: is one due? -> the command, the head on its stdin -> its answer, kept in the lake
//! ```
//!
//! Commits continue meanwhile. A command that fails costs no ingest its exit code: a warning reports it, the lake
//! counts it, and it is tried again after later commits, at growing intervals.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::App;
use super::super::terminal::hook::{self, Asked};
use super::super::terminal::screen::Screen;
use crate::clock::Clock;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::lake::{Anchoring, Anchors, LedgerHead, Recorded, RecordedEntry};
use crate::source::Environment;

/// The most bytes of an answer that are kept.
const ANSWER_BYTES: usize = 64 << 10;
/// The time after which a process that commits more than once records a head; otherwise it records one at its end.
const SETTLING: Duration = Duration::from_secs(10);
/// The wait after the first failure; it doubles with each one, up to the usual interval.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// Receives heads, and has them recorded when it is time.
#[derive(Clone, Default)]
pub struct Recorder {
    thread: Arc<Mutex<Option<Running>>>,
}

struct Running {
    heads: Sender<(PathBuf, LedgerHead)>,
    thread: JoinHandle<()>,
}

/// The settings of recording.
#[derive(Clone)]
struct Way {
    anchor: config::Anchor,
    environment: Environment,
    clock: Clock,
    screen: Screen,
}

impl App {
    /// Returns how heads of the lake are recorded elsewhere: not at all, unless the configuration names a command.
    pub(in crate::cli) fn anchoring(&self) -> Anchoring {
        let anchor = self.config.anchor();
        if anchor.command.is_empty() {
            return Anchoring::default();
        }
        let (recorder, way, root) = (self.recorder.clone(), Way::of(self), self.lake_path());
        Anchoring::by(Arc::new(move |head| recorder.hear(&way, root.clone(), head)))
    }

    /// Records the newest head that is due, before the process ends. It never fails: trouble was reported.
    pub(in crate::cli) fn finish_anchoring(&self) {
        self.recorder.finish();
    }

    /// Records a head now. Returns true when it is already kept.
    pub(in crate::cli) fn anchor_now(&self, head: &LedgerHead) -> Result<(RecordedEntry, bool)> {
        let anchors = Anchors::of(&self.lake_path());
        if let Some(kept) = kept(&anchors, head)? {
            return Ok((kept, true));
        }
        Way::of(self).record(&anchors, head).map(|kept| (kept, false))
    }

    /// Asks the operator's command whether the answer is one to the head.
    pub(in crate::cli) fn is_answer(&self, recorded: &Recorded) -> Result<bool> {
        let anchor = self.config.anchor();
        let input = [line(&recorded.head).as_bytes(), &recorded.answer].concat();
        let asked = Asked { words: &anchor.verify, input: &input, most: ANSWER_BYTES, timeout: anchor.timeout };
        Ok(hook::ask(&asked, &self.command_environment())?.0.success())
    }
}

/// Formats a head in one line, as `auditlake ledger head` prints it.
pub fn line(head: &LedgerHead) -> String {
    format!("{} {} {}\n", head.sequence, head.sha256, head.lake_id)
}

/// Returns the newest anchor, if it is this head's. Errors when it is of an entry that the ledger does not have yet.
fn kept(anchors: &Anchors, head: &LedgerHead) -> Result<Option<RecordedEntry>> {
    let Some(newest) = anchors.newest()? else { return Ok(None) };
    let of = &newest.body.head;
    if of.sequence > head.sequence && of.lake_id == head.lake_id {
        return Err(Error::new(
            Kind::Integrity,
            format!(
                "anchor {} is of ledger entry {}, and the ledger ends at {}",
                newest.sequence, of.sequence, head.sequence
            ),
        )
        .hint("the lake was put back to an older state; `auditlake verify` says more"));
    }
    Ok((of.sequence == head.sequence && of.sha256 == head.sha256).then_some(newest))
}

impl Way {
    fn of(app: &App) -> Way {
        let (anchor, environment) = (app.config.anchor().clone(), app.command_environment());
        Way { anchor, environment, clock: app.clock, screen: app.screen }
    }

    /// Runs the command and keeps its answer; a failure is counted in the lake.
    fn record(&self, anchors: &Anchors, head: &LedgerHead) -> Result<RecordedEntry> {
        let asked = self.ask(head);
        let now_ms = self.clock.now_ms();
        match asked {
            Ok(answer) => {
                let body = Recorded { head: head.clone(), answer };
                let sequence = anchors.keep(now_ms, &body)?;
                Ok(RecordedEntry { sequence, previous: None, time_ms: now_ms, body })
            }
            Err(error) => {
                anchors.note_failure(now_ms, error.to_string())?;
                Err(error)
            }
        }
    }

    fn ask(&self, head: &LedgerHead) -> Result<Vec<u8>> {
        let config::Anchor { command, timeout, .. } = &self.anchor;
        let input = line(head);
        let asked = Asked { words: command, input: input.as_bytes(), most: ANSWER_BYTES, timeout: *timeout };
        let (status, answer) = hook::ask(&asked, &self.environment)?;
        if status.success() {
            Ok(answer)
        } else {
            Err(Error::new(Kind::Unavailable, format!("`{}` ended with {status}", command.join(" "))))
        }
    }

    /// Returns how long to wait until the next head is recorded.
    fn until_due(&self, anchors: &Anchors) -> Result<Duration> {
        let now_ms = self.clock.now_ms();
        let since = |time_ms: i64, wait: Duration| {
            // A clock that was set back must not keep us waiting.
            let passed = u64::try_from(now_ms - time_ms).map_or(wait, Duration::from_millis);
            wait.saturating_sub(passed)
        };
        let every = self.anchor.every;
        if let Some(failing) = anchors.failing()? {
            let doubled = FIRST_WAIT.saturating_mul(1 << failing.attempts.saturating_sub(1).min(16));
            return Ok(since(failing.last_ms, doubled.min(every)));
        }
        Ok(anchors.newest()?.map_or(Duration::ZERO, |newest| since(newest.time_ms, every)))
    }

    /// Records the head when it is time; else returns how long it is until then.
    fn record_if_due(&self, root: &std::path::Path, head: &LedgerHead) -> Option<Duration> {
        let anchors = Anchors::of(root);
        let recorded = self.until_due(&anchors).and_then(|wait| {
            if !wait.is_zero() {
                return Ok(Some(wait));
            }
            match kept(&anchors, head)? {
                Some(_) => Ok(None),
                None => self.record(&anchors, head).map(|_| None),
            }
        });
        recorded.unwrap_or_else(|error| {
            self.screen.warn(format!(
                "ledger entry {} was not recorded elsewhere: {error}; a later commit tries again",
                head.sequence
            ));
            None
        })
    }

    fn run(&self, heads: &Receiver<(PathBuf, LedgerHead)>) {
        let mut newest: Option<(PathBuf, LedgerHead)> = None;
        let mut due = Instant::now();
        loop {
            let wait = if newest.is_some() { due.saturating_duration_since(Instant::now()) } else { Duration::MAX };
            match heads.recv_timeout(wait) {
                Ok(head) => {
                    if newest.replace(head).is_none() {
                        due = Instant::now() + SETTLING;
                    }
                }
                ended => {
                    if let Some((root, head)) = newest.take()
                        && let Some(wait) = self.record_if_due(&root, &head)
                    {
                        due = Instant::now() + wait;
                        newest = Some((root, head));
                    }
                    if ended == Err(RecvTimeoutError::Disconnected) {
                        return;
                    }
                }
            }
        }
    }
}

impl Recorder {
    fn hear(&self, way: &Way, root: PathBuf, head: LedgerHead) {
        let mut running = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let (heads, receiver) = channel();
            let ours = way.clone();
            match std::thread::Builder::new().name("anchor".to_string()).spawn(move || ours.run(&receiver)) {
                Ok(thread) => *running = Some(Running { heads, thread }),
                Err(error) => way.screen.warn(format!("ledger heads are not recorded elsewhere: {error}")),
            }
        }
        if let Some(running) = running.as_ref() {
            // The thread lives as long as we do.
            let _ = running.heads.send((root, head));
        }
    }

    fn finish(&self) {
        let running = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { heads, thread }) = running {
            drop(heads);
            let _ = thread.join();
        }
    }
}
