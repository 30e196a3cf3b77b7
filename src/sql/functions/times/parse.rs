//! Texts and numbers read as times.

use std::sync::Arc;

use arrow::array::{Array, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use chrono::format::{Parsed, parse};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::calendar::{SECOND_US, utc};
use super::pattern::{as_c, items, of_mysql};
use super::{micros, result, rows, times};
use crate::typed::parse_time;

/// The way a function reads its second argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Patterns {
    Optional,
    C,
    MySql,
}

pub fn to_timestamp() -> ScalarUDF {
    function(
        "to_timestamp",
        &[],
        Patterns::Optional,
        "A time: of a text as people write times, or by a pattern; of a number, so many seconds since 1970.",
        "to_timestamp(text, pattern)",
        "select count(*) from event where time >= to_timestamp('2026-01-31T12:00:00Z')",
    )
}

pub fn strptime() -> ScalarUDF {
    function(
        "strptime",
        &[],
        Patterns::C,
        "The time that a text means by a pattern; what does not fit is an error.",
        "strptime(text, pattern)",
        "select strptime('31.01.2026 12:00', '%d.%m.%Y %H:%M')",
    )
}

pub fn date_parse() -> ScalarUDF {
    function(
        "date_parse",
        &[],
        Patterns::MySql,
        "The time that a text means by a pattern of MySQL and Athena, in which %i are minutes.",
        "date_parse(text, pattern)",
        "select date_parse('2026-01-31 12:30', '%Y-%m-%d %H:%i')",
    )
}

