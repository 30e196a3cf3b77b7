//! Relations in `from` that need to know columns: lists beside tables, pivots, summaries.
//!
//! The engine plans `unnest` in `from` alone, without the table before it, and pivots not at all. It asks here first.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Fields};
use datafusion::common::{Column, DFSchema, ExprSchema, NullHandling, TableReference, UnnestOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::core::expr_fn::{get_field, least, named_struct};
use datafusion::functions_aggregate::approx_distinct::approx_distinct_udaf;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::functions_nested::make_array::make_array;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ExprWithAlias, Ident, JoinConstraint, JoinOperator, PivotValueSource, TableAlias, TableFactor,
    TableWithJoins, Value, ValueWithSpan, Visit, Visitor,
};

use super::labels::folded;
use super::summary;
use crate::sql::type_name::type_name;

/// Prefix of the names of lists while they are opened.
const LIST: &str = "__list";

/// Plans the relations that the engine does not plan by itself.
#[derive(Debug)]
pub struct Relations {
    /// The aggregate that finds a frequent value in little memory.
    pub frequent: Arc<AggregateUDF>,
}

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::NestedJoin { table_with_joins, alias: None } if is_list(&table_with_joins) => {
                let plan = opened(*table_with_joins, context)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
            }
            TableFactor::Derived { lateral, subquery, alias, sample } if summary::is_asked(alias.as_ref()) => {
                let inner = TableFactor::Derived { lateral, subquery, alias: None, sample };
                let plan = self.summary(context.plan(inner)?)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
            }
            TableFactor::Pivot { table, aggregate_functions, value_column, value_source, default_on_null, alias } => {
                if default_on_null.is_some() {
                    return Err(plain("`default on null` is not supported in a pivot"));
                }
                let input = context.plan(*table)?;
                let plan = pivoted(input, aggregate_functions, &value_column, value_source, context)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

fn plain(message: impl Into<String>) -> DataFusionError {
    DataFusionError::Plan(message.into())
}

fn is_list(table: &TableWithJoins) -> bool {
    table.joins.last().is_some_and(|join| matches!(join.relation, TableFactor::UNNEST { .. }))
}

/// Plans a table with one row for each item of its lists.
fn opened(mut table: TableWithJoins, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let Some(join) = table.joins.pop() else { return Err(plain("a list stands beside no table")) };
    let TableFactor::UNNEST { alias, array_exprs, .. } = join.relation else {
        return Err(plain("a list stands beside no table"));
    };
    let left = if table.joins.is_empty() {
        context.plan(table.relation)?
    } else {
        context.plan(TableFactor::NestedJoin { table_with_joins: Box::new(table), alias: None })?
    };
    let (keeps_empty, condition) = match join.join_operator {
        JoinOperator::CrossJoin(JoinConstraint::None)
        | JoinOperator::Join(JoinConstraint::None)
        | JoinOperator::Inner(JoinConstraint::None) => (false, None),
        JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) => (false, Some(on)),
        JoinOperator::Left(JoinConstraint::On(on)) | JoinOperator::LeftOuter(JoinConstraint::On(on)) => {
            let is_true = matches!(&on, SqlExpr::Value(ValueWithSpan { value: Value::Boolean(true), .. }));
            if !is_true {
                return Err(plain("a list is left joined `on true` only"));
            }
            (true, None)
        }
        _ => return Err(plain("a list is joined by `cross join`, `join` or `left join ... on true`")),
    };
    let mut below: Vec<Expr> = left.schema().columns().into_iter().map(Expr::Column).collect();
    let mut lists = Vec::new();
    for (place, list) in array_exprs.into_iter().enumerate() {
        let list = context.sql_to_expr(list, left.schema())?;
        let name = format!("{LIST}{}_{place}", left.schema().fields().len());
        below.push(list.alias(&name));
        lists.push(Column::new_unqualified(name));
    }
    let null_handling = if keeps_empty { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
    let options = UnnestOptions::new().with_null_handling(null_handling);
    let mut above: Vec<Expr> = left.schema().columns().into_iter().map(Expr::Column).collect();
    let open =
        LogicalPlanBuilder::from(left).project(below)?.unnest_columns_with_options(lists.clone(), options)?.build()?;
    above.extend(items(&lists, alias.as_ref(), open.schema(), context)?);
    let plan = LogicalPlanBuilder::from(open).project(above)?.build()?;
    match condition {
        None => Ok(plan),
        Some(condition) => {
            let condition = context.sql_to_expr(condition, plan.schema())?;
            LogicalPlanBuilder::from(plan).filter(condition)?.build()
        }
    }
}

/// Plans the items under the names that the alias gives them.
fn items(
    lists: &[Column],
    alias: Option<&TableAlias>,
    schema: &DFSchema,
    context: &dyn RelationPlannerContext,
) -> Result<Vec<Expr>> {
    let table = alias.map(|alias| context.normalize_ident(alias.name.clone()));
    let names: Vec<String> = alias.map_or(Vec::new(), |alias| {
        alias.columns.iter().map(|column| context.normalize_ident(column.name.clone())).collect()
    });
    let qualifier = TableReference::bare(table.clone().unwrap_or_else(|| "unnest".to_string()));
    let item = |expr: Expr, name: &str| expr.alias_qualified(Some(qualifier.clone()), name);
    // Athena gives a name to each member of the items.
    if let [list] = lists
        && let DataType::Struct(members) = schema.field_from_column(list)?.data_type()
        && names.len() > 1
    {
        if names.len() != members.len() {
            return Err(plain(format!("the items have {} members and {} names", members.len(), names.len())));
        }
        let members = members
            .iter()
            .zip(&names)
            .map(|(member, name)| item(get_field(Expr::Column(list.clone()), member.name().as_str()), name));
        return Ok(members.collect());
    }
    if names.len() > lists.len() {
        return Err(plain(format!("there are {} lists and {} names", lists.len(), names.len())));
    }
    let named = lists.iter().enumerate().map(|(place, list)| {
        let own = table.clone().unwrap_or_else(|| "unnest".to_string());
        let own = if place == 0 { own } else { format!("{own}_{place}") };
        item(Expr::Column(list.clone()), names.get(place).unwrap_or(&own))
    });
    Ok(named.collect())
}

/// Plans one column for each value of a column; the columns that are not mentioned group the rows.
fn pivoted(
    input: LogicalPlan,
    aggregates: Vec<ExprWithAlias>,
    by: &[SqlExpr],
    values: PivotValueSource,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let PivotValueSource::List(values) = values else {
        return Err(plain("a pivot needs the values as a list: for outcome in ('success', 'failure')"));
    };
    let [by] = by else { return Err(plain("a pivot is by one column")) };
    let schema = input.schema().clone();
    let mut mentioned = Mentioned::default();
    let _ = by.visit(&mut mentioned);
    for aggregate in &aggregates {
        let _ = aggregate.expr.visit(&mut mentioned);
    }
    let groups: Vec<Expr> = schema
        .columns()
        .into_iter()
        .filter(|column| !mentioned.names.contains(&column.name))
        .map(Expr::Column)
        .collect();
    let by = context.sql_to_expr(by.clone(), &schema)?;
    let mut made = Vec::new();
    let several = aggregates.len() > 1;
    for value in values {
        let label = match (&value.alias, &value.expr) {
            (Some(alias), _) => folded(alias),
            (None, SqlExpr::Value(value)) => value.value.clone().into_string().unwrap_or_else(|| value.to_string()),
            (None, expr) => expr.to_string(),
        };
        let value = context.sql_to_expr(value.expr, &schema)?;
        for aggregate in &aggregates {
            let expr = context.sql_to_expr(aggregate.expr.clone(), &schema)?;
            let Expr::AggregateFunction(mut function) = expr.unalias() else {
                return Err(plain("a pivot is made of aggregates, such as count(*)"));
            };
            let is_it = by.clone().eq(value.clone());
            function.params.filter = Some(Box::new(match function.params.filter.take() {
                Some(filter) => (*filter).and(is_it),
                None => is_it,
            }));
            let name = match (&aggregate.alias, several) {
                (Some(alias), _) => format!("{label}_{}", folded(alias)),
                (None, true) => format!("{label}_{}", aggregate.expr),
                (None, false) => label.clone(),
            };
            made.push((Expr::AggregateFunction(function), name));
        }
    }
    let aggregate: Vec<Expr> = made.iter().map(|(expr, _)| expr.clone()).collect();
    let plan = LogicalPlanBuilder::from(input).aggregate(groups.clone(), aggregate)?.build()?;
    let columns = plan.schema().columns();
    let results = columns.into_iter().enumerate().map(|(place, column)| {
        match place.checked_sub(groups.len()).and_then(|at| made.get(at)) {
            Some((_, name)) => Expr::Column(column).alias(name),
            None => Expr::Column(column),
        }
    });
    LogicalPlanBuilder::from(plan.clone()).project(results.collect::<Vec<_>>())?.build()
}

/// The names of columns: the first word of a path, and the second one, which may follow a table.
#[derive(Default)]
struct Mentioned {
    names: BTreeSet<String>,
}

impl Visitor for Mentioned {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
        let add = |names: &mut BTreeSet<String>, ident: &Ident| {
            names.insert(folded(ident));
        };
        match expr {
            SqlExpr::Identifier(ident) => add(&mut self.names, ident),
            SqlExpr::CompoundIdentifier(idents) => idents.iter().take(2).for_each(|ident| add(&mut self.names, ident)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Columns of a summary that hold numbers of rows or values.
const MOST: usize = 200;

impl Relations {
    /// Plans one row for each column and member: how many rows have it, how many values, the least, the greatest, the
    /// most frequent.
    fn summary(&self, input: LogicalPlan) -> Result<LogicalPlan> {
        let mut leaves = Vec::new();
        for (qualifier, field) in input.schema().iter() {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            walk(field.name(), column, field.data_type(), &mut leaves);
        }
        let rows = count(lit(1_i64)).alias("rows");
        let mut aggregates = vec![rows];
        for (place, leaf) in leaves.iter().enumerate() {
            aggregates.extend(self.figures(place, leaf));
        }
        let plan = LogicalPlanBuilder::from(input).aggregate(Vec::<Expr>::new(), aggregates)?.build()?;
        // The list has few parts, because each becomes a call of its own.
        let figure = |name: &str, place: usize| Expr::Column(Column::new_unqualified(format!("{name}{place}")));
        let row = |place: usize, leaf: &Leaf| {
            let text = |name: &str| {
                if leaf.is_ordered { cast(figure(name, place), DataType::Utf8) } else { lit(arrow_null()) }
            };
            named_struct(vec![
                lit("column"),
                lit(leaf.path.as_str()),
                lit("type"),
                lit(leaf.kind.as_str()),
                lit("rows"),
                Expr::Column(Column::new_unqualified("rows")),
                lit("filled"),
                figure("filled", place),
                lit("approx_distinct"),
                if leaf.is_ordered {
                    // This is an estimate, which may exceed the possible number.
                    least(vec![cast(figure("distinct", place), DataType::Int64), figure("filled", place)])
                } else {
                    cast(lit(arrow_null()), DataType::Int64)
                },
                lit("min"),
                text("min"),
                lit("max"),
                text("max"),
                lit("top"),
                text("top"),
            ])
        };
        let mut parts = Vec::new();
        for (chunk, leaves) in leaves.chunks(MOST).enumerate() {
            let rows = leaves.iter().enumerate().map(|(at, leaf)| row(chunk * MOST + at, leaf)).collect();
            parts.push(make_array(rows));
        }
        let all = match parts.len() {
            1 => parts.remove(0),
            _ => datafusion::functions_nested::concat::array_concat(parts),
        };
        let plan = LogicalPlanBuilder::from(plan).project(vec![all.alias(LIST)])?;
        let plan = plan.unnest_column(Column::new_unqualified(LIST))?;
        let names = ["column", "type", "rows", "filled", "approx_distinct", "min", "max", "top"];
        let member = |name: &&str| get_field(Expr::Column(Column::new_unqualified(LIST)), *name).alias(*name);
        plan.project(names.iter().map(member).collect::<Vec<_>>())?.build()
    }

    fn figures(&self, place: usize, leaf: &Leaf) -> Vec<Expr> {
        let mut figures = vec![count(leaf.expr.clone()).alias(format!("filled{place}"))];
        if leaf.is_ordered {
            let of = |function: Arc<AggregateUDF>, expr: Expr| {
                Expr::AggregateFunction(AggregateFunction::new_udf(function, vec![expr], false, None, vec![], None))
            };
            figures.push(of(approx_distinct_udaf(), leaf.counted.clone()).alias(format!("distinct{place}")));
            figures.push(min(leaf.expr.clone()).alias(format!("min{place}")));
            figures.push(max(leaf.expr.clone()).alias(format!("max{place}")));
            figures.push(of(self.frequent.clone(), leaf.expr.clone()).alias(format!("top{place}")));
        }
        figures
    }
}

fn arrow_null() -> datafusion::common::ScalarValue {
    datafusion::common::ScalarValue::Utf8(None)
}

/// A column or a member that is not a struct.
struct Leaf {
    path: String,
    kind: String,
    expr: Expr,
    /// The same in a form whose values the engine can count.
    counted: Expr,
    is_ordered: bool,
}

fn walk(path: &str, expr: Expr, data_type: &DataType, leaves: &mut Vec<Leaf>) {
    let members: &Fields = match data_type {
        DataType::Struct(members) => members,
        _ => {
            let kind = type_name(data_type);
            let is_ordered = matches!(
                data_type,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Date32
            ) || data_type.is_numeric()
                || matches!(data_type, DataType::Timestamp(..));
            let is_countable =
                data_type.is_string() || data_type.is_integer() || matches!(data_type, DataType::Timestamp(..));
            let counted = if is_countable { expr.clone() } else { cast(expr.clone(), DataType::Utf8) };
            leaves.push(Leaf { path: path.to_string(), kind, expr, counted, is_ordered });
            return;
        }
    };
    for member in members {
        let inner = get_field(expr.clone(), member.name().as_str());
        walk(&format!("{path}.{}", member.name()), inner, member.data_type(), leaves);
    }
}
