//! Scalar subqueries that name columns of the query around them in other ways than `column = theirs`.
//!
//! The engine makes a join of `(select count(*) from s where s.k = t.k)`, and gives up on members of structs, on
//! `s.time < t.time` and on windows within. Here the outer values that a subquery uses go into it as rows, once each,
//! and every step within keeps them apart:
//!
//! ```text
//! select (select count(*) from s where s.time < t.time) from t
//!   -> keys:  distinct t.time as k
//!      inner: select k, count(*) from keys join s on s.time < k group by k
//!      outer: select case when found then n else (the same over no rows) end from t left join inner on t.time = k
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema, NullEquality, Spans};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, Filter, Join, Projection, SubqueryAlias, Window};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Distinct, EmptyRelation, Expr, ExprSchemable, JoinConstraint, JoinType, LogicalPlan,
    LogicalPlanBuilder, Operator, Subquery, lit, when,
};

use super::further::{exchanged, further, is_over, meant, of, own};
use super::subqueries::Names;

/// Joins the subqueries among the expressions of a node to its input; leaves it unchanged where the engine does that.
pub fn placed(plan: LogicalPlan, names: &Names) -> Result<LogicalPlan> {
    let input = match &plan {
        LogicalPlan::Projection(projection) => projection.input.clone(),
        LogicalPlan::Filter(filter) => filter.input.clone(),
        _ => return Ok(plan),
    };
    let mut below = input.as_ref().clone();
    let kept = NamePreserver::new(&plan);
    let mut is_changed = false;
    let changed = plan.clone().map_expressions(|expr| {
        let name = kept.save(&expr);
        let changed = expr.transform_down(|part| {
            let Expr::ScalarSubquery(subquery) = &part else { return Ok(Transformed::no(part)) };
            if !is_from_around(&subquery.subquery) || is_pulled_up(&subquery.subquery)? {
                return Ok(Transformed::new(part, false, TreeNodeRecursion::Jump));
            }
            match joined(subquery, &below, input.schema(), names)? {
                Some((joined, value)) => {
                    below = joined;
                    is_changed = true;
                    Ok(Transformed::new(value, true, TreeNodeRecursion::Jump))
                }
                None => Ok(Transformed::new(part, false, TreeNodeRecursion::Jump)),
            }
        })?;
        Ok(changed.update_data(|expr| name.restore(expr)))
    })?;
    if !is_changed {
        return Ok(plan);
    }
    match changed.data {
        LogicalPlan::Projection(projection) => {
            Ok(LogicalPlan::Projection(Projection::try_new(projection.expr, Arc::new(below))?))
        }
        LogicalPlan::Filter(filter) => {
            let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
            let filter = Filter::try_new(filter.predicate, Arc::new(below))?;
            LogicalPlanBuilder::from(LogicalPlan::Filter(filter)).project(columns)?.build()
        }
        other => Ok(other),
    }
}

