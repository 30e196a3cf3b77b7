//! Arithmetic of whole numbers that fails when it leaves their range, and concatenation of texts within bounds.
//!
//! The engine's operators wrap around (apache/datafusion#12140). When types are known, operators of whole numbers
//! become functions that check (`functions::checked`); so does `
//! ` of texts, which could make texts of any size, and so do functions that the planner took without asking the
//! session. Casts to whole numbers round (`functions::whole`).

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, TryCast};
use datafusion::optimizer::AnalyzerRule;

use super::parts;
use crate::sql::functions::{arithmetic, behind_door, concatenation, has_fraction, whole};

#[derive(Debug)]
pub struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_one = |part: &Expr| {
            operation(part).is_some() || matches!(part, Expr::ScalarFunction(_) | Expr::Cast(_) | Expr::TryCast(_))
        };
        parts(plan, is_one, |part, schema| Ok(checked(part, schema)))
    }
}

fn operation(expr: &Expr) -> Option<(&Expr, Operator, &Expr)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::StringConcat) =>
        {
            Some((left, *op, right))
        }
        _ => None,
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    // Literals of lists, `position` and others are functions that the planner knows by itself.
    if let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr {
        return match behind_door(func) {
            Some(func) => {
                Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: Arc::new(func), args: args.clone() }))
            }
            None => Transformed::no(expr),
        };
    }
    if matches!(expr, Expr::Cast(_) | Expr::TryCast(_)) {
        return rounded(expr, schema);
    }
    let Some((left, op, right)) = operation(&expr) else { return Transformed::no(expr) };
    let (Ok(left_type), Ok(right_type)) = (left.get_type(schema), right.get_type(schema)) else {
        return Transformed::no(expr);
    };
    let func = match op {
        Operator::StringConcat if left_type == DataType::Utf8 && right_type == DataType::Utf8 => Some(concatenation()),
        Operator::StringConcat => None,
        _ if left_type.is_integer() && left_type == right_type => arithmetic(op),
        _ => None,
    };
    match func {
        Some(func) => {
            let args = vec![left.clone(), right.clone()];
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: Arc::new(func), args }))
        }
        None => Transformed::no(expr),
    }
}

/// Rewrites a cast to a whole number so that it rounds to the nearest one instead of towards zero.
fn rounded(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (inner, to) = match &expr {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => (expr, field.data_type()),
        _ => return Transformed::no(expr),
    };
    let cuts = to.is_integer() && inner.get_type(schema).is_ok_and(|from| has_fraction(&from));
    if !cuts {
        return Transformed::no(expr);
    }
    let is_written_out = match inner.as_ref() {
        Expr::Negative(inner) => matches!(inner.as_ref(), Expr::Literal(..)),
        inner => matches!(inner, Expr::Literal(..)),
    };
    let args = vec![inner.as_ref().clone()];
    let made = Box::new(Expr::ScalarFunction(ScalarFunction { func: Arc::new(whole(is_written_out)), args }));
    Transformed::yes(match expr {
        Expr::Cast(Cast { field, .. }) => Expr::Cast(Cast { expr: made, field }),
        Expr::TryCast(TryCast { field, .. }) => Expr::TryCast(TryCast { expr: made, field }),
        other => other,
    })
}
