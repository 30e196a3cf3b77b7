//! Correlated subqueries that the engine answers wrongly, or not at all.
//!
//! The engine makes joins of them. An aggregate without groups, which has a row even when nothing is below it, then has none
//! (apache/datafusion#24960); null among the values of `not in` counts for all rows around instead of for its own
//! (#25480, #25347); a window, an offset or `distinct on` within sees the rows of all (not reported). So they are written
//! in ways that its joins mean rightly:
//!
//! ```text
//! exists (select count(*) ...)          -> true
//! x in (select max(y) ...)              -> x = (select max(y) ...)
//! where x not in (select y from s ...)  -> where not exists (select ... and (y = x) is not false)
//! select x in (select y from s ...)     -> case when (select count(*) ... and y = x) > 0 then true ...
//! select exists (select ...)            -> (select count(*) ...) > 0
//! count(*) filter (where exists (...))  -> over a projection with (select count(*) ...) > 0 as a column
//! ```

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue, Spans};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, Filter, Join, Projection, SubqueryAlias};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Distinct, Expr, FetchType, JoinType, LogicalPlan, LogicalPlanBuilder, SkipType, Subquery, lit, when,
};
use datafusion::optimizer::AnalyzerRule;

use super::{everywhere, ours};
use crate::error::Error;

/// Begins the names of columns that stand for subqueries.
const NAME: &str = "__subquery";

#[derive(Debug)]
pub struct Subqueries;

impl AnalyzerRule for Subqueries {
    fn name(&self) -> &str {
        "right_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        everywhere(plan, |plan| {
            if !plan.expressions().iter().any(has_subquery) {
                return Ok(Transformed::no(plan));
            }
            match plan {
                LogicalPlan::Filter(filter) => filtered(filter).map(Transformed::yes),
                LogicalPlan::Join(join) => joined(join),
                LogicalPlan::Aggregate(aggregate) => aggregated(aggregate).map(Transformed::yes),
                plan => {
                    let schema = schema_below(&plan);
                    let names = NamePreserver::new(&plan);
                    plan.map_expressions(|expr| {
                        let name = names.save(&expr);
                        let changed = valued(expr, &schema)?;
                        Ok(changed.update_data(|expr| name.restore(expr)))
                    })
                }
            }
        })
    }
}

fn has_subquery(expr: &Expr) -> bool {
    let is_one = |part: &Expr| Ok(matches!(part, Expr::Exists(_) | Expr::InSubquery(_)));
    expr.exists(is_one).unwrap_or(false)
}

fn schema_below(plan: &LogicalPlan) -> DFSchema {
    match plan.inputs().first() {
        Some(input) => input.schema().as_ref().clone(),
        None => plan.schema().as_ref().clone(),
    }
}

/// The conditions of a filter: those that stand alone become joins, those within others values.
fn filtered(filter: Filter) -> Result<LogicalPlan> {
    let schema = filter.input.schema().as_ref().clone();
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate) {
        conditions.push(alone(condition, &schema)?);
    }
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Ok(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?))
}

fn alone(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    match condition {
        Expr::Not(inner) => match *inner {
            Expr::Exists(Exists { subquery, negated }) => {
                alone(Expr::Exists(Exists { subquery, negated: !negated }), schema)
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                alone(Expr::InSubquery(InSubquery { expr, subquery, negated: !negated }), schema)
            }
            inner => Ok(valued(Expr::Not(Box::new(inner)), schema)?.data),
        },
        Expr::Exists(Exists { subquery, negated }) => match exists(&subquery, negated)? {
            Some(changed) => Ok(changed),
            None => Ok(Expr::Exists(Exists { subquery, negated })),
        },
        Expr::InSubquery(found) => {
            if let Some(changed) = in_single(&found)? {
                return Ok(changed);
            }
            let is_correlated = is_correlated(&found.subquery);
            if is_correlated {
                refuse_what_sees_all(&found.subquery)?;
            }
            match found.negated && is_correlated {
                true => not_in(found, schema),
                false => Ok(Expr::InSubquery(found)),
            }
        }
        other => Ok(valued(other, schema)?.data),
    }
}

/// Subqueries within an expression, as values.
fn valued(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|part| match part {
        Expr::Exists(Exists { subquery, negated }) => {
            if let Some(changed) = exists(&subquery, negated)? {
                return Ok(Transformed::yes(changed));
            }
            let rows = rows(subquery.subquery.as_ref().clone())?;
            let is_there = rows.gt(lit(0_i64));
            Ok(Transformed::yes(if negated { !is_there } else { is_there }))
        }
        Expr::InSubquery(found) => match in_single(&found)? {
            Some(changed) => Ok(Transformed::yes(changed)),
            None => {
                refuse_what_sees_all(&found.subquery)?;
                Ok(Transformed::yes(in_as_value(found, schema)?))
            }
        },
        other => Ok(Transformed::no(other)),
    })
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

/// A subquery of a plan, with what it takes from around.
fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() }
}

fn scalar(plan: LogicalPlan) -> Expr {
    Expr::ScalarSubquery(subquery(plan))
}

