//! Functions of DuckDB, PostgreSQL and Athena that are other words for what the engine has.
//!
//! Those here need another clause or another kind of expression; what is only another name is an alias, and what the
//! engine lacks is a function of its own (`functions`).

mod build;
mod listed;
mod shares;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectNamePart, TimezoneInfo, Value, ValueWithSpan, VisitorMut,
};

use super::super::grammar::call;
use crate::error::{Error, Result};

use build::{
    add_filter, and, cast, is_not_null, minus, not, number, order_by, plain, plus, rename, renamed, renamed_function,
    set_arguments, text, with_arguments,
};
use shares::{discrete, each, first_of, steps};

pub use listed::REWRITTEN;

pub struct Calls;

impl VisitorMut for Calls {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                *expr = call("at_time_zone", vec![timestamp.as_ref().clone(), time_zone.as_ref().clone()]);
            }
            Expr::BinaryOp { left, op, right } if json(op).is_some() => {
                if let Some(function) = json(op) {
                    let mut arguments = steps_of(left);
                    arguments.push(right.as_ref().clone());
                    *expr = call(function, arguments);
                }
            }
            // A power in DuckDB and PostgreSQL; the parser takes it for a bitwise operation.
            Expr::BinaryOp { left, op: BinaryOperator::BitwiseXor, right } => {
                *expr = call("power", vec![left.as_ref().clone(), right.as_ref().clone()]);
            }
            Expr::BinaryOp { op: BinaryOperator::DuckIntegerDivide, .. } => {
                return ControlFlow::Break(
                    Error::input("`//` is not supported")
                        .hint("a / b of whole numbers is a whole number; else write floor(a / b)"),
                );
            }
            // The engine's planner would take its own function for it.
            Expr::Extract { field, expr: time, .. } => {
                *expr = call("date_part", vec![text(&field.to_string().to_lowercase()), time.as_ref().clone()]);
            }
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

/// The function behind an operator of JSON text.
fn json(op: &BinaryOperator) -> Option<&'static str> {
    match op {
        // As JSON text, as in psql: the engine's own is one of many types in one.
        BinaryOperator::Arrow => Some("json_get_json"),
        BinaryOperator::LongArrow => Some("json_as_text"),
        BinaryOperator::Question => Some("json_contains"),
        _ => None,
    }
}

/// What a step is taken from: another one's text and steps, so that the text is read once.
fn steps_of(json: &Expr) -> Vec<Expr> {
    match json {
        Expr::Function(function) if name_of(function).as_deref() == Some("json_get_json") => {
            arguments(function).unwrap_or_else(|| vec![json.clone()])
        }
        other => vec![other.clone()],
    }
}

fn name_of(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident.value.to_lowercase()),
        _ => None,
    }
}

/// Plain arguments; `None` when one is named or a `*`.
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
    Ok(match (name, args.as_slice()) {
        ("count_if" | "countif", [condition]) => {
            let mut made = function.clone();
            rename(&mut made, "count");
            set_arguments(&mut made, vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]);
            add_filter(&mut made, condition.clone());
            Some(Expr::Function(made))
        }
        ("arg_max" | "max_by" | "arg_min" | "min_by", [value, by]) => {
            let mut made = function.clone();
            rename(&mut made, "first_value");
            set_arguments(&mut made, vec![plain(value.clone())]);
            add_filter(&mut made, and(is_not_null(value.clone()), is_not_null(by.clone())));
            order_by(&mut made, by.clone(), matches!(name, "arg_min" | "min_by"));
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
        ("quantile" | "quantile_disc", [value, share]) => Some(each(share, |share| discrete(function, value, share))),
        // `percentile_disc(0.5) within group (order by x)`.
        ("percentile_disc", [share]) => match function.within_group.as_slice() {
            [by] => Some(each(share, |share| discrete(function, &by.expr, share))),
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
        ("date", [value]) => Some(cast(value.clone(), DataType::Date)),
        ("from_iso8601_timestamp", [value]) => {
            Some(cast(value.clone(), DataType::Timestamp(None, TimezoneInfo::WithTimeZone)))
        }
        ("from_iso8601_date", [value]) => Some(cast(value.clone(), DataType::Date)),
        ("timezone", [zone, time]) => Some(call("at_time_zone", vec![time.clone(), zone.clone()])),
        ("age", [later, earlier]) => Some(minus(later.clone(), earlier.clone())),
        ("epoch", [time]) => Some(part("epoch", time)),
        ("dayname", [time]) => Some(call("to_char", vec![time.clone(), text("%A")])),
        ("monthname", [time]) => Some(call("to_char", vec![time.clone(), text("%B")])),
        (_, [time]) if part_of(name).is_some() => part_of(name).map(|field| part(field, time)),
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
        ("json_extract_string" | "json_extract_scalar" | "json_value", [json, path]) => {
            Some(call("json_as_text", steps(name, json, path)?))
        }
        ("json_extract" | "json_query" | "json_extract_path", [json, path]) => {
            Some(call("json_get_json", steps(name, json, path)?))
        }
        ("filter", [_, Expr::Lambda(_)]) => Some(renamed(function, "array_filter")),
        ("transform" | "apply" | "array_apply" | "list_apply", [_, Expr::Lambda(_)]) => {
            Some(renamed(function, "array_transform"))
        }
        ("none_match", [_, Expr::Lambda(_)]) => Some(not(renamed(function, "array_any_match"))),
        ("all_match", [list, Expr::Lambda(lambda)]) => {
            let mut opposite = lambda.clone();
            opposite.body = Box::new(not(Expr::Nested(opposite.body)));
            Some(not(with_arguments(function, "array_any_match", vec![list.clone(), Expr::Lambda(opposite)])))
        }
        // Of a map by a key, of a list by a place.
        ("element_at", [_, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. })]) => None,
        ("element_at", [_, _]) => Some(renamed(function, "array_element")),
        ("last_day", [time]) => {
            let month = call("date_trunc", vec![text("month"), time.clone()]);
            let next = call("date_add", vec![text("month"), number("1"), month]);
            Some(cast(call("date_add", vec![text("day"), number("-1"), next]), DataType::Date))
        }
        ("date_add", [time, by]) => Some(plus(time.clone(), by.clone())),
        ("date_sub", [time, by]) => Some(minus(time.clone(), by.clone())),
        ("json_get", [_, _, ..]) => Some(renamed(function, "json_get_json")),
        ("json_exists", [json, path]) => Some(call("json_contains", steps(name, json, path)?)),
        _ => None,
    })
}

/// The field of `date_part` that a function of that name takes.
fn part_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "year" => "year",
        "quarter" => "quarter",
        "month" => "month",
        "week" | "weekofyear" | "week_of_year" => "week",
        "day" | "dayofmonth" | "day_of_month" => "day",
        "dayofyear" | "day_of_year" | "doy" => "doy",
        "dayofweek" | "dow" | "weekday" => "dow",
        "isodow" | "day_of_week" => "isodow",
        "hour" => "hour",
        "minute" => "minute",
        "second" => "second",
        _ => return None,
    })
}

fn part(field: &str, time: &Expr) -> Expr {
    call("date_part", vec![text(field), time.clone()])
}
