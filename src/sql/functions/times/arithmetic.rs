//! Units between times, and times moved by units.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::calendar::{Unit, Zone};
use super::{micros, result, rows, text, times};

pub fn date_diff() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "How often a unit begins between two times: days as calendars count them. Seconds that pass are \
         `epoch(later - earlier)`.",
        "date_diff(unit, earlier, later)",
    )
    .with_argument("unit", "a literal: 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'")
    .with_argument("earlier", "a time")
    .with_argument("later", "a time")
    .with_sql_example("select date_diff('day', time, now()) from event")
    .build();
    let aliases = vec!["datediff".to_string()];
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Difference { signature, documentation, aliases })
}

fn unit(value: &ColumnarValue) -> Result<Unit> {
    let name = text(value)?.unwrap_or_default();
    match Unit::parse(&name) {
        Some(unit) => Ok(unit),
        None => plan_err!("no unit `{name}`: second, minute, hour, day, week, month, quarter and year are there"),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Difference {
    signature: Signature,
    documentation: Documentation,
    aliases: Vec<String>,
}

impl ScalarUDFImpl for Difference {
    fn name(&self) -> &str {
        "date_diff"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [_, from, to] => Ok(vec![DataType::Utf8, micros(from)?, micros(to)?]),
            _ => plan_err!("date_diff takes a unit and two times"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let unit = unit(&arguments.args[0])?;
        let (rows, is_constant) = rows(&arguments);
        let zones = [Zone::of(&arguments.args[1].data_type())?, Zone::of(&arguments.args[2].data_type())?];
        let (from, to) = (times(&arguments.args[1], rows)?, times(&arguments.args[2], rows)?);
        let differences = from.iter().zip(to.iter()).map(|(from, to)| match (from, to) {
            (Some(from), Some(to)) => Ok(Some(unit.between(zones[0].clock(from)?, zones[1].clock(to)?))),
            _ => Ok(None),
        });
        let made: Int64Array = differences.collect::<Result<Vec<_>>>()?.into();
        result(Arc::new(made), is_constant)
    }
}

pub fn date_add() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The time so many units later; the last day of a month where there is no such day.",
        "date_add(unit, count, time)",
    )
    .with_argument("unit", "a literal: 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'")
    .with_argument("count", "a whole number, also below nought")
    .with_argument("time", "a time")
    .with_sql_example("select date_add('day', 7, time) from event")
    .build();
    let aliases = vec!["dateadd".to_string()];
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Later { signature, documentation, aliases })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Later {
    signature: Signature,
    documentation: Documentation,
    aliases: Vec<String>,
}

impl ScalarUDFImpl for Later {
    fn name(&self) -> &str {
        "date_add"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [_, _, time] => Ok(vec![DataType::Utf8, DataType::Int64, micros(time)?]),
            _ => plan_err!("date_add takes a unit, a count and a time; or write time + interval '1 day'"),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[2].clone())
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let unit = unit(&arguments.args[0])?;
        let (rows, is_constant) = rows(&arguments);
        let zone = Zone::of(&arguments.args[2].data_type())?;
        let counts = arguments.args[1].to_array(rows)?;
        let counts = counts.as_primitive::<Int64Type>();
        let array = times(&arguments.args[2], rows)?;
        let moved = counts.iter().zip(array.iter()).map(|(count, time)| match (count, time) {
            (Some(count), Some(time)) => match unit {
                // An hour is an hour, even where clocks change.
                Unit::Fixed(us) => match us.checked_mul(count).and_then(|by| time.checked_add(by)) {
                    Some(moved) => Ok(Some(moved)),
                    None => exec_err!("a time is out of range"),
                },
                unit => match unit.later(zone.clock(time)?, count) {
                    Some(clock) => Ok(Some(zone.instant(clock))),
                    None => exec_err!("a time is out of range"),
                },
            },
            _ => Ok(None),
        });
        let made: TimestampMicrosecondArray = moved.collect::<Result<Vec<_>>>()?.into();
        result(Arc::new(made.with_timezone_opt(array.timezone().map(Arc::<str>::from))), is_constant)
    }
}
