//! Conditions on plain columns that follow from a filter on computed ones.
//!
//! `actor_uid` is the first of some columns that is there, looked up in tables of who is who. No statistics and no bloom
//! filter say anything of it. But where it is `'ann'` one of those columns has one of a few values, and that can be
//! asked of the files before any row is read. The filter itself stays.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Alias, InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator, col, lit};

use super::super::functions::keys_of;

/// Values that are looked for at most; of more, nothing is said.
const MOST: usize = 64;

/// A condition on columns that holds wherever the filter holds, and that the filter does not say itself.
pub fn implied(filter: &Expr) -> Option<Expr> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (text(left), text(right)) {
            (None, Some(value)) => worked_out(left, &[value]),
            (Some(value), None) => worked_out(right, &[value]),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let values: Option<Vec<String>> = list.iter().map(text).collect();
            worked_out(expr, &values?)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => match (implied(left), implied(right)) {
            (Some(left), Some(right)) => Some(left.and(right)),
            (one, other) => one.or(other),
        },
        // A half that says nothing may be true anywhere; one that is a condition on a column says so itself.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let half = |half: &Expr| implied(half).or_else(|| is_plain(half).then(|| half.clone()));
            match (implied(left), implied(right)) {
                (None, None) => None,
                _ => Some(half(left)?.or(half(right)?)),
            }
        }
        _ => None,
    }
}

/// For an expression that is more than a column.
fn worked_out(expr: &Expr, values: &[String]) -> Option<Expr> {
    match expr {
        Expr::Column(_) => None,
        expr => one_of(expr, values),
    }
}

/// Returns the condition that follows when the expression is one of the values.
fn one_of(expr: &Expr, values: &[String]) -> Option<Expr> {
    if values.is_empty() {
        return Some(lit(false));
    }
    if values.len() > MOST {
        return None;
    }
    match expr {
        Expr::Column(column) => {
            Some(col(column.clone()).in_list(values.iter().map(|value| lit(value.as_str())).collect(), false))
        }
        Expr::Alias(Alias { expr, .. }) => one_of(expr, values),
        Expr::Literal(value, _) => match value.try_as_str()? {
            None => Some(lit(false)),
            Some(value) => Some(lit(values.iter().any(|wanted| wanted == value))),
        },
        // Whichever branch is taken, it is one of them.
        Expr::Case(Case { when_then_expr, else_expr, .. }) => {
            any(when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(else_expr.as_deref()), values)
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "coalesce" => any(args.iter(), values),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match args.as_slice() {
            [key] => one_of(key, &keys_of(func, values, MOST)?),
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            let prefix = text(left)?;
            let rest = values.iter().filter_map(|value| value.strip_prefix(prefix.as_str()).map(str::to_string));
            one_of(right, &rest.collect::<Vec<_>>())
        }
        _ => None,
    }
}

fn any<'a>(branches: impl Iterator<Item = &'a Expr>, values: &[String]) -> Option<Expr> {
    let mut all: Vec<Expr> = Vec::new();
    for branch in branches {
        let condition = one_of(branch, values)?;
        if condition != lit(false) && !all.contains(&condition) {
            all.push(condition);
        }
    }
    Some(all.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false)))
}

/// Whether an expression compares a column with texts.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            matches!((left.as_ref(), text(right)), (Expr::Column(_), Some(_)))
        }
        Expr::InList(list) => !list.negated && matches!(*list.expr, Expr::Column(_)),
        _ => false,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::functions::expr_fn::{coalesce, lower};
    use datafusion::logical_expr::when;

    use super::*;

    fn said(filter: Expr) -> String {
        implied(&filter).map_or_else(|| "nothing".to_string(), |condition| condition.to_string())
    }

    #[test]
    fn a_value_is_in_one_of_the_columns_that_it_may_come_from() {
        let app =
            Expr::BinaryExpr(BinaryExpr::new(Box::new(lit("app:")), Operator::StringConcat, Box::new(col("app"))));
        let actor = coalesce(vec![col("uid"), col("name"), app]);
        assert_eq!(said(actor.clone().eq(lit("ann"))), "uid IN ([Utf8(\"ann\")]) OR name IN ([Utf8(\"ann\")])");
        assert!(said(lit("app:x").eq(actor.clone())).ends_with("OR app IN ([Utf8(\"x\")])"));
        let case = when(col("uid").is_not_null(), col("uid")).otherwise(lit("nobody")).unwrap();
        assert_eq!(said(case.clone().eq(lit("ann"))), "uid IN ([Utf8(\"ann\")])");
        assert_eq!(said(case.clone().in_list(vec![lit("a"), lit("b")], false)), "uid IN ([Utf8(\"a\"), Utf8(\"b\")])");
        // What cannot be traced back to columns says nothing, and nothing is said of what is no equality.
        assert_eq!(said(coalesce(vec![col("uid"), lower(col("name"))]).eq(lit("ann"))), "nothing");
        assert_eq!(said(case.clone().in_list(vec![lit("a")], true)), "nothing");
        assert_eq!(said(case.clone().not_eq(lit("a"))), "nothing");
        assert_eq!(said(col("uid").eq(lit("ann"))), "nothing");
        assert_eq!(said(case.clone().eq(lit("nobody"))), "uid IN ([Utf8(\"nobody\")]) OR Boolean(true)");
        let either = case.clone().eq(lit("a")).or(col("ip").eq(lit("b")));
        assert_eq!(said(either), "uid IN ([Utf8(\"a\")]) OR ip = Utf8(\"b\")");
        assert_eq!(said(case.eq(lit("a")).or(col("n").gt(lit(1)))), "nothing");
    }
}
