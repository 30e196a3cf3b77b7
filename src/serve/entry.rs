//! An entry as it is served: the event as it came in, with absent values filled in that the contract promises.
//!
//! The values that came in are never changed. Filled in are the computed fields (`time_dt`, `type_uid`, `type_name`),
//! captions, the defaults that the contract gives to clients anyway (`severity_id` 1, `status_id` 0), and empty objects
//! or nulls for what every entry has. Whole columns are filled when a segment is decoded; `device` and `http_request`,
//! which may be null, and an id that depends on what was served before, are added as text.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Field, Int64Type, Schema, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat};
use serde::de::IgnoredAny;

use super::part::digest_name;
use crate::decode::Encoder;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::digests;
use crate::schema::{EventClass, Ocsf};

/// The conversion of the rows of each table into entries.
pub struct Forms {
    ocsf: Arc<Ocsf>,
}

/// One class: its schema.
pub struct Form {
    class: Arc<EventClass>,
    encoder: Encoder,
}

impl Forms {
    pub fn new(ocsf: Arc<Ocsf>) -> Forms {
        Forms { ocsf }
    }

    pub fn of(&self, table: &str) -> Result<Form> {
        let class = self.ocsf.by_name(table);
        let class = class.ok_or_else(|| Error::new(Kind::Internal, format!("no class has the table `{table}`")))?;
        Ok(Form { encoder: Encoder::sparse(class), class: class.clone() })
    }
}

/// Some rows of a row group, ready to be written.
pub struct Segment {
    form: Form,
    batch: RecordBatch,
    digests: Option<Vec<u128>>,
    /// The text that is added to each row.
    tails: Vec<Tail>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    needs_id: bool,
    needs_device: bool,
    needs_request: bool,
}

impl Segment {
    /// Makes a segment; `batch` has the class's columns in order, less those that are null in the whole row group.
    pub fn new(form: Form, batch: RecordBatch) -> Result<Segment> {
        let digests = digests(&batch);
        let mut filling = Filling::new(&form.class, &batch)?;
        filling.fill()?;
        let tails = filling.tails();
        let batch = filling.finish()?;
        Ok(Segment { form, batch, digests, tails })
    }

    /// Appends the entry of `row`; `served` counts earlier entries of the same key.
    pub fn write(&self, row: usize, served: u32, out: &mut Vec<u8>) -> Result<()> {
        self.form.encoder.write(&self.batch, row, out)?;
        let Some(tail) = self.tails.get(row) else { return Ok(()) };
        // The last byte closes the object, which holds the time at least.
        out.pop();
        if tail.needs_id {
            let id = self.digests.as_ref().map_or_else(|| served.to_string(), |all| digest_name(all[row], served));
            out.extend_from_slice(format!(",\"id\":\"{id}\"").as_bytes());
        }
        if tail.needs_device {
            out.extend_from_slice(b",\"device\":null");
        }
        if tail.needs_request {
            out.extend_from_slice(b",\"http_request\":null");
        }
        out.push(b'}');
        Ok(())
    }

    pub fn memory_size(&self) -> usize {
        self.batch.get_array_memory_size() + self.tails.len() * size_of::<Tail>()
    }
}

/// The columns of a batch while the absent values of some are filled in.
struct Filling<'a> {
    class: &'a EventClass,
    rows: usize,
    columns: BTreeMap<String, ArrayRef>,
    /// JSON pointers of the values that have no column, by row: values that came with another type than their own are
    /// there.
    extras: Vec<Vec<String>>,
}

