//! Named parameters: `:name` and `$name` become typed literals of the syntax tree, never text that is pasted.
//!
//! Values are inserted before planning, because `limit :n`, `interval :w` and `at time zone :tz` need them then.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray, MapBuilder, StringBuilder};
use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType, Expr, Map, MapEntry, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use super::dialect::{self, expression};
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

/// Builds a list of texts.
pub fn list(values: &[String]) -> ScalarValue {
    let values: Vec<ScalarValue> = values.iter().map(|value| ScalarValue::from(value.as_str())).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &ArrowType::Utf8))
}

/// Builds a map from names to texts.
pub fn map(entries: &[(String, String)]) -> ScalarValue {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (name, value) in entries {
        map.keys().append_value(name);
        map.values().append_value(value);
    }
    // The loop appends one value for each key.
    map.append(true).expect("as many keys as values");
    ScalarValue::Map(Arc::new(map.finish()))
}

/// Builds a length of time from milliseconds.
pub fn duration(length_ms: i64) -> ScalarValue {
    ScalarValue::DurationMillisecond(Some(length_ms))
}

/// Inserts the values of placeholders into a statement.
pub fn bind<T: VisitMut>(statement: &mut T, value_of: &dyn Fn(&str) -> Option<ScalarValue>) -> Result<()> {
    match statement.visit(&mut Binder { value_of }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Returns the names of a query's placeholders.
pub fn placeholders(sql: &str) -> Result<Vec<String>> {
    let found = RefCell::new(Vec::new());
    let mut statement = dialect::view(sql)?;
    bind(&mut statement, &|name| {
        found.borrow_mut().push(name.to_string());
        Some(ScalarValue::Null)
    })?;
    Ok(found.into_inner())
}

struct Binder<'a> {
    value_of: &'a dyn Fn(&str) -> Option<ScalarValue>,
}

impl VisitorMut for Binder<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Value(ValueWithSpan { value: Value::Placeholder(text), .. }) = expr else {
            return ControlFlow::Continue(());
        };
        let name = text.trim_start_matches([':', '$', '@']);
        let Some(value) = (self.value_of)(name) else {
            let error = Error::usage(format!("the statement needs a value for `{text}`"));
            return ControlFlow::Break(if name.is_empty() || text.starts_with('?') {
                error.hint("name it `:name`, and pass --param name=value")
            } else {
                error.hint(format!("pass --param {name}=value"))
            });
        };
        match literal(&value) {
            Some(literal) => *expr = literal,
            None => {
                let kind = value.data_type();
                return ControlFlow::Break(Error::usage(format!("a parameter cannot be {kind}, as `{text}` is")));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Returns a literal of the value's own type; `None` for types that nobody passes.
fn literal(value: &ScalarValue) -> Option<Expr> {
    let plain = |value: Value| Expr::Value(value.into());
    let text = |text: &str| plain(Value::SingleQuotedString(text.to_string()));
    if value.is_null() {
        return Some(plain(Value::Null));
    }
    if let Some(value) = value.try_as_str().flatten() {
        return Some(text(value));
    }
    let cast = |value: String, data_type| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(text(&value)),
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
        // The literal is made from the number: as text, times far away would have more digits than the engine reads.
        ScalarValue::TimestampMicrosecond(Some(time_us), _) => {
            parsed(&format!("arrow_cast({time_us}, 'Timestamp(Microsecond, Some(\"UTC\"))')"))?
        }
        ScalarValue::DurationMillisecond(Some(length_ms)) => parsed(&format!("interval '{length_ms} milliseconds'"))?,
        ScalarValue::List(list) => {
            let items = list.value(0);
            match items.as_string_opt::<i32>()? {
                items if items.is_empty() => parsed("arrow_cast(make_array(), 'List(Utf8)')")?,
                items => Expr::Array(Array { elem: items.iter().flatten().map(text).collect(), named: false }),
            }
        }
        ScalarValue::Map(map) => {
            let entries = map.value(0);
            let (keys, values) = (entries.column(0).as_string_opt::<i32>()?, entries.column(1).as_string_opt::<i32>()?);
            let entry = |(key, value)| MapEntry { key: Box::new(text(key)), value: Box::new(text(value)) };
            let pairs = keys.iter().flatten().zip(values.iter().flatten());
            Expr::Map(Map { entries: pairs.map(entry).collect() })
        }
        _ => return None,
    })
}

/// Parses an expression whose text we made from numbers alone.
fn parsed(sql: &str) -> Option<Expr> {
    expression(sql).ok()
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
