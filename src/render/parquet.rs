//! Parquet: a result for programs, types and all.
//!
//! The same rows give the same bytes, however they came cut into batches: pages and dictionaries end where a batch
//! ends, so rows are cut anew into batches of one size before they are written.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::error::{Context, Kind, Result};

/// Rows that are encoded at a time.
const BATCH_ROWS: usize = 8192;
/// The limits of a row group in memory: rows, and encoded bytes where rows are large.
const ROW_GROUP_ROWS: usize = 128 * 1024;
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Writes batches of one schema to `W` as one Parquet file.
///
/// When it is dropped without `finish`, the output has no footer, and every reader rejects it as incomplete.
pub struct Parquet<W: Write + Send> {
    batches: BatchCoalescer,
    writer: ArrowWriter<W>,
    rows: u64,
}

impl<W: Write + Send> Parquet<W> {
    /// Makes a writer. Errors for a schema that Parquet has no types for, such as intervals.
    pub fn new(schema: SchemaRef, out: W) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("auditlake ", env!("CARGO_PKG_VERSION")).to_string())
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))
            .context(Kind::Input, || "cannot write these columns as Parquet")
            .map_err(|error| error.hint("cast what Parquet does not know, `cast(x as varchar)`"))?;
        Ok(Parquet { batches: BatchCoalescer::new(schema, BATCH_ROWS), writer, rows: 0 })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.batches.push_batch(batch.clone()).context(Kind::Internal, || "cannot cut the result into batches")?;
        self.encode()
    }

    /// Writes the rest and the footer, and flushes; returns how many rows were given.
    pub fn finish(mut self) -> Result<u64> {
        self.batches.finish_buffered_batch().context(Kind::Internal, || "cannot cut the result into batches")?;
        self.encode()?;
        let mut out = self.writer.into_inner().context(Kind::Unavailable, || "cannot write the result")?;
        out.flush().context(Kind::Unavailable, || "cannot write the result")?;
        Ok(self.rows)
    }

    fn encode(&mut self) -> Result<()> {
        while let Some(batch) = self.batches.next_completed_batch() {
            self.writer.write(&batch).context(Kind::Unavailable, || "cannot write the result")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, TimestampMicrosecondArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::Int32Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let times = TimestampMicrosecondArray::from_iter_values(0..rows).with_timezone("UTC");
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
            (0..rows).map(|row| (row % 3 != 0).then(|| vec![Some(row as i32); (row % 4) as usize])),
        );
        let names = StringArray::from_iter((0..rows).map(|row| (row % 5 != 0).then(|| format!("name {}", row % 700))));
        RecordBatch::try_from_iter([
            ("number", Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef),
            ("time", Arc::new(times)),
            ("list", Arc::new(lists)),
            ("name", Arc::new(names)),
        ])
        .unwrap()
    }

    fn write(batch: &RecordBatch, cut: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Parquet::new(batch.schema(), &mut bytes).unwrap();
        for start in (0..batch.num_rows()).step_by(cut) {
            writer.write(&batch.slice(start, cut.min(batch.num_rows() - start))).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), batch.num_rows() as u64);
        bytes
    }

    #[test]
    fn rows_come_back_and_bytes_do_not_depend_on_the_batches() {
        let rows = batch(20_000);
        let bytes = write(&rows, 20_000);
        assert!(write(&rows, 777) == bytes, "other batches, other bytes");
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
        let back: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
        let back = concat_batches(&back[0].schema(), &back).unwrap();
        assert_eq!(back.columns(), rows.columns());
    }

    #[test]
    fn a_result_without_rows_keeps_its_columns() {
        let bytes = write(&batch(0), 1);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.schema().fields().len(), 4);
    }
}
