//! Rows become one Parquet file: compression, statistics, bloom filters, sort order, and the digests that prove it.

use arrow::array::{Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::entry::FileEntry;
use super::layout::file_name;
use super::leaves::{Fill, Leaf, leaves};
use crate::error::{Context, Error, Kind, Result};

/// Columns that needles are looked up by.
const BLOOM_COLUMNS: [&str; 7] = [
    "_event_uid",
    "metadata.uid",
    "actor.user.uid",
    "actor.user.email_addr",
    "user.uid",
    "src_endpoint.ip",
    "device.ip",
];

/// Rows in a row group: small enough that a needle reads little, large enough that 256 column chunks pay.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Bytes in a row group, encoded: bounds memory when `unmapped` is fat.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;
/// One false answer in a hundred keeps the filters at about 10 bits a distinct value.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Rows of one table and one partition, sorted by time, with our own columns filled in.
#[derive(Debug)]
pub struct Part {
    pub table: String,
    pub partition: String,
    /// `column=value`, the folder within the table.
    pub folder: String,
    pub batches: Vec<RecordBatch>,
}

/// Encodes a part as the file of `sequence`.
pub fn encode(part: &Part, sequence: u64, number: usize) -> Result<(FileEntry, Vec<u8>)> {
    let schema = part.batches[0].schema();
    let rows: usize = part.batches.iter().map(RecordBatch::num_rows).sum();
    let options =
        ArrowWriterOptions::new().with_properties(properties(&part.batches, rows)).with_skip_arrow_metadata(true);
    let failed = || format!("cannot encode a Parquet file of `{}`", part.table);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).context(Kind::Internal, failed)?;
    for batch in &part.batches {
        writer.write(batch).context(Kind::Internal, failed)?;
    }
    let bytes = writer.into_inner().context(Kind::Internal, failed)?;

    let sha256 = super::hex(&Sha256::digest(&bytes));
    let (min_time_us, max_time_us) = time_range(&part.batches)?;
    let file = FileEntry {
        table: part.table.clone(),
        path: format!("{}/{}", part.folder, file_name(sequence, number, &sha256)),
        partition: part.partition.clone(),
        rows: rows as u64,
        bytes: bytes.len() as u64,
        sha256,
        min_time_us,
        max_time_us,
        digest: format!("{:032x}", digest(&part.batches)),
    };
    Ok((file, bytes))
}

fn properties(batches: &[RecordBatch], rows: usize) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("1 is a zstd level");
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(super::WRITER.to_string())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    for (position, leaf) in leaves(batches).iter().enumerate() {
        let column = column_of(leaf);
        if leaf.path == "time" {
            let sorting = SortingColumn { column_idx: position as i32, descending: false, nulls_first: false };
            builder = builder
                .set_sorting_columns(Some(vec![sorting]))
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        builder = match leaf.fill {
            Fill::Absent => builder
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_statistics_enabled(column, EnabledStatistics::Chunk),
            fill => {
                if fill == Fill::Distinct || leaf.path == "_digest" {
                    builder = builder.set_column_dictionary_enabled(column.clone(), false);
                }
                if BLOOM_COLUMNS.contains(&leaf.path.as_str()) {
                    builder = builder
                        .set_column_bloom_filter_enabled(column.clone(), true)
                        .set_column_bloom_filter_fpp(column.clone(), BLOOM_FALSE_POSITIVES)
                        .set_column_bloom_filter_max_ndv(column, rows.min(ROW_GROUP_ROWS) as u64);
                }
                builder
            }
        };
    }
    builder.build()
}

fn column_of(leaf: &Leaf) -> ColumnPath {
    ColumnPath::new(leaf.parquet_path.split('.').map(str::to_string).collect())
}

fn time_range(batches: &[RecordBatch]) -> Result<(i64, i64)> {
    let mut range = (i64::MAX, i64::MIN);
    for batch in batches {
        for time in times(batch)?.iter().flatten() {
            range = (range.0.min(time), range.1.max(time));
        }
    }
    Ok(range)
}

/// The `time` column of a batch, microseconds.
pub fn times(batch: &RecordBatch) -> Result<&TimestampMicrosecondArray> {
    batch
        .column_by_name("time")
        .and_then(|column| column.as_any().downcast_ref())
        .ok_or_else(|| Error::new(Kind::Internal, "a batch has no `time` column of microseconds"))
}

/// The sum of a 128-bit mix of each row's identity: the same for the same rows in any order and any number of files.
fn digest(batches: &[RecordBatch]) -> u128 {
    let mut sum = 0_u128;
    for batch in batches {
        let uids = batch.column_by_name("_event_uid").and_then(|c| c.as_any().downcast_ref::<StringArray>());
        let digests = batch.column_by_name("_digest").and_then(|c| c.as_any().downcast_ref::<Int64Array>());
        for row in 0..batch.num_rows() {
            let uid = uids.filter(|c| c.is_valid(row)).map_or("", |c| c.value(row));
            let line = digests.filter(|c| c.is_valid(row)).map_or(0, |c| c.value(row)) as u64;
            let low = super::hash(line, uid.as_bytes());
            let high = super::hash(!line, uid.as_bytes());
            sum = sum.wrapping_add(u128::from(high) << 64 | u128::from(low));
        }
    }
    sum
}
