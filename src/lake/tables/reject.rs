//! The `reject` table: every line that is no row, with where it stood, why, and as much of it as may be kept.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::{Context, Kind, Result};
use crate::schema::FieldIds;

/// The table's name.
pub const REJECT_TABLE: &str = "reject";

/// A line that is no row, redacted already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectRow {
    pub source: String,
    /// Number of the line in its source, from 1, and its first byte's offset in the (decompressed) stream.
    pub line: u64,
    pub offset: u64,
    /// A stable code: `syntax`, `missing-time`, `duplicate-key`, ...
    pub reason: String,
    pub detail: String,
    /// Bytes of the whole line.
    pub length: u64,
    /// The line with secrets replaced; its head only when it is longer than we keep.
    pub excerpt: String,
    /// SHA-256 of the whole line, hex, when the excerpt is not the whole.
    pub sha256: Option<String>,
    /// The keyed hash of the line as it came, by which a source that sends it again is known; no column.
    pub digest: u128,
}

/// The columns; `time` is when the line was rejected.
pub fn reject_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let long = |name| Field::new(name, DataType::Int64, true);
        Arc::new(Schema::new(vec![
            Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            text("_source"),
            long("line"),
            long("byte_offset"),
            text("reason"),
            text("detail"),
            long("length"),
            text("sha256"),
            long("_batch"),
            text("excerpt"),
        ]))
    });
    SCHEMA.clone()
}

/// The ids of the columns in Parquet files; given once.
pub fn reject_ids() -> FieldIds {
    FieldIds::of_columns(&[
        ("_event_uid", 1),
        ("_batch", 2),
        ("_source", 3),
        ("time", 10),
        ("line", 11),
        ("byte_offset", 12),
        ("reason", 13),
        ("detail", 14),
        ("length", 15),
        ("sha256", 16),
        ("excerpt", 17),
    ])
}

pub fn reject_batch(rows: &[RejectRow], time_us: i64) -> Result<RecordBatch> {
    let text = |value: fn(&RejectRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    };
    let long = |value: fn(&RejectRow) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| value(row) as i64)))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_value(time_us, rows.len()).with_timezone("UTC")),
        text(|row| Some(&row.source)),
        long(|row| row.line),
        long(|row| row.offset),
        text(|row| Some(&row.reason)),
        text(|row| Some(&row.detail)),
        long(|row| row.length),
        text(|row| row.sha256.as_deref()),
        Arc::new(Int64Array::new_null(rows.len())),
        text(|row| Some(&row.excerpt)),
    ];
    RecordBatch::try_new(reject_schema(), columns).context(Kind::Internal, || "cannot build the reject rows")
}