/// `(select count(*) from plan)`.
fn rows(plan: LogicalPlan) -> Result<Expr> {
    let plan = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias(NAME)])?;
    Ok(scalar(plan.build()?))
}

/// The one row of an aggregate without groups, and the condition on it.
struct Single {
    aggregate: LogicalPlan,
    having: Option<Expr>,
}

/// The aggregate at the top of a plan, below names and projections.
fn single(plan: &LogicalPlan) -> Option<Single> {
    match plan {
        LogicalPlan::Projection(Projection { input, .. }) | LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => {
            single(input)
        }
        LogicalPlan::Filter(Filter { predicate, input, .. }) => match input.as_ref() {
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                Some(Single { aggregate: input.as_ref().clone(), having: Some(predicate.clone()) })
            }
            _ => None,
        },
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
            Some(Single { aggregate: plan.clone(), having: None })
        }
        _ => None,
    }
}

/// Whether the row of an aggregate meets its condition.
fn holds(single: &Single, having: &Expr) -> Result<Expr> {
    let plan = LogicalPlanBuilder::from(single.aggregate.clone()).project(vec![having.clone().alias(NAME)])?;
    Ok(Expr::IsTrue(Box::new(scalar(plan.build()?))))
}

/// `exists` where the engine's join would mean something else; `None` where it means the same.
fn exists(found: &Subquery, negated: bool) -> Result<Option<Expr>> {
    if let Some(single) = single(&found.subquery) {
        return Ok(Some(match &single.having {
            None => lit(!negated),
            Some(having) => {
                let holds = holds(&single, having)?;
                if negated { !holds } else { holds }
            }
        }));
    }
    if !is_correlated(found) {
        return Ok(None);
    }
    // What is there at all does not depend on an order, nor on a limit of one row or more.
    let plan = without_limit(&found.subquery)?;
    if plan.as_ref().is_some_and(|plan| matches!(plan, LogicalPlan::EmptyRelation(_))) {
        return Ok(Some(lit(negated)));
    }
    let changed = plan.map(subquery);
    refuse_what_sees_all(changed.as_ref().unwrap_or(found))?;
    Ok(changed.map(|subquery| Expr::Exists(Exists { subquery, negated })))
}