/// Returns whether the engine makes a join of a subquery, and the right one.
pub fn is_pulled_up(plan: &LogicalPlan) -> Result<bool> {
    let mut is_pulled_up = further(plan).is_empty();
    plan.apply(|node| {
        let is_right = match node {
            LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate)
                .into_iter()
                .filter(|condition| condition.contains_outer())
                .all(is_of_a_column),
            LogicalPlan::Window(_) | LogicalPlan::Limit(_) | LogicalPlan::Distinct(Distinct::On(_)) => false,
            _ => true,
        };
        is_pulled_up &= is_right;
        Ok(if is_pulled_up { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(is_pulled_up)
}

/// Returns whether a condition is `column = something from around`.
fn is_of_a_column(condition: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return false };
    let is_column = |expr: &Expr| match expr {
        Expr::Column(_) => true,
        Expr::Cast(Cast { expr, .. }) => matches!(expr.as_ref(), Expr::Column(_)),
        _ => false,
    };
    (is_column(left) && right.column_refs().is_empty()) || (is_column(right) && left.column_refs().is_empty())
}

/// Joins the input with a subquery, and returns the value of the subquery in it; `None` for shapes that are not known here.
fn joined(
    subquery: &Subquery,
    below: &LogicalPlan,
    around: &DFSchema,
    names: &Names,
) -> Result<Option<(LogicalPlan, Expr)>> {
    let plan = subquery.subquery.as_ref();
    if !is_one_row(plan) {
        return Ok(None);
    }
    let mut keys = Keys { around, names, found: Vec::new() };
    let Some(empty) = emptied(plan, &mut keys)? else { return Ok(None) };
    if keys.found.is_empty() {
        return Ok(None);
    }
    // The outer values, once each.
    let columns = keys.found.iter().map(|(expr, name)| expr.clone().alias(name));
    let rows = LogicalPlanBuilder::from(below.clone()).project(columns.collect::<Vec<_>>())?.distinct()?.build()?;
    let Some(inner) = carried(plan, &rows, &keys.found)? else { return Ok(None) };
    let (value, found) = (names.next(), names.next());
    let Some(column) = inner.schema().columns().first().cloned() else { return Ok(None) };
    let mut outputs = vec![Expr::Column(column).alias(&value), lit(true).alias(&found)];
    let mut on = Vec::new();
    for (expr, name) in &keys.found {
        let side = names.next();
        outputs.push(key(inner.schema(), name)?.alias(&side));
        on.push((expr.clone(), Expr::Column(Column::new_unqualified(side))));
    }
    let inner = LogicalPlanBuilder::from(inner).project(outputs)?.build()?;
    let join = Join::try_new(
        Arc::new(below.clone()),
        Arc::new(inner),
        on,
        None,
        JoinType::Left,
        JoinConstraint::On,
        NullEquality::NullEqualsNull,
        false,
    )?;
    let named = |name: String| Expr::Column(Column::new_unqualified(name));
    let nothing = Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(empty),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    });
    let value = when(Expr::IsTrue(Box::new(named(found))), named(value)).otherwise(nothing)?;
    Ok(Some((LogicalPlan::Join(join), value)))
}

/// Returns whether there is an aggregate without groups at the top, and so at most one row.
fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(Projection { input, .. })
        | LogicalPlan::Filter(Filter { input, .. })
        | LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => is_one_row(input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// The outer values that a subquery uses: expressions of the plan around, and their names within.
struct Keys<'a> {
    around: &'a DFSchema,
    names: &'a Names,
    found: Vec<(Expr, String)>,
}

impl Keys<'_> {
    /// Returns a condition with names in place of outer values; `None` when something is from further out.
    fn within(&mut self, condition: &Expr, own: &DFSchemaRef) -> Result<Option<Expr>> {
        let mut is_known = true;
        // These are the outer values of its subqueries; a condition without any stays as it is.
        let condition = exchanged(condition.clone(), std::slice::from_ref(own), &mut |part| {
            let Some(expr) = self.outside(part)? else {
                is_known = false;
                return Ok(None);
            };
            self.names.ask_again();
            let (_, field) = expr.to_field(self.around)?;
            Ok(Some(Expr::OuterReferenceColumn(field, Column::new_unqualified(self.name(expr)))))
        })?;
        let changed = condition.transform_down(|part| {
            if !part.contains_outer() || !part.column_refs().is_empty() || has_subquery(&part) {
                return Ok(Transformed::no(part));
            }
            // The largest part that consists only of outer values; an operator of two such parts would do as well, but
            // would hide them from the rule that makes joins of equalities.
            let Some(expr) = self.outside(&part)? else {
                is_known = false;
                return Ok(Transformed::new(part, false, TreeNodeRecursion::Jump));
            };
            let name = self.name(expr);
            Ok(Transformed::new(Expr::Column(Column::new_unqualified(name)), true, TreeNodeRecursion::Jump))
        })?;
        Ok((is_known && !changed.data.contains_outer()).then_some(changed.data))
    }

    /// Returns the inner name of an expression of the plan around.
    fn name(&mut self, expr: Expr) -> String {
        if let Some((_, name)) = self.found.iter().find(|(known, _)| *known == expr) {
            return name.clone();
        }
        let name = self.names.next();
        self.found.push((expr, name.clone()));
        name
    }

    /// Returns an expression of outer references in the terms of the plan around.
    fn outside(&self, expr: &Expr) -> Result<Option<Expr>> {
        let meant = meant(expr)?;
        Ok((is_over(&meant, self.around) && !expr.is_volatile()).then_some(meant))
    }
}

