//! Rows of a table as one Parquet file of any size, for others: the columns, types and field ids of the table's own files.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::super::{Lake, WRITER};
use super::read::conformed;
use crate::error::{Context, Kind, Result};

/// Rows that are encoded at a time.
const BATCH_ROWS: usize = 8192;
/// The limits of a row group in memory: rows, and encoded bytes where rows are large.
const ROW_GROUP_ROWS: usize = 128 * 1024;
const ROW_GROUP_BYTES: usize = 64 << 20;
/// The level of zstd.
const LEVEL: i32 = 1;

/// A file that is being written. Dropped without `finish` it has no footer, and every reader rejects it as incomplete.
pub struct TableFile<W: Write + Send> {
    schema: SchemaRef,
    batches: BatchCoalescer,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> TableFile<W> {
    /// Begins a file with the columns of a table.
    pub fn begin(lake: &Lake, table: &str, out: W) -> Result<TableFile<W>> {
        let cannot = || format!("cannot write `{table}` as Parquet");
        let schema = lake.table_schema(table)?;
        let with_ids = lake.field_ids(table).in_schema(&schema);
        let parquet = ArrowSchemaConverter::new().convert(&with_ids).context(Kind::Internal, cannot)?;
        let level = ZstdLevel::try_new(LEVEL).context(Kind::Internal, cannot)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(WRITER.to_string())
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_parquet_schema(parquet)
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(out, schema.clone(), options).context(Kind::Internal, cannot)?;
        Ok(TableFile { batches: BatchCoalescer::new(schema.clone(), BATCH_ROWS), schema, writer })
    }

    /// Adds rows; columns that they lack are null, and others are left out.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = conformed(batch, &self.schema)?;
        self.batches.push_batch(batch).context(Kind::Internal, || "cannot cut the rows into batches")?;
        self.encode()
    }

    /// Writes the rest and the footer.
    pub fn finish(mut self) -> Result<()> {
        self.batches.finish_buffered_batch().context(Kind::Internal, || "cannot cut the rows into batches")?;
        self.encode()?;
        let mut out = self.writer.into_inner().context(Kind::Unavailable, || "cannot write the events")?;
        out.flush().context(Kind::Unavailable, || "cannot write the events")
    }

    fn encode(&mut self) -> Result<()> {
        while let Some(batch) = self.batches.next_completed_batch() {
            self.writer.write(&batch).context(Kind::Unavailable, || "cannot write the events")?;
        }
        Ok(())
    }
}
