//! Operators between types for which the engine has none, or a wrong one.
//!
//! `interval '1 day' * 2` is an error there, and `date '2026-01-01' + interval '12 hours'` a date without its hours
//! (not reported). They are corrected while a statement is planned, since an operator without a type cannot be planned.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::sql::functions::{is_length, scaled};

#[derive(Debug)]
pub struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Minus, Multiply, Plus};
        if !matches!(expr.op, Divide | Minus | Multiply | Plus) {
            return Ok(PlannerResult::Original(expr));
        }
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        let RawBinaryExpr { op, left: a, right: b } = expr;
        Ok(match op {
            Multiply | Divide if is_length(&left) && right.is_numeric() => {
                PlannerResult::Planned(of(scaled(op == Divide), a, b))
            }
            Multiply if is_length(&right) && left.is_numeric() => PlannerResult::Planned(of(scaled(false), b, a)),
            Plus | Minus if is_date(&left) && is_length(&right) && !is_of_days(&b) => {
                PlannerResult::Original(RawBinaryExpr { op, left: midnight(a), right: b })
            }
            Plus if is_date(&right) && is_length(&left) && !is_of_days(&a) => {
                PlannerResult::Original(RawBinaryExpr { op, left: a, right: midnight(b) })
            }
            op => PlannerResult::Original(RawBinaryExpr { op, left: a, right: b }),
        })
    }
}

fn of(function: ScalarUDF, length: Expr, number: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction { func: Arc::new(function), args: vec![length, number] })
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

/// Returns the time at which a day begins.
fn midnight(date: Expr) -> Expr {
    cast(date, DataType::Timestamp(TimeUnit::Microsecond, None))
}

/// Returns whether a literal interval has whole days and months only: a date moved by it is a date.
fn is_of_days(length: &Expr) -> bool {
    matches!(length, Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(length)), _) if length.nanoseconds == 0)
}
