//! One table of the lake as a DataFusion table: the snapshot's files become DataFusion's own Parquet scan.
//!
//! Files are pruned by partition and by the time range that the ledger records, before any of them is opened; the
//! remaining ones by what their footers say of nested columns (`prune`). Row counts are exact and the order by `time`
//! is declared, so `count(*)`, `min(time)` and merges by time read little.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use parquet::arrow::RowNumber;
use parquet::arrow::arrow_reader::RowSelection;

use super::super::engine::fact::Fact;
use super::super::engine::floor::implied;
use super::super::engine::footers::{Footers, NarrowReaders, Recorded};
use super::super::engine::prune::LeafFilter;
use super::super::engine::registry::lake_url;
use crate::lake::FileEntry;

/// The number of columns that are read as fast as finding out which of their rows are wanted.
const FEW: usize = 3;

/// Columns of facts that locate a row: the number of its file among those of the table, and its own in the file.
pub const FILE: &str = "@file";
pub const ROW: &str = "@row";

/// The only rows to read of some files, by the path of the data file.
pub type Picked = HashMap<String, RowSelection>;

/// A table at one ledger entry.
#[derive(Debug)]
pub struct LakeTable {
    files: Vec<Recorded>,
    columns: TableSchema,
    footers: Arc<Footers>,
    picked: Option<Arc<Picked>>,
    /// Whether one thread reads the files in the order of their times.
    is_in_order: bool,
}

impl LakeTable {
    pub fn new(file_schema: SchemaRef, partition: &str, files: Vec<Arc<FileEntry>>, footers: Arc<Footers>) -> Self {
        let partition: FieldRef = Arc::new(Field::new(partition, DataType::Utf8, false));
        LakeTable {
            files: files.into_iter().map(Recorded::Data).collect(),
            columns: TableSchema::builder(file_schema).with_table_partition_cols(vec![partition]).build(),
            footers,
            picked: None,
            is_in_order: false,
        }
    }

    /// Makes a table of the facts of files of any classes; they have no partition.
    pub fn of_facts(schema: SchemaRef, facts: Vec<Arc<Fact>>, footers: Arc<Footers>) -> Self {
        let files = facts.into_iter().map(Recorded::Fact).collect();
        LakeTable { files, columns: TableSchema::builder(schema).build(), footers, picked: None, is_in_order: false }
    }

    /// Adds columns that say where each row is.
    pub fn with_places(self) -> Self {
        let file: FieldRef = Arc::new(Field::new(FILE, DataType::Int64, false));
        let row: FieldRef = Arc::new(Field::new(ROW, DataType::Int64, false).with_extension_type(RowNumber));
        let columns = TableSchema::builder(self.columns.file_schema().clone())
            .with_table_partition_cols(vec![file])
            .with_virtual_columns(vec![row])
            .build();
        LakeTable { columns, ..self }
    }

    /// Reads the files one after another, in the order of their times: two tables of the same data files then have
    /// their rows in the same order.
    pub fn in_order(self) -> Self {
        LakeTable { is_in_order: true, ..self }
    }

    /// Restricts the table to these rows, in order.
    pub fn picking(self, picked: Arc<Picked>) -> Self {
        LakeTable { picked: Some(picked), ..self.in_order() }
    }

