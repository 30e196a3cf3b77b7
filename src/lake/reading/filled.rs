//! How often each column of a table is filled, from the footers of its files: no data page is read.
//!
//! A column chunk counts its nulls, or its definition levels: the highest one stands for a value; in a list, every level
//! below that of its items stands for a row without an item.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::basic::Repetition;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::{ColumnPath, Type};

use super::super::files::file::FileEntry;
use super::super::files::footer::cannot_read;
use super::super::files::reader::ObjectReader;
use crate::error::Result;

/// Footers that are fetched at a time.
const AT_ONCE: usize = 16;
/// The spelling of a list in the path of a Parquet column.
const LIST: &str = ".list.element";

/// Counts rows that have a value, by dotted path. Lists are marked `[]` and count when they have an item; for the
/// members of their items it is the number of rows that may have one.
pub async fn filled(store: &Arc<dyn ObjectStore>, files: &[Arc<FileEntry>]) -> Result<BTreeMap<String, u64>> {
    let footers = files.iter().cloned().map(|file| {
        let mut reader = ObjectReader::new(store, &file);
        async move { reader.get_metadata(None).await.map_err(|error| cannot_read(&file, error)) }
    });
    futures::stream::iter(footers)
        .buffer_unordered(AT_ONCE)
        .try_fold(BTreeMap::new(), async |mut total, footer| {
            add(&footer, &mut total);
            Ok(total)
        })
        .await
}

fn add(footer: &ParquetMetaData, total: &mut BTreeMap<String, u64>) {
    let root = footer.file_metadata().schema_descr().root_schema();
    for group in footer.row_groups() {
        for chunk in group.columns() {
            if let Some(rows) = rows(root, chunk, group.num_rows()) {
                let path = chunk.column_path().string().replace(LIST, "[]");
                *total.entry(path).or_default() += rows.max(0) as u64;
            }
        }
    }
}

/// Counts the rows of a chunk that have a value; unknown without the counts, which our own writer always records.
fn rows(root: &Type, chunk: &ColumnChunkMetaData, all: i64) -> Option<i64> {
    let column = chunk.column_descr();
    if column.max_def_level() == 0 {
        return Some(all);
    }
    let levels = chunk.definition_level_histogram().map(|levels| levels.values());
    if column.max_rep_level() == 0 {
        let nulls = || chunk.statistics().and_then(Statistics::null_count_opt).map(|nulls| all - nulls as i64);
        return levels.and_then(|levels| levels.last().copied()).or_else(nulls);
    }
    let levels = levels?;
    let with_items = all - levels.iter().take(item_level(root, chunk.column_path())).sum::<i64>();
    // A member that no item has is not filled; the levels do not tell in which rows the values of the others are.
    Some(with_items.min(levels.last().copied().unwrap_or_default()))
}

/// Returns the definition level from which on the outermost list of a path has an item.
fn item_level(root: &Type, path: &ColumnPath) -> usize {
    let (mut node, mut level) = (root, 0);
    for name in path.parts() {
        let Some(child) = node.get_fields().iter().find(|child| child.name() == name) else { break };
        let repetition = child.get_basic_info().repetition();
        level += usize::from(repetition != Repetition::REQUIRED);
        if repetition == Repetition::REPEATED || child.is_primitive() {
            break;
        }
        node = child;
    }
    level
}
