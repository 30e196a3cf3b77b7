//! Rewrites `where (a, b) in (select x, y ...)` as `exists`.
//!
//! The two differ where a member is null: `in` is null there and `exists` is false. A condition drops both, so it is
//! rewritten where nothing negates it: below `and` and `or` of `where` and `having`. Elsewhere it is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, Select, SetExpr, TableFactor, VisitorMut};

use super::super::parse::expression;
use super::column::{and, equal, qualified};
use crate::error::Error;

pub struct RowIn;

const NAME: &str = "__row";

impl VisitorMut for RowIn {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        [&mut select.selection, &mut select.having].into_iter().flatten().for_each(rows);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            Expr::InSubquery { expr, .. } if matches!(expr.as_ref(), Expr::Tuple(_)) => ControlFlow::Break(
                Error::input(
                    "`(a, b) in (select ...)` is supported only as a condition of `where` or `having`, without `not`",
                )
                .hint("write exists (select 1 from t where t.a = a and t.b = b)"),
            ),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn rows(condition: &mut Expr) {
    match condition {
        Expr::Nested(inner) => rows(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            rows(left);
            rows(right);
        }
        Expr::InSubquery { expr, subquery, negated: false } => {
            if let Expr::Tuple(members) = expr.as_ref()
                && let Some(exists) = exists(members, subquery)
            {
                *condition = exists;
            }
        }
        _ => {}
    }
}

/// Builds `exists (select 1 from (subquery) as __row(c0, c1) where __row.c0 = a and __row.c1 = b)`.
fn exists(members: &[Expr], subquery: &Query) -> Option<Expr> {
    let names: Vec<String> = (0..members.len()).map(|place| format!("c{place}")).collect();
    let frame = format!("exists (select 1 from (select 1) as {NAME}({}) where true)", names.join(", "));
    let mut made = expression(&frame).ok()?;
    let Expr::Exists { subquery: around, .. } = &mut made else { return None };
    let SetExpr::Select(select) = around.body.as_mut() else { return None };
    let TableFactor::Derived { subquery: within, .. } = &mut select.from.first_mut()?.relation else { return None };
    **within = subquery.clone();
    let pairs = names.iter().zip(members).map(|(name, member)| equal(qualified(NAME, name), member.clone()));
    select.selection = pairs.reduce(and);
    Some(made)
}
