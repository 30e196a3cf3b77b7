//! Does a row say the same as the row that has its identity? Decided for many rows together, in one pass over each file.
//!
//! Whole columns are compared first; the few pairs that differ there are restored to JSON, which has the last word.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::TryStreamExt;

use super::super::files::file::FileEntry;
use super::super::identity::{Content, differing};
use super::super::parquet::plain;
use super::super::reading::read::{self, long};
use super::dedupe::Twin;
use super::writer::{Batch, Writer};
use crate::error::{Context, Error, Kind, Result};
use crate::schema::{EventBatch, EventClass};
use crate::typed::Hash32;

/// A row of the batch at hand: the number of its record batch, and its row there.
pub(in crate::lake) type Place = (usize, usize);

/// A row of the batch at hand whose identity another row has.
pub(in crate::lake) struct Doubt {
    pub place: Place,
    pub other: OtherRow,
}

/// The row that had the identity first.
pub(in crate::lake) enum OtherRow {
    /// In the lake.
    Stored(Twin),
    /// In the batch at hand.
    Arrived(Place),
}

/// The verdict on a row.
#[derive(Debug)]
pub(in crate::lake) enum Verdict {
    /// The same content.
    Same,
    Other(Version),
}

/// A row that says something else.
#[derive(Debug)]
pub(in crate::lake) struct Version {
    /// The hash of its content.
    pub content: u128,
    /// Where it differs from the row that was first.
    pub changed: Vec<String>,
    /// The entry that wrote that row, when nothing but placeholders of redaction tells the two apart.
    pub redacted_by: Option<u64>,
}

/// Rows of one class on one side of a comparison.
struct Side<'a> {
    class: &'a Arc<EventClass>,
    batch: &'a RecordBatch,
    rows: UInt32Array,
}

impl Side<'_> {
    /// Some of the rows, with texts for dictionaries.
    fn pick(&self, pairs: &[usize]) -> Result<RecordBatch> {
        let rows: UInt32Array = pairs.iter().map(|pair| Some(self.rows.value(*pair))).collect();
        let picked = take_record_batch(self.batch, &rows).context(Kind::Internal, || "cannot pick rows to compare")?;
        read::conformed(&plain(&picked)?, &self.class.arrow)
    }
}

impl Writer {
    /// One verdict for each doubt.
    pub(in crate::lake) async fn judge(&self, batch: &Batch, doubts: &[Doubt]) -> Result<Vec<Verdict>> {
        let mut verdicts: Vec<Option<Verdict>> = doubts.iter().map(|_| None).collect();
        let mut by_file: BTreeMap<Hash32, Vec<(u64, usize)>> = BTreeMap::new();
        let mut by_batch: BTreeMap<(usize, usize), Vec<(u32, usize)>> = BTreeMap::new();
        let mut files: BTreeMap<Hash32, &Arc<FileEntry>> = BTreeMap::new();
        for (number, doubt) in doubts.iter().enumerate() {
            match &doubt.other {
                OtherRow::Stored(twin) => {
                    files.insert(twin.file.sha256, &twin.file);
                    by_file.entry(twin.file.sha256).or_default().push((twin.row, number));
                }
                OtherRow::Arrived((other, row)) => {
                    by_batch.entry((*other, doubt.place.0)).or_default().push((*row as u32, number));
                }
            }
        }
        for ((other, _), pairs) in by_batch {
            let events = &batch.events[other].events;
            self.compare(batch, doubts, (&events.class, &events.batch), &pairs, &mut verdicts)?;
        }
        for (file, mut pairs) in by_file {
            pairs.sort_unstable();
            self.pass(batch, doubts, files[&file], &pairs, &mut verdicts).await?;
        }
        verdicts
            .into_iter()
            .map(|verdict| verdict.ok_or_else(|| Error::new(Kind::Internal, "a row was not compared with its twin")))
            .collect()
    }

