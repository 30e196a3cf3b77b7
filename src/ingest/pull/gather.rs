//! Entries that were pulled and are not in the ledger yet, and the time at which they are committed.
//!
//! A part of a walk is written with its rows, its counts and its cursor in one entry. A poll that brings nothing new is
//! only counted: it waits here, and goes into the next entry together with others like it. It gets an entry of its own
//! when a quarter of an hour of silence has accumulated, so that silence is provable and costs at most four entries per
//! hour. A process that ends before that loses only the knowledge that it looked; the next one looks again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::take::{Order, Taken, take};
use super::{Shared, SourcePull};
use crate::decode::Decoder;
use crate::error::Result;
use crate::lake::{Arrived, Batch, COMPLETE, Counts, Interval, Mark, Poll, PullState, SourceRange, Writer, cover};
use crate::source::Page;

/// The shortest time between two reports of polls without anything new.
const QUIET_MS: i64 = 15 * 60 * 1000;
/// The state of a walk that continues.
pub(super) const OPEN: &str = "open";

/// The pages of one source that wait for the next entry.
pub(super) struct Gather {
    name: Arc<str>,
    url: String,
    limit: u32,
    decoder: Decoder,
    batch: Batch,
    /// The current walk since the last entry.
    poll: Poll,
    order: Order,
    /// Whether the current poll must be reported, even if only its failure.
    is_begun: bool,
    /// Polls without anything new.
    held: Vec<SourceRange>,
    /// The number of lines known to be duplicates, whose rows are dropped.
    folded: u64,
    /// Entries and bytes so far; the places of rows.
    line: u64,
    offset: u64,
    /// Keyed hashes of lines that were rejected before.
    known: HashSet<u128>,
    /// The number of pages that wait for a decision; the next field is the time when the oldest of them came.
    waiting: u64,
    since_ms: Option<i64>,
}

impl Gather {
    pub fn new(name: Arc<str>, url: String, limit: u32, decoder: Decoder, state: Option<&PullState>) -> Gather {
        let rejects = state.map(|state| state.rejects.as_slice()).unwrap_or_default();
        let known = rejects.iter().filter_map(|digest| u128::from_str_radix(digest, 16).ok());
        Gather {
            name,
            url,
            limit,
            decoder,
            batch: Batch::default(),
            poll: Poll::default(),
            order: Order::default(),
            is_begun: false,
            held: Vec::new(),
            folded: 0,
            line: 0,
            offset: 0,
            known: known.collect(),
            waiting: 0,
            since_ms: None,
        }
    }

    /// Begins a walk of a window, or resumes it; `began_ms` is when its first page was requested. `known_ms` is as in
    /// [`Poll::known_ms`], if the walk already has a first page.
    pub fn begin(&mut self, url: Option<&str>, window: &Interval, began_ms: i64, known_ms: Option<i64>) {
        // Requests that found a window to be too large belong to the piece that is requested instead.
        let looks = if self.is_begun && self.poll.pages == 0 { self.poll.requests } else { 0 };
        self.poll = Poll { requests: looks, known_ms, ..self.fresh(window, began_ms) };
        if let Some(url) = url {
            self.poll.url = url.to_string();
        }
        self.order = Order::default();
        self.is_begun = true;
    }

    fn fresh(&self, window: &Interval, began_ms: i64) -> Poll {
        Poll {
            url: self.url.clone(),
            from_ms: window.from_ms,
            to_ms: window.to_ms,
            started_ms: began_ms,
            ended_ms: began_ms,
            limit: self.limit,
            ..Poll::default()
        }
    }

    /// Records a page by which the server cannot have known anything after `known_ms`. The first one of a walk counts.
    pub fn known(&mut self, known_ms: i64) {
        self.poll.known_ms.get_or_insert(known_ms);
    }

    /// Returns the interval that the current walk covers once it has ended.
    pub fn covering(&self) -> Option<Interval> {
        self.poll.covering()
    }

    /// Counts requests that were made for the current poll, whatever their result.
    pub fn requested(&mut self, requests: u64) {
        self.poll.requests += requests;
    }

    /// Returns the number of pages that wait for a decision.
    pub fn pages(&self) -> u64 {
        self.waiting
    }

