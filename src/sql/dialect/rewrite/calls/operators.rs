//! Operators that the engine lacks, or reads differently from PostgreSQL and DuckDB.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr, Interval, UnaryOperator, Value, ValueWithSpan,
};

use super::super::super::grammar::call;
use super::build::{cast, minus, not, number, text, times};
use super::shares::steps;
use super::{arguments, name_of};
use crate::error::{Error, Result};

/// Returns an operator in the engine's terms; `None` for one that it has.
pub fn spelled(expr: &Expr) -> Result<Option<Expr>> {
    Ok(match expr {
        Expr::AtTimeZone { timestamp, time_zone } => {
            Some(call("at_time_zone", vec![timestamp.as_ref().clone(), time_zone.as_ref().clone()]))
        }
        Expr::BinaryOp { left, op, right } => binary(left, op, right)?,
        // The engine reads a number or a text there, but no computed value.
        Expr::Interval(Interval { value, leading_field: Some(unit), last_field: None, .. })
            if !matches!(value.as_ref(), Expr::Value(_)) =>
        {
            Some(times(value.as_ref().clone(), &format!("1 {unit}").to_lowercase()))
        }
        // The engine's planner would use its own function for it.
        Expr::Extract { field, expr: time, .. } => {
            Some(call("date_part", vec![text(&field.to_string().to_lowercase()), time.as_ref().clone()]))
        }
        // JSON is text here.
        Expr::Cast { expr, data_type: DataType::JSON | DataType::JSONB, .. } => {
            Some(cast(expr.as_ref().clone(), DataType::Varchar(None)))
        }
        // In two's complement.
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr } => {
            let one = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number("1")) };
            Some(Expr::Nested(Box::new(minus(one, Expr::Nested(expr.clone())))))
        }
        Expr::Like { negated, any, expr, pattern, escape_char: Some(escape) } => {
            let pattern = Box::new(escaped(pattern, escape)?);
            Some(Expr::Like { negated: *negated, any: *any, expr: expr.clone(), pattern, escape_char: None })
        }
        Expr::ILike { negated, any, expr, pattern, escape_char: Some(escape) } => {
            let pattern = Box::new(escaped(pattern, escape)?);
            Some(Expr::ILike { negated: *negated, any: *any, expr: expr.clone(), pattern, escape_char: None })
        }
        Expr::SimilarTo { negated, expr, pattern, escape_char } => {
            let Some(pattern) = literal(pattern) else {
                return Err(Error::input("`similar to` takes a pattern that is written out")
                    .hint("write text ~ pattern, with a regular expression"));
            };
            let escape = match escape_char {
                Some(escape) => letter(&escape.value)?,
                None => Some('\\'),
            };
            let found = call("regexp_like", vec![expr.as_ref().clone(), text(&regular(&pattern, escape))]);
            Some(if *negated { not(found) } else { found })
        }
        // `substring(x from 'pattern')` of PostgreSQL; a number there is a place.
        Expr::Substring { expr, substring_from: Some(pattern), substring_for: None, .. } => {
            literal(pattern).map(|pattern| {
                let found = call("regexp_match", vec![expr.as_ref().clone(), text(&pattern)]);
                call("array_element", vec![found, number("1")])
            })
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match right.as_ref() {
            Expr::Subquery(_) => None,
            list => Some(among(left, list)),
        },
        _ => None,
    })
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Option<Expr>> {
    let of_json = |function: &str, steps: Vec<Expr>| {
        let mut arguments = steps_of(left);
        arguments.extend(steps);
        Some(call(function, arguments))
    };
    Ok(match op {
        // The result is JSON text, as in psql: the engine's own is a union of many types.
        BinaryOperator::Arrow => of_json("json_get_json", path("->", right)?),
        BinaryOperator::LongArrow => of_json("json_as_text", path("->>", right)?),
        BinaryOperator::HashArrow => of_json("json_get_json", braced("#>", right)?),
        BinaryOperator::HashLongArrow => of_json("json_as_text", braced("#>>", right)?),
        BinaryOperator::Question => of_json("json_contains", vec![right.clone()]),
        // It is a power in DuckDB and PostgreSQL; the parser takes it for a bitwise operation.
        BinaryOperator::BitwiseXor => Some(call("power", vec![left.clone(), right.clone()])),
        BinaryOperator::DuckIntegerDivide => {
            return Err(Error::input("`//` is not supported")
                .hint("a / b of whole numbers is a whole number; else write floor(a / b)"));
        }
        _ => None,
    })
}

