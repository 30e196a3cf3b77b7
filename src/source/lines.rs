//! NDJSON: one event a line. The fast form, where finding the newlines is all there is to do.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr_iter, memmem};

use super::{Fault, Line, inner_events};

/// The number of lines that ends a chunk: of events it has a few thousand, of short bad lines it would have millions, and each
/// becomes a reject that is larger than itself.
const CHUNK_LINES: usize = 1 << 14;

/// The lines and faults found in a chunk so far.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub lines: Vec<Line>,
    pub faults: Vec<Fault>,
    pub blank: u64,
    /// The number of the last line, in the whole source.
    pub number: u64,
    pub max_line_bytes: usize,
    /// Events that are not in the bytes as they are, such as texts with escapes: one after the other, with the place
    /// of each in `lines`.
    pub apart: Vec<u8>,
    pub are_apart: Vec<(usize, Range<usize>)>,
}

impl Items {
    /// Adds a line, unless it is too long.
    pub fn item(&mut self, bytes: &[u8], range: Range<usize>, base: u64) {
        let offset = base + range.start as u64;
        if range.len() > self.max_line_bytes {
            return self.fault(&bytes[range], offset, "line-too-long");
        }
        self.number += 1;
        self.lines.push(Line { offset, range, number: self.number });
    }

    /// Adds the events in what may be an envelope; itself, when it is none.
    pub fn opened(&mut self, bytes: &[u8], range: Range<usize>, base: u64) {
        let is_short = range.len() <= self.max_line_bytes;
        let Some(inner) = inner_events(&bytes[range.clone()]).filter(|_| is_short) else {
            return self.item(bytes, range, base);
        };
        for event in inner {
            let at = range.start + event.at;
            match event.bytes {
                Cow::Borrowed(event) => self.item(bytes, at..at + event.len(), base),
                Cow::Owned(event) => {
                    let start = self.apart.len();
                    self.apart.extend_from_slice(&event);
                    self.are_apart.push((self.lines.len(), start..self.apart.len()));
                    self.item(bytes, at..at, base);
                }
            }
        }
    }

    /// Puts the events that are apart after the chunk's bytes.
    pub fn bring_in(&mut self, bytes: &mut Vec<u8>) {
        let base = bytes.len();
        bytes.extend_from_slice(&self.apart);
        for (line, range) in self.are_apart.drain(..) {
            self.lines[line].range = base + range.start..base + range.end;
        }
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
    /// Lines at the beginning are envelopes, so each line may be.
    is_enveloped: bool,
    event: memmem::Finder<'static>,
}

impl Lines {
    pub fn new(at: u64, is_enveloped: bool) -> Lines {
        Lines { seen: at, is_enveloped, event: memmem::Finder::new(b"\"class_uid\"") }
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
            // After a crash the writer continues behind the block, within the same line.
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
        } else if self.may_be_envelope(&bytes[range.clone()]) {
            items.opened(bytes, range, base);
        } else {
            items.item(bytes, range, base);
        }
    }

    /// Most lines are events, and are told by a look at them.
    fn may_be_envelope(&self, line: &[u8]) -> bool {
        self.is_enveloped || line.first() != Some(&b'{') || self.event.find(line).is_none()
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
