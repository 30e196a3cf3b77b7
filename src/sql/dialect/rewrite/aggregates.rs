//! Aggregates that the engine does not accept side by side.
//!
//! `string_agg(a, ',' order by a), string_agg(b, ',' order by b)` asks for two orders of the rows at once, which the
//! engine refuses; for values that are ordered by themselves the list is sorted instead. And `group by x, cast(x as
//! varchar)` names two columns `x`, since the engine names a cast after its argument; the cast goes through a function
//! with a name of its own.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, GroupByExpr,
    ObjectNamePart, OrderByExpr, Select, SelectItem, Value, VisitorMut,
};

use super::super::grammar::call;
use super::own::own;
use crate::error::Error;

pub struct Aggregates;

impl VisitorMut for Aggregates {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        // The orders of rows that the aggregates need.
        let mut orders: Vec<Vec<OrderByExpr>> = Vec::new();
        let mut find = |expr: &mut Expr| {
            if let Expr::Function(function) = expr
                && let Some(order) = order(function)
                && !orders.contains(order)
            {
                orders.push(order.clone());
            }
            ControlFlow::Continue(())
        };
        let _ = own(&mut select.projection, &mut find);
        let _ = own(&mut select.having, &mut find);
        if orders.len() > 1 {
            let mut sort = |expr: &mut Expr| {
                if let Expr::Function(function) = expr
                    && let Some(made) = sorted(function)
                {
                    *expr = made;
                }
                ControlFlow::Continue(())
            };
            let _ = own(&mut select.projection, &mut sort);
            let _ = own(&mut select.having, &mut sort);
        }
        casts(select);
        ControlFlow::Continue(())
    }
}

fn order(function: &Function) -> Option<&Vec<OrderByExpr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(order) if function.over.is_none() => Some(order),
        _ => None,
    })
}

/// Returns the aggregate as a sort of its list instead of the rows that the list is made of.
fn sorted(function: &Function) -> Option<Expr> {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let name = name.value.to_lowercase();
    let is_text = ["string_agg", "group_concat", "listagg"].contains(&name.as_str());
    if !is_text && !["array_agg", "list"].contains(&name.as_str()) {
        return None;
    }
    let [by] = order(function)?.as_slice() else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let argument = |at: usize| match list.args.get(at) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) => Some(expr.clone()),
        _ => None,
    };
    let value = argument(0).filter(|value| *value == by.expr)?;
    let mut values = function.clone();
    values.name = vec![datafusion::sql::sqlparser::ast::Ident::new("array_agg")].into();
    if let FunctionArguments::List(list) = &mut values.args {
        list.args.truncate(1);
        list.clauses.retain(|clause| !matches!(clause, FunctionArgumentClause::OrderBy(_)));
    }
    if is_text {
        // Texts that are null are left out of a text.
        let is_there = Expr::IsNotNull(Box::new(value));
        values.filter = Some(Box::new(match values.filter.take() {
            Some(filter) => Expr::BinaryOp {
                left: Box::new(Expr::Nested(filter)),
                op: datafusion::sql::sqlparser::ast::BinaryOperator::And,
                right: Box::new(is_there),
            },
            None => is_there,
        }));
    }
    let is_ascending = by.options.asc.unwrap_or(true);
    let is_first = by.options.nulls_first.unwrap_or(!is_ascending);
    let direction = text(if is_ascending { "ASC" } else { "DESC" });
    let nulls = text(if is_first { "NULLS FIRST" } else { "NULLS LAST" });
    let made = call("array_sort", vec![Expr::Function(values), direction, nulls]);
    if is_text { Some(call("array_to_string", vec![made, argument(1)?])) } else { Some(made) }
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_string()).into())
}

/// Gives casts among the groups a name of their own, where the argument of the cast is a group as well.
fn casts(select: &mut Select) {
    let GroupByExpr::Expressions(groups, _) = &select.group_by else { return };
    if groups.is_empty() {
        return;
    }
    let item = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
        _ => None,
    };
    let all: Vec<Expr> = select.projection.iter().filter_map(item).chain(groups.iter().cloned()).collect();
    let clashing: Vec<Expr> = all
        .iter()
        .filter(|expr| matches!(expr, Expr::Cast { .. }))
        .filter(|cast| all.iter().any(|other| other != *cast && bare(other) == bare(cast)))
        .cloned()
        .collect();
    if clashing.is_empty() {
        return;
    }
    let mut name = |expr: &mut Expr| {
        if let Some(position) = clashing.iter().position(|cast| cast == expr) {
            // Two casts of one column differ by how often they repeat it.
            let again = std::iter::repeat_n(expr.clone(), position + 1).collect();
            *expr = call("coalesce", again);
        }
        ControlFlow::Continue(())
    };
    let _ = own(&mut select.projection, &mut name);
    let _ = own(&mut select.group_by, &mut name);
    let _ = own(&mut select.having, &mut name);
}

/// Returns the argument of a cast.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => bare(expr),
        other => other,
    }
}
