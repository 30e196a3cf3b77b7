//! Facts as bytes of a Parquet file.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::super::engine::fact::{MADE_OF, made_of};
use crate::lake::{FileEntry, WRITER};

/// Rows of a row group.
const GROUP: usize = 1 << 17;

/// Columns that needles are looked for in.
const NEEDLES: [&str; 18] = [
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
    "entity_key",
    "entity_uid",
    "group_key",
    "owner_uid",
    "path",
];

/// Writes the rows of one data file.
pub async fn encode(
    mut rows: SendableRecordBatchStream,
    schema: &SchemaRef,
    entry: &FileEntry,
    definition: &str,
) -> Result<Vec<u8>> {
    let options = ArrowWriterOptions::new()
        .with_properties(properties(schema, entry, definition)?)
        // As the lake's own files are: footers with an Arrow schema are not cut down.
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows() as u64;
        writer.write(&RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?)?;
    }
    if count != entry.rows {
        return exec_err!("{entry} has {} rows, and {count} facts were made of them", entry.rows);
    }
    writer.into_inner().map_err(DataFusionError::from)
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
        // Random texts are not repeated.
        .set_column_dictionary_enabled(ColumnPath::from("event_uid"), false);
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
