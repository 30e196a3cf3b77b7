//! The coverage of API sources, as rows: the table `coverage`.
//!
//! It has one row per stretch of event time and source: covered, or a hole between covered stretches. Files are not in
//! it: nothing tells what a file leaves out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::Result;

use crate::lake::{Span, State};

/// Source, time of its last poll, stretch.
type Row<'a> = (&'a str, i64, Span);

/// Returns the schema. `from_time` is null where the stretch has no beginning; `to_time` is the first instant after it.
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

/// Returns the coverage of all sources at one entry of the ledger. Time after that entry was written is a hole even
/// when it is recorded as covered: a clock that was ahead recorded it. The entry's time decides and not ours, so that a
/// report that runs again on the same entry reads the same rows.
pub fn coverage(state: &State) -> Result<RecordBatch> {
    let rows: Vec<Row> = state
        .pulls
        .iter()
        .flat_map(|(name, pull)| {
            pull.credible(state.time_ms)
                .spans(None, None)
                .into_iter()
                .map(move |span| (name.as_str(), pull.last_ms, span))
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

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;
    use crate::lake::{Access, Body, Entry, FORMAT, Format, Interval, LakeInfo, Partition, PullState, READS_FROM};

    #[test]
    fn nothing_is_covered_after_the_entry_that_says_so() {
        let lake = LakeInfo {
            lake_id: "0".repeat(32),
            partition: Partition::Month,
            ocsf_version: "1.6.0".to_string(),
            key_check: String::new(),
            access: Access::default(),
        };
        let entry = Entry {
            sequence: 0,
            previous: None,
            time_ms: 1_000,
            skew_ms: None,
            writer: "x".to_string(),
            writer_id: String::new(),
            format: Some(Format { format: FORMAT, reads_from: READS_FROM }),
            checkpoint: None,
            body: Body::Create(lake),
            signature: None,
        };
        let mut state = State::begin(&entry, String::new()).unwrap();
        let covered =
            vec![Interval { from_ms: Some(100), to_ms: 5_000 }, Interval { from_ms: Some(6_000), to_ms: 7_000 }];
        state.pulls.insert("api".to_string(), PullState { covered, ..PullState::default() });
        let rows = coverage(&state).unwrap();
        let (states, to) = (
            rows["state"].as_string::<i32>(),
            rows["to_time"].as_primitive::<arrow::datatypes::TimestampMicrosecondType>(),
        );
        let covered: Vec<i64> =
            (0..rows.num_rows()).filter(|row| states.value(*row) == "covered").map(|row| to.value(row)).collect();
        assert_eq!(covered, [1_001_000]);
    }
}
