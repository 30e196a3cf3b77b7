//! Named parameters: `:name` and `$name` become typed literals of the syntax tree, never text that is pasted.
//!
//! They are put in before planning, because `limit :n`, `interval :w` and `at time zone :tz` want their values then.

use std::ops::ControlFlow;

use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, TimezoneInfo, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use crate::error::{Error, Result};
use crate::typed::parse_time;

/// Values of `:name` and `$name` placeholders.
pub type Params = Vec<(String, ScalarValue)>;

/// Reads `name=value` or `name:type=value`; without a type the value is text.
pub fn parse_param(text: &str) -> Result<(String, ScalarValue)> {
    let wrong = |message: String| Error::usage(message).hint("write --param name=text, or --param name:int=5");
    let Some((head, value)) = text.split_once('=') else {
        return Err(wrong(format!("`{text}` is no parameter")));
    };
    let (name, kind) = head.split_once(':').unwrap_or((head, "text"));
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_name {
        return Err(wrong(format!("`{name}` is no name of a parameter")));
    }
    let bad = || wrong(format!("`{value}` is no {kind}, which the parameter `{name}` is"));
    let value = match kind {
        "text" | "string" | "varchar" => ScalarValue::Utf8(Some(value.to_string())),
        "int" | "integer" | "bigint" => ScalarValue::Int64(Some(value.trim().parse().map_err(|_| bad())?)),
        "double" | "float" => ScalarValue::Float64(Some(value.trim().parse().map_err(|_| bad())?)),
        "bool" | "boolean" => ScalarValue::Boolean(Some(value.trim().parse().map_err(|_| bad())?)),
        "timestamp" | "time" | "date" => {
            ScalarValue::TimestampMicrosecond(Some(parse_time(value)?.micros()), Some("UTC".into()))
        }
        other => {
            return Err(Error::usage(format!("no type `{other}` for the parameter `{name}`"))
                .hint("text, int, double, bool and timestamp are there"));
        }
    };
    Ok((name.to_string(), value))
}

/// Puts the values into a statement.
pub fn bind<T: VisitMut>(statement: &mut T, params: &Params) -> Result<()> {
    match statement.visit(&mut Binder { params }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Binder<'a> {
    params: &'a Params,
}

impl VisitorMut for Binder<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Value(ValueWithSpan { value: Value::Placeholder(text), .. }) = expr else {
            return ControlFlow::Continue(());
        };
        let name = text.trim_start_matches([':', '$', '@']);
        let Some((_, value)) = self.params.iter().find(|(known, _)| known == name) else {
            let error = Error::usage(format!("the statement needs a value for `{text}`"));
            return ControlFlow::Break(match name.is_empty() || text.starts_with('?') {
                true => error.hint("name it `:name`, and pass --param name=value"),
                false => error.hint(format!("pass --param {name}=value")),
            });
        };
        match literal(value) {
            Some(literal) => *expr = literal,
            None => {
                let kind = value.data_type();
                return ControlFlow::Break(Error::usage(format!("a parameter cannot be {kind}, as `{text}` is")));
            }
        }
        ControlFlow::Continue(())
    }
}

/// A literal of the value's own type; `None` for types that nobody passes.
fn literal(value: &ScalarValue) -> Option<Expr> {
    let plain = |value: Value| Expr::Value(value.into());
    if value.is_null() {
        return Some(plain(Value::Null));
    }
    if let Some(text) = value.try_as_str().flatten() {
        return Some(plain(Value::SingleQuotedString(text.to_string())));
    }
    let cast = |text: String, data_type| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(plain(Value::SingleQuotedString(text))),
        data_type,
        array: false,
        format: None,
    };
    Some(match value {
        ScalarValue::Boolean(Some(value)) => plain(Value::Boolean(*value)),
        ScalarValue::Int64(Some(number)) if *number >= 0 => plain(Value::Number(number.to_string(), false)),
        ScalarValue::Int64(Some(number)) => cast(number.to_string(), DataType::BigInt(None)),
        ScalarValue::Float64(Some(number)) => {
            cast(format!("{number:?}"), DataType::Double(datafusion::sql::sqlparser::ast::ExactNumberInfo::None))
        }
        ScalarValue::TimestampMicrosecond(Some(time_us), _) => {
            let time = chrono::DateTime::from_timestamp_micros(*time_us)?;
            cast(
                time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
                DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
            )
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_text_unless_it_says_otherwise() {
        assert_eq!(parse_param("a=007").unwrap(), ("a".to_string(), ScalarValue::Utf8(Some("007".to_string()))));
        assert_eq!(parse_param("a:int=7").unwrap().1, ScalarValue::Int64(Some(7)));
        assert_eq!(parse_param("a=x=y").unwrap().1, ScalarValue::Utf8(Some("x=y".to_string())));
        assert_eq!(parse_param("a:bool=true").unwrap().1, ScalarValue::Boolean(Some(true)));
        for wrong in ["a", "=1", "1a=1", "a b=1", "a:int=x", "a:json={}", "a:time=soon"] {
            assert!(parse_param(wrong).is_err(), "{wrong}");
        }
    }
}
