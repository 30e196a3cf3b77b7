//! Rewrites `date_trunc` of a time in UTC, and its day, as arithmetic.
//!
//! The engine asks a calendar for every row as soon as a time has a zone, even when the zone is UTC; for a time without
//! one it takes a remainder. So the zone is removed and added again, by way of the number: a cast from a time without a
//! zone to one with a zone would ask the calendar once more.
//!
//! Filters are left alone: pruning understands `date_trunc` (`floor`).

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::rewritten;

#[derive(Debug)]
pub struct RoundedTimes;

impl OptimizerRule for RoundedTimes {
    fn name(&self) -> &str {
        "rounded_times"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let is_computed = matches!(
            plan,
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Sort(_)
        );
        let is_rounded =
            |expr: &Expr| expr.exists(|part| Ok(time_of(part).or(day_of(part)).is_some())).unwrap_or(false);
        if !is_computed || !plan.expressions().iter().any(is_rounded) {
            return Ok(Transformed::no(plan));
        }
        let schema = merge_schema(&plan.inputs());
        rewritten(plan, |part| rounded(part, &schema))
    }
}

fn rounded(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let zoned = time_of(&expr).and_then(|time| match time.get_type(schema).ok()? {
        DataType::Timestamp(unit, Some(zone)) if matches!(zone.as_ref(), "UTC" | "+00:00") => Some((unit, zone)),
        _ => None,
    });
    let (Some((unit, zone)), Expr::ScalarFunction(ScalarFunction { func, mut args })) = (zoned, expr.clone()) else {
        return to_day(expr, schema);
    };
    if let Some(time) = args.pop() {
        args.push(cast(time, DataType::Timestamp(unit, None)));
    }
    let number = cast(Expr::ScalarFunction(ScalarFunction { func, args }), DataType::Int64);
    Transformed::yes(cast(number, DataType::Timestamp(unit, Some(zone))))
}

/// Rewrites `time::date`.
fn to_day(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let unit = day_of(&expr).and_then(|time| match time.get_type(schema).ok()? {
        DataType::Timestamp(unit, Some(zone)) if matches!(zone.as_ref(), "UTC" | "+00:00") => Some(unit),
        _ => None,
    });
    match (unit, expr) {
        (Some(unit), Expr::Cast(Cast { expr: time, field })) => {
            let time = cast(*time, DataType::Timestamp(unit, None));
            Transformed::yes(Expr::Cast(Cast { expr: Box::new(time), field }))
        }
        (_, expr) => Transformed::no(expr),
    }
}

fn day_of(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Cast(Cast { expr, field }) if *field.data_type() == DataType::Date32 => Some(expr),
        _ => None,
    }
}

/// Returns the time that is rounded to hours or more; smaller units are a remainder anyway.
fn time_of(expr: &Expr) -> Option<&Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let ("date_trunc", [Expr::Literal(unit, _), time]) = (func.name(), args.as_slice()) else { return None };
    let is_coarse = |unit: &str| ["hour", "day", "week", "month", "quarter", "year"].contains(&unit);
    is_coarse(&unit.try_as_str()??.to_lowercase()).then_some(time)
}
