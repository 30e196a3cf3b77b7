//! A batch before it is written: what is new, what is known, and what has a uid that another event has.

use std::collections::BTreeMap;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use hashbrown::HashMap as FastMap;

use super::arrange::fill_source;
use super::dedupe::{Candidate, Twin};
use super::encode::times;
use super::plain::plain;
use super::read;
use super::reject::RejectRow;
use super::streams::Stream;
use super::writer::{Arrived, Batch, Writer};
use crate::error::{Context, Error, Kind, Result};
use crate::schema::EventBatch;

/// A batch after the look-up: what is new, by table, and what is not.
pub(super) struct Sifted {
    pub tables: BTreeMap<String, Vec<RecordBatch>>,
    pub conflicts: Vec<RejectRow>,
    pub duplicates: u64,
    pub accepted: u64,
}

impl Writer {
    /// Errors with [`Kind::Locked`] when another run took in a part of the same stream since we began to read it, and
    /// the batch has what nobody could tell from its double: events without a uid are known by their place alone, and
    /// rejects are not looked up.
    pub(super) async fn check_sources(&mut self, batch: &Batch) -> Result<()> {
        if batch.sources.iter().all(|range| range.head.is_none()) {
            return Ok(());
        }
        let streams = self.lake.streams().await?;
        for range in &batch.sources {
            let Some(head) = &range.head else { continue };
            let is_theirs = |stream: &Stream| stream.sequence > self.known && stream.mark.offset > range.from.offset;
            if !streams.with_head(head).any(is_theirs) {
                continue;
            }
            let mut of_source = batch.events.iter().filter(|arrived| *arrived.source == *range.name);
            let is_nameless =
                |arrived: &Arrived| text(&arrived.events.batch, "_event_uid").is_none_or(|uids| uids.null_count() > 0);
            if of_source.any(is_nameless) || batch.rejects.iter().any(|reject| reject.source == range.name) {
                let message = format!("another run takes in `{}` at the same time", range.name);
                return Err(Error::new(Kind::Locked, message)
                    .hint("run the command again when the other one has ended: it goes on from there"));
            }
        }
        Ok(())
    }

    /// Separates what is new from what the lake, or the batch itself, holds already.
    pub(super) async fn sift(&mut self, batch: &Batch) -> Result<Sifted> {
        let all = batch.events.iter().map(|arrived| Columns::of(&arrived.events)).collect::<Result<Vec<_>>>()?;
        let mut keep: Vec<Vec<bool>> =
            batch.events.iter().map(|arrived| vec![true; arrived.events.batch.num_rows()]).collect();
        let mut sifted = Sifted { tables: BTreeMap::new(), conflicts: Vec::new(), duplicates: 0, accepted: 0 };

        // A chunk's rows stand by class: which event was first tells the line, within the same source.
        let order = arrival(&batch.events);
        let mut places: Vec<(usize, usize)> = Vec::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut seen: FastMap<u64, usize> = FastMap::new();
        for (b, columns) in all.iter().enumerate() {
            for row in (0..columns.uids.len()).filter(|&row| columns.uids.is_valid(row)) {
                let uid = columns.uids.value(row);
                let candidate = Candidate { uid, hash: self.index.hash(uid), time_us: columns.times[row] };
                let Some(&first) = seen.get(&candidate.hash) else {
                    seen.insert(candidate.hash, places.len());
                    places.push((b, row));
                    candidates.push(candidate);
                    continue;
                };
                let mut later = (b, row);
                if order(later) < order(places[first]) {
                    later = std::mem::replace(&mut places[first], later);
                    candidates[first] = candidate;
                }
                let (first_b, first_row) = places[first];
                let (later_b, later_row) = later;
                keep[later_b][later_row] = false;
                let digest = all[first_b].digests.value(first_row);
                let (first, later) = (&batch.events[first_b], &batch.events[later_b]);
                let is_same = digest == all[later_b].digests.value(later_row)
                    || self.is_equal(&first.events, first_row, &later.events, later_row)?;
                match is_same {
                    true => sifted.duplicates += 1,
                    false => sifted.conflicts.push(self.conflict(later, later_row, &all[later_b], digest)?),
                }
            }
        }
        let state = self.lake.state().clone();
        let twins = self.index.look_up(&self.lake.store(), &state, &candidates).await?;
        for (&(b, row), twin) in places.iter().zip(&twins) {
            let Some(twin) = twin else { continue };
            keep[b][row] = false;
            if all[b].digests.value(row) == twin.digest || self.is_stored(twin, &batch.events[b].events, row).await? {
                sifted.duplicates += 1;
            } else {
                sifted.conflicts.push(self.conflict(&batch.events[b], row, &all[b], twin.digest)?);
            }
        }
        for (Arrived { source, events }, keep) in batch.events.iter().zip(keep) {
            let kept = match keep.iter().all(|&keep| keep) {
                true => events.batch.clone(),
                false => filter_record_batch(&events.batch, &BooleanArray::from(keep))
                    .context(Kind::Internal, || "cannot drop duplicates from a batch")?,
            };
            if kept.num_rows() > 0 {
                sifted.accepted += kept.num_rows() as u64;
                sifted.tables.entry(events.class.name.clone()).or_default().push(fill_source(&kept, source)?);
            }
        }
        Ok(sifted)
    }

