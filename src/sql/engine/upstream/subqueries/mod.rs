//! Correlated subqueries that the engine answers wrongly, or not at all.
//!
//! The engine makes joins of them. An aggregate without groups, which has a row even when its input has none, then has
//! none (apache/datafusion#24960); null among the values of `not in` counts for all outer rows instead of for its own
//! (#25480, #25347); a window, an offset or `distinct on` within sees the rows of all (not reported). So they are
//! written in ways that its joins interpret correctly:
//!
//! ```text
//! exists (select count(*) ...)          -> true
//! x in (select max(y) ...)              -> x = (select max(y) ...)
//! where x not in (select y from s ...)  -> where not exists (select ... and (y = x) is not false)
//! select x in (select y from s ...)     -> case when (select count(*) ... and y = x) > 0 then true ...
//! select exists (select ...)            -> (select count(*) ...) > 0
//! select x > all (select y from s ...)  -> case when (select count(*) ... and (x > y) is false) > 0 then false ...
//! count(*) filter (where exists (...))  -> over a projection with (select count(*) ...) > 0 as a column
//! exists (... exists (... two out))     -> (select count(*) ...) > 0, into which `dependent` brings the values from out there
//! ```

mod nodes;
mod single;
mod values;

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Spans};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::Filter;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, LogicalPlanBuilder, Subquery, lit};
use datafusion::optimizer::AnalyzerRule;

use nodes::{aggregated, joined};
use single::{exists, in_single};
use values::{compared, in_as_value, not_in};

use super::dependent::{is_pulled_up, placed};
use super::further::further;
use super::{everywhere, ours};
use crate::error::Error;

/// Prefix of the names of columns that stand for subqueries.
const NAME: &str = "__subquery";

#[derive(Debug)]
pub struct Subqueries;

impl AnalyzerRule for Subqueries {
    fn name(&self) -> &str {
        "right_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let names = Names::default();
        let mut plan = rewritten(plan, &names)?;
        // In each round subqueries are one level nearer to the columns that they name.
        while names.is_asked_again() {
            plan = rewritten(plan, &names)?;
        }
        Ok(plan)
    }
}

fn rewritten(plan: LogicalPlan, names: &Names) -> Result<LogicalPlan> {
    everywhere(plan, |plan| {
        if !plan.expressions().iter().any(has_subquery) {
            return Ok(Transformed::no(plan));
        }
        let plan = match plan {
            LogicalPlan::Filter(filter) => filtered(filter, names)?,
            LogicalPlan::Join(join) => joined(join, names)?,
            LogicalPlan::Aggregate(aggregate) => aggregated(aggregate, names)?,
            plan => {
                let schema = schema_below(&plan);
                let kept = NamePreserver::new(&plan);
                plan.map_expressions(|expr| {
                    let name = kept.save(&expr);
                    let changed = valued(expr, &schema, names)?;
                    Ok(changed.update_data(|expr| name.restore(expr)))
                })?
                .data
            }
        };
        let plan = placed(plan, names)?;
        for expr in plan.expressions() {
            expr.apply(|part| {
                match part {
                    Expr::Exists(Exists { subquery, .. })
                    | Expr::InSubquery(InSubquery { subquery, .. })
                    | Expr::ScalarSubquery(subquery) => refuse_what_sees_all(subquery)?,
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(Transformed::yes(plan))
    })
}

/// Gives each column that stands for a subquery a unique name.
#[derive(Default)]
pub struct Names {
    given: Cell<usize>,
    is_asked_again: Cell<bool>,
}

impl Names {
    pub fn next(&self) -> String {
        let number = self.given.get();
        self.given.set(number + 1);
        format!("{NAME}{number}")
    }

    /// Requests another round: a subquery now names the query directly around it, where it named something further out.
    pub fn ask_again(&self) {
        self.is_asked_again.set(true);
    }

    fn is_asked_again(&self) -> bool {
        self.is_asked_again.take()
    }
}

fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|part| Ok(is_subquery(part))).unwrap_or(false)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_))
}

fn schema_below(plan: &LogicalPlan) -> DFSchema {
    match plan.inputs().first() {
        Some(input) => input.schema().as_ref().clone(),
        None => plan.schema().as_ref().clone(),
    }
}

/// Rewrites the conditions of a filter: those that stand alone become joins, those within others values.
fn filtered(filter: Filter, names: &Names) -> Result<LogicalPlan> {
    let schema = filter.input.schema().as_ref().clone();
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate) {
        conditions.push(alone(condition, &schema, names)?);
    }
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Ok(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?))
}