    /// Returns how long the oldest page has waited.
    pub fn age_ms(&self, now_ms: i64) -> i64 {
        self.since_ms.map_or(0, |since| now_ms.saturating_sub(since))
    }

    /// Adds a page; returns the keyed hashes of its entries, and how many of them are not of the window.
    pub fn take(&mut self, shared: &Shared, page: Page, now_ms: i64) -> Result<(Vec<u128>, u64)> {
        let window = self.poll.window();
        let place = (self.line, self.offset);
        let bytes = page.bytes.len() as u64;
        let Taken { worked, digests, repeated, outside, order } =
            take(&shared.worker, &mut self.decoder, page, &window, place, &self.known)?;
        self.line += digests.len() as u64;
        self.offset += bytes;
        self.since_ms.get_or_insert(now_ms);
        self.order.follow(order);
        let poll = &mut self.poll;
        poll.ended_ms = now_ms;
        poll.pages += 1;
        poll.received += digests.len() as u64;
        poll.duplicate += repeated;
        poll.outside += outside;
        let batch = &mut self.batch;
        batch.read += worked.read;
        batch.repeated += repeated;
        for events in worked.events {
            batch.events.push(Arrived { source: self.name.clone(), events });
        }
        for mut reject in worked.rejects {
            reject.source = self.name.to_string();
            self.known.insert(reject.digest);
            batch.rejects.push(reject);
        }
        for (rule, count) in worked.redacted.iter() {
            *batch.redacted.entry(rule.to_string()).or_default() += count;
        }
        add(&mut batch.drift, worked.drift);
        self.waiting += 1;
        Ok((digests, outside))
    }

    /// Commits the waiting pages to the lake, or decides that they may wait longer. `state` is that of the current
    /// poll, `cursor` where it continues.
    pub async fn settle(
        &mut self,
        shared: &Shared,
        summary: &mut SourcePull,
        state: &str,
        cursor: Option<String>,
    ) -> Result<()> {
        if !self.is_begun || (state == OPEN && self.waiting == 0) {
            return Ok(());
        }
        let window = self.poll.window();
        self.poll.polls = u64::from(state != OPEN);
        self.poll.cursor = cursor;
        self.poll.order = self.order.name().to_string();
        let range = self.range(state);
        let mut batch = std::mem::take(&mut self.batch);
        batch.read += self.folded;
        batch.repeated += self.folded;
        batch.redaction_version.clone_from(&shared.redaction_version);
        let now_ms = shared.clock.now_ms();
        let mut writer = shared.writer.lock().await;
        let (counts, notes) = writer.weigh(&batch).await?;
        let is_silent = counts.accepted == 0 && counts.revised == 0 && counts.rejected == 0;
        if is_silent && !self.is_due(&writer, &range, now_ms, shared.options.batch_pages) {
            self.hold(state, range);
            let new = less(counts, self.folded);
            self.folded += new.read;
            summary.counts.add(&new);
            summary.notes.add(&notes);
        } else {
            batch.sources = std::mem::take(&mut self.held);
            push(&mut batch.sources, range, is_silent);
            let receipt = writer.commit(batch).await?;
            self.known.extend(receipt.reject_digests);
            summary.counts.add(&less(receipt.counts, std::mem::take(&mut self.folded)));
            summary.notes.add(&receipt.notes);
            summary.entries += 1;
            summary.last_sequence = Some(receipt.sequence);
            summary.late += receipt.late;
            let known_ms = self.poll.known_ms;
            self.poll = Poll { known_ms, ..self.fresh(&window, self.poll.started_ms) };
        }
        drop(writer);
        (self.waiting, self.since_ms) = (0, None);
        self.is_begun = state == OPEN;
        Ok(())
    }

    /// Keeps the account of a poll without anything new; its rows are gone.
    fn hold(&mut self, state: &str, mut range: SourceRange) {
        // Everything that it received already existed.
        self.poll.duplicate = self.poll.received;
        if let Some(poll) = range.poll.as_mut().filter(|_| state != OPEN) {
            poll.duplicate = poll.received;
            push(&mut self.held, range, true);
        }
    }

