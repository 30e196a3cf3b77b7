//! Row groups that cannot hold a row which the filters ask for, found before any data is read.
//!
//! ```text
//! actor.user.uid = 'x' --flatten--> "actor.user.uid" = 'x' --PruningPredicate--> footer statistics, bloom filters
//!                                                                                v
//!                                          file dropped, or read by a ParquetAccessPlan
//! ```
//!
//! The engine prunes by top-level columns when it opens a file, and by nothing below them; but nearly everything in an
//! event stands in a struct. So filters are put in terms of leaf columns, as if the file were flat, and the engine's
//! own pruning predicate is asked. An `or` is taken apart, because the engine knows no bloom filter for its halves.
//! Footers and bloom filters are kept for the scan and for the statements to come (`footers`).

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ParquetMetaData;

use super::floor::implied;
use super::footers::{Filters, Footers, Narrow};

/// Footers asked for at once; a local disk answers in microseconds, an object store in milliseconds.
const READS_AT_ONCE: usize = 16;

/// What the filters of one scan say about leaf columns.
#[derive(Debug)]
pub struct LeafFilter {
    root: Node,
    /// Every leaf of the table by its dotted path.
    flat: SchemaRef,
}

/// A filter taken apart where its parts can be answered alone.
#[derive(Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Ask(Box<PruningPredicate>),
}

impl LeafFilter {
    /// What can be asked of nested leaves and rounded times; `None` when the engine's own pruning sees all there is.
    pub fn new(state: &dyn Session, schema: &Schema, filters: &[Expr]) -> Result<Option<LeafFilter>> {
        if filters.is_empty() {
            return Ok(None);
        }
        let mut leaves = Vec::new();
        schema.fields().iter().for_each(|field| collect("", field, &mut leaves));
        let flat = Arc::new(Schema::new(leaves));
        let columns = DFSchema::try_from(flat.as_ref().clone())?;
        let mut nodes = Vec::new();
        let mut is_hidden = false;
        for filter in filters {
            let implied = implied(filter);
            is_hidden |= implied.is_some();
            let filter = flatten(implied.unwrap_or_else(|| filter.clone()), &flat, &mut is_hidden)?;
            nodes.extend(node(state, &filter, &flat, &columns));
        }
        let root = Node::And(nodes);
        // The engine asks bloom filters when it has opened a file, which takes longer than to ask.
        let mut equal = HashSet::new();
        root.equal_columns(&mut equal);
        is_hidden |= equal.iter().any(|column| is_text(&flat, column));
        Ok((is_hidden && !matches!(&root, Node::And(nodes) if nodes.is_empty())).then_some(LeafFilter { root, flat }))
    }

    /// Drops files without a row group that may match; the others know which of theirs to read.
    pub async fn prune(self, files: Vec<PartitionedFile>, footers: Narrow) -> Result<Vec<PartitionedFile>> {
        let mut columns = HashSet::new();
        self.root.equal_columns(&mut columns);
        columns.retain(|column| is_text(&self.flat, column));
        let asking = Arc::new(Asking { filter: self, columns, footers });
        let asked = files.into_iter().map(|file| {
            // What was asked before is answered without waiting, and most of it with no.
            let known = asking.known(&file);
            let asking = asking.clone();
            async move {
                match known? {
                    Some(kept) => Ok(read_only(file, &kept)),
                    // Tasks of their own: decoding a footer of 256 columns is work for all cores. Dropped with the query.
                    None => {
                        let task = SpawnedTask::spawn(async move {
                            let kept = asking.find_out(&file).await?;
                            Ok(read_only(file, &kept))
                        });
                        task.join_unwind().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
                    }
                }
            }
        });
        let kept = futures::stream::iter(asked).buffered(READS_AT_ONCE);
        kept.try_filter_map(|file| async move { Ok(file) }).try_collect().await
    }
}

/// A filter that is asked of files.
struct Asking {
    filter: LeafFilter,
    /// Texts that are compared with known values: bloom filters can answer for them.
    columns: HashSet<String>,
    footers: Narrow,
}