fn alone(condition: Expr, schema: &DFSchema, names: &Names) -> Result<Expr> {
    match condition {
        Expr::Not(inner) => match *inner {
            Expr::Exists(Exists { subquery, negated }) => {
                alone(Expr::Exists(Exists { subquery, negated: !negated }), schema, names)
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                alone(Expr::InSubquery(InSubquery { expr, subquery, negated: !negated }), schema, names)
            }
            inner => Ok(valued(Expr::Not(Box::new(inner)), schema, names)?.data),
        },
        Expr::Exists(Exists { subquery, negated }) => match exists(&subquery, negated, names)? {
            // Without its limit it is examined again.
            Some(changed @ Expr::Exists(_)) => alone(changed, schema, names),
            Some(changed) => Ok(changed),
            None if is_left_to_the_engine(&subquery)? => Ok(Expr::Exists(Exists { subquery, negated })),
            None => Ok(valued(Expr::Exists(Exists { subquery, negated }), schema, names)?.data),
        },
        Expr::InSubquery(found) => {
            if let Some(changed) = in_single(&found, names)? {
                return Ok(changed);
            }
            if !is_left_to_the_engine(&found.subquery)? {
                return Ok(valued(Expr::InSubquery(found), schema, names)?.data);
            }
            if found.negated && is_correlated(&found.subquery) {
                not_in(found, schema, names)
            } else {
                Ok(Expr::InSubquery(found))
            }
        }
        other => Ok(valued(other, schema, names)?.data),
    }
}

/// Rewrites subqueries within an expression as values.
fn valued(expr: Expr, schema: &DFSchema, names: &Names) -> Result<Transformed<Expr>> {
    expr.transform_up(|part| match part {
        Expr::Exists(Exists { subquery, negated }) => {
            let subquery = match exists(&subquery, negated, names)? {
                Some(Expr::Exists(without_limit)) => without_limit.subquery,
                Some(changed) => return Ok(Transformed::yes(changed)),
                None => subquery,
            };
            let rows = rows(subquery.subquery.as_ref().clone(), names)?;
            let is_there = rows.gt(lit(0_i64));
            Ok(Transformed::yes(if negated { !is_there } else { is_there }))
        }
        Expr::InSubquery(found) => match in_single(&found, names)? {
            Some(changed) => Ok(Transformed::yes(changed)),
            None => Ok(Transformed::yes(in_as_value(found, schema, names)?)),
        },
        Expr::SetComparison(found) => Ok(Transformed::yes(compared(found, schema, names)?)),
        other => Ok(Transformed::no(other)),
    })
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

/// Returns whether the engine makes the right join of a condition with a subquery: nothing in it counts or picks rows.
fn is_left_to_the_engine(subquery: &Subquery) -> Result<bool> {
    if !further(&subquery.subquery).is_empty() || subquery.subquery.exists(|plan| Ok(compares_outer(plan)))? {
        return Ok(false);
    }
    if !is_correlated(subquery) || is_pulled_up(&subquery.subquery)? {
        return Ok(true);
    }
    let is_counting = |plan: &LogicalPlan| match plan {
        LogicalPlan::Aggregate(aggregate) => !aggregate.aggr_expr.is_empty(),
        LogicalPlan::Window(_) | LogicalPlan::Limit(_) | LogicalPlan::Distinct(Distinct::On(_)) => true,
        _ => false,
    };
    Ok(!subquery.subquery.exists(|plan| Ok(is_counting(plan) && !plan.all_out_ref_exprs().is_empty()))?)
}

/// Returns whether an outer value is compared with a subquery: `t.x in (select ...)` within one that is over `s`.
fn compares_outer(plan: &LogicalPlan) -> bool {
    let is_one = |part: &Expr| {
        Ok(match part {
            Expr::InSubquery(InSubquery { expr, .. }) | Expr::SetComparison(SetComparison { expr, .. }) => {
                expr.contains_outer()
            }
            _ => false,
        })
    };
    plan.expressions().iter().any(|expr| expr.exists(is_one).unwrap_or(false))
}

/// Builds a subquery of a plan, with its outer values.
pub fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() }
}

fn scalar(plan: LogicalPlan) -> Expr {
    Expr::ScalarSubquery(subquery(plan))
}

/// Builds `(select count(*) from plan)`.
fn rows(plan: LogicalPlan, names: &Names) -> Result<Expr> {
    let plan =
        LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias(names.next())])?;
    Ok(scalar(plan.build()?))
}

/// Refuses a subquery in which something counts or picks rows before they are separated by outer row.
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
