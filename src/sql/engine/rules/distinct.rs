//! `count(distinct x)` beside `count(*)`, in two steps.
//!
//! The engine keeps a set of values for each group unless it can group twice, by the values first; it does that only
//! when all other aggregates are sums and extremes. A count is a sum of counts, with a filter as well.
//!
//! ```text
//! select g, count(distinct x), count(*) from t group by g
//! select g, count(x), sum(n) from (select g, x, count(*) as n from t group by g, x) group by g
//! ```

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::logical_plan::{Aggregate, Projection};
use datafusion::logical_expr::{Expr, LogicalPlan, col, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub struct CountedDistinct;

impl OptimizerRule for CountedDistinct {
    fn name(&self) -> &str {
        "counted_distinct"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        match two_steps(aggregate, config)? {
            Some(made) => Ok(Transformed::yes(made)),
            None => Ok(Transformed::no(plan)),
        }
    }
}

/// The way to make an aggregate from those of smaller groups.
enum Part<'a> {
    /// The distinct count, and its argument.
    Distinct(&'a AggregateFunction, &'a Expr),
    Count,
    Same(&'a AggregateFunction),
}

fn part(expr: &Expr) -> Option<Part<'_>> {
    let Expr::AggregateFunction(function) = expr else { return None };
    let AggregateFunctionParams { args, distinct, filter, order_by, .. } = &function.params;
    if !order_by.is_empty() {
        return None;
    }
    match (function.func.name(), *distinct) {
        ("count", true) if filter.is_none() && args.len() == 1 => Some(Part::Distinct(function, &args[0])),
        ("count", false) => Some(Part::Count),
        ("sum" | "min" | "max", false) => Some(Part::Same(function)),
        _ => None,
    }
}

fn two_steps(aggregate: &Aggregate, config: &dyn OptimizerConfig) -> Result<Option<LogicalPlan>> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let Some(parts) = aggr_expr.iter().map(part).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let counted: Vec<&Expr> = parts.iter().filter_map(|part| as_distinct(part)).collect();
    // Without a group there is a row for no rows at all, and a sum of none is not zero. Where the engine does it
    // itself, it may.
    let is_ours = parts.iter().any(|part| matches!(part, Part::Count)) && !group_expr.is_empty();
    let is_plain = !group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
    let Some(value) = counted.first().filter(|first| counted.iter().all(|other| other == *first)) else {
        return Ok(None);
    };
    if !is_ours || !is_plain {
        return Ok(None);
    }
    let name = || config.alias_generator().next("__step");
    let groups: Vec<String> = group_expr.iter().map(|_| name()).collect();
    let (value_name, mut inner, mut outer) = (name(), Vec::new(), Vec::new());
    for (part, expr) in parts.iter().zip(aggr_expr) {
        let step = name();
        outer.push(match part {
            // These are the remaining values.
            Part::Distinct(function, _) => again(function, &value_name),
            Part::Count => {
                inner.push(expr.clone().alias(&step));
                sum(named(&step))
            }
            Part::Same(function) => {
                inner.push(expr.clone().alias(&step));
                again(function, &step)
            }
        });
    }
    let mut small: Vec<Expr> = group_expr.iter().zip(&groups).map(|(expr, name)| expr.clone().alias(name)).collect();
    small.push((*value).clone().alias(&value_name));
    let inner = LogicalPlan::Aggregate(Aggregate::try_new(input.clone(), small, inner)?);
    let large: Vec<Expr> = groups.iter().map(|name| named(name)).collect();
    let outer = Aggregate::try_new(Arc::new(inner), large, outer)?;
    let results = outer.schema.columns().into_iter().enumerate().map(|(at, column)| {
        let (qualifier, field) = schema.qualified_field(at);
        let result = Expr::Column(column);
        let is_count = at.checked_sub(groups.len()).is_some_and(|at| matches!(parts[at], Part::Count));
        let result = if is_count { coalesce(vec![result, lit(0_i64)]) } else { result };
        result.alias_qualified(qualifier.cloned(), field.name())
    });
    let results = results.collect();
    Ok(Some(LogicalPlan::Projection(Projection::try_new(results, Arc::new(LogicalPlan::Aggregate(outer)))?)))
}

fn as_distinct<'a>(part: &Part<'a>) -> Option<&'a Expr> {
    match part {
        Part::Distinct(_, value) => Some(value),
        _ => None,
    }
}

/// Applies the same aggregate to a column of the step before.
fn again(function: &AggregateFunction, column: &str) -> Expr {
    let func = function.func.clone();
    Expr::AggregateFunction(AggregateFunction::new_udf(func, vec![named(column)], false, None, vec![], None))
}

fn named(name: &str) -> Expr {
    col(Column::new_unqualified(name))
}
