//! Times as text.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, StringArray};
use arrow::datatypes::DataType;
use chrono::format::Item;
use chrono::{DateTime, FixedOffset, Utc};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::pattern::{as_c, items, of_mysql};
use super::{micros, result, rows, times};

pub fn to_char() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "A time as text, by a pattern of C ('%Y-%m-%d %H:%M') or of PostgreSQL ('YYYY-MM-DD HH24:MI').",
        "to_char(time, pattern)",
    )
    .with_argument("time", "a time or a date; in another zone after `at time zone`")
    .with_argument("pattern", "what the text looks like")
    .with_sql_example("select strftime(time, '%Y-%m') as month, count(*) from event group by 1 order by 1")
    .build();
    let aliases = vec!["strftime".to_string()];
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Text { name: "to_char", is_mysql: false, signature, documentation, aliases })
}

pub fn date_format() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "A time as text, by a pattern of MySQL and Athena, in which %i are minutes.",
        "date_format(time, pattern)",
    )
    .with_argument("time", "a time or a date")
    .with_argument("pattern", "what the text looks like")
    .with_sql_example("select date_format(time, '%Y-%m-%d %H:%i') from event")
    .build();
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Text {
        name: "date_format",
        is_mysql: true,
        signature,
        documentation,
        aliases: Vec::new(),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Text {
    name: &'static str,
    is_mysql: bool,
    signature: Signature,
    documentation: Documentation,
    aliases: Vec<String>,
}

impl ScalarUDFImpl for Text {
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
        match types {
            // DuckDB accepts them in either order.
            [pattern, time] if pattern.is_string() && !time.is_string() => Ok(vec![DataType::Utf8, micros(time)?]),
            [time, _] => Ok(vec![micros(time)?, DataType::Utf8]),
            _ => plan_err!("{} takes a time and a pattern", self.name),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (rows, is_constant) = rows(&arguments);
        let is_time_first = arguments.args[1].data_type().is_string();
        let (time, pattern) = if is_time_first { (0, 1) } else { (1, 0) };
        let zone = match arguments.args[time].data_type() {
            DataType::Timestamp(_, Some(zone)) => Some(zone),
            _ => None,
        };
        let clock = Clock::new(zone.as_deref())?;
        let array = times(&arguments.args[time], rows)?;
        let patterns = arguments.args[pattern].to_array(rows)?;
        let patterns = arrow::compute::cast(&patterns, &DataType::Utf8)?;
        let patterns = arrow::array::AsArray::as_string::<i32>(&patterns);
        let in_c = |pattern: &str| if self.is_mysql { Ok(of_mysql(pattern)) } else { as_c(pattern) };
        let mut made = Vec::with_capacity(array.len());
        let mut last: (Option<String>, String) = (None, String::new());
        for (row, time) in array.iter().enumerate() {
            let (Some(us), true) = (time, patterns.is_valid(row)) else {
                made.push(None);
                continue;
            };
            let pattern = patterns.value(row);
            if last.0.as_deref() != Some(pattern) {
                last = (Some(pattern.to_string()), in_c(pattern)?);
            }
            made.push(Some(clock.show(us, &items(&last.1)?)?));
        }
        result(Arc::new(StringArray::from(made)), is_constant)
    }
}

/// The clock in which times are shown.
enum Clock {
    Utc,
    Local(Tz),
}

impl Clock {
    fn new(zone: Option<&str>) -> Result<Clock> {
        match zone {
            None | Some("UTC" | "+00:00" | "Z") => Ok(Clock::Utc),
            Some(zone) => Ok(Clock::Local(zone.parse()?)),
        }
    }

    fn show(&self, us: i64, items: &[Item<'_>]) -> Result<String> {
        let Some(instant) = DateTime::<Utc>::from_timestamp_micros(us) else {
            return exec_err!("a time is out of range: {us} microseconds since 1970");
        };
        let mut text = String::new();
        let written = match self {
            Clock::Utc => write!(text, "{}", instant.format_with_items(items.iter())),
            Clock::Local(zone) => {
                let local = instant.with_timezone(zone);
                let fixed: DateTime<FixedOffset> = local.fixed_offset();
                write!(text, "{}", fixed.format_with_items(items.iter()))
            }
        };
        match written {
            Ok(()) => Ok(text),
            Err(_) => exec_err!("cannot write a time by this pattern"),
        }
    }
}
