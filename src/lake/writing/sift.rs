//! A batch before it is written: what is new, what is known, and what is another version of an event that is known.
//!
//! ```text
//! rows in the order of arrival -> first of each identity -> look-up --+-> no twin: a row
//!                                 others                              +-> twin of the same line: a duplicate
//!                                                                     +-> judge -> duplicate, or revision
//! ```

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::filter_record_batch;
use hashbrown::{HashMap as FastMap, HashSet as FastSet};

use super::super::REVISION_TABLE;
use super::super::files::file::FileEntry;
use super::super::identity::{Hasher, Key, Known, digests};
use super::super::ledger::state::State;
use super::super::ledger::streams::Stream;
use super::super::reading::read::text;
use super::arrange::fill_source;
use super::dedupe::Twin;
use super::indexed::{Candidate, Match, of_line};
use super::judge::{Doubt, OtherRow, Place};
use super::sifted::Sifted;
use super::writer::{Arrived, Batch, Writer};
use crate::error::{Context, Error, Kind, Result};
use crate::schema::EventBatch;

impl Writer {
    /// Errors with [`Kind::Locked`] when another run took in a part of the same stream since we began to read it, and
    /// the batch has what nobody could tell from its double: events without a uid are known by their place alone, and
    /// rejects are not looked up.
    pub(in crate::lake) async fn check_sources(&mut self, batch: &Batch) -> Result<()> {
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
    pub(in crate::lake) async fn sift(&mut self, batch: &Batch) -> Result<Sifted> {
        let hasher = self.index.hasher();
        let columns = batch.events.iter().map(|arrived| Columns::of(&arrived.events, &hasher));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let state = self.lake.state().clone();
        let outside = outside(batch, &columns, &state);
        let within = Within::of(&batch.events, &columns, &outside);
        let mut sifted =
            Sifted { duplicates: within.repeated.len() as u64, outside: outside.len() as u64, ..Sifted::default() };
        let mut dropped = within.repeated;
        dropped.extend(&outside);

        let mut twins: Vec<Option<Twin>> = vec![None; within.candidates.len()];
        let mut shared = vec![false; within.candidates.len()];
        let found = |i: usize, file: &Arc<FileEntry>, of: Match| match of {
            Match::Twin { row, digest } => {
                twins[i].get_or_insert_with(|| Twin { file: file.clone(), row, digest });
            }
            Match::Shared => shared[i] = true,
        };
        self.index.look_up(&self.lake.store(), events(&state), &within.candidates, found).await?;

        let mut doubts: Vec<Doubt> = Vec::new();
        let mut doubt = |place: Place, other: OtherRow| match &other {
            OtherRow::Stored(twin) if digest(&columns, place) == twin.digest => sifted.duplicates += 1,
            _ => doubts.push(Doubt { place, other }),
        };
        let mut uids: FastSet<u64> = FastSet::new();
        for (i, (&place, candidate)) in within.places.iter().zip(&within.candidates).enumerate() {
            match (&twins[i], candidate.uid) {
                (twin, None) => sifted.notes.exact_doubles += u64::from(twin.is_some()),
                (None, Some(_)) => sifted.notes.shared_uids += u64::from(!uids.insert(candidate.key.uid) || shared[i]),
                (Some(twin), Some(_)) => {
                    dropped.push(place);
                    doubt(place, OtherRow::Stored(twin.clone()));
                }
            }
        }
        for &(first, place) in &within.rivals {
            dropped.push(place);
            let arrived = || OtherRow::Arrived(within.places[first]);
            doubt(place, twins[first].clone().map_or_else(arrived, OtherRow::Stored));
        }
        sifted.notes.exact_doubles += within.doubles;
        sifted.notes.without_uid = within.nameless;

        let verdicts = self.judge(batch, &doubts).await?;
        self.tell_versions(batch, &columns, &doubts, verdicts, &mut sifted).await?;
        keep(batch, &dropped, &mut sifted)?;
        Ok(sifted)
    }
}

/// The columns of a record batch that the look-up needs.
pub(in crate::lake) struct Columns<'a> {
    pub known: Known<'a>,
    pub keys: Vec<Option<Key>>,
    pub digests: Vec<u128>,
}

impl<'a> Columns<'a> {
    fn of(events: &'a EventBatch, hasher: &Hasher) -> Result<Columns<'a>> {
        let lacks = || Error::new(Kind::Internal, format!("a batch of `{}` lacks our own columns", events.class.name));
        let known = Known::of_events(&events.batch)?;
        Ok(Columns { keys: known.keys(hasher)?, known, digests: digests(&events.batch).ok_or_else(lacks)? })
    }

    pub fn candidate(&self, row: usize, key: Option<Key>) -> Candidate<'a> {
        let key = key.unwrap_or_else(|| of_line(self.digests[row]));
        Candidate { uid: self.known.uid(row), key, time_us: self.known.time_us(row) }
    }
}

