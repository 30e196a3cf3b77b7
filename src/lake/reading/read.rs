//! Reads data files back: whole, some of their rows, or their identities; through the lake's own store.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Fields, SchemaRef};
use futures::{Stream, TryStreamExt};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{ParquetMetaDataOptions, ParquetStatisticsPolicy};
use parquet::file::statistics::Statistics;

use super::super::files::file::FileEntry;
use super::super::files::footer::cannot_read;
use super::super::files::reader::ObjectReader;
use super::super::identity::Known;
use super::super::tables::revision::is_of_revision;
use crate::error::{Context, Error, Kind, Result};

type Builder = ParquetRecordBatchStreamBuilder<ObjectReader>;

/// Rows that are read at a time, at most, and the bytes that they may have, roughly.
const READ_ROWS: usize = 8192;
const READ_BYTES: i64 = 16 << 20;

/// Opens a data file: reads its footer, and no data yet.
async fn open(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> Result<Builder> {
    let reader = ObjectReader::new(store, file);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(|error| cannot_read(file, error))?;
    let groups = builder.metadata().row_groups();
    let (rows, bytes) =
        groups.iter().fold((0, 0), |(rows, bytes), group| (rows + group.num_rows(), bytes + group.total_byte_size()));
    let row_bytes = bytes / rows.max(1);
    let at_a_time = (READ_BYTES / row_bytes.max(1)).clamp(16, READ_ROWS as i64);
    Ok(builder.with_batch_size(at_a_time as usize))
}

/// Returns all rows of a file, in the order they were written.
pub async fn rows(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Unpin + use<>> {
    stream(file, open(store, file).await?)
}

/// Returns the batches of `file`; errors name the file.
fn stream(file: &FileEntry, builder: Builder) -> Result<impl Stream<Item = Result<RecordBatch>> + Unpin + use<>> {
    let rows = builder.build().map_err(|error| cannot_read(file, error))?;
    let file = file.clone();
    Ok(rows.map_err(move |error| cannot_read(&file, error)))
}

/// Returns some rows of a file, in one pass over it; `rows` ascend.
pub async fn selected(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
    rows: &[u64],
) -> Result<impl Stream<Item = Result<RecordBatch>> + Unpin + use<>> {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut at = 0;
    for run in rows.chunk_by(|a, b| *b == a + 1) {
        selectors.push(RowSelector::skip((run[0] - at) as usize));
        selectors.push(RowSelector::select(run.len()));
        at = run[run.len() - 1] + 1;
    }
    stream(file, open(store, file).await?.with_row_selection(RowSelection::from(selectors)))
}

/// The part of a file that can exclude uids without reading its rows.
#[derive(Debug)]
pub struct Excluding {
    /// The bloom filters of `_event_uid`, one per row group; `None` when a row group has none and nothing can be excluded.
    filters: Option<Vec<Sbbf>>,
    /// Whether a row may have no uid.
    has_nameless: bool,
    /// The memory of the filters.
    bytes: usize,
}

impl Excluding {
    pub fn may_hold(&self, uid: Option<&str>) -> bool {
        match (uid, &self.filters) {
            (None, _) => self.has_nameless,
            (Some(_), None) => true,
            (Some(uid), Some(filters)) => filters.iter().any(|filter| filter.check(&uid)),
        }
    }

    pub fn memory_size(&self) -> usize {
        size_of::<Excluding>() + self.bytes
    }
}

/// Reads no more of the file than its footer and the filters, and decodes no more of the footer than it must: a batch
/// that is spread over the lake's time needs this of every file.
pub async fn excluding(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> Result<Excluding> {
    let path = file.data_path();
    let none = |has_nameless: bool| Excluding { filters: None, has_nameless, bytes: 0 };
    let options = ParquetMetaDataOptions::new()
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = file.footer().fetch_part(store, &path, file.bytes, &options).await?;
    let columns = metadata.file_metadata().schema_descr().columns();
    let Some(column) = columns.iter().position(|column| column.path().parts() == ["_event_uid"]) else {
        return Ok(none(true));
    };
    let chunks = || metadata.row_groups().iter().map(|group| group.column(column));
    let nulls = |statistics: &Statistics| statistics.null_count_opt();
    let is_full = chunks().all(|chunk| chunk.statistics().and_then(nulls) == Some(0));
    let ranges = chunks().map(|chunk| {
        let from = u64::try_from(chunk.bloom_filter_offset()?).ok()?;
        Some(from..from.checked_add(u64::try_from(chunk.bloom_filter_length()?).ok()?)?)
    });
    let Some(ranges) = ranges.collect::<Option<Vec<_>>>() else { return Ok(none(!is_full)) };
    let cannot = || format!("cannot read {path}");
    let found = store.get_ranges(&path, &ranges).await.context(Kind::Unavailable, cannot)?;
    let filters = found.iter().map(|bytes| Sbbf::from_bytes(bytes).map_err(|error| cannot_read(file, error)));
    let filters = filters.collect::<Result<Vec<_>>>()?;
    Ok(Excluding { filters: Some(filters), has_nameless: !is_full, bytes: found.iter().map(|bytes| bytes.len()).sum() })
}

/// Returns the columns that identify the rows of a file, and their digests.
pub async fn identities(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Unpin + use<>> {
    let builder = open(store, file).await?;
    let is_revision = file.table() == super::super::REVISION_TABLE;
    let reads =
        |leaf: &[String]| leaf == ["_digest"] || if is_revision { is_of_revision(leaf) } else { Known::reads(leaf) };
    let leaves = builder.parquet_schema().columns().iter().enumerate();
    let wanted: Vec<usize> = leaves.filter(|(_, leaf)| reads(leaf.path().parts())).map(|(place, _)| place).collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), wanted);
    stream(file, builder.with_projection(mask))
}

/// Returns rows of a file in the schema of today: attributes that were added to the class since are null.
pub fn conformed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let columns = members(schema.fields(), batch.num_rows(), |name| batch.column_by_name(name))?;
    RecordBatch::try_new(schema.clone(), columns).context(Kind::Internal, || "cannot bring rows into their schema")
}

fn members<'a>(fields: &Fields, rows: usize, column: impl Fn(&str) -> Option<&'a ArrayRef>) -> Result<Vec<ArrayRef>> {
    let member = |name: &str, wanted: &DataType| match column(name) {
        Some(array) => conform(array, wanted),
        None => Ok(new_null_array(wanted, rows)),
    };
    fields.iter().map(|field| member(field.name(), field.data_type())).collect()
}

fn conform(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    let failed = || format!("cannot read a column as {wanted}");
    match (array.data_type(), wanted) {
        (have, wanted) if have == wanted => Ok(array.clone()),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let columns = members(fields, array.len(), |name| array.column_by_name(name))?;
            let built = StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len());
            Ok(Arc::new(built.context(Kind::Integrity, failed)?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list: &ListArray = array.as_list();
            let values = conform(list.values(), item.data_type())?;
            let built = ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned());
            Ok(Arc::new(built.context(Kind::Integrity, failed)?))
        }
        _ => cast(array, wanted).context(Kind::Integrity, failed),
    }
}

/// Makes an error of [`Kind::Integrity`] for a file that lacks a column which every file of ours has.
pub fn lacks_columns(file: &FileEntry) -> Error {
    Error::new(Kind::Integrity, format!("cannot read {file}: it lacks our own columns"))
}

/// Returns a column of texts.
pub(in crate::lake) fn text<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

/// Returns a column of integers.
pub(in crate::lake) fn long<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a Int64Array> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}