    /// Returns the data files that can hold a row for which every filter is true, by what the ledger records.
    pub fn entries(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Arc<FileEntry>>> {
        let kept = self.prune(state, &self.columns, filters)?;
        Ok(kept.into_iter().map(|(file, _)| file.entry().clone()).collect())
    }

    /// Returns the columns that a scan reads or filters by, and the positions of its own among them.
    ///
    /// Work for each file is repeated for each of its columns, and most questions need a handful of 250.
    fn narrowed(&self, projection: Option<&Vec<usize>>, filters: &[Expr]) -> (TableSchema, Option<Vec<usize>>) {
        let Some(projection) = projection else { return (self.columns.clone(), None) };
        let whole = self.columns.table_schema();
        let mut wanted: BTreeSet<usize> = projection.iter().copied().collect();
        let named = filters.iter().flat_map(Expr::column_refs);
        wanted.extend(named.filter_map(|column| whole.index_of(&column.name).ok()));
        let of_files = self.columns.file_schema().fields();
        wanted.retain(|&at| at < of_files.len());
        let kept: Vec<usize> = wanted.into_iter().collect();
        // The partition and the row's number come after the columns of the files.
        let place = |at: &usize| kept.binary_search(at).unwrap_or(kept.len() + at.saturating_sub(of_files.len()));
        let places = projection.iter().map(place).collect();
        let fields: Fields = kept.iter().map(|&at| of_files[at].clone()).collect();
        let columns = TableSchema::builder(Arc::new(Schema::new(fields)))
            .with_table_partition_cols(self.columns.table_partition_cols().to_vec())
            .with_virtual_columns(self.columns.virtual_columns().clone())
            .build();
        (columns, Some(places))
    }

    /// Returns the files that can hold a row for which every filter is true.
    fn prune(
        &self,
        state: &dyn Session,
        columns: &TableSchema,
        filters: &[Expr],
    ) -> Result<Vec<(Recorded, Arc<Statistics>)>> {
        let schema = columns.table_schema();
        let all: Vec<_> = self
            .files
            .iter()
            .map(|file| (file.clone(), Arc::new(statistics_of(columns, std::slice::from_ref(file)))))
            .collect();
        let Some(filter) =
            filters.iter().map(|filter| implied(filter).unwrap_or_else(|| filter.clone())).reduce(Expr::and)
        else {
            return Ok(all);
        };
        let predicate = state.create_physical_expr(filter, &DFSchema::try_from(schema.as_ref().clone())?)?;
        // A filter that cannot be turned into a question about statistics prunes nothing.
        let Ok(predicate) = PruningPredicateBuilder::new().with_file_schema(schema.clone()).try_build(predicate) else {
            return Ok(all);
        };
        let statistics = all.iter().map(|(_, statistics)| statistics.clone()).collect();
        let keep = predicate.prune(&PrunableStatistics::new(statistics, schema.clone()))?;
        Ok(all.into_iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }
}

/// Returns the ledger's facts about files as DataFusion's statistics: exact rows, exact range of `time`.
fn statistics_of(columns: &TableSchema, files: &[Recorded]) -> Statistics {
    let schema = columns.table_schema();
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = Precision::Exact(files.iter().map(|file| file.entry().rows as usize).sum());
    statistics.total_byte_size = Precision::Absent;
    if let (Ok(time), false) = (schema.index_of("time"), files.is_empty()) {
        let min = files.iter().map(|file| file.entry().min_time_us).min();
        let max = files.iter().map(|file| file.entry().max_time_us).max();
        let value = |time_us| ScalarValue::TimestampMicrosecond(time_us, Some("UTC".into()));
        statistics.column_statistics[time] = ColumnStatistics {
            null_count: Precision::Exact(0),
            min_value: Precision::Exact(value(min)),
            max_value: Precision::Exact(value(max)),
            ..ColumnStatistics::new_unknown()
        };
    }
    if let [Recorded::Data(entry)] = files
        && !columns.table_partition_cols().is_empty()
        && let Some(partition) = statistics.column_statistics.last_mut()
    {
        *partition = constant(ScalarValue::Utf8(Some(entry.partition().to_string())));
    }
    if let [Recorded::Fact(fact)] = files {
        let class = ScalarValue::Utf8(Some(fact.entry.table().to_string()));
        let uid = fact.class_uid.map(|uid| ScalarValue::Int64(Some(uid)));
        for (name, value) in [("class", Some(class)), ("class_uid", uid)] {
            if let (Ok(at), Some(value)) = (schema.index_of(name), value) {
                statistics.column_statistics[at] = constant(value);
            }
        }
    }
    statistics
}

/// Returns statistics of picked rows, of which only the number is known.
fn of_picked(schema: &Schema, rows: usize) -> Statistics {
    Statistics { num_rows: Precision::Exact(rows), ..Statistics::new_unknown(schema) }
}

/// Returns statistics of a column that has one value in all rows.
fn constant(value: ScalarValue) -> ColumnStatistics {
    ColumnStatistics {
        null_count: Precision::Exact(0),
        min_value: Precision::Exact(value.clone()),
        max_value: Precision::Exact(value),
        ..ColumnStatistics::new_unknown()
    }
}

/// Returns whether the page index may help: it says nothing about values in structs and lists.
fn asks_pages(schema: &Schema, filters: &[Expr]) -> bool {
    let is_flat = |name: &str| schema.field_with_name(name).is_ok_and(|field| !field.data_type().is_nested());
    filters.iter().flat_map(Expr::column_refs).any(|column| is_flat(&column.name))
}

/// Returns whether rows are found by their filters before the other columns are read.
///
/// A column of a struct that is both filtered by and wanted is then read twice, so it must save more than it costs:
/// where few rows will be left, or many columns are wanted beside those of the filters. A filter that a sort or a join
/// determines while it runs, and that does not exist yet, finds few rows as well.
fn is_worth_two_passes(schema: &Schema, filters: &[Expr]) -> bool {
    let asked: HashSet<&str> = filters.iter().flat_map(Expr::column_refs).map(|column| column.name.as_str()).collect();
    let others = schema.fields().iter().filter(|field| !asked.contains(field.name().as_str())).count();
    filters.is_empty() || filters.iter().any(is_needle) || others > FEW
}

/// Returns whether a filter looks for some texts, of which there are usually many.
fn is_needle(filter: &Expr) -> bool {
    let is_text = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if value.try_as_str().is_some());
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Eq => is_text(left) || is_text(right),
            Operator::And => is_needle(left) || is_needle(right),
            Operator::Or => is_needle(left) && is_needle(right),
            _ => false,
        },
        Expr::InList(list) => !list.negated && list.list.iter().all(is_text),
        _ => false,
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.columns.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(statistics_of(&self.columns, &self.files))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (columns, places) = self.narrowed(projection, filters);
        let schema = columns.table_schema();
        let mut kept = self.prune(state, &columns, filters)?;
        kept.sort_by_key(|(file, _)| (file.entry().min_time_us, file.entry().max_time_us));
        let mut files = Vec::with_capacity(kept.len());
        for (file, statistics) in kept {
            files.extend(self.file(file, statistics, schema));
        }
        let names: Arc<[String]> = columns.file_schema().fields().iter().map(|field| field.name().clone()).collect();
        if let Some(filter) = LeafFilter::new(state, schema, filters)? {
            let asked = files.iter().map(|file| file.partitioned.clone()).collect();
            let left = filter.prune(asked, self.footers.narrow(names.clone(), false)).await?;
            let mut left = left.into_iter().peekable();
            // Order is kept, so a file that is missing here was dropped there.
            files.retain_mut(|file| match left.next_if(|next| next.path() == file.partitioned.path()) {
                Some(pruned) => {
                    file.partitioned = pruned;
                    true
                }
                None => false,
            });
        }
        if files.is_empty() {
            return self.nothing(projection);
        }
        let recorded: Vec<Recorded> = files.iter().map(|file| file.recorded.clone()).collect();
        let statistics = match &self.picked {
            None => statistics_of(&columns, &recorded),
            Some(_) => of_picked(schema, files.iter().map(|file| file.rows).sum()),
        };
        let threads = if self.is_in_order { 1 } else { state.config().target_partitions() };
        let groups = group(files, threads);