    /// Returns whether silence has lasted long enough to be recorded.
    fn is_due(&self, writer: &Writer, range: &SourceRange, now_ms: i64, batch_pages: u64) -> bool {
        let Some(known) = writer.lake().state().pulls.get(&*self.name) else { return true };
        let is_quiet = now_ms.saturating_sub(known.last_ms) >= QUIET_MS;
        let polls = self.held.iter().chain([range]);
        if range.state != COMPLETE {
            return is_quiet;
        }
        let pages: u64 = polls.clone().filter_map(|range| range.poll.as_ref()).map(|poll| poll.pages).sum();
        gained_ms(known, polls) >= QUIET_MS && (is_quiet || pages >= batch_pages)
    }

    /// Ends a round. Silence that it covered is recorded when it amounts to a quarter of an hour or more: nobody knows
    /// whether another round follows, and `coverage` must not fall behind what the run says.
    pub async fn finish(&mut self, shared: &Shared, summary: &mut SourcePull) -> Result<()> {
        let mut writer = shared.writer.lock().await;
        let state = writer.lake().state().pulls.get(&*self.name).cloned();
        if self.held.is_empty() || state.is_some_and(|known| gained_ms(&known, self.held.iter()) < QUIET_MS) {
            return Ok(());
        }
        let folded = std::mem::take(&mut self.folded);
        let batch = Batch {
            read: folded,
            repeated: folded,
            sources: std::mem::take(&mut self.held),
            redaction_version: shared.redaction_version.clone(),
            ..Batch::default()
        };
        let receipt = writer.commit(batch).await?;
        summary.entries += 1;
        summary.last_sequence = Some(receipt.sequence);
        Ok(())
    }

    fn range(&self, state: &str) -> SourceRange {
        let received = self.poll.received;
        SourceRange {
            kind: "api".to_string(),
            name: self.name.to_string(),
            from: Mark { line: self.line - received.min(self.line), ..Mark::default() },
            to: Mark { line: self.line, ..Mark::default() },
            state: state.to_string(),
            poll: Some(self.poll.clone()),
            ..SourceRange::default()
        }
    }
}

/// Returns the milliseconds that some polls cover and nothing before them did.
fn gained_ms<'a>(known: &PullState, polls: impl Iterator<Item = &'a SourceRange>) -> i64 {
    let mut gained_ms = 0_i64;
    let mut covered = known.clone();
    for window in polls.filter_map(|range| range.poll.as_ref()?.covering()) {
        let holes = covered.holes(window);
        let length = |hole: &Interval| hole.to_ms.saturating_sub(hole.from_ms.unwrap_or(i64::MIN));
        gained_ms = holes.iter().map(length).fold(gained_ms, i64::saturating_add);
        cover(&mut covered.covered, window);
    }
    gained_ms
}

/// Adds a poll; one without anything new is merged with those before it.
fn push(ranges: &mut Vec<SourceRange>, range: SourceRange, is_silent: bool) {
    if let Some(next) = range.poll.as_ref().filter(|_| is_silent && range.state == COMPLETE)
        && let Some(last) = ranges.last_mut()
        && let Some(poll) = last.poll.as_mut().filter(|last| touches(last, next))
    {
        join(poll, next);
        last.to = range.to;
        return;
    }
    ranges.push(range);
}

fn touches(a: &Poll, b: &Poll) -> bool {
    let mut both = vec![a.window()];
    cover(&mut both, b.window());
    both.len() == 1 && a.url == b.url && a.limit == b.limit
}

fn join(last: &mut Poll, next: &Poll) {
    last.from_ms = last.from_ms.and_then(|from| next.from_ms.map(|next| next.min(from)));
    last.to_ms = last.to_ms.max(next.to_ms);
    last.ended_ms = next.ended_ms;
    last.polls += next.polls;
    last.requests += next.requests;
    last.pages += next.pages;
    last.received += next.received;
    last.duplicate += next.duplicate;
    last.outside += next.outside;
    if last.order != next.order {
        last.order = "mixed".to_string();
    }
}

/// Returns counts without lines that were already counted, as duplicates.
fn less(counts: Counts, duplicates: u64) -> Counts {
    Counts { read: counts.read - duplicates, duplicate: counts.duplicate - duplicates, ..counts }
}

fn add(total: &mut BTreeMap<String, u64>, more: BTreeMap<String, u64>) {
    for (name, count) in more {
        *total.entry(name).or_default() += count;
    }
}
