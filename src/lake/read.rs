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

use super::file::FileEntry;
use super::footer::cannot_read;
use super::reader::ObjectReader;
use crate::error::{Context, Error, Kind, Result};

type Builder = ParquetRecordBatchStreamBuilder<ObjectReader>;

/// Opens a data file; its footer is read, no data yet.
async fn open(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> Result<Builder> {
    let reader = ObjectReader::new(store, file);
    ParquetRecordBatchStreamBuilder::new(reader).await.map_err(|error| cannot_read(file, error))
}

/// All rows of a file, in the order they were written.
pub async fn rows(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Unpin + use<>> {
    let rows = open(store, file).await?.build().map_err(|error| cannot_read(file, error))?;
    let file = file.clone();
    Ok(rows.map_err(move |error| cannot_read(&file, error)))
}

/// One row of a file.
pub async fn row(store: &Arc<dyn ObjectStore>, file: &FileEntry, row: u64) -> Result<RecordBatch> {
    let selection = RowSelection::from(vec![RowSelector::skip(row as usize), RowSelector::select(1)]);
    let stream = open(store, file).await?.with_row_selection(selection).build();
    let failed = |error| cannot_read(file, error);
    let stream = stream.map_err(failed)?;
    let schema = stream.schema().clone();
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(failed)?;
    let batch = concat_batches(&schema, &batches).context(Kind::Internal, || format!("cannot read {file}"))?;
    if batch.num_rows() == 1 {
        return Ok(batch);
    }
    Err(Error::new(Kind::Integrity, format!("cannot read {file}: there is no row {row}")))
}

/// The bloom filters of `_event_uid`, one a row group; empty when a row group has none and nothing can be excluded.
pub async fn uid_filters(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> Result<Vec<Sbbf>> {
    let mut builder = open(store, file).await?;
    let Some(column) = leaf_index(&builder, "_event_uid") else { return Ok(Vec::new()) };
    let mut filters = Vec::new();
    for group in 0..builder.metadata().num_row_groups() {
        let filter = builder.get_row_group_column_bloom_filter(group, column).await;
        match filter.map_err(|error| cannot_read(file, error))? {
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
    let failed = |error| cannot_read(file, error);
    let builder = open(store, file).await?;
    let columns = ["_event_uid", "_digest"].iter().filter_map(|name| leaf_index(&builder, name));
    let mask = ProjectionMask::leaves(builder.parquet_schema(), columns);
    let mut stream = builder.with_projection(mask).build().map_err(failed)?;
    let mut found = FastMap::with_capacity(file.rows as usize);
    let mut place = 0;
    while let Some(batch) = stream.try_next().await.map_err(failed)? {
        let uids = batch.column_by_name("_event_uid").and_then(|c| c.as_any().downcast_ref::<StringArray>());
        let digests = batch.column_by_name("_digest").and_then(|c| c.as_any().downcast_ref::<Int64Array>());
        let (Some(uids), Some(digests)) = (uids, digests) else {
            return Err(Error::new(Kind::Integrity, format!("cannot read {file}: it lacks our own columns")));
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
