//! Secrets below a heading: lines of separated values whose first line names the columns.

use super::ends::{Manner, Right};
use super::names::{Known, Meaning};
use super::scan::Scan;

/// A heading is no longer than this.
const HEADING: usize = 4096;
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

impl Scan<'_, '_> {
    pub(super) fn table(&mut self) {
        let bytes = self.bytes;
        let Some(first) = memchr::memchr(b'\n', &bytes[..bytes.len().min(HEADING)]) else { return };
        let heading = self.text[..first].trim_end_matches('\r');
        let Some(separator) = SEPARATORS.into_iter().find(|separator| heading.as_bytes().contains(separator)) else {
            return;
        };
        let secret: Vec<Option<Known>> = heading.split(separator as char).map(|cell| self.heading(cell)).collect();
        if secret.iter().all(Option::is_none) {
            return;
        }
        let mut line = first + 1;
        while line < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[line..]).map_or(bytes.len(), |length| line + length);
            let mut cell = line;
            for known in &secret {
                let (from, to) = cell_at(bytes, cell, end, separator);
                if let Some(known) = known {
                    let stop = if bytes[..to].ends_with(b"\r") { to - 1 } else { to };
                    let quote = usize::from(stop > from + 1 && bytes[from] == b'"' && bytes[stop - 1] == b'"');
                    self.take(*known, &Right { start: from + quote, end: stop - quote, manner: Manner::Whole });
                }
                if to >= end {
                    break;
                }
                cell = to + 1;
            }
            line = end + 1;
        }
    }

    fn heading(&self, cell: &str) -> Option<Known> {
        let cell = cell.trim().trim_matches('"');
        let is_name = cell.len() < 48 && cell.chars().all(|c| c.is_alphanumeric() || " _-.".contains(c));
        match self.engine.names.meaning(cell) {
            Meaning::Secret(known) if is_name && known.is_sure => Some(known),
            _ => None,
        }
    }
}

/// The cell that begins at `from`; a quoted one may have separators in it.
fn cell_at(bytes: &[u8], from: usize, end: usize, separator: u8) -> (usize, usize) {
    let quoted = if bytes.get(from) == Some(&b'"') {
        memchr::memchr_iter(b'"', &bytes[from + 1..end])
            .map(|at| from + 1 + at)
            .find(|at| bytes.get(at + 1).is_none_or(|next| *next != b'"'))
    } else {
        None
    };
    let start = quoted.map_or(from, |close| close + 1);
    let to = memchr::memchr(separator, &bytes[start..end]).map_or(end, |length| start + length);
    (from, to)
}
