//! Row groups that cannot hold a row which the filters ask for, found before any data is read.
//!
//! ```text
//! actor.user.uid = 'x' --flatten--> "actor.user.uid" = 'x' --PruningPredicate--> footer statistics, bloom filters
//!                                                                                v
//!                                          file dropped, or read by a ParquetAccessPlan
//! ```
//!
//! The engine prunes by top-level columns when it opens a file, and by nothing below them; but nearly everything in an
//! event is inside a struct. So filters are expressed in terms of leaf columns, as if the file were flat, and passed to
//! the engine's own pruning predicate. An `or` is taken apart, because the engine does not use bloom filters for its
//! halves. Footers and bloom filters are kept for the scan and for later statements (`footers`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use futures::{StreamExt, TryStreamExt};

use super::floor::implied;
use super::footers::Narrow;
use super::groups::{FileGroups, Groups, bloom_filters};

/// Footers asked for at once; a local disk answers in microseconds, an object store in milliseconds.
const READS_AT_ONCE: usize = 16;

/// The filters of one scan in terms of leaf columns.
#[derive(Debug)]
pub struct LeafFilter {
    root: Node,
    /// Every leaf of the table by its dotted path.
    flat: SchemaRef,
}

/// A filter, taken apart where its parts can be answered alone.
#[derive(Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Ask(Box<PruningPredicate>),
}

impl LeafFilter {
    /// Builds the filter on nested leaves and rounded times; returns `None` when the engine's own pruning suffices.
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
        // The engine asks bloom filters only after it has opened a file, which takes longer than asking.
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
        // Footers that are already known are asked without waiting, all files at once, and mostly answer no.
        let known = asking.known(&files)?;
        let asked = files.into_iter().zip(known).map(|(file, known)| {
            let asking = asking.clone();
            async move {
                match known {
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

/// A filter that is applied to files.
struct Asking {
    filter: LeafFilter,
    /// Texts that are compared with known values: bloom filters can answer for them.
    columns: HashSet<String>,
    footers: Narrow,
}

impl Asking {
    /// Returns for each file and row group whether it may match, when nothing need be read to know.
    fn known(&self, files: &[PartitionedFile]) -> Result<Vec<Option<Vec<bool>>>> {
        let cache = self.footers.footers();
        let mut known = vec![None; files.len()];
        let (mut places, mut asked) = (Vec::new(), Vec::new());
        for (place, file) in files.iter().enumerate() {
            if let Some(footer) = self.footers.known(file.path()) {
                let filters = self.columns.iter();
                let filters = filters.filter_map(|column| Some((column.clone(), cache.filters(file.path(), column)?)));
                places.push(place);
                asked.push(FileGroups { footer, filters: filters.collect() });
            }
        }
        let groups = Groups { flat: &self.filter.flat, files: asked };
        let kept = self.filter.root.ask(&groups)?;
        let mut kept = kept.as_slice();
        for (place, file) in places.into_iter().zip(&groups.files) {
            let (of_file, rest) = kept.split_at(file.footer.num_row_groups());
            kept = rest;
            let is_all = file.filters.len() == self.columns.len();
            known[place] = (is_all || !of_file.contains(&true)).then(|| of_file.to_vec());
        }
        Ok(known)
    }

    async fn find_out(&self, file: &PartitionedFile) -> Result<Vec<bool>> {
        let footer = self.footers.footer(file).await?;
        let asked = FileGroups { footer: footer.clone(), filters: HashMap::new() };
        let mut groups = Groups { flat: &self.filter.flat, files: vec![asked] };
        let kept = self.filter.root.ask(&groups)?;
        if !kept.contains(&true) || self.columns.is_empty() {
            return Ok(kept);
        }
        let filters = bloom_filters(&footer, &self.columns, self.footers.footers(), file).await?;
        groups.files = vec![FileGroups { footer, filters }];
        self.filter.root.ask(&groups)
    }
}

/// Returns the file restricted to the row groups to read; `None` when there are none.
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
    /// Returns for each row group whether it may hold a row for which the filter is true.
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

    /// Collects columns that are compared with known values: bloom filters can answer for them.
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
        // A list does not have one value per row: its statistics say nothing about rows.
        DataType::List(_) | DataType::LargeList(_) | DataType::Map(..) => {}
        leaf => into.push(Field::new(path, leaf.clone(), true)),
    }
}

/// Replaces the calls that reach a leaf by its path. A call that reaches no leaf stays, and cannot be planned over the
/// flat schema: such a part is not used.
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

/// Returns the path `a.b.c` of a column, or of `get_field` over one, in either nesting.
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

fn is_text(flat: &Schema, column: &str) -> bool {
    flat.field_with_name(column).is_ok_and(|field| *field.data_type() == DataType::Utf8)
}
