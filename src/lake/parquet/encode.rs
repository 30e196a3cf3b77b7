//! Rows become one Parquet file: compression, statistics, bloom filters, sort order, the ids of columns, and the digests
//! that prove it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, TimestampMicrosecondArray};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescPtr, ColumnPath, SchemaDescriptor};

use super::super::files::file::{FileEntry, Home};
use super::super::files::name::FileName;
use super::super::files::row_digest::row_digest;
use super::chunk::{Chunker, Column};
use super::leaves::{Fill, Leaf, leaves};
use super::page::Chunk;
use super::plain::plain_schema;
use crate::error::{Context, Error, Kind, Result};
use crate::schema::FieldIds;

/// Columns that needles are looked up by.
const BLOOM_COLUMNS: [&str; 8] = [
    "_event_uid",
    "metadata.uid",
    "actor.user.uid",
    "actor.user.email_addr",
    "actor.session.uid",
    "user.uid",
    "src_endpoint.ip",
    "device.ip",
];

/// Rows in a row group: small enough that a needle reads little, large enough that 256 column chunks pay. Its bytes are
/// bounded by those of a batch.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows from which on a second thread pays.
const LARGE_ROWS: usize = 8 * 1024;
/// The compression level of zstd.
const LEVEL: i32 = 1;
/// One false answer in a hundred keeps the filters at about 10 bits a distinct value.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Rows of one table and one partition, sorted by time, with our own columns filled in.
#[derive(Debug)]
pub struct Part {
    pub table: String,
    /// The partition's column.
    pub column: &'static str,
    pub partition: String,
    pub batches: Vec<RecordBatch>,
}

/// Encodes a part as the file of this name, its columns with these ids.
pub fn encode(part: &Part, name: FileName, ids: &FieldIds) -> Result<(FileEntry, Vec<u8>)> {
    let rows: usize = part.batches.iter().map(RecordBatch::num_rows).sum();
    let bytes = file(&part.batches, ids)
        .context(Kind::Internal, || format!("cannot encode a Parquet file of `{}`", part.table))?;
    let home = Home { table: &part.table, column: part.column, partition: &part.partition };
    let (times, digest) = (time_range(&part.batches)?, row_digest(&part.batches)?);
    let file = FileEntry::of(home, name, &bytes, rows as u64, times, digest)?;
    Ok((file, bytes))
}

fn file(batches: &[RecordBatch], ids: &FieldIds) -> parquet::errors::Result<Vec<u8>> {
    let schema = plain_schema(&batches[0].schema());
    let parquet = ArrowSchemaConverter::new().convert(&ids.in_schema(&schema))?;
    let mut groups = Vec::new();
    for rows in groups_of(batches) {
        let batches = slices(batches, rows);
        let leaves = leaves(&batches);
        groups.push((batches, leaves));
    }
    let leaves: Vec<&Leaf> = groups.iter().flat_map(|(_, leaves)| leaves).collect();
    let mut writer = SerializedFileWriter::new(Vec::new(), parquet.root_schema_ptr(), Arc::new(properties(&leaves)))?;
    for (number, (_, leaves)) in groups.iter().enumerate() {
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema));
        let others = factory.create_column_writers(number)?;
        let mut group = writer.next_row_group()?;
        for written in written(leaves, others, &parquet)? {
            match written {
                Written::Ours(chunk) => group.append_column(&chunk.bytes, chunk.close)?,
                Written::Parquets(chunk) => chunk.append_to_row_group(&mut group)?,
            }
        }
        group.close()?;
    }
    writer.into_inner()
}

/// A column chunk, by whom it was made.
enum Written {
    Ours(Chunk),
    Parquets(ArrowColumnChunk),
}

