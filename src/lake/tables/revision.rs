//! The `revision` table: later versions of events that are in the lake already, with what differs.
//!
//! The second version of an audit record is the most interesting row there is: somebody changed what had been said. The
//! version that was committed first is the row of its class; every other one is a row here.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BinaryArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::super::identity::{Known, Parts};
use crate::error::{Context, Kind, Result};
use crate::schema::FieldIds;

/// The table's name.
pub const REVISION_TABLE: &str = "revision";

/// The columns that tell logging systems apart, in the order of [`Parts::system`].
const SYSTEM: [&str; 7] =
    ["product_vendor_name", "product_name", "product_uid", "log_name", "log_provider", "tenant_uid", "device"];

/// Another version of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    pub parts: Parts,
    /// The table that holds the version that came first.
    pub class: String,
    pub source: String,
    pub line: u64,
    pub offset: u64,
    /// RFC 6901 pointers to the values that differ from that version.
    pub changed: Vec<String>,
    /// The event as JSON, redacted.
    pub event: String,
    pub digest: u128,
}

/// The columns; `time` is that of the event.
pub fn revision_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let long = |name| Field::new(name, DataType::Int64, true);
        let mut fields = vec![
            Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            text("class"),
            long("class_uid"),
            text("_event_uid"),
        ];
        fields.extend(SYSTEM.map(text));
        fields.extend([
            Field::new("changed", DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))), true),
            text("_source"),
            long("line"),
            long("byte_offset"),
            long("_batch"),
            Field::new("_digest", DataType::Binary, true),
            text("event"),
        ]);
        Arc::new(Schema::new(fields))
    });
    SCHEMA.clone()
}

/// The ids of the columns in Parquet files; given once.
pub fn revision_ids() -> FieldIds {
    FieldIds::of_columns(&[
        ("_event_uid", 1),
        ("_batch", 2),
        ("_source", 3),
        ("_digest", 4),
        ("time", 10),
        ("class", 11),
        ("class_uid", 12),
        ("product_vendor_name", 13),
        ("product_name", 14),
        ("product_uid", 15),
        ("log_name", 16),
        ("log_provider", 17),
        ("tenant_uid", 18),
        ("device", 19),
        ("changed", 20),
        ("changed[]", 21),
        ("line", 22),
        ("byte_offset", 23),
        ("event", 24),
    ])
}

pub fn revision_batch(rows: &[RevisionRow]) -> Result<RecordBatch> {
    fn text<'r>(rows: &'r [RevisionRow], value: impl Fn(&'r RevisionRow) -> Option<&'r str>) -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    }
    let long = |value: fn(&RevisionRow) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Int64Array>())
    };
    let mut changed = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for row in rows {
        row.changed.iter().for_each(|path| changed.values().append_value(path));
        changed.append(true);
    }
    let times = rows.iter().map(|row| row.parts.time_us);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        text(rows, |row| Some(&row.class)),
        long(|row| row.parts.class_uid),
        text(rows, |row| Some(&row.parts.uid)),
    ];
    columns.extend((0..SYSTEM.len()).map(|part| text(rows, |row| row.parts.system[part].as_deref())));
    columns.extend([
        Arc::new(changed.finish()) as ArrayRef,
        text(rows, |row| Some(&row.source)),
        long(|row| Some(row.line as i64)),
        long(|row| Some(row.offset as i64)),
        Arc::new(Int64Array::new_null(rows.len())),
        Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| row.digest.to_be_bytes()))),
        text(rows, |row| Some(&row.event)),
    ]);
    RecordBatch::try_new(revision_schema(), columns).context(Kind::Internal, || "cannot build the rows of revisions")
}

/// The identities of stored revisions.
pub fn known(batch: &RecordBatch) -> Result<Known<'_>> {
    Known::of_revisions(batch, SYSTEM)
}

/// Whether a column of the table is a part of the identity.
pub fn is_of_revision(leaf: &[String]) -> bool {
    matches!(leaf, [name] if SYSTEM.contains(&name.as_str()) || ["time", "class_uid", "_event_uid"].contains(&name.as_str()))
}
