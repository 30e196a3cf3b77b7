//! One row group in the order of entries: which row is the newest, and which come before a position.
//!
//! The lake sorts rows by time alone, as they arrived where times are equal. Entries are ordered by time, then id,
//! then digest, so ties are sorted here once; after that a position is found by bisection, however deep it is.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;

use super::cursor::{EntryKey, ID_BYTES, Position};
use crate::error::{Error, Kind, Result};
use crate::lake::{DataFile, digests};

/// The columns that order a row group.
const ORDERING: [&str; 4] = ["time", "id", "_event_uid", "_digest"];

/// The order of one row group's rows.
#[derive(Debug)]
pub struct Part {
    pub file: Arc<DataFile>,
    pub group: usize,
    times: Vec<i64>,
    ids: StringArray,
    digests: Vec<u128>,
    /// Rows in the order of entries, oldest first; `None` where that is the order of rows.
    order: Option<Vec<u32>>,
}

/// The sort key of an entry, borrowed from a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    pub time_us: i64,
    pub id: &'a [u8],
    pub digest: u128,
}

impl Key<'_> {
    pub fn cmp_position(&self, position: &Position) -> Ordering {
        let time = self.time_us.cmp(&position.time_us);
        match &position.key {
            // Such a position is before all entries of its time: they are all older.
            None => time.then(Ordering::Less),
            Some(key) => time.then_with(|| (self.id, self.digest).cmp(&(&key.id, key.digest))),
        }
    }

    pub fn to_position(self, served: u32) -> Position {
        let key = EntryKey { id: self.id.to_vec(), digest: self.digest, served };
        Position { time_us: self.time_us, key: Some(key) }
    }
}

impl Part {
    pub async fn load(file: Arc<DataFile>, group: usize) -> Result<Part> {
        let batch = file.columns(group, &ORDERING).await?;
        let lacks = || Error::new(Kind::Integrity, format!("{} lacks a column that every file has", file.entry()));
        let column = |name: &str| batch.column_by_name(name).ok_or_else(lacks);
        let times = column("time")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(lacks)?;
        let digests = digests(&batch).ok_or_else(lacks)?;
        let uids = column("_event_uid")?.as_string_opt::<i32>().ok_or_else(lacks)?;
        let ids = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>());
        let times = times.values().to_vec();
        let mut part = Part { ids: names(ids, uids, &digests), file, group, times, digests, order: None };
        part.sort();
        Ok(part)
    }

    fn sort(&mut self) {
        let rows = self.times.len();
        if (1..rows).all(|row| self.row_key(row - 1) <= self.row_key(row)) {
            return;
        }
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.sort_by(|&a, &b| self.row_key(a as usize).cmp(&self.row_key(b as usize)));
        self.order = Some(order);
    }

    fn row_key(&self, row: usize) -> Key<'_> {
        let id = self.ids.value(row).as_bytes();
        Key { time_us: self.times[row], id: &id[..id.len().min(ID_BYTES)], digest: self.digests[row] }
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Returns the row at a place in the order of entries.
    pub fn row(&self, place: usize) -> usize {
        self.order.as_ref().map_or(place, |order| order[place] as usize)
    }

    pub fn key(&self, place: usize) -> Key<'_> {
        self.row_key(self.row(place))
    }

    /// Returns the first place that is not older than `time_us`.
    pub fn first_at(&self, time_us: i64) -> usize {
        self.bisect(|key| key.time_us < time_us)
    }

    /// Returns the number of places that are at or behind `position`.
    pub fn end_at(&self, position: &Position) -> usize {
        self.bisect(|key| key.cmp_position(position) != Ordering::Greater)
    }

    fn bisect(&self, is_before: impl Fn(Key<'_>) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(self.key(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    }

    pub fn memory_size(&self) -> usize {
        let order = self.order.as_ref().map_or(0, Vec::len) * 4;
        self.times.len() * 8 + order + self.ids.get_array_memory_size() + self.digests.len() * 16
    }
}

/// Returns the id of each row: the entry's own, else the event's uid, else its digest.
fn names(ids: Option<&StringArray>, uids: &StringArray, digests: &[u128]) -> StringArray {
    match ids {
        Some(ids) if ids.null_count() == 0 => ids.clone(),
        _ => {
            let name = |row: usize| {
                let own = ids.filter(|ids| ids.is_valid(row)).map(|ids| ids.value(row));
                let name = own.or_else(|| uids.is_valid(row).then(|| uids.value(row)));
                name.map_or_else(|| digest_name(digests[row], 0), str::to_string)
            };
            StringArray::from_iter_values((0..uids.len()).map(name))
        }
    }
}

/// Returns the id of an event without a uid: the hash of its line, numbered where the same line came several times.
pub fn digest_name(digest: u128, served: u32) -> String {
    match served {
        0 => format!("{digest:032x}"),
        again => format!("{digest:032x}-{again}"),
    }
}

/// Returns the text of a leaf at a dotted path, as a batch of [`DataFile::columns`] holds it; `None` where the class
/// lacks it.
pub fn text_at(batch: &RecordBatch, path: &str) -> Option<StringArray> {
    let mut names = path.split('.');
    let mut array = batch.column_by_name(names.next()?)?.clone();
    for name in names {
        let inner = array.as_struct_opt()?.column_by_name(name)?.clone();
        array = inner;
    }
    array.as_string_opt::<i32>().cloned()
}
