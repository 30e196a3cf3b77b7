//! Merges several `in` lists of one value, by values and with nulls in mind.
//!
//! The engine merges `a in (..) and a in (..)` by comparing the text of the members: `a in (x, 2) and a in (y, 2)`
//! becomes `a in (2)`, a null among the members is a member like others, and lists without a common member become
//! `false`, which is wrong where `a` is null. So nulls and members that are not literals leave the lists, and lists of
//! one value are merged here, before the engine sees them side by side.

use std::collections::HashSet;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, lit};
use datafusion::optimizer::AnalyzerRule;

use super::parts;

#[derive(Debug)]
pub struct Lists;

impl AnalyzerRule for Lists {
    fn name(&self) -> &str {
        "merge_in_lists"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        parts(plan, |part| matches!(part, Expr::InList(_)) || is_or(part), merged)
    }
}

fn is_or(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }))
}

/// Merges one part of a condition, whose own parts are done.
fn merged(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match part {
        Expr::InList(list) if list.list.iter().any(|member| !is_value(member)) && may_repeat(&list.expr) => {
            let members = list.list.into_iter().map(folded).collect();
            Ok(Transformed::yes(split(InList { list: members, ..list })))
        }
        Expr::Not(inner) => match *inner {
            Expr::InList(list) => Ok(Transformed::yes(Expr::InList(InList { negated: !list.negated, ..list }))),
            inner => Ok(Transformed::no(Expr::Not(Box::new(inner)))),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            match (listed(&left), listed(&right)) {
                (Some((a, is_not)), Some((b, is_neither)))
                    if a == b && (op == Operator::And || is_not == is_neither) =>
                {
                    Ok(Transformed::yes(together(op, list_of(*left), list_of(*right), schema)?))
                }
                _ => Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            }
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Returns whether it is a literal that is not null.
fn is_value(member: &Expr) -> bool {
    matches!(member, Expr::Literal(value, _) if !value.is_null())
}

/// Returns a literal of the type that it was cast to when types were coerced.
fn folded(member: Expr) -> Expr {
    match member {
        Expr::Cast(Cast { expr, field }) => match folded(*expr) {
            Expr::Literal(value, metadata) => match value.cast_to(field.data_type()) {
                Ok(value) => Expr::Literal(value, metadata),
                Err(_) => Expr::Cast(Cast { expr: Box::new(Expr::Literal(value, metadata)), field }),
            },
            other => Expr::Cast(Cast { expr: Box::new(other), field }),
        },
        other => other,
    }
}

fn is_null(member: &Expr) -> bool {
    matches!(member, Expr::Literal(value, _) if value.is_null())
}

fn may_repeat(expr: &Expr) -> bool {
    let is_query = |part: &Expr| Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)));
    !expr.is_volatile() && !expr.exists(is_query).unwrap_or(true)
}

/// Splits a list: `a in (1, b, null)` is `a in (1) or a = b or null`; `not in` is the same with `and` and `<>`.
fn split(InList { expr, list, negated }: InList) -> Expr {
    let (values, others): (Vec<Expr>, Vec<Expr>) = list.into_iter().partition(is_value);
    let (nulls, others): (Vec<Expr>, Vec<Expr>) = others.into_iter().partition(is_null);
    let mut parts = Vec::new();
    if !values.is_empty() {
        parts.push(Expr::InList(InList { expr: expr.clone(), list: values, negated }));
    }
    for other in others {
        parts.push(if negated { expr.as_ref().clone().not_eq(other) } else { expr.as_ref().clone().eq(other) });
    }
    if !nulls.is_empty() {
        parts.push(unknown());
    }
    balanced(&parts, negated)
}

/// Builds a tree whose depth does not grow with each member.
fn balanced(parts: &[Expr], all: bool) -> Expr {
    match parts {
        [] => lit(all),
        [one] => one.clone(),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            let (left, right) = (balanced(left, all), balanced(right, all));
            if all { left.and(right) } else { left.or(right) }
        }
    }
}

fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}

/// Returns the value that a list is about, and whether it is negated; the engine takes `=` with a literal for a list as
/// well.
fn listed(expr: &Expr) -> Option<(&Expr, bool)> {
    match expr {
        Expr::InList(list) if list.list.iter().all(is_value) && may_repeat(&list.expr) => {
            Some((&list.expr, list.negated))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (column @ Expr::Column(_), value) | (value, column @ Expr::Column(_)) if is_value(value) => {
                Some((column, false))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Returns the list that `listed` has seen.
fn list_of(expr: Expr) -> InList {
    match expr {
        Expr::InList(list) => list,
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => {
            let (expr, value) = if is_value(&left) { (right, left) } else { (left, right) };
            InList { expr, list: vec![*value], negated: false }
        }
        other => InList { expr: Box::new(other), list: Vec::new(), negated: false },
    }
}

/// Combines both lists into one.
fn together(op: Operator, a: InList, b: InList, schema: &DFSchema) -> Result<Expr> {
    let kept = |a: InList, b: &InList, is_kept: bool| {
        let members: HashSet<&Expr> = b.list.iter().collect();
        InList { list: a.list.into_iter().filter(|member| members.contains(member) == is_kept).collect(), ..a }
    };
    let list = match (op, a.negated, b.negated) {
        (Operator::And, false, true) => kept(a, &b, false),
        (Operator::And, true, false) => kept(b, &a, false),
        (Operator::And, false, false) | (Operator::Or, true, true) => kept(a, &b, true),
        _ => InList { list: a.list.into_iter().chain(b.list).collect(), ..a },
    };
    if !list.list.is_empty() {
        return Ok(Expr::InList(list));
    }
    // Nothing is in it, or everything is not in it; but for null neither is known.
    Ok(match (list.expr.nullable(schema)?, list.negated) {
        (false, negated) => lit(negated),
        (true, false) => list.expr.is_null().and(unknown()),
        (true, true) => list.expr.is_not_null().or(unknown()),
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;
    use datafusion::logical_expr::{cast, col, in_list};

    use super::*;

    #[test]
    fn members_that_were_only_cast_stay_in_the_list() {
        let text = |text: &str| cast(lit(text), DataType::Utf8View);
        let list = in_list(col("a"), vec![text("x"), text("y"), col("b"), text("z")], false);
        let split = merged(list, &DFSchema::empty()).unwrap().data;
        let value = |text: &str| lit(ScalarValue::Utf8View(Some(text.to_string())));
        let values = in_list(col("a"), vec![value("x"), value("y"), value("z")], false);
        assert_eq!(split, values.or(col("a").eq(col("b"))));
    }
}
