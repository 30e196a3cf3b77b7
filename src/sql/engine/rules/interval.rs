//! Turns intervals of fixed length into durations.
//!
//! Adding an interval of months, days and nanoseconds to a time asks a calendar, once per row; adding a duration is one
//! addition. In UTC every day has 24 hours, so `time + interval '1 day'` may be the latter.
//!
//! A difference of times is a duration. The engine compares one with an interval field by field, months first, and so
//! finds three days (0 months, 0 days, many nanoseconds) shorter than `interval '1 day'`. Here lengths are compared, a
//! month as 30 days, as PostgreSQL and DuckDB do.

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::rewritten;

const DAY_NS: i128 = 86_400_000_000_000;

#[derive(Debug)]
pub struct FixedIntervals;

impl OptimizerRule for FixedIntervals {
    fn name(&self) -> &str {
        "fixed_intervals"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let has_interval = |expr: &Expr| expr.exists(|part| Ok(interval(part).is_some())).unwrap_or(false);
        if !plan.expressions().iter().any(has_interval) {
            return Ok(Transformed::no(plan));
        }
        let inputs = plan.inputs();
        let schema = if inputs.is_empty() { plan.schema().as_ref().clone() } else { merge_schema(&inputs) };
        rewritten(plan, |part| fixed(part, &schema))
    }
}

fn fixed(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else { return Transformed::no(expr) };
    let new = match op {
        Operator::Plus => moved(left, right, schema)
            .map(|by| (left.as_ref().clone(), by))
            .or_else(|| moved(right, left, schema).map(|by| (right.as_ref().clone(), by))),
        Operator::Minus => moved(left, right, schema).map(|by| (left.as_ref().clone(), by)),
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            compared(left, right, schema)
                .or_else(|| compared(right, left, schema).map(|(a, b)| (b, a)))
                .or_else(|| Some((whole(left)?, whole(right)?)))
        }
        _ => None,
    };
    match new {
        Some((left, right)) => {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op: *op, right: Box::new(right) }))
        }
        None => Transformed::no(expr),
    }
}

/// Returns the duration by which a time without daylight saving is moved; `None` for months, which have no fixed length.
fn moved(time: &Expr, by: &Expr, schema: &DFSchema) -> Option<Expr> {
    let by = interval(by).filter(|by| by.months == 0)?;
    match time.get_type(schema).ok()? {
        DataType::Timestamp(unit, zone) if zone.as_deref().is_none_or(|zone| matches!(zone, "UTC" | "+00:00")) => {
            duration(i128::from(by.days) * DAY_NS + i128::from(by.nanoseconds), unit)
        }
        _ => None,
    }
}

/// Returns both sides of a comparison of a duration, which the engine made an interval, with an interval.
fn compared(left: &Expr, right: &Expr, schema: &DFSchema) -> Option<(Expr, Expr)> {
    let by = interval(right)?;
    let Expr::Cast(Cast { expr, field }) = left else { return None };
    let (DataType::Interval(_), DataType::Duration(unit)) = (field.data_type(), expr.get_type(schema).ok()?) else {
        return None;
    };
    let days = i128::from(by.months) * 30 + i128::from(by.days);
    Some((expr.as_ref().clone(), duration(days * DAY_NS + i128::from(by.nanoseconds), unit)?))
}

/// Returns an interval as one length: a day is 24 hours, a month 30 days.
fn whole(expr: &Expr) -> Option<Expr> {
    let by = interval(expr)?;
    let days = i128::from(by.months) * 30 + i128::from(by.days);
    let length_ns = days * DAY_NS + i128::from(by.nanoseconds);
    let us = i64::try_from(length_ns.div_euclid(1000)).ok()?;
    Some(lit(ScalarValue::DurationMicrosecond(Some(us))))
}

fn interval(expr: &Expr) -> Option<IntervalMonthDayNano> {
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(value)), _) = expr else { return None };
    Some(*value)
}

/// Builds a duration of this many nanoseconds, unless the unit cannot express it.
fn duration(length_ns: i128, unit: TimeUnit) -> Option<Expr> {
    let (of_unit, make): (i128, fn(Option<i64>) -> ScalarValue) = match unit {
        TimeUnit::Second => (1_000_000_000, ScalarValue::DurationSecond),
        TimeUnit::Millisecond => (1_000_000, ScalarValue::DurationMillisecond),
        TimeUnit::Microsecond => (1000, ScalarValue::DurationMicrosecond),
        TimeUnit::Nanosecond => (1, ScalarValue::DurationNanosecond),
    };
    let length = (length_ns % of_unit == 0).then(|| i64::try_from(length_ns / of_unit).ok())??;
    Some(lit(make(Some(length))))
}
