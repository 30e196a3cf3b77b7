//! One source: its windows one after the other, each walked page by page.

use std::sync::Arc;
use std::time::Duration;

use super::fetch::{Fetched, Live, Trouble, pause};
use super::gather::{Gather, OPEN};
use super::guard::Guard;
use super::plan::{Plan, show};
use super::{Event, Origin, PullProgress, PullSource, Scope, Shared, SourcePull};
use crate::error::{Error, Kind, Result};
use crate::lake::{COMPLETE, Interval, OpenWindow, cover};
use crate::redact::Counts;
use crate::source::{Page, PageRequest, Recorder, Recording, Taped};

/// The number of times that a refused cursor may restart its window.
const MAX_RESTARTS: u32 = 3;

/// Clocks that differ by more are reported.
const SKEW_MS: u64 = 5 * 60 * 1000;
/// A server's date has no fractions of a second.
const DATE_MS: i64 = 1000;

/// The end of a walk without trouble.
enum Walked {
    Complete,
    /// The window has more than a page, and is requested in pieces.
    Narrowed,
    Stopped,
}

/// Pulls one source.
pub(super) struct Puller {
    shared: Arc<Shared>,
    name: Arc<str>,
    origin: Option<Origin>,
    scope: Scope,
    gather: Gather,
    recorder: Option<Recorder>,
    /// The covered intervals, including those that are not in the ledger yet.
    covered: Vec<Interval>,
    /// The time when the walk began that moved the covered end.
    walked_ms: i64,
    open: Option<OpenWindow>,
    /// The lead of our clock over the server's when its last page came; never negative.
    ahead_ms: i64,
    /// Whether the difference of the clocks was reported.
    is_told: bool,
    summary: SourcePull,
    progress: PullProgress,
}

impl Puller {
    pub async fn new(shared: Arc<Shared>, source: PullSource) -> Result<Puller> {
        let state = shared.writer.lock().await.lake().state().pulls.get(&source.name).cloned();
        let name: Arc<str> = source.name.as_str().into();
        let url = match &source.origin {
            Origin::Server { client, .. } => client.endpoint().as_str().to_string(),
            Origin::Recording(_) => String::new(),
        };
        let limit = shared.options.page_size;
        let gather = Gather::new(name.clone(), url.clone(), limit, shared.worker.decoder(), state.as_ref());
        let recorder = source.record.as_ref().map(|folder| Recorder::open(folder, &source.name)).transpose()?;
        let mut scope = shared.scope.clone();
        scope.since_ms = scope.since_ms.or(source.since_ms);
        let open = state.as_ref().and_then(|state| state.open.clone());
        Ok(Puller {
            summary: SourcePull { name: source.name, ..SourcePull::default() },
            progress: PullProgress::default(),
            walked_ms: state.as_ref().map_or(0, |state| state.walked_ms),
            covered: state.map(|state| state.covered).unwrap_or_default(),
            // The cursor belongs to one server, one window and one page size.
            open: open.filter(|open| open.url == url && open.limit == limit),
            ahead_ms: 0,
            is_told: false,
            origin: Some(source.origin),
            shared,
            name,
            scope,
            gather,
            recorder,
        })
    }

    /// Runs one round, or round after round; returns the result, with the trouble that ended it.
    pub async fn run(mut self) -> Result<(SourcePull, Option<Error>)> {
        let trouble = match self.origin.take() {
            Some(Origin::Recording(recording)) => self.replay(recording).await.err(),
            Some(Origin::Server { client, budget }) => {
                let mut live = Live { client: *client, budget, requests: 0, waited: Duration::ZERO };
                let trouble = self.rounds(&mut live).await.err();
                self.summary.waited_seconds = live.waited.as_secs_f64();
                trouble
            }
            None => None,
        };
        self.tell_covered();
        self.summary.counts.check()?;
        if self.summary.state.is_empty() {
            let is_stopped = self.shared.stop.is_set();
            self.summary.state = if is_stopped { "stopped" } else { COMPLETE }.to_string();
        }
        let error = trouble.map(|trouble| {
            self.summary.state = trouble.state.to_string();
            self.summary.error = Some(trouble.error.to_string());
            trouble.error
        });
        Ok((self.summary, error))
    }

