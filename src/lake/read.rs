//! Reading data files back, whole rows or single columns, through the lake's own store.

use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use futures::{Stream, TryStreamExt};
use hashbrown::HashMap as FastMap;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;

use super::entry::FileEntry;
use super::layout::data_path;
use super::reader::ObjectReader;
use crate::error::{Context, Error, Kind, Result};

type Builder = ParquetRecordBatchStreamBuilder<ObjectReader>;

/// Opens a data file; its footer is read, no data yet.
async fn open(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> Result<Builder> {
    let path = data_path(&file.table, &file.path);
    let reader = ObjectReader { store: store.clone(), path, size: file.bytes };
    ParquetRecordBatchStreamBuilder::new(reader).await.context(Kind::Unavailable, || cannot_read(file))
}

/// All rows of a file, in the order they were written.
pub async fn rows(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
) -> Result<impl Stream<Item = Result<RecordBatch, ParquetError>> + Unpin + use<>> {
    open(store, file).await?.build().context(Kind::Unavailable, || cannot_read(file))
}

/// One row of a file.
pub async fn row(store: &Arc<dyn ObjectStore>, file: &FileEntry, row: u64) -> Result<RecordBatch> {
    let selection = RowSelection::from(vec![RowSelector::skip(row as usize), RowSelector::select(1)]);
    let stream = open(store, file).await?.with_row_selection(selection).build();
    let failed = || cannot_read(file);
    let stream = stream.context(Kind::Unavailable, failed)?;
    let schema = stream.schema().clone();
    let batches: Vec<RecordBatch> = stream.try_collect().await.context(Kind::Unavailable, failed)?;
    let batch = concat_batches(&schema, &batches).context(Kind::Internal, failed)?;
    if batch.num_rows() == 1 {
        return Ok(batch);
    }
    Err(Error::new(Kind::Integrity, format!("{}: there is no row {row}", cannot_read(file))))
}

/// The bloom filters of `_event_uid`, one a row group; empty when a row group has none and nothing can be excluded.
pub async fn uid_filters(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> Result<Vec<Sbbf>> {
    let mut builder = open(store, file).await?;
    let Some(column) = leaf_index(&builder, "_event_uid") else { return Ok(Vec::new()) };
    let mut filters = Vec::new();
    for group in 0..builder.metadata().num_row_groups() {
        let filter = builder.get_row_group_column_bloom_filter(group, column).await;
        match filter.context(Kind::Unavailable, || cannot_read(file))? {
            Some(filter) => filters.push(filter),
            None => return Ok(Vec::new()),
        }
    }
    Ok(filters)
}

/// For each row with a uid: the uid's hash by `hash`, its digest, and its place in the file.
pub async fn uids(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
    hash: impl Fn(&str) -> u64,
) -> Result<FastMap<u64, (i64, u64)>> {
    let failed = || cannot_read(file);
    let builder = open(store, file).await?;
    let columns = ["_event_uid", "_digest"].iter().filter_map(|name| leaf_index(&builder, name));
    let mask = ProjectionMask::leaves(builder.parquet_schema(), columns);
    let mut stream = builder.with_projection(mask).build().context(Kind::Unavailable, failed)?;
    let mut found = FastMap::with_capacity(file.rows as usize);
    let mut place = 0;
    while let Some(batch) = stream.try_next().await.context(Kind::Unavailable, failed)? {
        let uids = batch.column_by_name("_event_uid").and_then(|c| c.as_any().downcast_ref::<StringArray>());
        let digests = batch.column_by_name("_digest").and_then(|c| c.as_any().downcast_ref::<Int64Array>());
        let (Some(uids), Some(digests)) = (uids, digests) else {
            return Err(Error::new(Kind::Integrity, format!("{}: it lacks our own columns", failed())));
        };
        for row in (0..batch.num_rows()).filter(|&row| uids.is_valid(row)) {
            found.insert(hash(uids.value(row)), (digests.value(row), place + row as u64));
        }
        place += batch.num_rows() as u64;
    }
    Ok(found)
}

fn leaf_index(builder: &Builder, name: &str) -> Option<usize> {
    builder.parquet_schema().columns().iter().position(|column| column.path().parts() == [name])
}

fn cannot_read(file: &FileEntry) -> String {
    format!("cannot read {}/{}", file.table, file.path)
}