/// The column chunks of a row group; of a large one half of the columns are made on a thread of their own, since nobody
/// can go on before the largest file of a batch is there.
fn written(
    leaves: &[Leaf],
    others: Vec<ArrowColumnWriter>,
    parquet: &SchemaDescriptor,
) -> parquet::errors::Result<Vec<Written>> {
    let work: Vec<(&Leaf, ArrowColumnWriter)> = leaves.iter().zip(others).collect();
    let some = |work: Vec<(&Leaf, ArrowColumnWriter)>| {
        let mut chunker = Chunker::new(compression()?, LEVEL)?;
        let chunks = work.into_iter().map(|(leaf, other)| {
            let descriptor = parquet.column(leaf.position);
            Ok((leaf.position, chunk(leaf, descriptor, other, &mut chunker)?))
        });
        chunks.collect::<parquet::errors::Result<Vec<_>>>()
    };
    if leaves.first().is_none_or(|leaf| leaf.parent.len() < LARGE_ROWS) {
        return Ok(some(work)?.into_iter().map(|(_, written)| written).collect());
    }
    // Neighbours weigh alike, so they are dealt out in turn.
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for (number, one) in work.into_iter().enumerate() {
        if number % 2 == 0 { here.push(one) } else { there.push(one) }
    }
    let (here, there) = std::thread::scope(|scope| {
        let there = scope.spawn(|| some(there));
        (some(here), there.join())
    });
    let there = there.map_err(|_| ParquetError::General("a thread that encodes columns stopped".to_string()))?;
    let mut all: Vec<(usize, Written)> = here?.into_iter().chain(there?).collect();
    all.sort_by_key(|(position, _)| *position);
    Ok(all.into_iter().map(|(_, written)| written).collect())
}

fn chunk(
    leaf: &Leaf,
    descriptor: ColumnDescPtr,
    other: ArrowColumnWriter,
    chunker: &mut Chunker,
) -> parquet::errors::Result<Written> {
    let arrays = match &leaf.fill {
        Fill::Absent => return chunker.absent(descriptor, &leaf.parent).map(Written::Ours),
        Fill::Texts(arrays) | Fill::Longs(arrays) | Fill::Times(arrays) => arrays,
        Fill::Other(pieces) => {
            let mut writer = other;
            for (field, array) in pieces {
                // One leaf was left of the column.
                for levels in compute_leaves(field, array)? {
                    writer.write(&levels)?;
                }
            }
            return writer.close().map(Written::Parquets);
        }
    };
    let levels = leaf.parent.below(arrays);
    let bloom_filter = BLOOM_COLUMNS.contains(&leaf.path.as_str()).then_some(BLOOM_FALSE_POSITIVES);
    let column = Column { descriptor, arrays, levels: &levels, bloom_filter };
    let chunk = match &leaf.fill {
        Fill::Times(_) => chunker.times(&column),
        Fill::Longs(_) => chunker.longs(&column),
        _ => chunker.texts(&column),
    };
    chunk.map(Written::Ours)
}

/// Row ranges of the row groups.
fn groups_of(batches: &[RecordBatch]) -> impl Iterator<Item = Range<usize>> + use<> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    (0..rows).step_by(ROW_GROUP_ROWS).map(move |from| from..(from + ROW_GROUP_ROWS).min(rows))
}

/// The parts of the batches that hold the rows `range`.
fn slices(batches: &[RecordBatch], range: Range<usize>) -> Vec<RecordBatch> {
    let mut slices = Vec::new();
    let mut at = 0;
    for batch in batches {
        let (from, to) = (range.start.max(at), range.end.min(at + batch.num_rows()));
        if from < to {
            slices.push(batch.slice(from - at, to - from));
        }
        at += batch.num_rows();
    }
    slices
}

fn compression() -> parquet::errors::Result<Compression> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
}

/// For the columns that Parquet's own writer takes; what we write ourselves asks for as little of it as can be.
fn properties(leaves: &[&Leaf]) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_created_by(super::super::WRITER.to_string());
    for leaf in leaves {
        let column = ColumnPath::new(leaf.parquet_path.split('.').map(str::to_string).collect());
        if leaf.path == "time" {
            let sorting = SortingColumn { column_idx: leaf.position as i32, descending: false, nulls_first: false };
            builder = builder.set_sorting_columns(Some(vec![sorting]));
        }
        if leaf.path == "_digest" {
            // Random bytes: neither a dictionary nor zstd makes them smaller, and their lengths are all the same.
            builder = builder.set_column_encoding(column, Encoding::DELTA_LENGTH_BYTE_ARRAY);
        } else if let (Fill::Other(_), Ok(compression)) = (&leaf.fill, compression()) {
            builder =
                builder.set_column_compression(column.clone(), compression).set_column_dictionary_enabled(column, true);
        }
    }
    builder.build()
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
