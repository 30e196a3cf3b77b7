//! Reads pieces of a data file: its footer is kept, and a few rows of a few columns are read at a time.
//!
//! Most of a class's two hundred columns are null in every row of a file, and the footer says so. A piece leaves them
//! out, except for one column of each struct, without which an empty struct would look like an absent one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;

use super::super::files::file::FileEntry;
use super::super::files::footer::cannot_read;
use super::super::files::reader::ObjectReader;
use crate::error::{Context, Kind, Result};

/// A data file whose footer is in memory.
#[derive(Debug)]
pub struct DataFile {
    entry: Arc<FileEntry>,
    store: Arc<dyn ObjectStore>,
    footer: ArrowReaderMetadata,
    groups: Vec<RowGroup>,
}

/// The footer's facts about one row group.
#[derive(Debug, Clone)]
pub struct RowGroup {
    pub rows: usize,
    /// The decompressed size of its columns.
    pub bytes: u64,
    pub min_time_us: i64,
    pub max_time_us: i64,
    /// The leaves that are not null throughout, and one of each struct.
    filled: ProjectionMask,
}

impl DataFile {
    /// Reads the footer, with the places of pages, so that few rows cost few pages.
    pub async fn open(store: Arc<dyn ObjectStore>, entry: Arc<FileEntry>) -> Result<DataFile> {
        let mut reader = ObjectReader::new(&store, &entry);
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load_async(&mut reader, options).await;
        let footer = footer.map_err(|error| cannot_read(&entry, error))?;
        let schema = footer.parquet_schema();
        let time = leaf(schema, "time");
        let groups = footer.metadata().row_groups().iter().map(|group| {
            let range = time.and_then(|time| time_range(group, time));
            let (min_time_us, max_time_us) = range.unwrap_or((entry.min_time_us, entry.max_time_us));
            RowGroup {
                rows: group.num_rows().max(0) as usize,
                bytes: group.total_byte_size().max(0) as u64,
                min_time_us,
                max_time_us,
                filled: ProjectionMask::leaves(schema, filled(schema, group)),
            }
        });
        Ok(DataFile { groups: groups.collect(), footer, store, entry })
    }

    pub fn entry(&self) -> &Arc<FileEntry> {
        &self.entry
    }

    pub fn groups(&self) -> &[RowGroup] {
        &self.groups
    }

    /// Returns the approximate bytes that the footer takes in memory.
    pub fn memory_size(&self) -> usize {
        self.footer.metadata().memory_size() + self.groups.len() * 1024
    }

    /// Reads single columns of a whole row group; a dotted path names a member, which comes within its structs.
    pub async fn columns(&self, group: usize, paths: &[&str]) -> Result<RecordBatch> {
        let schema = self.footer.parquet_schema();
        let mask = ProjectionMask::leaves(schema, paths.iter().filter_map(|path| leaf(schema, path)));
        self.read(group, 0..self.rows_of(group), mask).await
    }

    /// Reads some rows of a row group, without the columns that are null in all of it.
    pub async fn rows(&self, group: usize, rows: Range<usize>) -> Result<RecordBatch> {
        let mask = self.groups.get(group).map_or_else(ProjectionMask::all, |group| group.filled.clone());
        self.read(group, rows, mask).await
    }

    fn rows_of(&self, group: usize) -> usize {
        self.groups.get(group).map_or(0, |group| group.rows)
    }

    async fn read(&self, group: usize, rows: Range<usize>, mask: ProjectionMask) -> Result<RecordBatch> {
        let failed = |error| cannot_read(&self.entry, error);
        let reader = ObjectReader::new(&self.store, &self.entry);
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.footer.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(rows.len().max(1));
        if rows.len() < self.rows_of(group) {
            let selection = vec![RowSelector::skip(rows.start), RowSelector::select(rows.len())];
            builder = builder.with_row_selection(RowSelection::from(selection));
        }
        let stream = builder.build().map_err(failed)?;
        let schema = stream.schema().clone();
        let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(failed)?;
        match batches.len() {
            1 => Ok(batches.into_iter().next().unwrap_or_else(|| RecordBatch::new_empty(schema))),
            _ => concat_batches(&schema, &batches).context(Kind::Internal, || format!("cannot read {}", self.entry)),
        }
    }
}

/// Returns the leaf at a dotted path; `None` within lists, whose paths have more names.
fn leaf(schema: &SchemaDescriptor, path: &str) -> Option<usize> {
    schema.columns().iter().position(|column| column.path().parts().iter().map(String::as_str).eq(path.split('.')))
}

fn time_range(group: &RowGroupMetaData, time: usize) -> Option<(i64, i64)> {
    match group.column(time).statistics()? {
        Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
        _ => None,
    }
}

fn filled(schema: &SchemaDescriptor, group: &RowGroupMetaData) -> Vec<usize> {
    let is_null = |leaf: usize| {
        let column = group.column(leaf);
        let nulls = column.statistics().and_then(Statistics::null_count_opt);
        nulls.is_some_and(|nulls| nulls as i64 == column.num_values())
    };
    let mut kept: Vec<bool> = (0..schema.num_columns()).map(|leaf| !is_null(leaf)).collect();
    // Structs and lists with the leaves below them; the deepest first, since a leaf stands for all its ancestors.
    let mut nodes: BTreeMap<(std::cmp::Reverse<usize>, &[String]), Vec<usize>> = BTreeMap::new();
    for (leaf, column) in schema.columns().iter().enumerate() {
        let parts = column.path().parts();
        for depth in 1..parts.len() {
            nodes.entry((std::cmp::Reverse(depth), &parts[..depth])).or_default().push(leaf);
        }
    }
    for leaves in nodes.values() {
        if !leaves.iter().any(|&leaf| kept[leaf]) {
            kept[leaves[0]] = true;
        }
    }
    (0..kept.len()).filter(|&leaf| kept[leaf]).collect()
}
