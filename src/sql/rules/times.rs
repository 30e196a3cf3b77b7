//! Times that are written as text are read as everywhere else in the program.
//!
//! The engine's own reader takes `2026-04-24 12:00:00` and not `2026-04-24 12:00`; what it cannot read it tells without
//! saying what is wrong. Here text that a statement casts to a time, or compares with one, becomes the time that it means.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Cast, Expr, LogicalPlan, TryCast};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::rewritten;
use crate::error::Error;
use crate::typed::parse_time;

#[derive(Debug)]
pub struct WrittenTimes;

impl OptimizerRule for WrittenTimes {
    fn name(&self) -> &str {
        "written_times"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        for expr in plan.expressions() {
            // What cannot be read is an error of the statement; the rewriting below has no way to say so.
            expr.apply(|part| {
                if let Some((text, ..)) = cast(part) {
                    micros(text)?;
                }
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            })?;
        }
        let has_text = |expr: &Expr| expr.exists(|part| Ok(written(part).is_some())).unwrap_or(false);
        if !plan.expressions().iter().any(has_text) {
            return Ok(Transformed::no(plan));
        }
        rewritten(plan, |part| match written(&part) {
            Some(time) => Transformed::yes(Expr::Literal(time, None)),
            None => Transformed::no(part),
        })
    }
}

/// The time that a cast of text means, unless the engine has to say what is wrong with it.
fn written(expr: &Expr) -> Option<ScalarValue> {
    let (text, unit, zone) = match expr {
        Expr::TryCast(TryCast { expr, field }) => literal(expr, field.data_type())?,
        _ => cast(expr)?,
    };
    let time_us = micros(text).ok()?;
    let zone = zone.cloned();
    Some(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(time_us.div_euclid(1_000_000)), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(time_us.div_euclid(1000)), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(time_us), zone),
        // Before 1677 and after 2262 there are no nanoseconds.
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(time_us.checked_mul(1000)?), zone),
    })
}

fn cast(expr: &Expr) -> Option<(&str, TimeUnit, Option<&std::sync::Arc<str>>)> {
    let Expr::Cast(Cast { expr, field }) = expr else { return None };
    literal(expr, field.data_type())
}

/// Text that becomes a time in UTC, or one without a zone. Text in another zone the engine reads: it knows zones.
fn literal<'a>(expr: &'a Expr, to: &'a DataType) -> Option<(&'a str, TimeUnit, Option<&'a std::sync::Arc<str>>)> {
    let Expr::Literal(value, _) = expr else { return None };
    let DataType::Timestamp(unit, zone) = to else { return None };
    let is_utc = zone.as_deref().is_none_or(|zone| matches!(zone, "UTC" | "+00:00" | "Z"));
    let text = value.try_as_str().flatten().filter(|_| is_utc)?;
    Some((text, *unit, zone.as_ref()))
}

fn micros(text: &str) -> Result<i64> {
    parse_time(text).map(|time| time.micros()).map_err(|error| {
        let hint = error.hint_text().unwrap_or_default().to_string();
        DataFusionError::External(Box::new(Error::input(error.message()).hint(hint)))
    })
}