fn digest(columns: &[Columns<'_>], (batch, row): Place) -> u128 {
    columns[batch].digests[row]
}

/// The relations of a batch's rows to one another.
#[derive(Default)]
struct Within<'a> {
    /// The first row of each identity, and of each line without a uid.
    candidates: Vec<Candidate<'a>>,
    places: Vec<Place>,
    /// Later rows of an identity whose lines are others, with the number of the first one.
    rivals: Vec<(usize, Place)>,
    /// Rows with a uid whose line came before.
    repeated: Vec<Place>,
    nameless: u64,
    /// Rows without a uid whose line came before; they are rows all the same.
    doubles: u64,
}

impl<'a> Within<'a> {
    fn of(events: &[Arrived], columns: &[Columns<'a>], outside: &FastSet<Place>) -> Within<'a> {
        let mut within = Within::default();
        let mut firsts: FastMap<u128, usize> = FastMap::new();
        let mut lines: FastSet<u128> = FastSet::new();
        for place in by_arrival(events).into_iter().filter(|place| !outside.contains(place)) {
            let (columns, row) = (&columns[place.0], place.1);
            let key = columns.keys[row];
            let is_first = lines.insert(columns.digests[row]);
            within.nameless += u64::from(key.is_none());
            match key {
                None if !is_first => within.doubles += 1,
                Some(_) if !is_first => within.repeated.push(place),
                Some(Key { identity, .. }) if firsts.contains_key(&identity) => {
                    within.rivals.push((firsts[&identity], place));
                }
                _ => {
                    let candidate = columns.candidate(row, key);
                    firsts.insert(candidate.key.identity, within.places.len());
                    within.candidates.push(candidate);
                    within.places.push(place);
                }
            }
        }
        within
    }
}

/// Rows of a time that retention removed: they are not taken in again.
fn outside(batch: &Batch, columns: &[Columns<'_>], state: &State) -> FastSet<Place> {
    let mut outside = FastSet::new();
    for (number, (arrived, columns)) in batch.events.iter().zip(columns).enumerate() {
        let Some(before_us) = state.before_us.get(&arrived.events.class.name) else { continue };
        let rows = 0..arrived.events.batch.num_rows();
        outside.extend(rows.filter(|row| columns.known.time_us(*row) < *before_us).map(|row| (number, row)));
    }
    outside
}

/// All rows as they arrived: sources follow one another, lines within them. A chunk's rows stand by class.
fn by_arrival(events: &[Arrived]) -> Vec<Place> {
    let mut source = 0;
    let mut places: Vec<((usize, u64), Place)> = Vec::new();
    for (number, arrived) in events.iter().enumerate() {
        source += usize::from(number > 0 && events[number - 1].source != arrived.source);
        let line = |row: usize| arrived.events.origins.get(row).map_or(0, |origin| origin.0);
        places.extend((0..arrived.events.batch.num_rows()).map(|row| ((source, line(row)), (number, row))));
    }
    places.sort_by_key(|(order, _)| *order);
    places.into_iter().map(|(_, place)| place).collect()
}

/// Takes over the rows that are not dropped.
fn keep(batch: &Batch, dropped: &[Place], sifted: &mut Sifted) -> Result<()> {
    let mut kept: Vec<Option<Vec<bool>>> = vec![None; batch.events.len()];
    for (number, row) in dropped {
        let rows = batch.events[*number].events.batch.num_rows();
        kept[*number].get_or_insert_with(|| vec![true; rows])[*row] = false;
    }
    for (Arrived { source, events }, kept) in batch.events.iter().zip(kept) {
        let kept = match kept {
            None => events.batch.clone(),
            Some(kept) => filter_record_batch(&events.batch, &BooleanArray::from(kept))
                .context(Kind::Internal, || "cannot drop duplicates from a batch")?,
        };
        if kept.num_rows() > 0 {
            sifted.accepted += kept.num_rows() as u64;
            sifted.tables.entry(events.class.name.clone()).or_default().push(fill_source(&kept, source)?);
        }
    }
    Ok(())
}

/// The files of events.
fn events(state: &State) -> impl Iterator<Item = &Arc<FileEntry>> {
    let is_of_events = |name: &str| name != super::super::REJECT_TABLE && name != REVISION_TABLE;
    state.tables.iter().filter(move |(name, _)| is_of_events(name)).flat_map(|(_, table)| &table.files)
}