fn has_subquery(expr: &Expr) -> bool {
    let is_one = |part: &Expr| Ok(matches!(part, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_)));
    expr.exists(is_one).unwrap_or(true)
}

fn is_from_around(plan: &LogicalPlan) -> bool {
    !plan.all_out_ref_exprs().is_empty() || !further(plan).is_empty()
}

/// Returns the plan over no rows, and collects its outer values; `None` for shapes that are not known here.
fn emptied(plan: &LogicalPlan, keys: &mut Keys<'_>) -> Result<Option<LogicalPlan>> {
    if !is_from_around(plan) {
        return Ok(Some(plan.clone()));
    }
    let below = own(plan);
    let is_taking = |expr: &Expr| expr.contains_outer() || !of(expr, &below).is_empty();
    let own = plan.expressions().iter().any(is_taking);
    match plan {
        LogicalPlan::Filter(filter) if own => {
            for condition in split_conjunction(&filter.predicate) {
                if is_taking(condition) && keys.within(condition, filter.input.schema())?.is_none() {
                    return Ok(None);
                }
            }
            // The input may use outer values too.
            if emptied(&filter.input, keys)?.is_none() {
                return Ok(None);
            }
            let schema = filter.input.schema().clone();
            Ok(Some(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema })))
        }
        _ if own => Ok(None),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Distinct(Distinct::All(_))
        | LogicalPlan::Join(_) => {
            let mut inputs = Vec::new();
            for input in plan.inputs() {
                match emptied(input, keys)? {
                    Some(input) => inputs.push(input),
                    None => return Ok(None),
                }
            }
            Ok(Some(plan.with_new_exprs(plan.expressions(), inputs)?))
        }
        _ => Ok(None),
    }
}

/// Returns the plan with the outer values as additional columns; `None` for shapes that are not known here.
fn carried(plan: &LogicalPlan, rows: &LogicalPlan, keys: &[(Expr, String)]) -> Result<Option<LogicalPlan>> {
    if !is_from_around(plan) {
        return Ok(Some(plan.clone()));
    }
    let has_keys =
        |plan: &LogicalPlan| keys.iter().all(|(_, name)| plan.schema().has_column_with_unqualified_name(name));
    let columns = |schema: &DFSchema| keys.iter().map(|(_, name)| key(schema, name)).collect::<Result<Vec<_>>>();
    let below = |input: &Arc<LogicalPlan>| carried(input, rows, keys);
    Ok(match plan {
        LogicalPlan::Filter(filter) => {
            let Some(mut input) = below(&filter.input)? else { return Ok(None) };
            if !has_keys(&input) {
                input = LogicalPlanBuilder::from(rows.clone()).cross_join(input)?.build()?;
            }
            let schema = input.schema().clone();
            let predicate = inside(&filter.predicate, keys, &schema, filter.input.schema())?;
            Some(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?))
        }
        LogicalPlan::Projection(projection) => {
            let Some(input) = below(&projection.input)? else { return Ok(None) };
            let keys = columns(input.schema())?;
            let exprs = projection.expr.iter().cloned().chain(keys).collect();
            Some(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let Some(input) = below(&alias.input)? else { return Ok(None) };
            Some(LogicalPlanBuilder::from(input).alias(alias.alias.clone())?.build()?)
        }
        LogicalPlan::Aggregate(aggregate) => {
            let is_set = aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
            let Some(input) = below(&aggregate.input)?.filter(|_| !is_set) else { return Ok(None) };
            let groups = aggregate.group_expr.iter().cloned().chain(columns(input.schema())?).collect();
            let made = Aggregate::try_new(Arc::new(input), groups, aggregate.aggr_expr.clone())?;
            // The first column of a subquery is its value.
            let mut outputs: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
            outputs.extend(columns(&made.schema)?);
            Some(LogicalPlanBuilder::from(LogicalPlan::Aggregate(made)).project(outputs)?.build()?)
        }
        LogicalPlan::Window(window) => {
            let Some(input) = below(&window.input)? else { return Ok(None) };
            windowed(window, input, &columns)?
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let Some(input) = below(input)? else { return Ok(None) };
            Some(LogicalPlanBuilder::from(input).distinct()?.build()?)
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            // The rows of one side already belong to the values; those of both would need the same values.
            if is_from_around(&join.left) && is_from_around(&join.right) {
                return Ok(None);
            }
            let (Some(left), Some(right)) = (below(&join.left)?, below(&join.right)?) else { return Ok(None) };
            Some(LogicalPlan::Join(Join::try_new(
                Arc::new(left),
                Arc::new(right),
                join.on.clone(),
                join.filter.clone(),
                join.join_type,
                join.join_constraint,
                join.null_equality,
                join.null_aware,
            )?))
        }
        _ => None,
    })
}

