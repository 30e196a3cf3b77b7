//! Texts that are compared with times, read as people write times.
//!
//! The engine requires seconds (`'2026-04-24 12:00'` was an error) and converts through nanoseconds. A text without an
//! offset is in the zone of the time that it is compared with.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, TryCast, lit};
use datafusion::optimizer::AnalyzerRule;

use super::{ours, parts};
use crate::error::Error;
use crate::sql::functions::Zone;
use crate::typed::parse_time;

#[derive(Debug)]
pub struct TimeLiterals;

impl AnalyzerRule for TimeLiterals {
    fn name(&self) -> &str {
        "time_literals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        parts(plan, is_read, read)
    }
}

/// Returns whether an expression may hold a time as a text, or a number that is not a time.
fn is_read(expr: &Expr) -> bool {
    text(expr).is_some() || matches!(expr, Expr::Cast(Cast { field, .. }) if is_time(field.data_type()))
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

fn read(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let zone_of = |expr: &Expr| match expr.get_type(schema) {
        Ok(DataType::Timestamp(_, zone)) => Some(zone),
        _ => None,
    };
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_compared(op) => {
            let (left, right) = match (text(&left), text(&right)) {
                (Some(time), None) if zone_of(&right).is_some() => {
                    (Box::new(time_of(time, zone_of(&right).flatten())?), right)
                }
                (None, Some(time)) if zone_of(&left).is_some() => {
                    let time = Box::new(time_of(time, zone_of(&left).flatten())?);
                    (left, time)
                }
                _ => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            };
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let Some(zone) = zone_of(&expr) else {
                return Ok(Transformed::no(Expr::Between(Between { expr, negated, low, high })));
            };
            let bound = |bound: Box<Expr>| match text(&bound) {
                Some(time) => time_of(time, zone.clone()).map(Box::new),
                None => Ok(bound),
            };
            let (low, high) = (bound(low)?, bound(high)?);
            Ok(Transformed::yes(Expr::Between(Between { expr, negated, low, high })))
        }
        Expr::InList(InList { expr, list, negated }) => {
            let Some(zone) = zone_of(&expr) else {
                return Ok(Transformed::no(Expr::InList(InList { expr, list, negated })));
            };
            let value = |value: Expr| match text(&value) {
                Some(time) => time_of(time, zone.clone()),
                None => Ok(value),
            };
            let list = list.into_iter().map(value).collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
        }
        Expr::Cast(Cast { expr, field }) => match field.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, zone) => match text(&expr) {
                Some(time) => Ok(Transformed::yes(time_of(time, zone.clone())?)),
                None if expr.get_type(schema).is_ok_and(|data_type| data_type.is_numeric()) => Err(ours(
                    Error::input("cannot tell of what unit a number is as a time")
                        .hint("write to_timestamp(seconds), epoch_ms(milliseconds) or epoch_us(microseconds)"),
                )),
                None => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
            },
            _ => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
        },
        Expr::TryCast(TryCast { expr, field }) => match (field.data_type(), text(&expr)) {
            (DataType::Timestamp(TimeUnit::Microsecond, zone), Some(time)) => {
                let value = time_of(time, zone.clone());
                let null = || lit(ScalarValue::TimestampMicrosecond(None, zone.clone()));
                Ok(Transformed::yes(value.unwrap_or_else(|_| null())))
            }
            _ => Ok(Transformed::no(Expr::TryCast(TryCast { expr, field }))),
        },
        other => Ok(Transformed::no(other)),
    }
}

fn is_compared(op: Operator) -> bool {
    use Operator as O;
    let compares = [O::Eq, O::NotEq, O::Lt, O::LtEq, O::Gt, O::GtEq, O::IsDistinctFrom, O::IsNotDistinctFrom];
    compares.contains(&op) || op == O::Minus
}

/// Builds a literal time in a zone.
fn time_of(text: &str, zone: Option<Arc<str>>) -> Result<Expr> {
    let clocks = match &zone {
        Some(name) => Zone::parse(name)?,
        None => Zone::Plain,
    };
    let time = parse_time(text).map_err(ours)?;
    let us = match time.offset {
        Some(_) => time.micros(),
        None => clocks.instant(time.local),
    };
    Ok(lit(ScalarValue::TimestampMicrosecond(Some(us), zone)))
}
