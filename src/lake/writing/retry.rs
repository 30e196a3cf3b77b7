//! Rejects that are still open, and lines of them that are taken in after all.
//!
//! The table `reject` only grows: it is evidence. An entry that takes rejected lines in names them, by the entry that
//! rejected them, source and line, in the same put that makes their rows count; so no kill and no second retry can
//! take a line in twice. A reject is open while no entry names it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use futures::TryStreamExt;

use super::super::Lake;
use super::super::ledger::entry::{Body, Retried};
use super::super::ledger::state::State;
use super::super::reading::read::{self, long, text};
use super::super::tables::reject::REJECT_TABLE;
use crate::error::{Context, Error, Kind, Result};

/// Which open rejects are meant; what is `None` or empty excludes nothing.
#[derive(Debug, Clone, Default)]
pub struct RejectFilter {
    pub reasons: Vec<String>,
    pub sources: Vec<String>,
    /// When the line was rejected, microseconds since the epoch; `until_us` is excluded.
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
}

/// Rejected lines that a batch takes in.
#[derive(Debug, Clone, Default)]
pub struct Retry {
    /// The last entry that was known when the open rejects were read.
    pub known: u64,
    pub lines: Vec<RetryLine>,
}

/// One rejected line.
#[derive(Debug, Clone)]
pub struct RetryLine {
    /// The entry that rejected it.
    pub batch: u64,
    pub source: Arc<str>,
    pub line: u64,
    pub offset: u64,
    /// The same line was rejected by several entries; its event is in the lake once, through another one of these.
    pub is_copy: bool,
}

impl Retry {
    /// Errors with [`Kind::Conflict`] when someone else took rejects in meanwhile: they may be the same ones.
    pub(in crate::lake) fn check(&self, state: &State) -> Result<()> {
        if state.retries.last().is_none_or(|last| *last <= self.known) {
            return Ok(());
        }
        Err(Error::new(Kind::Conflict, "another run took rejected lines in at the same time")
            .hint("run the command again: it takes in what is left"))
    }

    /// The lines as the ledger has them, and how many of them are copies.
    pub(in crate::lake) fn taken(&self) -> (Vec<Retried>, u64) {
        let mut by_place: BTreeMap<(u64, &str), Vec<u64>> = BTreeMap::new();
        for line in &self.lines {
            by_place.entry((line.batch, &line.source)).or_default().push(line.line);
        }
        let retried = by_place.into_iter().map(|((batch, source), mut numbers)| {
            numbers.sort_unstable();
            let mut lines: Vec<(u64, u64)> = Vec::new();
            for number in numbers {
                match lines.last_mut().filter(|(_, last)| *last + 1 == number) {
                    Some((_, last)) => *last = number,
                    None => lines.push((number, number)),
                }
            }
            Retried { batch, source: source.to_string(), lines }
        });
        (retried.collect(), self.lines.iter().filter(|line| line.is_copy).count() as u64)
    }
}

/// The lines that were taken in, by the entry that rejected them and source; runs are sorted.
struct Taken(HashMap<(u64, String), Vec<(u64, u64)>>);

impl Taken {
    fn has(&self, key: &(u64, String), line: u64) -> bool {
        let Some(runs) = self.0.get(key) else { return false };
        let after = runs.partition_point(|(first, _)| *first <= line);
        after > 0 && line <= runs[after - 1].1
    }
}

impl Lake {
    /// Calls `tell` with the open rejects that `filter` means, file by file, in the order of their entries.
    pub async fn open_rejects(
        &self,
        filter: &RejectFilter,
        mut tell: impl FnMut(RecordBatch) -> Result<()> + Send,
    ) -> Result<()> {
        let taken = self.taken().await?;
        let Some(table) = self.state().tables.get(REJECT_TABLE) else { return Ok(()) };
        for file in &table.files {
            let misses = |at: Option<i64>, is_out: fn(i64, i64) -> bool, edge| at.is_some_and(|at| is_out(edge, at));
            if misses(filter.since_us, |edge, at| edge < at, file.max_time_us)
                || misses(filter.until_us, |edge, at| edge >= at, file.min_time_us)
            {
                continue;
            }
            let failed = || format!("cannot read {file}");
            let mut batches = read::rows(&self.store(), file).await?;
            while let Some(batch) = batches.try_next().await? {
                let mask = mask(&batch, filter, &taken)
                    .ok_or_else(|| Error::new(Kind::Integrity, format!("{}: it lacks our own columns", failed())))?;
                let open = filter_record_batch(&batch, &mask).context(Kind::Internal, failed)?;
                if open.num_rows() > 0 {
                    tell(open)?;
                }
            }
        }
        Ok(())
    }

    async fn taken(&self) -> Result<Taken> {
        let mut taken: HashMap<(u64, String), Vec<(u64, u64)>> = HashMap::new();
        for sequence in &self.state().retries {
            let (entry, _) = self.entry(*sequence).await?;
            let Body::Ingest(ingest) = entry.body else { continue };
            for retried in ingest.retried {
                taken.entry((retried.batch, retried.source)).or_default().extend(retried.lines);
            }
        }
        taken.values_mut().for_each(|runs| runs.sort_unstable());
        Ok(Taken(taken))
    }
}

/// The open ones of some rejects, as far as the filter means them; `None` when a column is not there.
fn mask(batch: &RecordBatch, filter: &RejectFilter, taken: &Taken) -> Option<BooleanArray> {
    let (sources, reasons) = (text(batch, "_source")?, text(batch, "reason")?);
    let (lines, batches) = (long(batch, "line")?, long(batch, "_batch")?);
    let times: &TimestampMicrosecondArray = batch.column_by_name("time")?.as_any().downcast_ref()?;
    let names = |wanted: &[String], name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let mut key = (0, String::new());
    let is_meant = (0..batch.num_rows()).map(|row| {
        let place = (batches.value(row) as u64, sources.value(row));
        if (key.0, key.1.as_str()) != place {
            key = (place.0, place.1.to_string());
        }
        names(&filter.sources, place.1)
            && names(&filter.reasons, reasons.value(row))
            && filter.since_us.is_none_or(|since| times.value(row) >= since)
            && filter.until_us.is_none_or(|until| times.value(row) < until)
            && !taken.has(&key, lines.value(row) as u64)
    });
    Some(is_meant.map(Some).collect())
}
