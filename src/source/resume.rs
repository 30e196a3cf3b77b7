//! Going on where an earlier run stopped, in the same file or in another one that begins with the same bytes; and
//! reading once more what an earlier run read.

use super::reader::Source;
use super::sniff::Form;
use super::{Chunk, Input, Mark};
use crate::error::Result;

impl Source {
    /// Passes over what an earlier run took in: up to the largest of `marks` that this source goes through.
    ///
    /// Must be called before anything else but [`Source::identity`]. Lines continue right after the mark, with the numbers
    /// and offsets that they have in the whole source. A source that can be read only once gives `None` and is not
    /// read.
    pub fn skip_to(&mut self, marks: &[Mark]) -> Result<Option<Mark>> {
        let Some(path) = self.path.clone() else { return Ok(None) };
        self.begin();
        let reach = self.reach();
        let mut marks: Vec<Mark> = marks.iter().filter(|mark| (1..=reach).contains(&mark.offset)).copied().collect();
        marks.sort_by_key(|mark| mark.offset);

        let mut best = None;
        for same in marks.chunk_by(|a, b| a.offset == b.offset) {
            if self.is_stopped() {
                return Ok(None);
            }
            let hash = self.go_to(same[0].offset);
            if let Some(mark) = same.iter().find(|mark| Some(mark.hash) == hash) {
                best = Some(*mark);
            }
        }
        let Some(last) = marks.last() else { return Ok(None) };
        if let Some(mark) = best.filter(|mark| mark.offset == last.offset) {
            self.settle(mark.offset);
            return Ok(Some(mark));
        }
        // The stream is beyond the mark by now.
        let again = || Source::open(&Input::File(path.clone()), self.options.clone());
        let mut fresh = again()?;
        let mut arrived = None;
        if let Some(mark) = best {
            if fresh.go_to(mark.offset) == Some(mark.hash) {
                fresh.settle(mark.offset);
                arrived = best;
            } else {
                // Somebody writes into the file while we read it.
                fresh = again()?;
            }
        }
        *self = fresh;
        Ok(arrived)
    }

    /// Reads again what lies between two marks of an earlier run, and calls `tell` with each chunk.
    ///
    /// False when the stream is not what it was: then what was told means nothing. Goes forward only; ranges that
    /// follow one another can be read from one source.
    pub fn reread(&mut self, from: &Mark, to: &Mark, mut tell: impl FnMut(Chunk)) -> bool {
        self.begin();
        if from.offset > 0 {
            if self.go_to(from.offset) != Some(from.hash) {
                return false;
            }
            self.settle(from.offset);
        }
        while let Some(chunk) = self.advance(to.offset) {
            tell(chunk);
        }
        if self.go_to(to.offset) != Some(to.hash) {
            return false;
        }
        // The last line of the range had no newline at the time.
        if let Some(tail) = self.unended(to.offset).map(<[u8]>::len).filter(|tail| *tail > 0) {
            let mut items = self.items();
            if let Some(Form::Lines(lines)) = &mut self.form {
                lines.scan(&self.buffer[..tail], self.base, true, &mut items);
            }
            tell(self.hand_out(tail, items));
        }
        true
    }

    /// Decompressed bytes that are behind us.
    pub fn position(&self) -> u64 {
        self.base
    }

    /// Passes over the lines before `offset`; the hash of the stream up to there when a line ends there.
    fn go_to(&mut self, offset: u64) -> Option<[u8; 32]> {
        while !self.is_stopped()
            && let Some(chunk) = self.advance(offset)
        {
            self.blocks.give(chunk.bytes);
        }
        if self.base == offset {
            return Some(self.mark().hash);
        }
        let mut hasher = self.hasher.clone();
        let tail = self.unended(offset)?;
        Some(hasher.update(tail).finalize().into())
    }

    /// The line before `offset`, which had no newline when it was ingested, and has one now or is still the last.
    fn unended(&mut self, offset: u64) -> Option<&[u8]> {
        let length = usize::try_from(offset.checked_sub(self.base)?).ok()?;
        if !matches!(self.form, Some(Form::Lines(_))) {
            return None;
        }
        self.fill(length + 2);
        let (tail, next) = self.buffer.split_at_checked(length)?;
        matches!(next, [] | [b'\n', ..] | [b'\r', b'\n', ..]).then_some(tail)
    }

    /// Takes the line that [`Source::unended`] found, with the newline that came later.
    fn settle(&mut self, offset: u64) {
        let Some(tail) = self.unended(offset).map(<[u8]>::len).filter(|tail| *tail > 0) else { return };
        let mut items = self.items();
        if let Some(Form::Lines(lines)) = &mut self.form {
            lines.scan(&self.buffer[..tail], self.base, true, &mut items);
        }
        self.number = items.number;
        self.consume(tail);
        // It was the end, and it was not whole: that is settled.
        self.reopen();
        let newline = self.buffer.iter().take_while(|byte| **byte == b'\r').count();
        if self.buffer.get(newline) == Some(&b'\n') {
            self.consume(newline + 1);
        }
    }
}