impl<'a> Filling<'a> {
    fn new(class: &'a EventClass, batch: &RecordBatch) -> Result<Filling<'a>> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| (field.name().clone(), column.clone())).collect();
        let extra = batch.column_by_name("_extra").and_then(|column| column.as_string_opt::<i32>());
        let pointers = |row: usize| match extra.filter(|extra| extra.is_valid(row)) {
            None => Ok(Vec::new()),
            Some(extra) => serde_json::from_str::<BTreeMap<String, IgnoredAny>>(extra.value(row))
                .map(|pointers| pointers.into_keys().collect())
                .context(Kind::Integrity, || "cannot read `_extra`"),
        };
        let extras = (0..batch.num_rows()).map(pointers).collect::<Result<_>>()?;
        Ok(Filling { class, rows: batch.num_rows(), columns, extras })
    }

    fn fill(&mut self) -> Result<()> {
        let class = self.class;
        let category = class.category_uid.unwrap_or_default();
        let times = self.column("time").and_then(|time| time.as_primitive_opt::<TimestampMicrosecondType>().cloned());
        let times = times.ok_or_else(|| Error::new(Kind::Integrity, "a file has no `time`"))?;
        let uids = self.column("_event_uid").and_then(|uids| uids.as_string_opt::<i32>().cloned());
        self.texts("id", |row| {
            uids.as_ref().filter(|uids| uids.is_valid(row)).map(|uids| uids.value(row).to_string())
        })?;
        self.texts("time_dt", |row| {
            let time = DateTime::from_timestamp_micros(times.value(row))?;
            Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
        })?;
        self.texts("class_name", |_| Some(class.caption.clone()))?;
        self.numbers("activity_id", |_| 0)?;
        let activities = self.number_of("activity_id");
        let activity = |row: usize| activities.as_ref().filter(|all| all.is_valid(row)).map_or(0, |all| all.value(row));
        self.texts("activity_name", |row| {
            Some(class.caption_of("activity_id", activity(row)).unwrap_or("Unknown").to_string())
        })?;
        self.numbers("category_uid", |_| category)?;
        self.texts("category_name", |_| class.caption_of("category_uid", category).map(str::to_string))?;
        self.numbers("type_uid", |row| {
            class.uid.unwrap_or_default().saturating_mul(100).saturating_add(activity(row))
        })?;
        let (names, captions) = (self.text_of("class_name"), self.text_of("activity_name"));
        let of = |texts: &Option<StringArray>, row| {
            texts
                .as_ref()
                .filter(|texts| texts.is_valid(row))
                .map_or(String::new(), |texts| texts.value(row).to_string())
        };
        self.texts("type_name", |row| Some(format!("{}: {}", of(&names, row), of(&captions, row))))?;
        self.numbers("severity_id", |_| 1)?;
        self.numbers("status_id", |_| 0)?;
        self.texts("message", |_| Some(String::new()))?;
        self.texts("unmapped", |_| Some("{}".to_string()))?;
        self.object("metadata");
        self.object("actor");
        self.members("actor", |filling| {
            filling.object("user");
            Ok(())
        })?;
        self.members("http_request", |filling| {
            filling.texts("http_method", |_| Some(String::new()))?;
            filling.object("url");
            Ok(())
        })
    }

    fn tails(&self) -> Vec<Tail> {
        let is_absent = |name: &str, row: usize| {
            self.column(name).is_none_or(|column| column.is_null(row)) && !self.is_elsewhere(name, row)
        };
        let tail = |row| Tail {
            needs_id: is_absent("id", row),
            needs_device: is_absent("device", row),
            needs_request: is_absent("http_request", row),
        };
        (0..self.rows).map(tail).collect()
    }

    /// Returns the columns in the class's order, ours at the end.
    fn finish(self) -> Result<RecordBatch> {
        let order = |name: &str| self.class.root.index_of(name).unwrap_or(usize::MAX);
        let mut columns: Vec<(&String, &ArrayRef)> = self.columns.iter().collect();
        columns.sort_by_key(|(name, _)| order(name));
        let fields: Vec<Field> =
            columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, column)| column.clone()).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).context(Kind::Internal, || "cannot fill in entries")
    }

    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.columns.get(name)
    }

    fn text_of(&self, name: &str) -> Option<StringArray> {
        self.column(name)?.as_string_opt::<i32>().cloned()
    }

    fn number_of(&self, name: &str) -> Option<Int64Array> {
        self.column(name)?.as_primitive_opt::<Int64Type>().cloned()
    }

    /// Returns whether a value of this name came in that has no column: then we must not fill the row.
    fn is_elsewhere(&self, name: &str, row: usize) -> bool {
        self.extras[row].iter().any(|pointer| {
            let rest = pointer.strip_prefix('/').and_then(|rest| rest.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn texts(&mut self, name: &str, value: impl Fn(usize) -> Option<String>) -> Result<()> {
        let old = self.column(name).cloned();
        if old.as_ref().is_some_and(|old| old.null_count() == 0) {
            return Ok(());
        }
        let old = match &old {
            Some(old) => Some(old.as_string_opt::<i32>().ok_or_else(|| wrong_type(name))?),
            None => None,
        };
        let filled = (0..self.rows).map(|row| match old.filter(|old| old.is_valid(row)) {
            Some(old) => Some(old.value(row).to_string()),
            None if self.is_elsewhere(name, row) => None,
            None => value(row),
        });
        let filled: StringArray = filled.collect();
        self.columns.insert(name.to_string(), Arc::new(filled));
        Ok(())
    }

    fn numbers(&mut self, name: &str, value: impl Fn(usize) -> i64) -> Result<()> {
        let old = self.column(name).cloned();
        if old.as_ref().is_some_and(|old| old.null_count() == 0) {
            return Ok(());
        }
        let old = match &old {
            Some(old) => Some(old.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong_type(name))?),
            None => None,
        };
        let filled = (0..self.rows).map(|row| match old.filter(|old| old.is_valid(row)) {
            Some(old) => Some(old.value(row)),
            None if self.is_elsewhere(name, row) => None,
            None => Some(value(row)),
        });
        let filled: Int64Array = filled.collect();
        self.columns.insert(name.to_string(), Arc::new(filled));
        Ok(())
    }

    /// Fills an absent struct with an empty object.
    fn object(&mut self, name: &str) {
        let Some(old) = self.column(name).and_then(|old| old.as_struct_opt()).cloned() else { return };
        let valid: Vec<bool> = (0..self.rows).map(|row| old.is_valid(row) || !self.is_elsewhere(name, row)).collect();
        let (fields, columns, _) = old.into_parts();
        self.columns
            .insert(name.to_string(), Arc::new(StructArray::new(fields, columns, Some(NullBuffer::from(valid)))));
    }

    /// Fills members of a struct, in the rows in which it exists.
    fn members(&mut self, name: &str, fill: impl FnOnce(&mut Filling<'_>) -> Result<()>) -> Result<()> {
        let Some(old) = self.column(name).and_then(|old| old.as_struct_opt()).cloned() else { return Ok(()) };
        let attribute = self.class.root.index_of(name).map(|at| &self.class.root.attributes[at].kind);
        let Some(crate::schema::Kind::Object(object)) = attribute else { return Ok(()) };
        let (fields, columns, nulls) = old.into_parts();
        let columns = fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), column)).collect();
        // Pointers below the struct, as seen from it; a row without it takes none of its members.
        let below = |pointers: &Vec<String>| {
            let tails = pointers.iter().filter_map(|pointer| pointer.strip_prefix('/')?.strip_prefix(name));
            tails.map(str::to_string).collect()
        };
        let extras = self.extras.iter().map(below).collect();
        let mut inner = Filling { class: self.class, rows: self.rows, columns, extras };
        fill(&mut inner)?;
        let mut columns: Vec<(String, ArrayRef)> = inner.columns.into_iter().collect();
        columns.sort_by_key(|(name, _)| object.index_of(name).unwrap_or(usize::MAX));
        let fields: Vec<Field> =
            columns.iter().map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        self.columns.insert(name.to_string(), Arc::new(StructArray::new(fields.into(), columns, nulls)));
        Ok(())
    }
}

fn wrong_type(name: &str) -> Error {
    Error::new(Kind::Internal, format!("the column `{name}` has another type than its class says"))
}
