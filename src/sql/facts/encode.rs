//! Facts as bytes of a Parquet file.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::super::engine::fact::{MADE_OF, made_of};
use crate::lake::{FileEntry, WRITER};

/// Rows of a row group.
const GROUP: usize = 1 << 17;

/// Columns that needles are looked for in.
const NEEDLES: [&str; 19] = [
    "event_uid",
    "actor_user_uid",
    "actor_email_key",
    "actor_qualified_key",
    "actor_name_key",
    "app_uid",
    "app_name",
    "user_uid",
    "user_email_key",
    "user_qualified_key",
    "user_name_key",
    "src_ip",
    "session_uid",
    "entity_uid",
    "entity_result_uid",
    "entity_name",
    "group_key",
    "owner_uid",
    "path",
];

/// Facts of one data file on their way into a file.
pub struct Encoder<'a> {
    writer: ArrowWriter<Vec<u8>>,
    schema: &'a SchemaRef,
    entry: &'a FileEntry,
    rows: u64,
    /// The earliest and the latest.
    times: Option<(i64, i64)>,
}

impl<'a> Encoder<'a> {
    pub fn new(schema: &'a SchemaRef, entry: &'a FileEntry, definition: &str) -> Result<Encoder<'a>> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties(schema, entry, definition)?)
            // As the lake's own files are: footers with an Arrow schema are not cut down.
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
        Ok(Encoder { writer, schema, entry, rows: 0, times: None })
    }

    /// Rows that the data file has and that have not come yet.
    pub fn missing(&self) -> usize {
        self.entry.rows.saturating_sub(self.rows) as usize
    }

    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows += rows.num_rows() as u64;
        let times = rows.column_by_name("time").and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        if let Some((first, last)) = times.and_then(|times| min(times).zip(max(times))) {
            let (min, max) = self.times.unwrap_or((first, last));
            self.times = Some((min.min(first), max.max(last)));
        }
        Ok(self.writer.write(&RecordBatch::try_new(self.schema.clone(), rows.columns().to_vec())?)?)
    }

    /// The file. Row by row, facts are those of the data file: their order says which event each is of.
    pub fn finish(self) -> Result<Vec<u8>> {
        if self.rows != self.entry.rows {
            return exec_err!("{} has {} rows, and {} facts were made of them", self.entry, self.entry.rows, self.rows);
        }
        if self.times.is_some_and(|times| times != (self.entry.min_time_us, self.entry.max_time_us)) {
            return exec_err!("{} has events of other times than the facts that were made", self.entry);
        }
        self.writer.into_inner().map_err(DataFusionError::from)
    }
}

/// Writes the rows of one data file.
pub async fn encode(
    mut rows: SendableRecordBatchStream,
    schema: &SchemaRef,
    entry: &FileEntry,
    definition: &str,
) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(schema, entry, definition)?;
    while let Some(batch) = rows.try_next().await? {
        encoder.write(&batch)?;
    }
    encoder.finish()
}

fn properties(schema: &SchemaRef, entry: &FileEntry, definition: &str) -> Result<WriterProperties> {
    let said = KeyValue::new(MADE_OF.to_string(), made_of(entry, definition));
    let mut properties = WriterProperties::builder()
        .set_created_by(WRITER.to_string())
        .set_key_value_metadata(Some(vec![said]))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_statistics_enabled(ColumnPath::from("time"), EnabledStatistics::Page)
        // Random texts are not repeated, and are of one length: apart from their lengths they take 7 % less. They are a
        // quarter of what facts weigh.
        .set_column_dictionary_enabled(ColumnPath::from("event_uid"), false)
        .set_column_encoding(ColumnPath::from("event_uid"), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    for field in schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::Timestamp(..))) {
        let column = ColumnPath::from(field.name().as_str());
        // Rows are in order of time: what one is later than the one before takes half the bytes.
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for field in schema.fields().iter().filter(|field| *field.data_type() == DataType::Utf8) {
        if NEEDLES.contains(&field.name().as_str()) {
            let column = ColumnPath::from(field.name().as_str());
            properties = properties
                .set_column_bloom_filter_enabled(column.clone(), true)
                .set_column_bloom_filter_max_ndv(column, entry.rows.clamp(1, GROUP as u64));
        }
    }
    Ok(properties.build())
}