    async fn rounds(&mut self, live: &mut Live) -> Result<(), Trouble> {
        loop {
            let began_ms = self.shared.clock.now_ms();
            self.round(live).await?;
            let Some(watch) = self.shared.watch.filter(|_| !self.shared.stop.is_set()) else { return Ok(()) };
            self.tell_covered();
            (self.shared.tell)(&Event::Round { source: &self.name, summary: &self.summary });
            let spent = Duration::from_millis(self.shared.clock.now_ms().abs_diff(began_ms));
            if !pause(&self.shared, watch.saturating_sub(spent)).await {
                return Ok(());
            }
        }
    }

    /// Requests everything that the plan asks for now.
    async fn round(&mut self, live: &mut Live) -> Result<(), Trouble> {
        let is_in_scope = |open: &OpenWindow| {
            let (since, until) = (self.scope.since_ms, self.scope.until_ms);
            since.is_none_or(|since| open.window.from_ms.is_some_and(|from| since <= from))
                && until.is_none_or(|until| open.window.to_ms < until)
        };
        if let Some(open) = self.open.take().filter(is_in_scope) {
            let text = format!("resuming the window that ends {}", show(open.window.to_ms));
            self.note(&text);
            // Entries that arrived since its first pages were read lie in the overlap, which is read again after it.
            let resumed = (open.cursor, (open.started_ms, open.known_ms));
            if let Walked::Stopped = self.walk(live, &open.window, Some(resumed), false).await? {
                return Ok(());
            }
        }
        let to_ms = self.settled_ms();
        let overlap_ms = millis(self.shared.options.overlap);
        let mut plan = Plan::new(&self.covered, self.walked_ms, &self.scope, overlap_ms, to_ms);
        while let Some(window) = plan.next() {
            self.progress.done = plan.share_done();
            let pages = self.summary.pages;
            match self.walk(live, &window, None, Plan::is_divisible(&window)).await? {
                Walked::Stopped => return Ok(()),
                Walked::Narrowed => plan.narrow(&window),
                Walked::Complete => plan.done(&window, self.summary.pages - pages),
            }
            plan.limit(self.settled_ms());
        }
        // A deep look happens once; later rounds keep to the overlap.
        self.scope.deep_ms = None;
        self.gather.finish(&self.shared, &mut self.summary).await.map_err(trouble)
    }

