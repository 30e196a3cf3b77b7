//! Turns a page into redacted rows and rejects.

use std::collections::HashSet;

use arrow::array::{Array, BooleanArray, StringArray, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;

use crate::decode::Decoder;
use crate::error::{Context, Kind, Result};
use crate::ingest::work::{Worked, Worker};
use crate::lake::{Interval, RejectRow};
use crate::source::{Chunk, Line, Mark, Page, SPARE_BYTES};

/// A page after decoding and redaction.
pub(super) struct Taken {
    pub worked: Worked,
    /// Keyed hash of each entry as it came.
    pub digests: Vec<u128>,
    /// Entries that were rejected before, and are skipped.
    pub repeated: u64,
    /// Entries whose time is not in the window.
    pub outside: u64,
    pub order: Order,
}

/// The order in which entries came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Order {
    rises: bool,
    falls: bool,
    last_us: Option<i64>,
}

impl Order {
    fn see(&mut self, time_us: i64) {
        if let Some(last) = self.last_us.replace(time_us) {
            self.rises |= time_us > last;
            self.falls |= time_us < last;
        }
    }

    pub fn follow(&mut self, next: Order) {
        self.rises |= next.rises;
        self.falls |= next.falls;
        self.last_us = next.last_us.or(self.last_us);
    }

    pub fn name(self) -> &'static str {
        match (self.rises, self.falls) {
            (true, true) => "mixed",
            (true, false) => "ascending",
            (false, true) => "descending",
            (false, false) => "",
        }
    }
}

/// Decodes and redacts a page. `line` and `offset` are its position in what was pulled.
pub(super) fn take(
    worker: &Worker,
    decoder: &mut Decoder,
    page: Page,
    window: &Interval,
    (line, offset): (u64, u64),
    known: &HashSet<u128>,
) -> Result<Taken> {
    let Page { mut bytes, entries, .. } = page;
    let digests: Vec<u128> = entries.iter().map(|entry| worker.lines.hash(&bytes[entry.clone()])).collect();
    let numbered = entries.into_iter().zip(&digests).zip(line + 1..);
    let lines: Vec<Line> = numbered
        .filter(|((_, digest), _)| !known.contains(*digest))
        .map(|((range, _), number)| Line { number, offset: offset + range.start as u64, range })
        .collect();
    let repeated = (digests.len() - lines.len()) as u64;
    bytes.reserve(SPARE_BYTES);
    let end = Mark { offset: offset + bytes.len() as u64, number: line + digests.len() as u64, hash: [0; 32] };
    let text = bytes.clone();
    let chunk = Chunk { bytes, lines: lines.clone(), faults: Vec::new(), blank: 0, end };
    let mut worked = worker.work(decoder, &chunk)?;
    worked.read += repeated;
    refuse_nameless(worker, &mut worked, &lines, &text)?;
    let (outside, order) = look(&worked, window);
    Ok(Taken { worked, digests, repeated, outside, order })
}

/// Rejects an entry without an id, which cannot be told from its copy in the next poll: rejects are recognised by the
/// hash of their line. The contract says that every entry has one.
fn refuse_nameless(worker: &Worker, worked: &mut Worked, lines: &[Line], text: &[u8]) -> Result<()> {
    for events in &mut worked.events {
        let uids = events.batch.column_by_name("_event_uid").and_then(|uids| uids.as_any().downcast_ref());
        let Some(uids) = uids.filter(|uids: &&StringArray| uids.null_count() > 0) else { continue };
        let named: BooleanArray = (0..uids.len()).map(|row| Some(uids.is_valid(row))).collect();
        for (_, (number, offset)) in events.origins.iter().enumerate().filter(|(row, _)| !named.value(*row)) {
            let Some(line) = lines.iter().find(|line| line.number == *number) else { continue };
            let bytes = &text[line.range.clone()];
            worked.rejects.push(RejectRow {
                line: *number,
                offset: *offset,
                reason: "missing-id".to_string(),
                detail: "an entry of the API has neither `id` nor `metadata.uid`".to_string(),
                length: bytes.len() as u64,
                excerpt: worker.excerpt(bytes, &mut worked.redacted),
                digest: worker.lines.hash(bytes),
                ..RejectRow::default()
            });
        }
        let mut kept = named.iter();
        events.origins.retain(|_| kept.next().flatten().unwrap_or(false));
        events.batch = filter_record_batch(&events.batch, &named)
            .context(Kind::Internal, || "cannot drop the entries without an id")?;
    }
    worked.events.retain(|events| events.batch.num_rows() > 0);
    Ok(())
}

/// Returns how many entries are not of the window, and the order of all.
fn look(worked: &Worked, window: &Interval) -> (u64, Order) {
    let mut times: Vec<(u64, i64)> = Vec::new();
    for events in &worked.events {
        let column = events.batch.column_by_name("time").and_then(|time| time.as_any().downcast_ref());
        let Some(column): Option<&TimestampMicrosecondArray> = column else { continue };
        times.extend(events.origins.iter().zip(column.values()).map(|((number, _), time_us)| (*number, *time_us)));
    }
    times.sort_unstable();
    let mut order = Order::default();
    times.iter().for_each(|(_, time_us)| order.see(*time_us));
    let outside = times.iter().filter(|(_, time_us)| !window.contains(time_us.div_euclid(1000))).count();
    (outside as u64, order)
}
