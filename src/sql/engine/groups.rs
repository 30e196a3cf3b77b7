//! Statistics and bloom filters of row groups, in the form that the engine's pruning asks for.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBuilder, UInt64Array, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::Result;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{ColumnDescPtr, SchemaDescPtr, SchemaDescriptor};

use super::footers::{Filters, Footers};

/// The row groups of some files, one after the other, with the knowledge about each.
pub struct Groups<'a> {
    /// Every leaf of the table by its dotted path.
    pub flat: &'a Schema,
    pub files: Vec<FileGroups>,
}

pub struct FileGroups {
    pub footer: Arc<ParquetMetaData>,
    /// Filters by column, one for each row group that has one and was worth reading.
    pub filters: HashMap<String, Filters>,
}

/// Returns the position of a leaf in a file; files of an older schema may lack it.
fn position(schema: &SchemaDescriptor, path: &str) -> Option<usize> {
    let is_it = |column: &ColumnDescPtr| {
        column.max_rep_level() == 0 && column.path().parts().iter().map(String::as_str).eq(path.split('.'))
    };
    schema.columns().iter().position(is_it)
}

impl Groups<'_> {
    /// Reads a statistic of a column from the footers, a value for each row group; null where one says nothing.
    fn of_column(
        &self,
        column: &Column,
        data_type: Option<&DataType>,
        read: impl for<'x> Fn(StatisticsConverter<'x>, &[&'x RowGroupMetaData]) -> Option<ArrayRef>,
    ) -> Option<ArrayRef> {
        let field = self.flat.field_with_name(&column.name).ok()?;
        // Files of one schema, which are nearly all, are asked together.
        let mut parts = Vec::new();
        let same = |one: &FileGroups, other: &FileGroups| Arc::ptr_eq(&schema_of(one), &schema_of(other));
        for files in self.files.chunk_by(same) {
            let groups: Vec<&RowGroupMetaData> = files.iter().flat_map(|file| file.footer.row_groups()).collect();
            let schema = files[0].footer.file_metadata().schema_descr();
            let known = position(schema, &column.name).and_then(|position| {
                let converter = StatisticsConverter::from_column_index(position, field, schema).ok()?;
                // A count that was not written is unknown, not zero.
                read(converter.with_missing_null_counts_as_zero(false), &groups)
            });
            parts.push(known.unwrap_or_else(|| new_null_array(data_type.unwrap_or(field.data_type()), groups.len())));
        }
        match parts.as_slice() {
            [part] => Some(part.clone()),
            parts => concat(&parts.iter().map(ArrayRef::as_ref).collect::<Vec<_>>()).ok(),
        }
    }
}

fn schema_of(file: &FileGroups) -> SchemaDescPtr {
    file.footer.file_metadata().schema_descr_ptr()
}

impl PruningStatistics for Groups<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of_column(column, None, |converter, groups| converter.row_group_mins(groups.iter().copied()).ok())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of_column(column, None, |converter, groups| converter.row_group_maxes(groups.iter().copied()).ok())
    }

    fn num_containers(&self) -> usize {
        self.files.iter().map(|file| file.footer.num_row_groups()).sum()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.of_column(column, Some(&DataType::UInt64), |converter, groups| {
            Some(Arc::new(converter.row_group_null_counts(groups.iter().copied()).ok()?) as ArrayRef)
        })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let groups = self.files.iter().flat_map(|file| file.footer.row_groups());
        Some(Arc::new(UInt64Array::from_iter_values(groups.map(|group| group.num_rows() as u64))))
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        // A bloom filter can deny; it cannot confirm. A value that is not text was not hashed the way we would hash it.
        let may_hold = |filter: &Sbbf| {
            values.iter().any(|value| value.try_as_str().flatten().is_none_or(|text| filter.check(text)))
        };
        let of_group = |filter: &Option<Sbbf>| match filter {
            Some(filter) if !may_hold(filter) => Some(false),
            _ => None,
        };
        let mut answers = BooleanBuilder::with_capacity(self.num_containers());
        for file in &self.files {
            match file.filters.get(&column.name) {
                Some(filters) => filters.iter().for_each(|filter| answers.append_option(of_group(filter))),
                None => answers.append_nulls(file.footer.num_row_groups()),
            }
        }
        Some(answers.finish())
    }
}

/// Reads the bloom filters of some columns with one request, for the next statement as well.
pub async fn bloom_filters(
    footer: &ParquetMetaData,
    columns: &HashSet<String>,
    cache: &Footers,
    file: &PartitionedFile,
) -> Result<HashMap<String, Filters>> {
    let schema = footer.file_metadata().schema_descr();
    let mut wanted: Vec<(&String, usize, Range<u64>)> = Vec::new();
    for name in columns {
        let Some(position) = position(schema, name) else { continue };
        for (group, metadata) in footer.row_groups().iter().enumerate() {
            let chunk = metadata.column(position);
            if let (Some(offset), Some(length)) = (chunk.bloom_filter_offset(), chunk.bloom_filter_length()) {
                let start = offset as u64;
                wanted.push((name, group, start..start + length as u64));
            }
        }
    }
    let nothing = || vec![None; footer.num_row_groups()];
    let mut read: HashMap<String, Vec<Option<Sbbf>>> =
        columns.iter().map(|column| (column.clone(), nothing())).collect();
    if !wanted.is_empty() {
        let ranges: Vec<Range<u64>> = wanted.iter().map(|(_, _, range)| range.clone()).collect();
        let bytes = cache.store().get_ranges(file.path(), &ranges).await?;
        for ((name, group, _), bytes) in wanted.into_iter().zip(bytes) {
            if let Some(of_column) = read.get_mut(name) {
                of_column[group] = Some(Sbbf::from_bytes(&bytes)?);
            }
        }
    }
    let mut filters = HashMap::new();
    for (column, of_column) in read {
        let of_column = Arc::new(of_column);
        cache.keep_filters(file.path(), &column, of_column.clone());
        filters.insert(column, of_column);
    }
    Ok(filters)
}