/// Returns the text and the steps of the JSON access that a step applies to, so that the text is read once.
fn steps_of(json: &Expr) -> Vec<Expr> {
    match json {
        Expr::Function(function) if name_of(function).as_deref() == Some("json_get_json") => {
            arguments(function).unwrap_or_else(|| vec![json.clone()])
        }
        other => vec![other.clone()],
    }
}

/// Reads a key, a place, or all steps of a path such as '$.trace.id', which DuckDB allows after `->>` as well.
fn path(operator: &str, key: &Expr) -> Result<Vec<Expr>> {
    match literal(key).filter(|key| key.starts_with("$.") || key.starts_with("$[")) {
        Some(_) => Ok(steps(operator, key, key)?.split_off(1)),
        None => Ok(vec![key.clone()]),
    }
}

/// Reads the steps of '{trace,id}'.
fn braced(operator: &str, path: &Expr) -> Result<Vec<Expr>> {
    let steps = literal(path).and_then(|path| Some(path.strip_prefix('{')?.strip_suffix('}')?.to_string()));
    let Some(steps) = steps else {
        return Err(Error::input(format!("`{operator}` takes a path that is written out, such as '{{trace,id}}'"))
            .hint("write unmapped->'trace'->>'id'"));
    };
    let step = |step: &str| match step.parse::<u32>() {
        Ok(place) => number(&place.to_string()),
        Err(_) => text(step.trim_matches('"')),
    };
    Ok(steps.split(',').map(|part| step(part.trim())).collect())
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text.clone()),
        _ => None,
    }
}

/// Returns the escape character; `None` when there is none.
fn letter(escape: &Value) -> Result<Option<char>> {
    let wrong = || Error::input("`escape` takes one letter, such as escape '!'");
    let Value::SingleQuotedString(escape) = escape else { return Err(wrong()) };
    let mut letters = escape.chars();
    match (letters.next(), letters.next()) {
        (letter, None) => Ok(letter),
        _ => Err(wrong()),
    }
}

/// Rewrites a pattern of `like` with the escape that the engine knows.
fn escaped(pattern: &Expr, escape: &ValueWithSpan) -> Result<Expr> {
    let escape = letter(&escape.value)?;
    if escape == Some('\\') {
        return Ok(pattern.clone());
    }
    let Some(pattern) = literal(pattern) else {
        return Err(Error::input("`escape` stands behind a pattern that is written out")
            .hint("write \\ before a letter that means itself, and leave `escape` out"));
    };
    let mut made = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if Some(letter) == escape => {
                made.push('\\');
                made.extend(letters.next());
            }
            '\\' => made.push_str("\\\\"),
            letter => made.push(letter),
        }
    }
    Ok(text(&made))
}

/// Rewrites a pattern of `similar to` as a regular expression over the whole text.
fn regular(pattern: &str, escape: Option<char>) -> String {
    let mut made = String::from("^(?s:");
    let mut letters = pattern.chars();
    let mut is_in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            letter if Some(letter) == escape => {
                let plain: String = letters.next().into_iter().collect();
                made.push_str(&regex::escape(&plain));
            }
            ']' => {
                is_in_class = false;
                made.push(']');
            }
            letter if is_in_class => made.push(letter),
            '[' => {
                is_in_class = true;
                made.push('[');
            }
            '%' => made.push_str(".*"),
            '_' => made.push('.'),
            '(' => made.push_str("(?:"),
            '.' | '^' | '$' | '\\' => {
                made.push('\\');
                made.push(letter);
            }
            letter => made.push(letter),
        }
    }
    made.push_str(")$");
    made
}

/// Rewrites `x = any(list)`: null where the list has no such item but one that is null.
fn among(item: &Expr, list: &Expr) -> Expr {
    let found = call("array_has", vec![list.clone(), item.clone()]);
    let is_plain =
        |items: &[Expr]| items.iter().all(|item| matches!(item, Expr::Value(value) if value.value != Value::Null));
    if matches!(list, Expr::Array(array) if is_plain(&array.elem)) {
        return found;
    }
    let null = || Expr::Value(Value::Null.into());
    let is_unknown = call("array_position", vec![list.clone(), null()]);
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![
            CaseWhen { condition: found.clone(), result: Expr::Value(Value::Boolean(true).into()) },
            CaseWhen { condition: Expr::IsNotNull(Box::new(is_unknown)), result: null() },
        ],
        // The result is null for a null list or item.
        else_result: Some(Box::new(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_similar_to_are_over_the_whole_text() {
        assert_eq!(regular("a%(b|c)_.[a.%]", Some('\\')), "^(?s:a.*(?:b|c).\\.[a.%])$");
        assert_eq!(regular("50!%", Some('!')), "^(?s:50%)$");
        assert_eq!(regular("a\\_b", Some('\\')), "^(?s:a_b)$");
    }
}
