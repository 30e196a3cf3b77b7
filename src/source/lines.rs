//! NDJSON: one event a line. The fast form, where finding the newlines is all there is to do.

use std::ops::Range;

use memchr::memchr_iter;

use super::values::{Step, Values};
use super::{Fault, Line};

/// So many lines end a chunk: of events it has a few thousand, of short bad lines it would have millions, and each
/// becomes a reject that is larger than itself.
const CHUNK_LINES: usize = 1 << 14;

/// What was found in a chunk so far.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub lines: Vec<Line>,
    pub faults: Vec<Fault>,
    pub blank: u64,
    /// Of the last line, in the whole source.
    pub number: u64,
    pub max_line_bytes: usize,
}

impl Items {
    /// Adds the line `line`, unless the `whole` item that it stands in is too long.
    pub fn item(&mut self, bytes: &[u8], whole: Range<usize>, line: Range<usize>, base: u64) {
        if whole.len() > self.max_line_bytes {
            return self.fault(&bytes[whole.clone()], base + whole.start as u64, "line-too-long");
        }
        self.number += 1;
        self.lines.push(Line { offset: base + line.start as u64, range: line, number: self.number });
    }

    pub fn fault(&mut self, bytes: &[u8], offset: u64, reason: &'static str) {
        self.number += 1;
        self.faults.push(Fault::of(bytes, self.number, offset, reason));
    }

    /// Whether the chunk has to be handed out before more is looked for.
    pub fn is_full(&self) -> bool {
        self.lines.len() + self.faults.len() >= CHUNK_LINES
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.faults.is_empty() && self.blank == 0
    }
}

#[derive(Debug)]
pub(super) struct Lines {
    /// Everything before was searched for newlines.
    seen: u64,
    /// The first line was a page, a bundle or a CloudEvent, so each line may be.
    is_enveloped: bool,
}

impl Lines {
    pub fn new(at: u64, is_enveloped: bool) -> Lines {
        Lines { seen: at, is_enveloped }
    }

    /// Takes the lines out of `bytes`, which begin at `base` of the stream and with a line; where the next line begins.
    pub fn scan(&mut self, bytes: &[u8], base: u64, is_last: bool, items: &mut Items) -> usize {
        // After a line longer than a chunk the window may be smaller than the one before.
        let from = ((self.seen.max(base) - base) as usize).min(bytes.len());
        let mut start = 0;
        for newline in memchr_iter(b'\n', &bytes[from..]) {
            self.line(bytes, start..from + newline, base, items);
            start = from + newline + 1;
            if items.is_full() {
                self.seen = base + start as u64;
                return start;
            }
        }
        if is_last && start < bytes.len() {
            self.line(bytes, start..bytes.len(), base, items);
            start = bytes.len();
        }
        self.seen = self.seen.max(base + bytes.len() as u64);
        start
    }

    fn line(&self, bytes: &[u8], mut range: Range<usize>, base: u64, items: &mut Items) {
        if bytes.get(range.start) == Some(&0) {
            let zeros = leading_zeros(&bytes[range.clone()]);
            items.fault(&bytes[range.start..range.start + zeros], base + range.start as u64, "nul-run");
            // After a crash the writer goes on behind the block, within the same line.
            range.start += zeros;
            if range.is_empty() {
                return;
            }
        }
        if bytes[range.clone()].ends_with(b"\r") {
            range.end -= 1;
        }
        if is_blank(&bytes[range.clone()]) && range.len() <= items.max_line_bytes {
            items.number += 1;
            items.blank += 1;
        } else if !self.is_enveloped || range.len() > items.max_line_bytes || !unwrap(bytes, &range, base, items) {
            items.item(bytes, range.clone(), range, base);
        }
    }
}

/// NUL bytes that `bytes` begin with: what a file system leaves of a block that was never written.
pub(super) fn leading_zeros(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())
}

fn is_blank(line: &[u8]) -> bool {
    // Nearly every line is told by its first byte.
    line.first().is_none_or(|first| *first <= b' ') && line.iter().all(|byte| matches!(byte, b'\t'..=b'\r' | b' '))
}

/// Adds the events of a line that is an envelope; false, and nothing added, when its brackets do not match.
fn unwrap(bytes: &[u8], range: &Range<usize>, base: u64, items: &mut Items) -> bool {
    let line = &bytes[range.clone()];
    let mut values = Values::new(0, items.max_line_bytes);
    let mut found = Vec::new();
    loop {
        match values.step(line, 0) {
            Step::Item { line, .. } => found.push(line),
            Step::Closed { .. } => {}
            Step::Broken { .. } => return false,
            Step::More => break,
        }
    }
    if values.is_open() {
        return false;
    }
    for event in found {
        let event = range.start + event.start as usize..range.start + event.end as usize;
        items.item(bytes, event.clone(), event, base);
    }
    true
}
