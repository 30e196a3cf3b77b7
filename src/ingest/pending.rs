//! The batch that is being gathered: lines that are decoded and not yet committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::load::Begin;
use super::memory;
use super::work::{Loaded, Told};
use super::{NOT_EVENTS, SKIPPED, SourceSummary, Summary};
use crate::lake::{Arrived, Batch, Head, Mark, SourceRange};
use crate::source::{Outcome, look};
use crate::typed::{count, hex};

/// A batch in the making. Ranges of several small sources share it.
pub struct Pending {
    redaction_version: String,
    batch: Batch,
    /// The bytes of the (decompressed) input.
    pub bytes: u64,
    /// Bytes of the rows in memory.
    pub memory: u64,
    since: Option<Instant>,
    current: Option<Current>,
}

/// The current source.
struct Current {
    name: Arc<str>,
    kind: &'static str,
    url: Option<String>,
    /// Its first bytes.
    start: Vec<u8>,
    head: Option<Head>,
    /// The position in it where the current batch begins, and the position now.
    from: Mark,
    to: Mark,
    /// The position one chunk before.
    before: Mark,
    is_touched: bool,
    /// See [`super::load::Resumed::state`].
    state_before: String,
    resumed_lines: u64,
    lines: u64,
    blank: u64,
    /// The lines that are not rows, by reason.
    rejects: BTreeMap<String, u64>,
}

impl Pending {
    pub fn new(redaction_version: String) -> Self {
        Pending { redaction_version, batch: Batch::default(), bytes: 0, memory: 0, since: None, current: None }
    }

    /// Returns how long the oldest row has waited.
    pub fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub fn rejects(&self) -> usize {
        self.batch.rejects.len()
    }

    pub fn source_name(&self) -> &str {
        self.current.as_ref().map_or("", |current| &current.name)
    }

    /// Adds a load; returns the sources that ended within it.
    pub fn add(&mut self, loaded: Loaded) -> Vec<SourceSummary> {
        let mut ended = Vec::new();
        let mut name: Arc<str> = "".into();
        for mut told in loaded.pieces {
            if let Some(begin) = told.begin.take() {
                self.current = Some(Current::of(begin));
            }
            name = self.current.as_ref().map_or(name, |current| current.name.clone());
            let end = told.end.take();
            self.take_piece(told);
            ended.extend(end.and_then(|outcome| self.end(outcome)));
        }
        self.memory += memory::of(&loaded.events);
        for events in loaded.events {
            self.batch.events.push(Arrived { source: name.clone(), events });
        }
        for (rule, count) in loaded.redacted.iter() {
            *self.batch.redacted.entry(rule.to_string()).or_default() += count;
        }
        add(&mut self.batch.drift, &loaded.drift);
        ended
    }

    fn take_piece(&mut self, told: Told) {
        let (Some(current), Some(mark)) = (&mut self.current, told.mark) else { return };
        current.before = std::mem::replace(&mut current.to, (&mark).into());
        current.is_touched = true;
        current.lines += told.read;
        current.blank += told.blank;
        self.bytes += current.to.offset - current.before.offset;
        self.since.get_or_insert_with(Instant::now);
        self.batch.read += told.read;
        self.batch.blank += told.blank;
        for mut reject in told.rejects {
            reject.source = current.name.to_string();
            *current.rejects.entry(reject.reason.clone()).or_default() += 1;
            self.batch.rejects.push(reject);
        }
    }

    /// Ends the current source.
    fn end(&mut self, outcome: Outcome) -> Option<SourceSummary> {
        let mut current = self.current.take()?;
        let (mut state, mut detail) = match outcome {
            Outcome::Complete => ("complete", String::new()),
            Outcome::Incomplete { reason, detail } => (reason, detail),
        };
        if let Some(why) = current.is_nothing() {
            detail = if detail.is_empty() { why } else { format!("{detail}; {why}") };
            if state == "complete" {
                state = NOT_EVENTS;
            }
        }
        self.batch.sources.extend(current.range(state));
        if state == "complete" && current.lines == 0 && current.resumed_lines > 0 {
            state = SKIPPED;
        }
        Some(current.summary(state, detail))
    }

    /// Leaves the current source before its end.
    pub fn leave(&mut self) -> Option<SourceSummary> {
        let mut current = self.current.take()?;
        self.batch.sources.extend(current.range("open"));
        let detail = format!("stopped after line {}", current.to.line);
        Some(current.summary("open", detail))
    }

    /// Hands out the batch; `None` when there is nothing to commit.
    pub fn take(&mut self, summary: &mut Summary) -> Option<Batch> {
        if let Some(range) = self.current.as_mut().and_then(|current| current.range("open")) {
            self.batch.sources.push(range);
        }
        self.since = None;
        self.memory = 0;
        summary.bytes_read += std::mem::take(&mut self.bytes);
        let mut batch = std::mem::take(&mut self.batch);
        batch.redaction_version.clone_from(&self.redaction_version);
        add(&mut summary.redacted, &batch.redacted);
        add(&mut summary.drift, &batch.drift);
        (batch.read > 0).then_some(batch)
    }
}

impl Current {
    fn of(begin: Begin) -> Current {
        let Begin { name, url, head, resumed } = begin;
        let mark = resumed.mark.as_ref().map(Mark::from).unwrap_or_default();
        let kind = match (&*name, &resumed.identity) {
            ("-", _) => "stdin",
            (_, Some(_)) => "file",
            (_, None) => "pipe",
        };
        Current {
            name,
            kind,
            url,
            start: head,
            head: resumed.identity.map(|identity| Head { bytes: identity.head_len, sha256: hex(&identity.head) }),
            from: mark.clone(),
            resumed_lines: mark.line,
            before: mark.clone(),
            to: mark,
            is_touched: false,
            state_before: resumed.state,
            lines: 0,
            blank: 0,
            rejects: BTreeMap::new(),
        }
    }

    fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    /// Returns the state to report when not one of the source's lines ever was a row.
    fn is_nothing(&self) -> Option<String> {
        if self.lines == 0 && self.resumed_lines > 0 && self.state_before == NOT_EVENTS {
            return Some(format!("none of its lines was a row in an earlier run; {}", look(&self.start)));
        }
        let is_new = self.resumed_lines == 0 || self.state_before == NOT_EVENTS;
        if !is_new || self.rejects.is_empty() || self.rejected() + self.blank < self.lines {
            return None;
        }
        let reasons: Vec<String> =
            self.rejects.iter().map(|(reason, times)| format!("{} x {reason}", count(*times))).collect();
        Some(format!("none of its lines is a row ({}); {}", reasons.join(", "), look(&self.start)))
    }

    fn summary(self, state: &str, detail: String) -> SourceSummary {
        SourceSummary {
            rejected: self.rejected(),
            name: self.name.to_string(),
            state: state.to_string(),
            detail,
            resumed_lines: self.resumed_lines,
            lines: self.lines,
        }
    }

    /// Returns the range that the batch took from this source, if any; the next range begins where it ends.
    fn range(&mut self, state: &str) -> Option<SourceRange> {
        if !std::mem::take(&mut self.is_touched) {
            return None;
        }
        let from = std::mem::replace(&mut self.from, self.to.clone());
        Some(SourceRange {
            kind: self.kind.to_string(),
            name: self.name.to_string(),
            url: self.url.clone(),
            head: self.head.clone(),
            from,
            to: self.to.clone(),
            before: self.before.clone(),
            state: state.to_string(),
            poll: None,
        })
    }
}

fn add(total: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        *total.entry(name.clone()).or_default() += count;
    }
}
