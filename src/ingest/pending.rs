//! The batch that is being gathered: what was decoded and not committed yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feed::Resumed;
use super::work::Worked;
use super::{SourceSummary, Summary};
use crate::lake::{Arrived, Batch, Head, Mark, SourceRange};
use crate::source::Outcome;
use crate::typed::hex;

/// A batch in the making. Ranges of several small sources share it.
pub struct Pending {
    redaction_version: String,
    batch: Batch,
    pub bytes: u64,
    since: Option<Instant>,
    current: Option<Current>,
}

/// The source at hand.
struct Current {
    name: Arc<str>,
    kind: &'static str,
    head: Option<Head>,
    /// Where the batch at hand begins in it, and where it stands.
    from: Mark,
    to: Mark,
    /// Where it stood one chunk before.
    before: Mark,
    is_touched: bool,
    resumed_lines: u64,
    lines: u64,
}

impl Pending {
    pub fn new(redaction_version: String) -> Self {
        Pending { redaction_version, batch: Batch::default(), bytes: 0, since: None, current: None }
    }

    /// How long the oldest row has waited.
    pub fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub fn rejects(&self) -> usize {
        self.batch.rejects.len()
    }

    pub fn source_name(&self) -> &str {
        self.current.as_ref().map_or("", |current| &current.name)
    }

    pub fn begin(&mut self, name: Arc<str>, resumed: Resumed) {
        let mark = resumed.mark.as_ref().map(Mark::from).unwrap_or_default();
        self.current = Some(Current {
            kind: if resumed.identity.is_some() { "file" } else { "stdin" },
            head: resumed.identity.map(|identity| Head { bytes: identity.head_len, sha256: hex(&identity.head) }),
            from: mark.clone(),
            resumed_lines: mark.line,
            before: mark.clone(),
            to: mark,
            name,
            is_touched: false,
            lines: 0,
        });
    }

    pub fn add(&mut self, worked: Worked) {
        let Some(current) = &mut self.current else { return };
        current.before = std::mem::replace(&mut current.to, (&worked.end).into());
        current.is_touched = true;
        current.lines += worked.read;
        self.bytes += worked.bytes;
        self.since.get_or_insert_with(Instant::now);
        let batch = &mut self.batch;
        batch.read += worked.read;
        batch.blank += worked.blank;
        for events in worked.events {
            batch.events.push(Arrived { source: current.name.clone(), events });
        }
        for mut reject in worked.rejects {
            reject.source = current.name.to_string();
            batch.rejects.push(reject);
        }
        for (rule, count) in worked.redacted.iter() {
            *batch.redacted.entry(rule.to_string()).or_default() += count;
        }
        for (what, count) in worked.drift {
            *batch.drift.entry(what).or_default() += count;
        }
    }

    /// The source at hand has ended.
    pub fn end(&mut self, outcome: Outcome) -> SourceSummary {
        let Some(mut current) = self.current.take() else { return SourceSummary::default() };
        let (mut state, detail) = match outcome {
            Outcome::Complete => ("complete", String::new()),
            Outcome::Incomplete { reason, detail } => (reason, detail),
        };
        if let Some(range) = current.range(state) {
            self.batch.sources.push(range);
        }
        if state == "complete" && current.lines == 0 && current.resumed_lines > 0 {
            state = "skipped";
        }
        SourceSummary {
            name: current.name.to_string(),
            state: state.to_string(),
            detail,
            resumed_lines: current.resumed_lines,
            lines: current.lines,
        }
    }

    /// The source at hand was left before its end.
    pub fn leave(&mut self) -> Option<SourceSummary> {
        let mut current = self.current.take()?;
        self.batch.sources.extend(current.range("open"));
        Some(SourceSummary {
            name: current.name.to_string(),
            state: "open".to_string(),
            detail: format!("stopped after line {}", current.to.line),
            resumed_lines: current.resumed_lines,
            lines: current.lines,
        })
    }

    /// Hands out the batch; `None` when there is nothing to commit.
    pub fn take(&mut self, summary: &mut Summary) -> Option<Batch> {
        if let Some(range) = self.current.as_mut().and_then(|current| current.range("open")) {
            self.batch.sources.push(range);
        }
        self.since = None;
        summary.bytes_read += std::mem::take(&mut self.bytes);
        let mut batch = std::mem::take(&mut self.batch);
        batch.redaction_version.clone_from(&self.redaction_version);
        add(&mut summary.redacted, &batch.redacted);
        add(&mut summary.drift, &batch.drift);
        (batch.read > 0).then_some(batch)
    }
}

impl Current {
    /// What the batch took from this source, if anything; the next range begins where it ends.
    fn range(&mut self, state: &str) -> Option<SourceRange> {
        if !std::mem::take(&mut self.is_touched) {
            return None;
        }
        let from = std::mem::replace(&mut self.from, self.to.clone());
        Some(SourceRange {
            kind: self.kind.to_string(),
            name: self.name.to_string(),
            head: self.head.clone(),
            from,
            to: self.to.clone(),
            before: self.before.clone(),
            state: state.to_string(),
            poll: None,
        })
    }
}

fn add(total: &mut std::collections::BTreeMap<String, u64>, more: &std::collections::BTreeMap<String, u64>) {
    for (name, count) in more {
        *total.entry(name.clone()).or_default() += count;
    }
}
