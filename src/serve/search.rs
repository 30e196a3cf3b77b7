//! The rows of a page: the newest ones at or behind a position, found without looking at the others.
//!
//! ```text
//! files by newest time -> row groups by newest time -> parts, bisected at the position -> merged by key -> hits
//! ```
//!
//! A file or row group is opened only when nothing newer than its newest row is left, so a page touches only those
//! around its own time, wherever that is: a deep cursor costs what the first page costs. A filter that matches little
//! would make one request look through the whole lake; it stops after [`SCAN_ROWS`] and answers what it found with a
//! cursor that continues from there, which the contract allows.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::Array;
use futures::future::try_join_all;

use super::cursor::Position;
use super::entries::Entries;
use super::follow::View;
use super::part::{Key, Part};
use super::query::Filters;
use crate::error::Result;
use crate::lake::{DataFile, FileEntry};

/// Rows that filters are applied to for one page, before it is answered with what was found.
const SCAN_ROWS: usize = 2_000_000;

/// The entries to search for.
pub struct Search<'a> {
    pub filters: &'a Filters,
    /// The table of `class_name`, when that is a filter.
    pub table: Option<&'a str>,
    pub limit: usize,
    pub from: Option<Position>,
}

/// A row of the page.
pub struct Hit {
    pub part: Arc<Part>,
    /// The place in the order of the part's entries.
    place: usize,
    /// The number of earlier entries of the same key.
    pub served: u32,
}

impl Hit {
    pub fn key(&self) -> Key<'_> {
        self.part.key(self.place)
    }

    pub fn row(&self) -> usize {
        self.part.row(self.place)
    }

    /// Returns the start of a page whose first entry is this one.
    pub fn position(&self) -> Position {
        self.key().to_position(self.served)
    }

    fn position_behind(&self) -> Position {
        self.key().to_position(self.served + 1)
    }
}

/// Something that is not opened yet, with the newest requested time in it.
struct Unopened {
    newest_us: i64,
    what: Place,
}

enum Place {
    File(Arc<FileEntry>),
    Group(Arc<DataFile>, usize),
}

enum Opened {
    File(Arc<DataFile>),
    /// The run, with the number of rows that filters were applied to.
    Run(Option<Run>, usize),
}

/// The remaining rows of one part, at least one.
struct Run {
    part: Arc<Part>,
    places: Places,
}

enum Places {
    All(Range<usize>),
    /// The rows that match the filters, ascending.
    Some(Vec<u32>),
}

/// The requested range of times, and the start of the page in it.
struct Bounds {
    from: Position,
    lowest_us: i64,
}

impl Bounds {
    fn new(search: &Search<'_>) -> Bounds {
        let micros = |ms: i64| ms.saturating_mul(1000);
        let highest = search.filters.time_to_ms.map_or(i64::MAX, micros);
        let from = match &search.from {
            Some(position) if position.time_us <= highest => position.clone(),
            _ => Position { time_us: highest, key: None },
        };
        Bounds { from, lowest_us: search.filters.time_from_ms.map_or(i64::MIN, micros) }
    }

    fn of(&self, min_us: i64, max_us: i64, what: Place) -> Option<Unopened> {
        let is_inside = min_us <= self.from.time_us && max_us >= self.lowest_us && self.lowest_us <= self.from.time_us;
        is_inside.then(|| Unopened { newest_us: max_us.min(self.from.time_us), what })
    }
}