    /// Compares rows of one file, given with the doubts that they are in, in the order of the file.
    async fn pass(
        &self,
        batch: &Batch,
        doubts: &[Doubt],
        file: &FileEntry,
        pairs: &[(u64, usize)],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<()> {
        let class = self.lake.class_of(file.table())?;
        let mut rows: Vec<u64> = pairs.iter().map(|(row, _)| *row).collect();
        rows.dedup();
        let store = self.lake.store();
        let mut parts = read::selected(&store, file, &rows).await?;
        let (mut rows, mut pairs) = (rows.as_slice(), pairs);
        while let Some(part) = parts.try_next().await? {
            let (here, later) = rows.split_at(part.num_rows().min(rows.len()));
            let Some(last) = here.last() else { break };
            let (of_part, others) = pairs.split_at(pairs.partition_point(|(row, _)| row <= last));
            (rows, pairs) = (later, others);
            let mut by_batch: BTreeMap<usize, Vec<(u32, usize)>> = BTreeMap::new();
            let mut at = 0;
            for (row, number) in of_part {
                at += here[at..].partition_point(|here| here < row);
                by_batch.entry(doubts[*number].place.0).or_default().push((at as u32, *number));
            }
            for pairs in by_batch.into_values() {
                self.compare(batch, doubts, (&class, &part), &pairs, verdicts)?;
            }
        }
        match rows.first() {
            None => Ok(()),
            Some(row) => Err(Error::new(Kind::Integrity, format!("cannot read {file}: there is no row {row}"))),
        }
    }

    /// Compares rows of `first` with rows of one record batch, given by their doubts.
    fn compare(
        &self,
        batch: &Batch,
        doubts: &[Doubt],
        first: (&Arc<EventClass>, &RecordBatch),
        pairs: &[(u32, usize)],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<()> {
        let Some((_, some)) = pairs.first() else { return Ok(()) };
        let events = &batch.events[doubts[*some].place.0].events;
        let left = Side { class: first.0, batch: first.1, rows: pairs.iter().map(|(row, _)| Some(*row)).collect() };
        let rows = pairs.iter().map(|(_, number)| Some(doubts[*number].place.1 as u32));
        let right = Side { class: &events.class, batch: &events.batch, rows: rows.collect() };
        // The table of a class that got its schema later is another one: nothing but JSON is common to both.
        let differ = if left.class.name == right.class.name {
            differing(left.class, (left.batch, &left.rows), (right.batch, &right.rows))?
        } else {
            vec![true; pairs.len()]
        };
        let suspects: Vec<usize> = (0..pairs.len()).filter(|pair| differ[*pair]).collect();
        for (pair, (_, number)) in pairs.iter().enumerate() {
            if !differ[pair] {
                verdicts[*number] = Some(Verdict::Same);
            }
        }
        if suspects.is_empty() {
            return Ok(());
        }
        let sequences = long(left.batch, "_batch");
        let (stored, arrived) = (left.pick(&suspects)?, right.pick(&suspects)?);
        for (row, pair) in suspects.into_iter().enumerate() {
            let stored = self.event(left.class, &stored, row)?;
            let arrived = self.event(right.class, &arrived, row)?;
            let mut verdict = self.verdict(&stored, &arrived)?;
            if let Verdict::Other(Version { redacted_by: Some(sequence), .. }) = &mut verdict {
                let place = pairs[pair].0 as usize;
                *sequence = sequences.map_or(0, |sequences| sequences.value(place) as u64);
            }
            verdicts[pairs[pair].1] = Some(verdict);
        }
        Ok(())
    }

    fn verdict(&self, stored: &str, arrived: &str) -> Result<Verdict> {
        let first = Content::of_event(stored)?;
        let content = Content::of_event(arrived)?;
        if first == content {
            return Ok(Verdict::Same);
        }
        let is_redacted = first.is_same_but_for_redaction(&content);
        let (changed, hash) = (first.changes(&content), content.hash(&self.contents));
        Ok(Verdict::Other(Version { content: hash, changed, redacted_by: is_redacted.then_some(0) }))
    }

    /// The JSON texts of some rows of a batch that came in, in their order.
    pub(in crate::lake) fn events(&self, events: &EventBatch, rows: UInt32Array) -> Result<Vec<String>> {
        let all: Vec<usize> = (0..rows.len()).collect();
        let picked = Side { class: &events.class, batch: &events.batch, rows }.pick(&all)?;
        all.into_iter().map(|row| self.event(&events.class, &picked, row)).collect()
    }

    /// The JSON text of the event in a row.
    fn event(&self, class: &EventClass, batch: &RecordBatch, row: usize) -> Result<String> {
        let text = (self.restore)(class, batch, row)?;
        String::from_utf8(text).context(Kind::Internal, || "cannot read back an event")
    }
}