    /// Walks a window to its end.
    async fn walk(
        &mut self,
        live: &mut Live,
        window: &Interval,
        resumed: Option<(String, (i64, Option<i64>))>,
        may_narrow: bool,
    ) -> Result<Walked, Trouble> {
        let (mut cursor, mut begun) = resumed.unzip();
        let limit = self.shared.options.page_size;
        let url = live.client.endpoint().as_str().to_string();
        let mut restarts = 0;
        'window: loop {
            let (walked_ms, known_ms) = begun.take().unwrap_or_else(|| (self.shared.clock.now_ms(), None));
            self.gather.begin(None, window, walked_ms, known_ms);
            let mut guard = Guard::new(cursor.as_ref());
            let mut is_first = cursor.is_none();
            loop {
                let request =
                    PageRequest { from_ms: window.from_ms, to_ms: window.to_ms, limit, cursor: cursor.clone() };
                let fetched = live.page(&self.shared, &self.name, &request).await;
                let requests = std::mem::take(&mut live.requests);
                self.gather.requested(requests);
                self.summary.requests += requests;
                let page = match fetched {
                    Ok(Fetched::Page(page)) => page,
                    Ok(Fetched::Stopped) => {
                        self.settle(OPEN, cursor).await?;
                        return Ok(Walked::Stopped);
                    }
                    Ok(Fetched::CursorRefused(why)) if restarts < MAX_RESTARTS => {
                        restarts += 1;
                        self.note(&format!(
                            "the server does not take the cursor any more ({why}); the window that ends {} begins anew",
                            show(window.to_ms)
                        ));
                        self.settle("restarted", None).await?;
                        cursor = None;
                        continue 'window;
                    }
                    Ok(Fetched::CursorRefused(why)) => {
                        let text = format!("source `{}`: the server refuses its own cursors: {why}", self.name);
                        return Err(self.end("refused", None, Error::new(Kind::Unavailable, text)).await);
                    }
                    Err(Trouble { state, error }) => return Err(self.end(state, cursor, error).await),
                };
                self.compare_clocks(page.date_ms);
                if page.has_more && is_first && may_narrow {
                    return Ok(Walked::Narrowed);
                }
                self.record(&url, window, limit, is_first, &page)?;
                is_first = false;
                let next = page.next_cursor.clone().filter(|_| page.has_more);
                let has_more = page.has_more;
                if let Err(why) = self.take(page, &mut guard)? {
                    // Its pages are kept, and the window is walked again from its beginning when the server is mended.
                    let text = format!("source `{}`: the pages do not end: {why}", self.name);
                    let error = Error::new(Kind::Unavailable, text)
                        .hint("this is a defect of the server; the entries are kept, and the window does not count as covered");
                    return Err(self.end("looping", None, error).await);
                }
                if !has_more {
                    self.settle(COMPLETE, None).await?;
                    self.covers(walked_ms);
                    return Ok(Walked::Complete);
                }
                cursor = next;
                let age_ms = self.gather.age_ms(self.shared.clock.now_ms());
                let options = &self.shared.options;
                if self.gather.pages() >= options.batch_pages || age_ms >= millis(options.batch_age) {
                    self.settle(OPEN, cursor.clone()).await?;
                }
            }
        }
    }

    /// Replays the pages of a recording, walk by walk, as they were walked.
    async fn replay(&mut self, mut recording: Recording) -> Result<(), Trouble> {
        while let Some(first) = recording.peek().cloned() {
            let window = Interval { from_ms: first.from_ms, to_ms: first.to_ms };
            self.gather.begin(Some(&first.url), &window, first.at_ms, None);
            let mut guard = Guard::default();
            let state = loop {
                let Some((_, page)) = recording.take().map_err(trouble)? else { break "partial" };
                let has_more = page.has_more;
                if let Err(why) = self.take(page, &mut guard)? {
                    self.note(&format!("the recorded pages do not end: {why}"));
                    break "looping";
                }
                // A walk that began before the recording, or continued after it, covers nothing.
                let is_same = |next: &Taped| (next.from_ms, next.to_ms) == (first.from_ms, first.to_ms);
                match recording.peek() {
                    _ if !has_more && first.is_first => break COMPLETE,
                    _ if !has_more => break "partial",
                    Some(next) if is_same(next) && !next.is_first => {}
                    _ => break "partial",
                }
                if self.shared.stop.is_set() {
                    break "partial";
                }
                if self.gather.pages() >= self.shared.options.batch_pages {
                    self.settle(OPEN, None).await?;
                }
            };
            self.settle(state, None).await?;
            if state == COMPLETE {
                self.covers(first.at_ms);
            }
            if self.shared.stop.is_set() {
                break;
            }
        }
        Ok(())
    }

    /// Adds a page; the inner error says how the walk goes in circles.
    fn take(&mut self, page: Page, guard: &mut Guard) -> Result<Result<(), String>, Trouble> {
        let (has_more, next_cursor) = (page.has_more, page.next_cursor.clone());
        if let Some(date_ms) = page.date_ms {
            let known_ms = date_ms.saturating_add(DATE_MS).saturating_sub(millis(self.shared.options.settling));
            self.gather.known(known_ms);
        }
        let (digests, outside) = self.gather.take(&self.shared, page, self.shared.clock.now_ms()).map_err(trouble)?;
        self.summary.pages += 1;
        self.summary.outside += outside;
        self.summary.received += digests.len() as u64;
        self.progress.pages = self.summary.pages;
        self.progress.received = self.summary.received;
        (self.shared.tell)(&Event::Page { source: &self.name, progress: &self.progress });
        Ok(guard.check(has_more, next_cursor.as_deref(), &digests))
    }

    /// Records a page, with its secrets redacted.
    fn record(&mut self, url: &str, window: &Interval, limit: u32, is_first: bool, page: &Page) -> Result<(), Trouble> {
        let Some(recorder) = &mut self.recorder else { return Ok(()) };
        let text = String::from_utf8_lossy(&page.bytes);
        let redacted = self.shared.worker.policy.text(&text, &mut Counts::default());
        let bytes = redacted.as_deref().map_or(page.bytes.as_slice(), str::as_bytes);
        let taped = Taped {
            number: 0,
            from_ms: window.from_ms,
            to_ms: window.to_ms,
            limit,
            is_first,
            at_ms: self.shared.clock.now_ms(),
            server_ms: page.date_ms,
            url: url.to_string(),
        };
        recorder.keep(taped, bytes).map_err(trouble)
    }

    async fn settle(&mut self, state: &str, cursor: Option<String>) -> Result<(), Trouble> {
        self.gather.settle(&self.shared, &mut self.summary, state, cursor).await.map_err(trouble)
    }

    /// Commits what is complete before an error is reported; an error of the lake is the graver one.
    async fn end(&mut self, state: &'static str, cursor: Option<String>, error: Error) -> Trouble {
        match self.settle(state, cursor).await {
            Ok(()) => Trouble { state, error },
            Err(trouble) => trouble,
        }
    }

    /// Marks the current window as walked to its end.
    fn covers(&mut self, walked_ms: i64) {
        self.summary.windows += 1;
        let Some(covered) = self.gather.covering() else { return };
        if self.covered.last().is_none_or(|last| last.to_ms <= covered.to_ms) {
            self.walked_ms = walked_ms.saturating_sub(self.ahead_ms);
        }
        cover(&mut self.covered, covered);
    }

    /// Returns the time before which all events have reached the server, by its clock or by ours, whichever is behind.
    fn settled_ms(&self) -> i64 {
        let settling_ms = millis(self.shared.options.settling);
        self.shared.clock.now_ms().saturating_sub(self.ahead_ms).saturating_sub(settling_ms)
    }

    /// Compares the clocks: our own is not evidence of what the server can know.
    fn compare_clocks(&mut self, date_ms: Option<i64>) {
        let Some(date_ms) = date_ms else { return };
        let now_ms = self.shared.clock.now_ms();
        self.ahead_ms = now_ms.saturating_sub(date_ms.saturating_add(DATE_MS)).max(0);
        if now_ms.abs_diff(date_ms) > SKEW_MS && !std::mem::replace(&mut self.is_told, true) {
            self.note(&format!(
                "this machine's clock says {}, and the server's {}: set the clock; nothing after the earlier one counts as covered",
                show(now_ms),
                show(date_ms)
            ));
        }
    }

    fn note(&self, text: &str) {
        (self.shared.tell)(&Event::Note { source: &self.name, text });
    }

    fn tell_covered(&mut self) {
        let reached = self.covered.last().map(|interval| interval.to_ms);
        self.progress.reached_ms = reached;
        self.summary.covered_until = reached.map(|reached| show(reached.saturating_add(1)));
    }
}

/// Describes trouble of our own: the lake, the disk.
fn trouble(error: Error) -> Trouble {
    Trouble { state: "failed", error }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
