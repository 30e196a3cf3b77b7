//! Parameters enter a statement as typed literals of its syntax tree, never as text.
//!
//! They are put in before planning, not bound afterwards: `at time zone $tz`, frames (`range between $window
//! preceding`) and `range($from, $to, ...)` need their values when the plan is made.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Array, Expr, Map, MapEntry, Statement, Value as SqlValue, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::params::Value;
use crate::error::{Context, Error, Kind, Result};

/// Puts the value of every `$name` into `statement`.
pub(super) fn bind<'a>(statement: &mut Statement, value_of: impl Fn(&str) -> Option<&'a Value>) -> Result<()> {
    match statement.visit(&mut Binder { value_of }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Binder<F> {
    value_of: F,
}

impl<'a, F: Fn(&str) -> Option<&'a Value>> VisitorMut for Binder<F> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let SqlValue::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        let name = name.trim_start_matches('$');
        let Some(value) = (self.value_of)(name) else {
            return ControlFlow::Break(
                Error::usage(format!("`${name}` is no parameter"))
                    .hint("declare it under [parameters] in the head of the report"),
            );
        };
        match literal(value) {
            Ok(literal) => *expr = literal,
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// Text becomes a string node as it is; SQL text is made of numbers of ours only.
fn literal(value: &Value) -> Result<Expr> {
    let text = |text: &str| Expr::Value(SqlValue::SingleQuotedString(text.to_string()).into());
    match value {
        Value::Text(value) => Ok(text(value)),
        Value::Strings(values) if !values.is_empty() => {
            Ok(Expr::Array(Array { elem: values.iter().map(|value| text(value)).collect(), named: false }))
        }
        Value::Strings(_) => parse("arrow_cast(make_array(), 'List(Utf8)')".to_string()),
        Value::Map(entries) => {
            let entry =
                |(key, value): &(String, String)| MapEntry { key: Box::new(text(key)), value: Box::new(text(value)) };
            Ok(Expr::Map(Map { entries: entries.iter().map(entry).collect() }))
        }
        Value::Timestamp(time_ms) => {
            let time_us = time_ms.checked_mul(1000);
            let time_us = time_us.ok_or_else(|| Error::usage(format!("time {time_ms} ms is out of range")))?;
            parse(format!("arrow_cast({time_us}, 'Timestamp(Microsecond, Some(\"UTC\"))')"))
        }
        Value::Duration(duration_ms) => parse(format!("interval '{duration_ms} milliseconds'")),
        Value::Int(number) => parse(number.to_string()),
        Value::Double(number) => parse(format!("cast({number:?} as double)")),
        Value::Boolean(value) => parse(value.to_string()),
    }
}

fn parse(sql: String) -> Result<Expr> {
    Parser::new(&DuckDbDialect {})
        .try_with_sql(&sql)
        .and_then(|mut parser| parser.parse_expr())
        .context(Kind::Internal, || format!("cannot make a literal of {sql}"))
}