/// Builds windows within the rows of one outer value, under their old names.
fn windowed(
    window: &Window,
    input: LogicalPlan,
    columns: &dyn Fn(&DFSchema) -> Result<Vec<Expr>>,
) -> Result<Option<LogicalPlan>> {
    let keys = columns(input.schema())?;
    let mut made = Vec::new();
    for expr in &window.window_expr {
        let Expr::WindowFunction(function) = expr.clone().unalias() else { return Ok(None) };
        let WindowFunction { fun, mut params } = *function;
        params.partition_by.extend(keys.iter().cloned());
        made.push(Expr::WindowFunction(Box::new(WindowFunction { fun, params })));
    }
    let own = window.input.schema().fields().len();
    let new = LogicalPlanBuilder::from(input).window(made)?.build()?;
    let there = new.schema().columns();
    let first = there.len() - window.window_expr.len();
    let mut outputs = Vec::new();
    for (place, (qualifier, field)) in window.schema.iter().enumerate() {
        outputs.push(match place.checked_sub(own) {
            None => Expr::Column(Column::new(qualifier.cloned(), field.name())),
            Some(at) => Expr::Column(there[first + at].clone()).alias_qualified(qualifier.cloned(), field.name()),
        });
    }
    outputs.extend(keys);
    Ok(Some(LogicalPlanBuilder::from(new).project(outputs)?.build()?))
}

/// Returns a condition in which outer values are columns.
fn inside(condition: &Expr, keys: &[(Expr, String)], schema: &DFSchema, own: &DFSchemaRef) -> Result<Expr> {
    let of_key = |part: &Expr| {
        let expr = meant(part)?;
        match keys.iter().find(|(known, _)| *known == expr) {
            Some((_, name)) => Ok::<_, DataFusionError>(Some(key(schema, name)?)),
            None => Ok(None),
        }
    };
    let condition = exchanged(condition.clone(), std::slice::from_ref(own), &mut |part| match of_key(part)? {
        Some(Expr::Column(column)) => {
            Ok(Some(Expr::OuterReferenceColumn(schema.field_from_column(&column)?.clone(), column)))
        }
        _ => Ok(None),
    })?;
    let changed = condition.transform_down(|part| {
        if !part.contains_outer() || !part.column_refs().is_empty() || has_subquery(&part) {
            return Ok(Transformed::no(part));
        }
        match of_key(&part)? {
            Some(column) => Ok(Transformed::new(column, true, TreeNodeRecursion::Jump)),
            None => Ok(Transformed::no(part)),
        }
    })?;
    Ok(changed.data)
}

/// Finds a key by its name, whatever table it belongs to by then.
fn key(schema: &DFSchema, name: &str) -> Result<Expr> {
    Ok(Expr::from(schema.qualified_field_with_unqualified_name(name)?))
}
