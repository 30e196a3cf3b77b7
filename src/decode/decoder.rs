//! Takes lines, one at a time, and gives batches, one per class.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use memchr::memmem;
use simd_json::{Buffers, INPUT_PADDING, Tape};

use super::drift::Drift;
use super::item::guess;
use super::number::Floats;
use super::reject::{LINE_TOO_LONG, Reject};
use super::route::{Route, route};
use super::table::{Scratch, Table};
use super::time::{Doubts, Times};
use super::token::plain;
use crate::schema::{EventBatch, EventClass, Ocsf};

/// Items hold positions of 32 bits, in a text that may be longer than the line: an escape takes up to three times its own
/// length when it is written again.
const MAX_LINE_BYTES: usize = 1 << 30;

/// How lines are decoded.
#[derive(Debug, Clone)]
pub struct Options {
    /// Objects and arrays nested deeper than this make a line a reject. Above a few hundred the stack is at risk.
    pub max_depth: usize,
    /// A class that holds this many bytes is sealed and a new batch begun: text columns end at 2^31 bytes.
    pub seal_bytes: usize,
    /// Texts that repeat come as a dictionary: `Dictionary(Int32, Utf8)` where the class's schema has `Utf8`.
    pub is_coded: bool,
    pub times: Times,
}

impl Default for Options {
    fn default() -> Self {
        Options { max_depth: 64, seal_bytes: 1 << 30, is_coded: false, times: Times::default() }
    }
}

/// Where a row came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowOrigin {
    /// Keyed hash of the line as it came; becomes `_digest`, sixteen bytes, the first one the most significant.
    pub digest: u128,
    /// Running line number in the source, from 1.
    pub number: u64,
    /// Position of the line's first byte in the source.
    pub offset: u64,
}

/// Lines become rows. One per thread; keeps its allocations from batch to batch.
pub struct Decoder {
    ocsf: Arc<Ocsf>,
    options: Options,
    tables: Vec<Table>,
    /// Table by `class_uid`; `None` is `other_event`.
    by_uid: HashMap<Option<i64>, usize>,
    /// Full before the flush.
    sealed: Vec<EventBatch>,
    foreign_era: u64,
    doubts: Doubts,
    unusable_uid: u64,
    input: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
    scratch: Scratch,
    finder: memmem::Finder<'static>,
}

impl Decoder {
    pub fn new(ocsf: Arc<Ocsf>, options: Options) -> Self {
        Decoder {
            buffers: Buffers::with_max_depth(0, options.max_depth),
            ocsf,
            options,
            tables: Vec::new(),
            by_uid: HashMap::new(),
            sealed: Vec::new(),
            foreign_era: 0,
            doubts: Doubts::default(),
            unusable_uid: 0,
            input: Vec::new(),
            tape: Tape(Vec::new()),
            scratch: Scratch::default(),
            finder: memmem::Finder::new(b"\"class_uid\"").into_owned(),
        }
    }

    /// Adds one line. On an error nothing of it is in any column. The line itself is left as it is, for the excerpt
    /// in the reject table.
    pub fn push(&mut self, line: &[u8], origin: RowOrigin) -> Result<(), Reject> {
        if self.scan(line, origin).is_some() { Ok(()) } else { self.parse(line, origin) }
    }

    /// The fast way; none, and nothing added, when the line is not one of those it takes.
    pub(super) fn scan(&mut self, line: &[u8], origin: RowOrigin) -> Option<()> {
        let class_uid = guess(line, &self.finder)?;
        // The class's first line goes the long way.
        let table = &mut self.tables[*self.by_uid.get(&Some(class_uid))?];
        let text = plain(line)?;
        let scanned = table.scan(text, &self.ocsf, self.options.times, &mut self.scratch)?;
        table.place(Some(text), line.len(), scanned.event_uid, origin, &mut self.scratch);
        self.doubts.add(scanned.doubt);
        if table.bytes() >= self.options.seal_bytes {
            self.sealed.extend(table.finish());
        }
        Some(())
    }

    /// The long way, which decides what the line is.
    pub(super) fn parse(&mut self, line: &[u8], origin: RowOrigin) -> Result<(), Reject> {
        if line.len() > MAX_LINE_BYTES {
            return Err(Reject::new(LINE_TOO_LONG, "longer than a line can be"));
        }
        // The parser unescapes strings in place and reads beyond the end. It would copy the line for the latter; by
        // giving it a copy with the padding we pay the same and keep the line, which floats are read from again.
        self.input.clear();
        self.input.extend_from_slice(line);
        self.input.resize(line.len() + INPUT_PADDING, b' ');
        let mut tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape_padded(&mut self.input, line.len(), &mut self.buffers, &mut tape)
            .map_err(|error| Reject::of_parser(line, &error, self.options.max_depth))
            .and_then(|()| Floats::correct(line, self.buffers.structural_indexes(), &mut tape.0))
            .and_then(|floats| Ok((route(&tape.0, &floats, &self.ocsf, self.options.times)?, floats)));
        let result = parsed.and_then(|(Route { class, is_foreign, doubt, uid }, floats)| {
            let table = table(&mut self.tables, &mut self.by_uid, class, self.options.is_coded);
            table.walk(&tape.0, &floats, &mut self.scratch)?;
            table.place(None, line.len(), uid.text(), origin, &mut self.scratch);
            self.foreign_era += u64::from(is_foreign);
            self.doubts.add(doubt);
            self.unusable_uid += u64::from(uid.is_unusable());
            if table.bytes() >= self.options.seal_bytes {
                self.sealed.extend(table.finish());
            }
            Ok(())
        });
        self.tape = tape.reset();
        result
    }

    /// Hands out all rows since the last flush: one batch per class, more only for a class that was sealed.
    pub fn flush(&mut self) -> Vec<EventBatch> {
        let mut batches = mem::take(&mut self.sealed);
        batches.extend(self.tables.iter_mut().filter_map(Table::finish));
        batches.sort_by_key(|batch| batch.class.uid.unwrap_or(i64::MAX));
        batches
    }

    /// Rows that wait for the flush.
    pub fn rows(&self) -> usize {
        let sealed: usize = self.sealed.iter().map(|batch| batch.batch.num_rows()).sum();
        sealed + self.tables.iter().map(Table::rows).sum::<usize>()
    }

    /// The memory of rows that wait for the flush, roughly: their text, and slots for the many nulls.
    pub fn bytes(&self) -> usize {
        let sealed = self.sealed.len() * self.options.seal_bytes;
        sealed + self.tables.iter().map(Table::bytes).sum::<usize>()
    }

    /// Whether a class was sealed, so that it is more than time for a flush.
    pub fn is_full(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Takes the drift since the last call: values that the schema does not describe.
    pub fn drift(&mut self) -> Drift {
        let Doubts { seconds: suspicious_time, odd: odd_time } = mem::take(&mut self.doubts);
        let mut drift = Drift {
            foreign_era: mem::take(&mut self.foreign_era),
            suspicious_time,
            odd_time,
            unusable_uid: mem::take(&mut self.unusable_uid),
            ..Drift::default()
        };
        for table in &mut self.tables {
            table.drift(&mut drift);
        }
        drift
    }
}

/// The table of `class`, which is made when its first event comes.
fn table<'a>(
    tables: &'a mut Vec<Table>,
    by_uid: &mut HashMap<Option<i64>, usize>,
    class: Arc<EventClass>,
    is_coded: bool,
) -> &'a mut Table {
    let index = *by_uid.entry(class.uid).or_insert_with(|| {
        tables.push(Table::new(class, is_coded));
        tables.len() - 1
    });
    &mut tables[index]
}
