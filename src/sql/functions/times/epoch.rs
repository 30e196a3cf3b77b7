//! Times and their differences as numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, DurationMicrosecondType, FieldRef, Int64Type, TimeUnit};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::calendar::{DAY_US, HOUR_US, SECOND_US, utc};
use super::{micros, result, rows, text, times};

/// Returns `date_part`, with parts of differences of times.
///
/// The engine makes an interval of a difference, by way of nanoseconds, and returns null for more than 292 years. Parts
/// are those of `89 days 23:27:20`, as in PostgreSQL and DuckDB.
pub fn date_part(engines: Arc<ScalarUDF>) -> ScalarUDF {
    ScalarUDF::new_from_impl(DatePart { engines, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DatePart {
    engines: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn aliases(&self) -> &[String] {
        self.engines.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [_, value] = types else { return plan_err!("date_part takes a part and a time") };
        let value = match value {
            DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
            DataType::Interval(_) | DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) => value.clone(),
            time => micros(time)?,
        };
        Ok(vec![DataType::Utf8, value])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.inner().return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.engines.inner().return_field_from_args(arguments)
    }

    fn preimage(&self, arguments: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.engines.inner().preimage(arguments, literal, info)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match of_difference(&arguments)? {
            Some(answer) => Ok(answer),
            None => self.engines.invoke_with_args(arguments),
        }
    }
}

/// Returns parts of a difference of times; `None` where the engine does it as well.
fn of_difference(arguments: &ScalarFunctionArgs) -> Result<Option<ColumnarValue>> {
    let [part, value] = arguments.args.as_slice() else { return Ok(None) };
    let DataType::Duration(unit) = value.data_type() else { return Ok(None) };
    let Some(part) = text(part)? else { return Ok(None) };
    let (rows, is_constant) = rows(arguments);
    let array = value.to_array(rows)?;
    let micros = match unit {
        TimeUnit::Microsecond => array,
        _ => cast(&array, &DataType::Duration(TimeUnit::Microsecond))?,
    };
    let micros = micros.as_primitive::<DurationMicrosecondType>();
    let whole = |of: fn(i64) -> i64| -> Result<ArrayRef> {
        let parts: Int64Array = micros.unary(of);
        let parts: Int32Array = cast(&parts, &DataType::Int32)?.as_primitive().clone();
        Ok(Arc::new(parts))
    };
    let made: ArrayRef = match part.trim().to_lowercase().trim_end_matches('s') {
        "epoch" => {
            let seconds: Float64Array = micros.unary(|us| us as f64 / SECOND_US as f64);
            Arc::new(seconds)
        }
        "day" => whole(|us| us / DAY_US)?,
        "week" => whole(|us| us / (7 * DAY_US))?,
        "hour" => whole(|us| us % DAY_US / HOUR_US)?,
        "minute" => whole(|us| us % HOUR_US / (60 * SECOND_US))?,
        "second" => whole(|us| us % (60 * SECOND_US) / SECOND_US)?,
        "millisecond" => whole(|us| us % (60 * SECOND_US) / 1000)?,
        "microsecond" => whole(|us| us % (60 * SECOND_US))?,
        "month" | "year" => return exec_err!("a difference of times has days, and no {part}: divide them"),
        _ => return Ok(None),
    };
    result(made, is_constant).map(Some)
}

pub fn epoch_ms() -> ScalarUDF {
    function(
        "epoch_ms",
        "Milliseconds since 1970; of a number, the time that it is.",
        1000,
        "select epoch_ms(time) from event",
    )
}

pub fn epoch_us() -> ScalarUDF {
    function(
        "epoch_us",
        "Microseconds since 1970; of a number, the time that it is.",
        1,
        "select epoch_us(time) from event",
    )
}

fn function(name: &'static str, description: &str, unit_us: i64, example: &str) -> ScalarUDF {
    let documentation = Documentation::builder(Default::default(), description, format!("{name}(time)"))
        .with_argument("time", "a time, or a whole number")
        .with_sql_example(example)
        .build();
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Epoch { name, unit_us, signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Epoch {
    name: &'static str,
    unit_us: i64,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Epoch {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [number] if number.is_integer() => Ok(vec![DataType::Int64]),
            [DataType::Duration(_)] => Ok(vec![DataType::Duration(TimeUnit::Microsecond)]),
            [time] => Ok(vec![micros(time)?]),
            _ => plan_err!("{} takes a time", self.name),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(if types[0] == DataType::Int64 { utc() } else { DataType::Int64 })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (rows, is_constant) = rows(&arguments);
        let value = &arguments.args[0];
        let made: ArrayRef = match value.data_type() {
            DataType::Int64 => {
                let numbers = value.to_array(rows)?;
                let us: TimestampMicrosecondArray =
                    numbers.as_primitive::<Int64Type>().try_unary(|number| match number.checked_mul(self.unit_us) {
                        Some(us) => Ok(us),
                        None => exec_err!("{number} is out of the range of times"),
                    })?;
                Arc::new(us.with_timezone("UTC"))
            }
            DataType::Duration(_) => {
                let lengths = value.to_array(rows)?;
                let units: Int64Array = lengths.as_primitive::<DurationMicrosecondType>().unary(|us| us / self.unit_us);
                Arc::new(units)
            }
            _ => {
                let units: Int64Array = times(value, rows)?.unary(|us| us.div_euclid(self.unit_us));
                Arc::new(units)
            }
        };
        result(made, is_constant)
    }
}