impl Asking {
    /// For each row group whether it may match, when nothing need be read to know.
    fn known(&self, file: &PartitionedFile) -> Result<Option<Vec<bool>>> {
        let Some(footer) = self.footers.known(file.path()) else { return Ok(None) };
        let cache = self.footers.footers();
        let known = self.columns.iter().map(|column| Some((column.clone(), cache.filters(file.path(), column)?)));
        let filters: HashMap<String, Filters> = known.flatten().collect();
        let is_all = filters.len() == self.columns.len();
        let kept = self.filter.root.ask(&Groups { flat: &self.filter.flat, footer: &footer, filters })?;
        Ok((is_all || !kept.contains(&true)).then_some(kept))
    }

    async fn find_out(&self, file: &PartitionedFile) -> Result<Vec<bool>> {
        let footer = self.footers.footer(&file.object_meta).await?;
        let mut groups = Groups { flat: &self.filter.flat, footer: &footer, filters: HashMap::new() };
        let kept = self.filter.root.ask(&groups)?;
        if !kept.contains(&true) || self.columns.is_empty() {
            return Ok(kept);
        }
        groups.filters = bloom_filters(&groups, &self.columns, self.footers.footers(), file).await?;
        self.filter.root.ask(&groups)
    }
}

/// The file with the row groups that are to be read; `None` when there are none.
fn read_only(file: PartitionedFile, kept: &[bool]) -> Option<PartitionedFile> {
    if kept.iter().all(|kept| *kept) {
        return Some(file);
    }
    if !kept.contains(&true) {
        return None;
    }
    let mut plan = ParquetAccessPlan::new_all(kept.len());
    kept.iter().enumerate().filter(|(_, kept)| !**kept).for_each(|(group, _)| plan.skip(group));
    Some(file.with_extension(plan))
}

impl Node {
    /// For each row group whether it may hold a row for which the filter is true.
    fn ask(&self, groups: &Groups<'_>) -> Result<Vec<bool>> {
        let combine = |nodes: &[Node], start: bool, with: fn(bool, bool) -> bool| {
            let mut all = vec![start; groups.num_containers()];
            for node in nodes {
                all.iter_mut().zip(node.ask(groups)?).for_each(|(one, may)| *one = with(*one, may));
            }
            Ok(all)
        };
        match self {
            Node::And(nodes) => combine(nodes, true, |a, b| a && b),
            Node::Or(nodes) => combine(nodes, false, |a, b| a || b),
            Node::Ask(predicate) => predicate.prune(groups),
        }
    }

    /// Columns that are compared with known values: bloom filters can answer for them.
    fn equal_columns(&self, into: &mut HashSet<String>) {
        match self {
            Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| node.equal_columns(into)),
            Node::Ask(predicate) => into.extend(predicate.literal_columns()),
        }
    }
}

fn collect(prefix: &str, field: &Field, into: &mut Vec<Field>) {
    let path = if prefix.is_empty() { field.name().clone() } else { format!("{prefix}.{}", field.name()) };
    match field.data_type() {
        DataType::Struct(children) => children.iter().for_each(|child| collect(&path, child, into)),
        // A list has no one value a row: its statistics say nothing about rows.
        DataType::List(_) | DataType::LargeList(_) | DataType::Map(..) => {}
        leaf => into.push(Field::new(path, leaf.clone(), true)),
    }
}

/// Puts the path of a leaf in place of the calls that reach it. What reaches no leaf stays, and cannot be planned over
/// the flat schema: such a part is asked nothing.
fn flatten(filter: Expr, flat: &Schema, is_hidden: &mut bool) -> Result<Expr> {
    let flattened = filter.transform_down(|expr| {
        Ok(match path_of(&expr) {
            Some(path) if flat.field_with_name(&path).is_ok() => {
                *is_hidden |= path.contains('.');
                Transformed::new(Expr::Column(Column::new_unqualified(path)), true, TreeNodeRecursion::Jump)
            }
            _ => Transformed::no(expr),
        })
    })?;
    Ok(flattened.data)
}

/// `a.b.c` of a column, or of `get_field` over one, in either nesting.
fn path_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "get_field" => {
            let (base, members) = args.split_first()?;
            let mut path = path_of(base)?;
            for member in members {
                let Expr::Literal(value, _) = member else { return None };
                path.push('.');
                path.push_str(value.try_as_str()??);
            }
            Some(path)
        }
        _ => None,
    }
}

