//! Reading data files back: whole, some rows of them, or what their rows are known by; through the lake's own store.

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

/// Opens a data file; its footer is read, no data yet.
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

/// All rows of a file, in the order they were written.
pub async fn rows(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Unpin + use<>> {
    stream(file, open(store, file).await?)
}

/// What a reader of `file` gives; its errors name the file.
fn stream(file: &FileEntry, builder: Builder) -> Result<impl Stream<Item = Result<RecordBatch>> + Unpin + use<>> {
    let rows = builder.build().map_err(|error| cannot_read(file, error))?;
    let file = file.clone();
    Ok(rows.map_err(move |error| cannot_read(&file, error)))
}

/// Some rows of a file, in one pass over it; `rows` ascend.
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

/// What excludes uids from a file without a look at its rows.
#[derive(Debug)]
pub struct Excluding {
    /// The bloom filters of `_event_uid`, one a row group; none when a row group has none and nothing can be excluded.
    filters: Option<Vec<Sbbf>>,
    /// Whether a row may have no uid.
    has_nameless: bool,
    /// What the filters take in memory.
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

pub async fn excluding(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> Result<Excluding> {
    let mut builder = open(store, file).await?;
    let none = |has_nameless: bool| Excluding { filters: None, has_nameless, bytes: 0 };
    let columns = builder.parquet_schema().columns();
    let Some(column) = columns.iter().position(|column| column.path().parts() == ["_event_uid"]) else {
        return Ok(none(true));
    };
    let groups = builder.metadata().row_groups();
    let nulls = |statistics: &Statistics| statistics.null_count_opt();
    let is_full = groups.iter().all(|group| group.column(column).statistics().and_then(nulls) == Some(0));
    let lengths = groups.iter().filter_map(|group| group.column(column).bloom_filter_length());
    let bytes = lengths.map(|length| length.unsigned_abs() as usize).sum();
    let mut filters = Vec::new();
    for group in 0..groups.len() {
        let filter = builder.get_row_group_column_bloom_filter(group, column).await;
        match filter.map_err(|error| cannot_read(file, error))? {
            Some(filter) => filters.push(filter),
            None => return Ok(none(!is_full)),
        }
    }
    Ok(Excluding { filters: Some(filters), has_nameless: !is_full, bytes })
}

/// The columns that the rows of a file are known by, and their digests.
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

/// Rows of a file in the schema of today: attributes that were added to the class since are null.
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

/// Errors with [`Kind::Integrity`]: a file lacks a column that every file of ours has.
pub fn lacks_columns(file: &FileEntry) -> Error {
    Error::new(Kind::Integrity, format!("cannot read {file}: it lacks our own columns"))
}

/// A column of texts.
pub(in crate::lake) fn text<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

/// A column of integers.
pub(in crate::lake) fn long<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a Int64Array> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}