        let options = state.table_options().parquet.clone();
        // A few rows need a few pages.
        let narrow = self.footers.narrow(names, self.picked.is_some() || asks_pages(schema, filters));
        let source = ParquetSource::new(columns.clone())
            .with_table_parquet_options(options)
            .with_pushdown_filters(is_worth_two_passes(columns.file_schema(), filters))
            .with_parquet_file_reader_factory(Arc::new(NarrowReaders::new(narrow)));
        // An ordering is declared only where each group keeps it; DataFusion would otherwise believe us.
        let ordering = groups.iter().all(|group| group.is_ordered).then(|| time_order(schema)).transpose()?.flatten();
        let config = FileScanConfigBuilder::new(lake_url()?, Arc::new(source))
            .with_file_groups(groups.into_iter().map(|group| FileGroup::new(group.files)).collect())
            .with_statistics(statistics)
            .with_projection_indices(places)?
            .with_limit(limit)
            .with_output_ordering(ordering.into_iter().collect())
            .with_preserve_order(self.is_in_order)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl LakeTable {
    /// Returns a file as the scan reads it; `None` when no row of it is picked.
    fn file(&self, recorded: Recorded, statistics: Arc<Statistics>, schema: &Schema) -> Option<File> {
        let (path, bytes) = recorded.place();
        let values = match &recorded {
            Recorded::Data(entry) => vec![ScalarValue::Utf8(Some(entry.partition().to_string()))],
            Recorded::Fact(_) if self.columns.table_partition_cols().is_empty() => Vec::new(),
            Recorded::Fact(fact) => {
                let is_it = |file: &Recorded| matches!(file, Recorded::Fact(other) if Arc::ptr_eq(other, fact));
                vec![ScalarValue::Int64(self.files.iter().position(is_it).map(|at| at as i64))]
            }
        };
        let mut partitioned = PartitionedFile::new(path.to_string(), bytes)
            .with_partition_values(values)
            .with_extension(recorded.clone());
        let mut rows = recorded.entry().rows as usize;
        partitioned = match &self.picked {
            None => partitioned.with_statistics(statistics),
            Some(picked) => {
                let selection = picked.get(&recorded.entry().path()).filter(|rows| rows.selects_any())?;
                rows = selection.row_count();
                let partitioned = partitioned.with_extension(ParquetRowSelection::new(selection.clone()));
                partitioned.with_statistics(Arc::new(of_picked(schema, rows)))
            }
        };
        Some(File { recorded, partitioned, rows })
    }

    /// Returns a scan of no file.
    fn nothing(&self, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(Schema::project(self.columns.table_schema(), columns)?),
            None => self.schema(),
        };
        Ok(Arc::new(EmptyExec::new(schema)))
    }
}