    /// Whether two rows are the same event, spelling of the JSON text aside.
    fn is_equal(&self, a: &EventBatch, a_row: usize, b: &EventBatch, b_row: usize) -> Result<bool> {
        same_json(&self.line(a, a_row)?, &self.line(b, b_row)?)
    }

    async fn is_stored(&self, twin: &Twin, events: &EventBatch, row: usize) -> Result<bool> {
        let table = twin.file.table();
        let ocsf = self.lake.ocsf();
        let class = match ocsf.by_name(table) {
            Some(class) => class,
            None if ocsf.other().name == table => ocsf.other(),
            None => return Err(Error::usage(format!("no schema is loaded for the table `{table}`"))),
        };
        let stored = read::row(&self.lake.store(), &twin.file, twin.row).await?;
        let stored = (self.restore)(class, &stored, 0)?;
        same_json(&stored, &self.line(events, row)?)
    }

    /// The JSON text of an event that was decoded.
    fn line(&self, events: &EventBatch, row: usize) -> Result<Vec<u8>> {
        (self.restore)(&events.class, &plain(&events.batch.slice(row, 1))?, 0)
    }

    /// The reject of an event whose uid is taken by another one; both line hashes are in the detail.
    fn conflict(&self, arrived: &Arrived, row: usize, columns: &Columns, stored: i64) -> Result<RejectRow> {
        let events = &arrived.events;
        let line = self.line(events, row)?;
        let (number, offset) = events.origins.get(row).copied().unwrap_or_default();
        Ok(RejectRow {
            source: arrived.source.to_string(),
            line: number,
            offset,
            reason: "uid-conflict".to_string(),
            detail: format!(
                "another event has this uid: stored line hash {stored:016x}, this line's {:016x}",
                columns.digests.value(row)
            ),
            length: line.len() as u64,
            event_uid: Some(columns.uids.value(row).to_string()),
            excerpt: String::from_utf8_lossy(&line).into_owned(),
            sha256: None,
            digest: columns.digests.value(row),
        })
    }
}

/// The columns that the look-up needs.
struct Columns<'a> {
    uids: &'a StringArray,
    digests: &'a Int64Array,
    times: &'a [i64],
}

impl<'a> Columns<'a> {
    fn of(events: &'a EventBatch) -> Result<Columns<'a>> {
        let lacks = || Error::new(Kind::Internal, format!("a batch of `{}` lacks our own columns", events.class.name));
        Ok(Columns {
            uids: text(&events.batch, "_event_uid").ok_or_else(lacks)?,
            digests: long(&events.batch, "_digest").ok_or_else(lacks)?,
            times: times(&events.batch)?.values(),
        })
    }
}

/// Orders rows, by batch and row, as they arrived: sources follow one another, lines within them.
fn arrival(events: &[Arrived]) -> impl Fn((usize, usize)) -> (usize, u64) {
    let mut source = 0;
    let mut sources = Vec::with_capacity(events.len());
    for (place, arrived) in events.iter().enumerate() {
        source += usize::from(place > 0 && events[place - 1].source != arrived.source);
        sources.push(source);
    }
    move |(batch, row)| (sources[batch], events[batch].events.origins.get(row).map_or(0, |origin| origin.0))
}

pub(super) fn text<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

pub(super) fn long<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a Int64Array> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

fn same_json(a: &[u8], b: &[u8]) -> Result<bool> {
    let parse = |bytes: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(bytes).context(Kind::Internal, || "cannot read back an event")
    };
    Ok(a == b || parse(a)? == parse(b)?)
}