fn node(state: &dyn Session, filter: &Expr, flat: &SchemaRef, columns: &DFSchema) -> Option<Node> {
    let part = |filter| node(state, filter, flat, columns);
    if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter {
        match (op, part_if(*op, || (part(left), part(right)))) {
            (Operator::And, Some((left, right))) => {
                let nodes: Vec<Node> = left.into_iter().chain(right).collect();
                return (!nodes.is_empty()).then_some(Node::And(nodes));
            }
            // One half that says nothing may be true anywhere.
            (Operator::Or, Some((left, right))) => return Some(Node::Or(vec![left?, right?])),
            _ => {}
        }
    }
    let predicate = state.create_physical_expr(filter.clone(), columns).ok()?;
    let predicate = PruningPredicateBuilder::new().with_file_schema(flat.clone()).try_build(predicate).ok()?;
    (!predicate.always_true()).then(|| Node::Ask(Box::new(predicate)))
}

fn part_if<T>(op: Operator, parts: impl FnOnce() -> T) -> Option<T> {
    matches!(op, Operator::And | Operator::Or).then(parts)
}

/// The row groups of one file, with what is known of each.
struct Groups<'a> {
    flat: &'a Schema,
    footer: &'a ParquetMetaData,
    /// By column, one for each row group that has one and was worth reading.
    filters: HashMap<String, Filters>,
}

impl Groups<'_> {
    /// Where a leaf stands in the file; files of an older schema may lack it.
    fn position(&self, path: &str) -> Option<usize> {
        let columns = self.footer.file_metadata().schema_descr().columns();
        columns.iter().position(|column| {
            column.max_rep_level() == 0 && column.path().parts().iter().map(String::as_str).eq(path.split('.'))
        })
    }

    fn with_converter<T>(&self, column: &Column, read: impl FnOnce(StatisticsConverter<'_>) -> Option<T>) -> Option<T> {
        let field = self.flat.field_with_name(&column.name).ok()?;
        let schema = self.footer.file_metadata().schema_descr();
        let converter = StatisticsConverter::from_column_index(self.position(&column.name)?, field, schema).ok()?;
        // A count that was not written is unknown, not nought.
        read(converter.with_missing_null_counts_as_zero(false))
    }
}

impl PruningStatistics for Groups<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.with_converter(column, |converter| converter.row_group_mins(self.footer.row_groups()).ok())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.with_converter(column, |converter| converter.row_group_maxes(self.footer.row_groups()).ok())
    }

    fn num_containers(&self) -> usize {
        self.footer.num_row_groups()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.with_converter(column, |converter| {
            Some(Arc::new(converter.row_group_null_counts(self.footer.row_groups()).ok()?) as ArrayRef)
        })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.footer.row_groups().iter().map(|group| group.num_rows() as u64);
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let filters = self.filters.get(&column.name)?;
        // A bloom filter can deny; it cannot affirm. What is no text was not hashed as we would hash it.
        let may_hold = |filter: &Sbbf| {
            values.iter().any(|value| value.try_as_str().flatten().is_none_or(|text| filter.check(text)))
        };
        let answers = filters.iter().map(|filter| match filter {
            Some(filter) if !may_hold(filter) => Some(false),
            _ => None,
        });
        Some(answers.collect())
    }
}

/// Reads the bloom filters of some columns with one request, for the next statement as well.
async fn bloom_filters(
    groups: &Groups<'_>,
    columns: &HashSet<String>,
    cache: &Footers,
    file: &PartitionedFile,
) -> Result<HashMap<String, Filters>> {
    let mut wanted: Vec<(&String, usize, Range<u64>)> = Vec::new();
    for name in columns {
        let Some(position) = groups.position(name) else { continue };
        for (group, metadata) in groups.footer.row_groups().iter().enumerate() {
            let chunk = metadata.column(position);
            if let (Some(offset), Some(length)) = (chunk.bloom_filter_offset(), chunk.bloom_filter_length()) {
                let start = offset as u64;
                wanted.push((name, group, start..start + length as u64));
            }
        }
    }
    let nothing = || vec![None; groups.num_containers()];
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

fn is_text(flat: &Schema, column: &str) -> bool {
    flat.field_with_name(column).is_ok_and(|field| *field.data_type() == DataType::Utf8)
}
