//! Functions of DuckDB, PostgreSQL and Athena that are other names for features of the engine.
//!
//! The functions here need another clause or another kind of expression; a mere other name is an alias, and anything
//! that the engine lacks is a function of its own (`functions`).

mod build;
mod listed;
mod lists;
mod operators;
mod shares;
mod times;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectNamePart, Value, ValueWithSpan, VisitorMut,
};

use super::super::grammar::call;
use crate::error::{Error, Result};

use build::{
    add_filter, and, is_not_null, number, order_by, plain, plus, rename, renamed, renamed_function, set_arguments,
    text, with_arguments,
};
use shares::{discrete, each, first_of, steps};

pub use listed::REWRITTEN;

pub struct Calls;

impl VisitorMut for Calls {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match operators::spelled(expr) {
            Ok(Some(made)) => {
                *expr = made;
                return ControlFlow::Continue(());
            }
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        match expr {
            Expr::Subquery(query) => first_of(query),
            Expr::Function(function) => {
                let Some(name) = name_of(function) else { return ControlFlow::Continue(()) };
                match rewritten(&name, function) {
                    Ok(Some(made)) => *expr = made,
                    Ok(None) => {}
                    Err(error) => return ControlFlow::Break(error),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn name_of(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident.value.to_lowercase()),
        _ => None,
    }
}

/// Returns plain arguments; `None` when one is named or a `*`.
fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

fn rewritten(name: &str, function: &Function) -> Result<Option<Expr>> {
    let Some(args) = arguments(function) else { return Ok(None) };
    if let Some(made) = times::rewritten(name, &args) {
        return Ok(Some(made));
    }
    if let Some(made) = lists::rewritten(name, function, &args)? {
        return Ok(Some(made));
    }
    Ok(match (name, args.as_slice()) {
        ("count_if" | "countif", [condition]) => {
            let mut made = function.clone();
            rename(&mut made, "count");
            set_arguments(&mut made, vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]);
            add_filter(&mut made, condition.clone());
            Some(Expr::Function(made))
        }
        ("arg_max" | "argmax" | "max_by" | "arg_min" | "argmin" | "min_by", [value, by]) => {
            let mut made = function.clone();
            rename(&mut made, "first_value");
            set_arguments(&mut made, vec![plain(value.clone())]);
            add_filter(&mut made, and(is_not_null(value.clone()), is_not_null(by.clone())));
            order_by(&mut made, by.clone(), matches!(name, "arg_min" | "argmin" | "min_by"));
            Some(Expr::Function(made))
        }
        ("any_value" | "arbitrary", [value]) => {
            let mut made = function.clone();
            rename(&mut made, "first_value");
            add_filter(&mut made, is_not_null(value.clone()));
            Some(Expr::Function(made))
        }
        ("first", [_]) => Some(renamed(function, "first_value")),
        ("last", [_]) => Some(renamed(function, "last_value")),
        ("quantile" | "quantile_disc", [value, share]) => {
            Some(each(share, |share| discrete(function, value, share, true)))
        }
        // `percentile_disc(0.5) within group (order by x)`.
        ("percentile_disc", [share]) => match function.within_group.as_slice() {
            [by] => {
                let is_ascending = by.options.asc.unwrap_or(true);
                Some(each(share, |share| discrete(function, &by.expr, share, is_ascending)))
            }
            _ => None,
        },
        ("mode", []) => match function.within_group.as_slice() {
            [by] => {
                let mut made = renamed_function(function, "mode");
                made.within_group.clear();
                set_arguments(&mut made, vec![plain(by.expr.clone())]);
                Some(Expr::Function(made))
            }
            _ => None,
        },
        // A list of shares gives a list of results.
        ("percentile_cont", [share @ Expr::Array(_)]) => {
            Some(each(share, |share| with_arguments(function, "percentile_cont", vec![share.clone()])))
        }
        ("quantile_cont", [value, share]) => {
            Some(each(share, |share| with_arguments(function, "percentile_cont", vec![value.clone(), share.clone()])))
        }
        ("approx_quantile" | "approx_percentile", [value, share]) => Some(each(share, |share| {
            with_arguments(function, "approx_percentile_cont", vec![value.clone(), share.clone()])
        })),
        ("if" | "iff" | "iif", [condition, then, rest @ ..]) if rest.len() < 2 => Some(Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand: None,
            conditions: vec![CaseWhen { condition: condition.clone(), result: then.clone() }],
            else_result: rest.first().cloned().map(Box::new),
        }),
        ("regexp_extract", [subject, pattern, rest @ ..]) if rest.len() < 2 => {
            // The whole becomes the first group.
            let whole = call("concat", vec![text("("), pattern.clone(), text(")")]);
            let found = call("regexp_match", vec![subject.clone(), whole]);
            let group = match rest.first() {
                None => number("1"),
                Some(Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. })) => {
                    let group: u32 = digits.parse().map_err(|_| Error::input("a group is a whole number"))?;
                    number(&(group + 1).to_string())
                }
                Some(group) => plus(group.clone(), number("1")),
            };
            Some(call("array_element", vec![found, group]))
        }
        ("regexp_full_match", [subject, pattern]) => {
            let whole = call("concat", vec![text("^(?:"), pattern.clone(), text(")$")]);
            Some(call("regexp_like", vec![subject.clone(), whole]))
        }
        ("json_extract_string" | "json_extract_scalar" | "json_value" | "get_json_object", [json, path]) => {
            Some(call("json_as_text", steps(name, json, path)?))
        }
        ("json_extract" | "json_query" | "json_extract_path", [json, path]) => {
            Some(call("json_get_json", steps(name, json, path)?))
        }
        ("regexp_substr", [subject, pattern]) => {
            Some(call("array_element", vec![call("regexp_match", vec![subject.clone(), pattern.clone()]), number("1")]))
        }
        ("mod", [left, right]) => Some(Expr::Nested(Box::new(Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(left.clone()))),
            op: BinaryOperator::Modulo,
            right: Box::new(Expr::Nested(Box::new(right.clone()))),
        }))),
        ("set_agg", [_]) => {
            let mut made = renamed_function(function, "array_agg");
            if let FunctionArguments::List(list) = &mut made.args {
                list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            }
            Some(Expr::Function(made))
        }
        ("group_concat" | "listagg" | "string_agg", [value]) => {
            Some(with_arguments(function, "string_agg", vec![value.clone(), text(",")]))
        }
        ("to_base64", [value]) => Some(call("encode", vec![value.clone(), text("base64")])),
        ("from_base64", [value]) => Some(call("decode", vec![value.clone(), text("base64")])),
        ("from_hex" | "unhex", [value]) => Some(call("decode", vec![value.clone(), text("hex")])),
        // JSON is text here.
        ("json_parse" | "json_format", [value]) => Some(Expr::Nested(Box::new(value.clone()))),
        ("json_extract_path_text" | "jsonb_extract_path_text", [_, _, ..]) => Some(renamed(function, "json_as_text")),
        ("json_get", [_, _, ..]) => Some(renamed(function, "json_get_json")),
        ("json_exists", [json, path]) => Some(call("json_contains", steps(name, json, path)?)),
        _ => None,
    })
}
