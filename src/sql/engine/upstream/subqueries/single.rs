//! Handles `exists` and `in` over an aggregate without groups, which has one row whatever its input is.

use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::logical_plan::{Filter, Projection, SubqueryAlias};
use datafusion::logical_expr::{Expr, FetchType, LogicalPlan, LogicalPlanBuilder, SkipType, Subquery, lit, when};

use super::{Names, is_correlated, scalar, subquery};

/// The one row of an aggregate without groups, and the condition on it.
struct Single {
    aggregate: LogicalPlan,
    having: Option<Expr>,
}

/// Finds the aggregate at the top of a plan, below names and projections.
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

/// Returns whether the row of an aggregate meets its condition.
fn holds(single: &Single, having: &Expr, names: &Names) -> Result<Expr> {
    let plan = LogicalPlanBuilder::from(single.aggregate.clone()).project(vec![having.clone().alias(names.next())])?;
    Ok(Expr::IsTrue(Box::new(scalar(plan.build()?))))
}

/// Rewrites `exists` where the engine's join would mean something else; returns `None` where it means the same.
pub fn exists(found: &Subquery, negated: bool, names: &Names) -> Result<Option<Expr>> {
    if let Some(single) = single(&found.subquery) {
        return Ok(Some(match &single.having {
            None => lit(!negated),
            Some(having) => {
                let holds = holds(&single, having, names)?;
                if negated { !holds } else { holds }
            }
        }));
    }
    if !is_correlated(found) {
        return Ok(None);
    }
    // Existence does not depend on an order, nor on a limit of one row or more.
    let plan = without_limit(&found.subquery)?;
    if plan.as_ref().is_some_and(|plan| matches!(plan, LogicalPlan::EmptyRelation(_))) {
        return Ok(Some(lit(negated)));
    }
    Ok(plan.map(|plan| Expr::Exists(Exists { subquery: subquery(plan), negated })))
}

/// Returns the plan below a limit and an order at its top; `None` when there is neither, no plan for a limit of no row.
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

/// Rewrites `in` over the one row of an aggregate as a comparison with it.
pub fn in_single(found: &InSubquery, names: &Names) -> Result<Option<Expr>> {
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
        Some(having) => when(holds(&single, having, names)?, compared).otherwise(lit(found.negated))?,
    }))
}

/// Returns the plan of [`single`] without its condition.
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
