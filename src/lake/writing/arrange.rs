//! Rows of a batch are sorted by time and split by partition, with as little copying as their order allows.

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{FieldRef, Schema};
use arrow::error::ArrowError;
use std::sync::Arc;

use super::super::files::layout::Partition;
use super::super::parquet::plain;
use super::super::parquet::{Part, times};
use crate::error::{Context, Kind, Result};

/// Splits one table's rows into parts, one a partition, each sorted by time; ties keep the order of arrival.
///
/// Times before 1970 and behind `latest_us` share one partition: no row decides how many there are.
pub fn arrange(table: &str, batches: Vec<RecordBatch>, partition: Partition, latest_us: i64) -> Result<Vec<Part>> {
    // Sources are mostly in order: then the batches are written as they are and nothing is copied.
    let batches = if is_sorted(&batches)? { batches } else { vec![sort(&batches)?] };
    let mut parts: Vec<Part> = Vec::new();
    for batch in batches {
        let times = times(&batch)?.values().clone();
        let mut row = 0;
        while row < batch.num_rows() {
            let (value, end) = match times[row] {
                ..0 => (partition.of_odd_times().to_string(), 0),
                time if time > latest_us => (partition.of_odd_times().to_string(), i64::MAX),
                time => (partition.value(time), partition.end(time).min(latest_us.saturating_add(1))),
            };
            let length = times[row..].partition_point(|&time| time < end).max(1);
            let slice = batch.slice(row, length);
            match parts.iter_mut().rev().find(|part| part.partition == value) {
                Some(part) => part.batches.push(slice),
                None => parts.push(Part {
                    table: table.to_string(),
                    column: partition.column(),
                    partition: value,
                    batches: vec![slice],
                }),
            }
            row += length;
        }
    }
    Ok(parts)
}

/// Fills in `_batch`, which is known when the sequence is.
pub fn fill_batch(batch: &RecordBatch, sequence: u64) -> Result<RecordBatch> {
    replace(batch, "_batch", Arc::new(Int64Array::from_value(sequence as i64, batch.num_rows())))
}

/// Fills in `_source`.
pub fn fill_source(batch: &RecordBatch, source: &str) -> Result<RecordBatch> {
    let codes = Int32Array::from_value(0, batch.num_rows());
    let column = DictionaryArray::try_new(codes, Arc::new(StringArray::from(vec![source])));
    replace(batch, "_source", Arc::new(column.context(Kind::Internal, || "cannot fill in `_source`")?))
}

/// The batch with another column at `position`, of whatever type it is.
fn with_column(batch: &RecordBatch, position: usize, column: ArrayRef) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let mut fields: Vec<FieldRef> = schema.fields().to_vec();
    fields[position] = Arc::new(fields[position].as_ref().clone().with_data_type(column.data_type().clone()));
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns[position] = column;
    RecordBatch::try_new(schema, columns)
}

fn replace(batch: &RecordBatch, name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let failed = || format!("cannot fill in `{name}`");
    let position = batch.schema().index_of(name).context(Kind::Internal, failed)?;
    with_column(batch, position, column).context(Kind::Internal, failed)
}

fn is_sorted(batches: &[RecordBatch]) -> Result<bool> {
    let mut last = i64::MIN;
    for batch in batches {
        let times = times(batch)?.values();
        if times.first().is_some_and(|&first| first < last) || !times.is_sorted() {
            return Ok(false);
        }
        last = times.last().copied().unwrap_or(last);
    }
    Ok(true)
}

fn sort(batches: &[RecordBatch]) -> Result<RecordBatch> {
    let failed = || "cannot sort a batch by time";
    let whole = if batches.iter().all(|batch| batch.schema() == batches[0].schema()) {
        concat_batches(&batches[0].schema(), batches)
    } else {
        // A text repeats in one chunk and not in the next: they meet as strings.

        let plain = batches.iter().map(plain).collect::<Result<Vec<_>>>()?;
        concat_batches(&plain[0].schema(), &plain)
    };
    let whole = whole.context(Kind::Internal, failed)?;
    let times = times(&whole)?.values();
    let mut order: Vec<u32> = (0..whole.num_rows() as u32).collect();
    order.sort_by_key(|&row| times[row as usize]);
    take_record_batch(&whole, &UInt32Array::from(order)).context(Kind::Internal, failed)
}
