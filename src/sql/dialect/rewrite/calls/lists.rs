//! Functions of lists, structs and lambdas.

use datafusion::sql::sqlparser::ast::{Expr, Function, Value, ValueWithSpan};

use super::super::super::grammar::call;
use super::build::{not, number, renamed, text, with_arguments};
use crate::error::{Error, Result};

/// Returns a call in the engine's terms; `None` for one that stays.
pub fn rewritten(name: &str, function: &Function, args: &[Expr]) -> Result<Option<Expr>> {
    Ok(match (name, args) {
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
        // A map is indexed by a key, a list by a position.
        ("element_at", [_, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. })]) => None,
        ("element_at", [_, _]) => Some(renamed(function, "array_element")),
        ("list_first" | "array_first", [list]) => Some(call("array_element", vec![list.clone(), number("1")])),
        ("list_last" | "array_last", [list]) => Some(call("array_element", vec![list.clone(), number("-1")])),
        ("list_reverse_sort" | "array_reverse_sort", [list]) => {
            Some(call("array_sort", vec![list.clone(), text("DESC"), text("NULLS LAST")]))
        }
        ("list_unique", [list]) => Some(call("len", vec![call("array_distinct", vec![list.clone()])])),
        ("list_aggregate" | "list_aggr" | "array_aggregate", [list, what]) => {
            let what = match what {
                Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(what), .. }) => what.to_lowercase(),
                _ => String::new(),
            };
            let function = match what.as_str() {
                "sum" => "list_sum",
                "avg" | "mean" => "list_avg",
                "min" => "array_min",
                "max" => "array_max",
                "count" => "len",
                _ => {
                    return Err(Error::input(format!("`{name}` takes 'sum', 'avg', 'min', 'max' or 'count'"))
                        .hint("else aggregate what unnest(list) gives"));
                }
            };
            Some(call(function, vec![list.clone()]))
        }
        // The engine's functions remove the first equal item, PostgreSQL's and Athena's all of them.
        ("array_remove" | "list_remove", [_, _]) => Some(renamed(function, "array_remove_all")),
        ("array_replace" | "list_replace", [_, _, _]) => Some(renamed(function, "array_replace_all")),
        ("struct_extract", [value, member @ Expr::Value(_)]) => {
            Some(call("get_field", vec![value.clone(), member.clone()]))
        }
        // It counts the letters of a text or the items of a list; the engine would count the letters of a printed list.
        ("length", [_]) => Some(renamed(function, "len")),
        _ => None,
    })
}
