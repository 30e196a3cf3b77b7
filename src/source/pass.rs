//! Passing over input that is not a line: its bytes are hashed and dropped, so that a line without an end takes no memory.

use memchr::memchr;

use super::fault::Passing;
use super::lines::leading_zeros;
use super::reader::Source;
use super::sniff::Form;
use super::values::Step;
use super::{Chunk, Outcome, SPARE_BYTES};

/// How far the bytes of a fault reach.
pub(super) enum Until {
    ItemEnds,
    /// NUL bytes, and the newline after them.
    ZerosEnd,
    StreamEnds,
}

impl Source {
    /// Makes a fault of the line at the start of the buffer, whose end is not in sight.
    pub(super) fn pass_over(&mut self, reason: &'static str) -> Chunk {
        let is_zero = matches!(self.form, Some(Form::Lines(_))) && self.buffer.first() == Some(&0);
        if is_zero { self.pass("nul-run", Until::ZerosEnd) } else { self.pass(reason, Until::ItemEnds) }
    }

    /// Makes a fault of what begins at the start of the buffer, in constant memory.
    pub(super) fn pass(&mut self, reason: &'static str, until: Until) -> Chunk {
        self.number += 1;
        let mut passing = Passing::new(self.number, self.base, reason);
        let mut until = until;
        loop {
            let found = self.end(&mut until, &mut passing);
            let (end, next) = found.unwrap_or((self.buffer.len(), self.buffer.len()));
            passing.push(&self.buffer[..end]);
            self.consume(next);
            if found.is_some() {
                break;
            }
            // Bytes ahead of the scanner, so that the last ones are told as such.
            self.fill(self.options.chunk_bytes.max(1));
            if self.buffer.is_empty() {
                self.ends_within(&until, &mut passing);
                break;
            }
        }
        let trims = matches!(self.form, Some(Form::Lines(_)));
        let faults = vec![passing.finish(trims)];
        Chunk { bytes: Vec::with_capacity(SPARE_BYTES), lines: Vec::new(), faults, blank: 0, end: self.mark() }
    }

    /// Where in the buffer the passing piece ends, and where the next one begins.
    fn end(&mut self, until: &mut Until, passing: &mut Passing) -> Option<(usize, usize)> {
        match (&until, &mut self.form) {
            (Until::ItemEnds, Some(Form::Lines(_))) => memchr(b'\n', &self.buffer).map(|at| (at, at + 1)),
            (Until::ItemEnds, Some(Form::Values(values))) => match values.step(&self.buffer, self.base) {
                Step::Item(range) => Some(((range.end - self.base) as usize, (range.end - self.base) as usize)),
                Step::Broken { .. } => {
                    passing.set_reason("syntax");
                    *until = Until::StreamEnds;
                    None
                }
                // Nothing is closed within an item.
                Step::Closed { .. } | Step::More => None,
            },
            (Until::ZerosEnd, _) => {
                let zeros = leading_zeros(&self.buffer);
                (zeros < self.buffer.len()).then(|| (zeros, zeros + usize::from(self.buffer[zeros] == b'\n')))
            }
            (Until::StreamEnds, _) | (Until::ItemEnds, _) => None,
        }
    }

    /// The stream ended in a fault: says why.
    fn ends_within(&mut self, until: &Until, passing: &mut Passing) {
        let is_cut_off = self.damage.as_ref().is_some_and(|damage| !damage.is_behind);
        if is_cut_off {
            passing.set_reason("truncated");
            return self.finish();
        }
        let detail = match (&self.form, until) {
            (Some(Form::Values(_)), Until::StreamEnds) => "brackets do not match",
            (Some(Form::Values(values)), _) if values.in_item() => "the last value does not end",
            _ => return,
        };
        passing.set_reason("syntax");
        self.outcome = Outcome::Incomplete { reason: "unterminated", detail: detail.into() };
        self.is_finished = true;
    }
}