fn function(
    name: &'static str,
    aliases: &[&str],
    patterns: Patterns,
    description: &str,
    syntax: &str,
    example: &str,
) -> ScalarUDF {
    let documentation = Documentation::builder(Default::default(), description, syntax)
        .with_argument("text", "a text")
        .with_argument("pattern", "what the text looks like")
        .with_sql_example(example)
        .build();
    let signature = Signature::user_defined(Volatility::Immutable);
    let aliases = aliases.iter().map(|alias| alias.to_string()).collect();
    ScalarUDF::new_from_impl(Read { name, aliases, patterns, signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Read {
    name: &'static str,
    aliases: Vec<String>,
    patterns: Patterns,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Read {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let first = match types.first() {
            Some(text) if text.is_string() || text.is_null() => DataType::Utf8,
            Some(number) if number.is_integer() => DataType::Int64,
            Some(number) if number.is_numeric() => DataType::Float64,
            Some(time) => micros(time)?,
            None => return plan_err!("{} takes a text", self.name),
        };
        let rest = types.len() - 1;
        let is_right = match self.patterns {
            Patterns::Optional => rest == 0 || first == DataType::Utf8,
            Patterns::C | Patterns::MySql => rest == 1 && first == DataType::Utf8,
        };
        if !is_right {
            return plan_err!("{} takes a text and a pattern", self.name);
        }
        Ok(std::iter::once(first).chain(std::iter::repeat_n(DataType::Utf8, rest)).collect())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(utc())
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (rows, is_constant) = rows(&arguments);
        let value = &arguments.args[0];
        let made: TimestampMicrosecondArray = match value.data_type() {
            DataType::Utf8 => self.read(&arguments, rows)?,
            DataType::Int64 => {
                let array = value.to_array(rows)?;
                array.as_primitive::<Int64Type>().try_unary(|seconds| match seconds.checked_mul(SECOND_US) {
                    Some(us) => Ok(us),
                    None => exec_err!("{seconds} seconds are out of the range of times"),
                })?
            }
            DataType::Float64 => {
                let array = value.to_array(rows)?;
                array.as_primitive::<Float64Type>().try_unary(|seconds| {
                    let us = seconds * SECOND_US as f64;
                    // Beyond this, a double is not a whole microsecond any more, and soon not a time.
                    if us.abs() < 9.2e18 {
                        Ok::<i64, DataFusionError>(us.round() as i64)
                    } else {
                        exec_err!("{seconds} seconds are out of the range of times")
                    }
                })?
            }
            _ => times(value, rows)?,
        };
        result(Arc::new(made.with_timezone("UTC")), is_constant)
    }
}

impl Read {
    fn read(&self, arguments: &ScalarFunctionArgs, rows: usize) -> Result<TimestampMicrosecondArray> {
        let texts = arguments.args[0].to_array(rows)?;
        let texts = texts.as_string::<i32>();
        let mut patterns = Vec::new();
        for pattern in &arguments.args[1..] {
            patterns.push(cast(&pattern.to_array(rows)?, &DataType::Utf8)?);
        }
        let mut made = Vec::with_capacity(texts.len());
        for row in 0..texts.len() {
            let is_null = texts.is_null(row) || patterns.iter().any(|pattern| pattern.is_null(row));
            if is_null {
                made.push(None);
                continue;
            }
            let text = texts.value(row);
            if patterns.is_empty() {
                let time = parse_time(text).map_err(|error| DataFusionError::External(Box::new(error)))?;
                made.push(Some(time.micros()));
                continue;
            }
            let mut found = None;
            for pattern in &patterns {
                let pattern = pattern.as_string::<i32>().value(row);
                let pattern = if self.patterns == Patterns::MySql { of_mysql(pattern) } else { as_c(pattern)? };
                found = found.or(by_pattern(text, &pattern)?);
            }
            match found {
                Some(us) => made.push(Some(us)),
                None => return exec_err!("cannot read the time '{text}' by the pattern"),
            }
        }
        Ok(made.into())
    }
}

/// Returns the time that a text means by a pattern; parts that the pattern leaves open are zero, the zone UTC.
fn by_pattern(text: &str, pattern: &str) -> Result<Option<i64>> {
    let mut parsed = Parsed::new();
    if parse(&mut parsed, text, items(pattern)?.iter()).is_err() {
        return Ok(None);
    }
    if let Ok(instant) = parsed.to_datetime() {
        return Ok(Some(instant.timestamp_micros()));
    }
    // A year alone begins in January, a month alone with its first day, an hour alone with its first minute.
    if parsed.ordinal().is_none() && parsed.isoweek().is_none() {
        if parsed.month().is_none() && parsed.set_month(1).is_err() {
            return Ok(None);
        }
        if parsed.day().is_none() && parsed.set_day(1).is_err() {
            return Ok(None);
        }
    }
    if parsed.hour_mod_12().is_some() && parsed.minute().is_none() && parsed.set_minute(0).is_err() {
        return Ok(None);
    }
    let Ok(day) = parsed.to_naive_date() else { return Ok(None) };
    let has_time = parsed.hour_mod_12().is_some() || parsed.minute().is_some() || parsed.second().is_some();
    let time = match (has_time, parsed.to_naive_time()) {
        (_, Ok(time)) => time,
        (false, Err(_)) => chrono::NaiveTime::MIN,
        (true, Err(_)) => return Ok(None),
    };
    Ok(Some(day.and_time(time).and_utc().timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_reads_what_it_writes() {
        let read = |text, pattern: &str| {
            let us = by_pattern(text, pattern).unwrap()?;
            chrono::DateTime::from_timestamp_micros(us).map(|time| time.to_rfc3339())
        };
        assert_eq!(read("31.01.2026", "%d.%m.%Y").as_deref(), Some("2026-01-31T00:00:00+00:00"));
        assert_eq!(read("31.01.9999 12:30", "%d.%m.%Y %H:%M").as_deref(), Some("9999-01-31T12:30:00+00:00"));
        assert_eq!(read("2026-01-31 12:30 +0200", "%Y-%m-%d %H:%M %z").as_deref(), Some("2026-01-31T10:30:00+00:00"));
        assert_eq!(read("30.02.2026", "%d.%m.%Y"), None);
        assert_eq!(read("2026-03", "%Y-%m").as_deref(), Some("2026-03-01T00:00:00+00:00"));
        assert_eq!(read("2026", "%Y").as_deref(), Some("2026-01-01T00:00:00+00:00"));
        assert_eq!(read("2026-03-05 14", "%Y-%m-%d %H").as_deref(), Some("2026-03-05T14:00:00+00:00"));
        assert_eq!(read("2026-03-05 30", "%Y-%m-%d %S"), None);
    }
}
