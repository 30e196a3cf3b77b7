//! Rewrites `order by` with a selected expression as `order by` its position.
//!
//! Otherwise the engine carries the columns of the expression through the projection, which it refuses under `distinct`
//! (`select distinct user.uid ... order by user.uid`). `order by all` becomes all positions: the engine sorts by
//! nothing at all when it follows a union. A key that an order repeats counts once: the engine miscounts keys where it
//! makes an aggregate of `distinct on`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, FunctionArgumentClause, FunctionArguments, OrderBy, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SetExpr, Value, VisitorMut, WindowType,
};

use super::super::labels::has_wildcard;
use crate::error::Error;

pub struct Order;

impl VisitorMut for Order {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        if let FunctionArguments::List(list) = &mut function.args {
            for clause in &mut list.clauses {
                if let FunctionArgumentClause::OrderBy(order) = clause {
                    once(order);
                }
            }
        }
        if let Some(WindowType::WindowSpec(window)) = &mut function.over {
            once(&mut window.order_by);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let Some(OrderBy { kind, .. }) = &mut query.order_by else { return ControlFlow::Continue(()) };
        if let OrderByKind::Expressions(order) = kind {
            once(order);
        }
        let is_set = matches!(query.body.as_ref(), SetExpr::SetOperation { .. });
        let Some(select) = first(&query.body) else {
            return match kind {
                OrderByKind::All(_) => refuse(),
                OrderByKind::Expressions(_) => ControlFlow::Continue(()),
            };
        };
        if matches!(select.distinct, Some(Distinct::On(_))) {
            return ControlFlow::Continue(());
        }
        match kind {
            OrderByKind::All(_) if has_wildcard(select) && is_set => return refuse(),
            OrderByKind::All(_) if has_wildcard(select) => {}
            OrderByKind::All(options) => {
                let options = *options;
                let order =
                    (1..=select.projection.len()).map(|at| OrderByExpr { expr: place(at), options, with_fill: None });
                *kind = OrderByKind::Expressions(order.collect());
            }
            OrderByKind::Expressions(order) => {
                for by in order {
                    if let Some(at) = selected(&by.expr, select) {
                        by.expr = place(at);
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Removes keys that repeat an earlier one.
fn once(order: &mut Vec<OrderByExpr>) {
    let mut seen: Vec<Expr> = Vec::new();
    order.retain(|by| {
        let is_new = !seen.contains(&by.expr);
        if is_new {
            seen.push(by.expr.clone());
        }
        is_new
    });
}

fn refuse() -> ControlFlow<Error> {
    ControlFlow::Break(
        Error::input("`order by all` needs to know the columns").hint("name them, or their places: order by 1, 2"),
    )
}

/// Returns the `select` that gives a body's columns their names.
fn first(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::SetOperation { left, .. } => first(left),
        SetExpr::Query(query) => first(&query.body),
        _ => None,
    }
}

/// Returns the position of a selected expression; a single name may be that of a column or of a result, and stays.
fn selected(expr: &Expr, select: &Select) -> Option<usize> {
    if matches!(expr, Expr::Identifier(_) | Expr::Value(_)) || has_subquery(expr) {
        return None;
    }
    for (place, item) in select.projection.iter().enumerate() {
        match item {
            SelectItem::UnnamedExpr(found) | SelectItem::ExprWithAlias { expr: found, .. } if found == expr => {
                return Some(place + 1);
            }
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {}
            // After a wildcard nobody knows the position.
            _ => return None,
        }
    }
    None
}

fn has_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. })
}

fn place(at: usize) -> Expr {
    Expr::Value(Value::Number(at.to_string(), false).into())
}
