//! The range of a time that a filter on its rounded value implies.
//!
//! `date_trunc('day', time) = x` and `time::date = x` hide the column from everything that prunes. Rounding down never
//! leads past the time and never further back than the length of its unit, so such a filter implies a range. The range
//! is for pruning alone: the filter itself stays, and is evaluated as it was written.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator, TryCast, lit};

const DAY_US: i64 = 86_400_000_000;

/// Returns the filter with rounded times replaced by the ranges that they imply; `None` when there are none.
pub fn implied(filter: &Expr) -> Option<Expr> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            // Only where there is no `not` above: there the implied range may replace the filter.
            let (new_left, new_right) = (implied(left), implied(right));
            if new_left.is_none() && new_right.is_none() {
                return None;
            }
            let or_old = |new: Option<Expr>, old: &Expr| Box::new(new.unwrap_or_else(|| old.clone()));
            let (left, right) = (or_old(new_left, left), or_old(new_right, right));
            Some(Expr::BinaryExpr(BinaryExpr { left, op: *op, right }))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (floor(left), instant(right)) {
            (Some((time, length_us)), Some(at_us)) => range(time, *op, at_us, length_us),
            _ => {
                let (time, length_us) = floor(right)?;
                range(time, op.swap()?, instant(left)?, length_us)
            }
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let (time, length_us) = floor(expr)?;
            let ranges: Option<Vec<Expr>> =
                list.iter().map(|value| range(time, Operator::Eq, instant(value)?, length_us)).collect();
            ranges?.into_iter().reduce(Expr::or)
        }
        _ => None,
    }
}

fn range(time: &Expr, op: Operator, at_us: i64, length_us: i64) -> Option<Expr> {
    let at = |time_us| lit(ScalarValue::TimestampMicrosecond(Some(time_us), Some("UTC".into())));
    let from = || time.clone().gt_eq(at(at_us));
    // Beyond the calendar there is no bound.
    let to = || at_us.checked_add(length_us).map(|end| time.clone().lt(at(end)));
    match op {
        Operator::Eq => Some(match to() {
            Some(to) => from().and(to),
            None => from(),
        }),
        Operator::Gt | Operator::GtEq => Some(from()),
        Operator::Lt | Operator::LtEq => to(),
        _ => None,
    }
}

/// Returns a column that is rounded down, and the longest way back, microseconds.
fn floor(expr: &Expr) -> Option<(&Expr, i64)> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "date_trunc" => {
            let [Expr::Literal(unit, _), time @ Expr::Column(_)] = args.as_slice() else { return None };
            let length_us = match unit.try_as_str()??.to_lowercase().as_str() {
                "second" => 1_000_000,
                "minute" => 60_000_000,
                "hour" => 3_600_000_000,
                "day" => DAY_US,
                "week" => 7 * DAY_US,
                "month" => 31 * DAY_US,
                "quarter" => 92 * DAY_US,
                "year" => 366 * DAY_US,
                _ => return None,
            };
            Some((time, length_us))
        }
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
            if *field.data_type() == DataType::Date32 && matches!(expr.as_ref(), Expr::Column(_)) =>
        {
            Some((expr, DAY_US))
        }
        _ => None,
    }
}

fn instant(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else { return None };
    match value {
        ScalarValue::Date32(Some(days)) => i64::from(*days).checked_mul(DAY_US),
        ScalarValue::TimestampSecond(Some(time), zone) if is_utc(zone) => time.checked_mul(1_000_000),
        ScalarValue::TimestampMillisecond(Some(time), zone) if is_utc(zone) => time.checked_mul(1000),
        ScalarValue::TimestampMicrosecond(Some(time), zone) if is_utc(zone) => Some(*time),
        ScalarValue::TimestampNanosecond(Some(time), zone) if is_utc(zone) => Some(time.div_euclid(1000)),
        _ => None,
    }
}

fn is_utc(zone: &Option<std::sync::Arc<str>>) -> bool {
    zone.as_deref().is_none_or(|zone| matches!(zone, "UTC" | "+00:00"))
}