/// The plan below a limit and an order at its top; `None` when there is neither, nothing at all for a limit of no row.
fn without_limit(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Limit(limit) => {
            let is_from_start = matches!(limit.get_skip_type()?, SkipType::Literal(0));
            match limit.get_fetch_type()? {
                FetchType::Literal(Some(0)) => Ok(Some(LogicalPlanBuilder::empty(false).build()?)),
                FetchType::Literal(_) if is_from_start => {
                    let below = without_limit(&limit.input)?;
                    Ok(Some(below.unwrap_or_else(|| limit.input.as_ref().clone())))
                }
                _ => Ok(None),
            }
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            let below = without_limit(&sort.input)?;
            Ok(Some(below.unwrap_or_else(|| sort.input.as_ref().clone())))
        }
        LogicalPlan::Projection(projection) => match without_limit(&projection.input)? {
            Some(below) => Ok(Some(LogicalPlanBuilder::from(below).project(projection.expr.clone())?.build()?)),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Refuses a subquery in which something counts or picks rows before they are told apart by the row around.
fn refuse_what_sees_all(found: &Subquery) -> Result<()> {
    if !is_correlated(found) {
        return Ok(());
    }
    let mut clause = None;
    found.subquery.apply(|plan| {
        let is_deep = || plan.inputs().iter().any(|input| !input.all_out_ref_exprs().is_empty());
        let name = match plan {
            LogicalPlan::Window(_) => Some("a window function"),
            LogicalPlan::Limit(_) => Some("`limit` or `offset`"),
            LogicalPlan::Sort(sort) if sort.fetch.is_some() => Some("`limit`"),
            LogicalPlan::Distinct(Distinct::On(_)) => Some("`distinct on`"),
            _ => None,
        };
        if name.is_some() && is_deep() {
            clause = name;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match clause {
        Some(clause) => Err(ours(
            Error::input(format!("{clause} is not supported in a subquery that names columns of the query around it"))
                .hint("join with a query that has it, partitioned by the column that is compared"),
        )),
        None => Ok(()),
    }
}

/// `in` over the one row of an aggregate is a comparison with it.
fn in_single(found: &InSubquery) -> Result<Option<Expr>> {
    let Some(single) = single(&found.subquery.subquery) else { return Ok(None) };
    if single.having.is_none() && !is_correlated(&found.subquery) {
        return Ok(None);
    }
    let Some(value) = without_having(&found.subquery.subquery)? else { return Ok(None) };
    let value = scalar(value);
    let expr = found.expr.as_ref().clone();
    let compared = if found.negated { expr.not_eq(value) } else { expr.eq(value) };
    Ok(Some(match &single.having {
        None => compared,
        Some(having) => when(holds(&single, having)?, compared).otherwise(lit(found.negated))?,
    }))
}

/// The plan of [`single`] without its condition.
fn without_having(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    Ok(match plan {
        LogicalPlan::Filter(filter) => Some(filter.input.as_ref().clone()),
        LogicalPlan::Aggregate(_) => Some(plan.clone()),
        LogicalPlan::Projection(projection) => match without_having(&projection.input)? {
            Some(below) => Some(LogicalPlanBuilder::from(below).project(projection.expr.clone())?.build()?),
            None => None,
        },
        LogicalPlan::SubqueryAlias(alias) => match without_having(&alias.input)? {
            Some(below) => Some(LogicalPlanBuilder::from(below).alias(alias.alias.clone())?.build()?),
            None => None,
        },
        _ => None,
    })
}

/// The one column of a subquery.
fn only(plan: &LogicalPlan) -> Result<Expr> {
    let mut columns = plan.schema().columns();
    match (columns.pop(), columns.is_empty()) {
        (Some(column), true) => Ok(Expr::Column(column)),
        _ => datafusion::common::plan_err!("a subquery behind `in` has one column"),
    }
}

/// An expression of the query around, as a subquery names it.
fn outer(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    let changed = expr.clone().transform_up(|part| match part {
        Expr::Column(column) => {
            let field = schema.field_from_column(&column)?.clone();
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

/// `where x not in (select y ...)`: there is no `y` that equals `x`, nor one of which nobody knows.
fn not_in(found: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let InSubquery { expr, subquery: inner, .. } = found;
    let plan = named(inner.subquery.as_ref().clone())?;
    let compared = value().eq(outer(&expr, schema)?);
    let plan = LogicalPlanBuilder::from(plan).filter(Expr::IsNotFalse(Box::new(compared)))?.build()?;
    Ok(Expr::Exists(Exists { subquery: subquery(plan), negated: true }))
}

/// `x in (select y ...)` as a value: null where there is no such `y` but one of which nobody knows.
fn in_as_value(found: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let InSubquery { expr, subquery: inner, negated } = found;
    let plan = named(inner.subquery.as_ref().clone())?;
    let which = |condition: Expr| rows(LogicalPlanBuilder::from(plan.clone()).filter(condition)?.build()?);
    let is_some = |rows: Expr| rows.gt(lit(0_i64));
    let null = || lit(ScalarValue::Boolean(None));
    let same = which(value().eq(outer(&expr, schema)?))?;
    let unknown = which(value().is_null())?;
    let any = rows(plan.clone())?;
    when(is_some(same), lit(!negated))
        .when(is_some(unknown), null())
        .when(expr.is_null().and(is_some(any)), null())
        .otherwise(lit(negated))
}

/// The subquery with a name for its column that nothing around has.
fn named(plan: LogicalPlan) -> Result<LogicalPlan> {
    let column = only(&plan)?;
    LogicalPlanBuilder::from(plan).project(vec![column.alias(NAME)])?.build()
}

fn value() -> Expr {
    Expr::Column(Column::new_unqualified(NAME))
}

/// Conditions with subqueries stand above an inner join as well as in it.
fn joined(join: Join) -> Result<Transformed<LogicalPlan>> {
    let Some(filter) = join.filter.clone().filter(has_subquery) else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    if join.join_type != JoinType::Inner {
        return Err(ours(
            Error::input("a subquery is not supported in the condition of an outer join")
                .hint("filter the table before: left join (select * from t where ...) as t on ..."),
        ));
    }
    let (above, within): (Vec<Expr>, Vec<Expr>) = split_conjunction_owned(filter).into_iter().partition(has_subquery);
    let join = Join { filter: conjunction(within), ..join };
    let Some(predicate) = conjunction(above) else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
    let filter = Filter::try_new(predicate, Arc::new(LogicalPlan::Join(join)))?;
    filtered(filter).map(Transformed::yes)
}

/// Subqueries among the arguments of aggregates become columns below.
fn aggregated(aggregate: Aggregate) -> Result<LogicalPlan> {
    let schema = aggregate.input.schema().as_ref().clone();
    let mut below: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let own = below.len();
    let plan = LogicalPlan::Aggregate(aggregate.clone());
    let names = NamePreserver::new(&plan);
    let mut outside = |expr: &Expr| -> Result<Expr> {
        let name = names.save(expr);
        let changed = expr.clone().transform_down(|part| {
            if !matches!(part, Expr::Exists(_) | Expr::InSubquery(_)) {
                return Ok(Transformed::no(part));
            }
            let column = format!("{NAME}{}", below.len() - own);
            below.push(valued(part, &schema)?.data.alias(&column));
            Ok(Transformed::new(Expr::Column(Column::new_unqualified(column)), true, TreeNodeRecursion::Jump))
        })?;
        Ok(name.restore(changed.data))
    };
    let groups = aggregate.group_expr.iter().map(&mut outside).collect::<Result<Vec<_>>>()?;
    let made = aggregate.aggr_expr.iter().map(&mut outside).collect::<Result<Vec<_>>>()?;
    let input = LogicalPlanBuilder::from(aggregate.input.as_ref().clone()).project(below)?.build()?;
    Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, made)?))
}