impl Entries {
    /// Returns the rows of a page, newest first, and the start of the next page.
    pub async fn search(&self, view: &View, search: &Search<'_>) -> Result<(Vec<Hit>, Option<Position>)> {
        let bounds = Bounds::new(search);
        let from = &bounds.from;
        let files = view.files.iter().filter(|file| search.table.is_none_or(|table| table == file.table()));
        let mut unopened: BinaryHeap<Unopened> =
            files.filter_map(|file| bounds.of(file.min_time_us, file.max_time_us, Place::File(file.clone()))).collect();
        let mut runs: BinaryHeap<Run> = BinaryHeap::new();
        let mut hits: Vec<Hit> = Vec::new();
        let (mut scanned, mut seen_at_start) = (0, 0);
        loop {
            let newest_run = runs.peek().map_or(i64::MIN, |run| run.key().time_us);
            if let Some(time_us) = unopened.peek().map(|next| next.newest_us).filter(|&next| next >= newest_run) {
                // Only rows older than the start of this page count as progress.
                if scanned > SCAN_ROWS && time_us < from.time_us {
                    return Ok((hits, Some(Position { time_us, key: None })));
                }
                let mut due = Vec::new();
                while let Some(next) = unopened.peek_mut().filter(|next| next.newest_us == time_us) {
                    due.push(self.open(PeekMut::pop(next).what, &bounds, search.filters));
                }
                for opened in try_join_all(due).await? {
                    match opened {
                        Opened::File(file) => {
                            unopened.extend(file.groups().iter().enumerate().filter_map(|(at, group)| {
                                bounds.of(group.min_time_us, group.max_time_us, Place::Group(file.clone(), at))
                            }))
                        }
                        Opened::Run(run, looked_at) => {
                            scanned += looked_at;
                            runs.extend(run);
                        }
                    }
                }
                continue;
            }
            let Some(run) = runs.peek_mut() else { return Ok((hits, None)) };
            let mut hit = take(run);
            let is_at_start = hit.key().cmp_position(from).is_eq();
            hit.served = match hits.last() {
                _ if is_at_start => seen_at_start,
                Some(last) if last.key() == hit.key() => last.served + 1,
                _ => 0,
            };
            seen_at_start += u32::from(is_at_start);
            // The page before had these entries of the key.
            if from.key.as_ref().is_some_and(|key| is_at_start && hit.served < key.served) {
                continue;
            }
            if hits.len() == search.limit {
                let next = hits.last().map(Hit::position_behind);
                return Ok((hits, next));
            }
            hits.push(hit);
        }
    }

    async fn open(&self, place: Place, bounds: &Bounds, filters: &Filters) -> Result<Opened> {
        let (file, group) = match place {
            Place::File(entry) => return self.file(entry).await.map(Opened::File),
            Place::Group(file, group) => (file, group),
        };
        let part = self.part(&file, group).await?;
        let range = part.first_at(bounds.lowest_us)..part.end_at(&bounds.from);
        let mut wanted = Vec::new();
        for (path, value) in [("actor.user.uid", &filters.actor_uid), ("activity_name", &filters.activity_name)] {
            if let Some(value) = value {
                wanted.push((self.text(&file, group, path).await?, value.as_str()));
            }
        }
        if wanted.is_empty() || range.is_empty() {
            let run = Run { part, places: Places::All(range) };
            return Ok(Opened::Run(run.none_if_empty(), 0));
        }
        let looked_at = range.len();
        let matches = range.filter(|&place| {
            let row = part.row(place);
            wanted.iter().all(|(column, value)| column.is_valid(row) && column.value(row) == *value)
        });
        let places = Places::Some(matches.map(|place| place as u32).collect());
        Ok(Opened::Run(Run { part, places }.none_if_empty(), looked_at))
    }
}

/// Takes the newest row of the run that has the newest one.
fn take(mut run: PeekMut<'_, Run>) -> Hit {
    let part = run.part.clone();
    let place = run.newest();
    match &mut run.places {
        Places::All(range) => range.end -= 1,
        Places::Some(places) => {
            places.pop();
        }
    }
    if run.is_empty() {
        PeekMut::pop(run);
    }
    Hit { part, place, served: 0 }
}

impl Run {
    fn is_empty(&self) -> bool {
        match &self.places {
            Places::All(range) => range.is_empty(),
            Places::Some(places) => places.is_empty(),
        }
    }

    fn none_if_empty(self) -> Option<Run> {
        (!self.is_empty()).then_some(self)
    }

    fn newest(&self) -> usize {
        match &self.places {
            Places::All(range) => range.end.saturating_sub(1),
            Places::Some(places) => places.last().map_or(0, |place| *place as usize),
        }
    }

    fn key(&self) -> Key<'_> {
        self.part.key(self.newest())
    }
}

impl Ord for Run {
    fn cmp(&self, other: &Run) -> Ordering {
        // An empty run is on its way out of the heap; its key means nothing.
        (!self.is_empty())
            .cmp(&!other.is_empty())
            .then_with(|| if self.is_empty() { Ordering::Equal } else { self.key().cmp(&other.key()) })
    }
}

impl Ord for Unopened {
    fn cmp(&self, other: &Unopened) -> Ordering {
        self.newest_us.cmp(&other.newest_us)
    }
}

/// Derives `PartialOrd`, `PartialEq` and `Eq` from `Ord`.
macro_rules! by_ord {
    ($type:ty) => {
        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }
        impl Eq for $type {}
    };
}

by_ord!(Run);
by_ord!(Unopened);