fn time_order(schema: &Schema) -> Result<Option<LexOrdering>> {
    if schema.index_of("time").is_err() {
        return Ok(None);
    }
    let ascending = SortOptions { descending: false, nulls_first: false };
    Ok(LexOrdering::new([PhysicalSortExpr::new(col("time", schema)?, ascending)]))
}

/// A file to read, as the ledger and as DataFusion knows it.
struct File {
    recorded: Recorded,
    partitioned: PartitionedFile,
    rows: usize,
}

/// Files that one thread reads after one another.
#[derive(Default)]
struct Group {
    files: Vec<PartitionedFile>,
    rows: u64,
    end_us: Option<i64>,
    is_ordered: bool,
}

/// Deals files, sorted by time, to `count` groups: each file to the smallest group that it continues in time.
fn group(files: Vec<File>, count: usize) -> Vec<Group> {
    let mut groups: Vec<Group> =
        (0..count.clamp(1, files.len())).map(|_| Group { is_ordered: true, ..Group::default() }).collect();
    for File { recorded, partitioned, rows } in files {
        let entry = recorded.entry();
        let continues = |group: &Group| group.end_us.is_none_or(|end| end <= entry.min_time_us);
        let best = (0..groups.len()).min_by_key(|&i| (!continues(&groups[i]), groups[i].rows)).unwrap_or(0);
        let group = &mut groups[best];
        group.is_ordered &= group.end_us.is_none_or(|end| end <= entry.min_time_us);
        group.end_us = Some(group.end_us.map_or(entry.max_time_us, |end| end.max(entry.max_time_us)));
        group.rows += rows as u64;
        group.files.push(partitioned);
    }
    groups
}
