//! The identity of rows, from the columns that say who speaks of what.
//!
//! Some of it may stand elsewhere: a value of another type, or an attribute that a class does not have, is in `_extra`;
//! an object that a class cut is JSON text.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Int64Type};

use super::hash::Hasher;
use super::json::Json;
use super::texts::Texts;
use crate::error::{Error, Kind, Result};

/// The attributes that tell logging systems apart, and their places; of several places the first one that is filled counts.
const SYSTEM: [&[&[&str]]; 7] = [
    &[&["metadata", "product", "vendor_name"]],
    &[&["metadata", "product", "name"]],
    &[&["metadata", "product", "uid"]],
    &[&["metadata", "log_name"]],
    &[&["metadata", "log_provider"]],
    &[&["metadata", "tenant_uid"]],
    &[&["device", "uid"], &["device", "hostname"]],
];

/// Attributes that `_extra` is looked through for.
const EXTRA: [&str; 3] = ["\"/metadata", "\"/device", "\"/class_uid"];

/// An event's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The hash of the uid alone, by which uids are seen that several events share.
    pub uid: u64,
    pub identity: u128,
}

/// The identity of one event, part by part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    pub uid: String,
    pub class_uid: Option<i64>,
    pub time_us: i64,
    /// In the order of the columns of the table `revision`: vendor, product, its uid, log, provider, tenant, device.
    pub system: [Option<String>; 7],
}

/// The columns of a batch that its events are known by.
pub struct Known<'a> {
    uids: Texts<'a>,
    times: &'a [i64],
    class_uids: Option<&'a Int64Array>,
    system: Vec<Vec<Place<'a>>>,
    extra: Texts<'a>,
}

/// Where a part of the identity stands.
struct Place<'a> {
    path: &'static [&'static str],
    column: Texts<'a>,
    /// Segments of the path that lead on within the JSON text of the column.
    within: usize,
}

impl<'a> Known<'a> {
    /// Reads the identities of a batch of events.
    pub fn of_events(batch: &'a RecordBatch) -> Result<Known<'a>> {
        let place = |path: &&'static [&'static str]| Place::find(batch, path);
        let system = SYSTEM.iter().map(|places| places.iter().map(place).collect()).collect();
        Known::with(batch, system)
    }

    /// Reads the identities of rows of the table `revision`, where each part is a column; `columns` name them.
    pub fn of_revisions(batch: &'a RecordBatch, columns: [&'static str; 7]) -> Result<Known<'a>> {
        let place =
            |name: &'static str| vec![Place { path: &[], column: Texts::of(batch.column_by_name(name)), within: 0 }];
        Known::with(batch, columns.into_iter().map(place).collect())
    }

    fn with(batch: &'a RecordBatch, system: Vec<Vec<Place<'a>>>) -> Result<Known<'a>> {
        let times = batch.column_by_name("time").and_then(|column| column.as_any().downcast_ref());
        let times: &TimestampMicrosecondArray =
            times.ok_or_else(|| Error::new(Kind::Integrity, "a batch has no `time` column of microseconds"))?;
        Ok(Known {
            uids: Texts::of(batch.column_by_name("_event_uid")),
            times: times.values(),
            class_uids: batch.column_by_name("class_uid").and_then(|column| column.as_primitive_opt::<Int64Type>()),
            system,
            extra: Texts::of(batch.column_by_name("_extra")),
        })
    }

    /// Whether a leaf column, or what a cut column holds, can be a part of an event's identity.
    pub fn reads(leaf: &[String]) -> bool {
        let own = ["_event_uid", "time", "class_uid", "_extra"];
        let is_on_the_way = |path: &[&str]| leaf.iter().zip(path).all(|(a, b)| a == b) && leaf.len() <= path.len();
        matches!(leaf, [name] if own.contains(&name.as_str()))
            || SYSTEM.iter().flat_map(|places| places.iter()).any(|path| is_on_the_way(path))
    }

    pub fn uid(&self, row: usize) -> Option<&'a str> {
        self.uids.get(row)
    }

    pub fn time_us(&self, row: usize) -> i64 {
        self.times[row]
    }

    /// The identities of all rows; none for a row without a uid.
    pub fn keys(&self, hasher: &Hasher) -> Result<Vec<Option<Key>>> {
        let mut buffer = Vec::new();
        (0..self.times.len())
            .map(|row| {
                let Some(uid) = self.uid(row) else { return Ok(None) };
                let extra = self.extra(row)?;
                buffer.clear();
                // The first byte says how the rest is made up.
                buffer.push(1);
                buffer.extend(self.times[row].to_le_bytes());
                buffer.extend(self.class_uid(row, extra.as_ref()).unwrap_or(i64::MIN).to_le_bytes());
                put(Some(uid), &mut buffer);
                for places in &self.system {
                    put(value(places, row, extra.as_ref())?.as_deref(), &mut buffer);
                }
                let uid = hasher.hash(uid.as_bytes()) as u64;
                Ok(Some(Key { uid, identity: hasher.hash(&buffer) }))
            })
            .collect()
    }

    /// The identity of one row that has a uid.
    pub fn parts(&self, row: usize) -> Result<Parts> {
        let extra = self.extra(row)?;
        let mut system = <[Option<String>; 7]>::default();
        for (part, places) in system.iter_mut().zip(&self.system) {
            *part = value(places, row, extra.as_ref())?.map(Cow::into_owned);
        }
        let uid = self.uid(row).unwrap_or_default().to_string();
        Ok(Parts { uid, class_uid: self.class_uid(row, extra.as_ref()), time_us: self.times[row], system })
    }

    fn class_uid(&self, row: usize, extra: Option<&Json<'_>>) -> Option<i64> {
        let typed = self.class_uids.filter(|column| column.is_valid(row)).map(|column| column.value(row));
        typed.or_else(|| extra?.member("/class_uid")?.scalar()?.parse().ok())
    }

    /// Returns the `_extra` of a row, if it may have a part of the identity.
    fn extra(&self, row: usize) -> Result<Option<Json<'a>>> {
        let text = self.extra.get(row).filter(|text| EXTRA.iter().any(|name| text.contains(name)));
        text.map(Json::parse).transpose()
    }
}

