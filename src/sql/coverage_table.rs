//! What was collected from API sources, as rows: the table `coverage`.
//!
//! One row a stretch of event time and source: covered, or a hole between what is covered. Files are not in it: nobody
//! says what a file leaves out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::Result;

use crate::lake::{Span, State};

/// Source, time of its last poll, stretch.
type Row<'a> = (&'a str, i64, Span);

/// `from_time` is null where all before is meant; `to_time` is the first instant that is not meant.
fn schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8, true),
        Field::new("state", DataType::Utf8, true),
        Field::new("from_time", time(), true),
        Field::new("to_time", time(), true),
        Field::new("late", DataType::Int64, true),
        Field::new("last_poll", time(), true),
    ]))
}

/// All that is known of all sources.
pub fn coverage(state: &State) -> Result<RecordBatch> {
    let rows: Vec<Row> = state
        .pulls
        .iter()
        .flat_map(|(name, pull)| {
            pull.spans(None, None).into_iter().map(move |span| (name.as_str(), pull.last_ms, span))
        })
        .collect();
    let time = |value: &dyn Fn(&Row) -> Option<i64>| -> ArrayRef {
        let times = rows.iter().map(|row| value(row).and_then(|ms| ms.checked_mul(1000)));
        Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let state_name = |span: &Span| if span.is_covered { "covered" } else { "hole" };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|(name, _, _)| Some(*name)).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(_, _, span)| Some(state_name(span))).collect::<StringArray>()),
        time(&|(_, _, span)| span.interval.from_ms),
        time(&|(_, _, span)| Some(span.interval.to_ms + 1)),
        Arc::new(rows.iter().map(|(_, _, span)| span.late as i64).collect::<Int64Array>()),
        time(&|(_, last_ms, _)| Some(*last_ms)),
    ];
    RecordBatch::try_new(schema(), columns)
}