impl<'a> Place<'a> {
    fn find(batch: &'a RecordBatch, path: &'static [&'static str]) -> Place<'a> {
        let mut array: Option<&'a ArrayRef> = None;
        for (depth, name) in path.iter().enumerate() {
            array = match array {
                None => batch.column_by_name(name),
                Some(inner) if matches!(inner.data_type(), DataType::Struct(_)) => {
                    inner.as_struct().column_by_name(name)
                }
                // JSON text of an object that was cut.
                Some(_) => return Place { path, column: Texts::of(array), within: path.len() - depth },
            };
            if array.is_none() {
                break;
            }
        }
        Place { path, column: Texts::of(array), within: 0 }
    }

    fn value(&self, row: usize, extra: Option<&Json<'_>>) -> Result<Option<Cow<'a, str>>> {
        let typed = match self.column.get(row) {
            Some(text) if self.within == 0 => Some(Cow::Borrowed(text)),
            Some(text) => scalar_at(&Json::parse(text)?, &self.path[self.path.len() - self.within..]),
            None => None,
        };
        let found = typed.or_else(|| self.in_extra(extra?));
        Ok(found.filter(|text| !text.trim().is_empty()))
    }

    /// The value that `_extra` has for this place, or within an object above it.
    fn in_extra(&self, extra: &Json<'_>) -> Option<Cow<'a, str>> {
        (1..=self.path.len()).rev().find_map(|depth| {
            let (above, below) = self.path.split_at(depth);
            scalar_at(extra.member(&format!("/{}", above.join("/")))?, below)
        })
    }
}

fn value<'a>(places: &[Place<'a>], row: usize, extra: Option<&Json<'_>>) -> Result<Option<Cow<'a, str>>> {
    for place in places {
        if let Some(found) = place.value(row, extra)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn scalar_at<'a>(json: &Json<'_>, path: &[&str]) -> Option<Cow<'a, str>> {
    let found = path.iter().try_fold(json, |json, name| json.member(name))?;
    found.scalar().map(|text| Cow::Owned(text.into_owned()))
}

/// With its length before it, so that no two sequences of texts give the same bytes.
fn put(text: Option<&str>, buffer: &mut Vec<u8>) {
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    buffer.extend(length.to_le_bytes());
    buffer.extend(text.unwrap_or_default().as_bytes());
}
