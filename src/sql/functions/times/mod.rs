//! Functions of times, in microseconds and by the clocks of a time's own zone.
//!
//! They replace the engine's functions of these names, which convert through nanoseconds (and so fail on the years 1601
//! and 9999), count days in UTC whatever the zone, or do not exist.

mod arithmetic;
mod calendar;
mod epoch;
mod format;
mod now;
mod parse;
mod pattern;
mod round;
mod scaled;
mod series;
mod zone;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use datafusion::scalar::ScalarValue;

pub use calendar::{Zone, utc};
pub use epoch::date_part;
pub use round::date_trunc;
pub use scaled::{is_length, scaled};
pub use series::series;

/// Returns the functions that replace the engine's or are new.
pub fn functions() -> Vec<ScalarUDF> {
    vec![
        arithmetic::date_add(),
        arithmetic::date_diff(),
        epoch::epoch_ms(),
        epoch::epoch_us(),
        format::date_format(),
        format::to_char(),
        now::now(),
        parse::date_parse(),
        parse::strptime(),
        parse::to_timestamp(),
        round::date_bin(),
        round::time_bucket(),
        zone::at_time_zone(),
    ]
}

/// Returns the type in which a function takes a time: microseconds, in its own zone.
fn micros(data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Timestamp(_, zone) => Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        DataType::Date32 | DataType::Date64 => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Ok(utc()),
        other => plan_err!("{other} is not a time"),
    }
}

/// Returns an argument as times, one per row.
fn times(value: &ColumnarValue, rows: usize) -> Result<TimestampMicrosecondArray> {
    let array = value.to_array(rows)?;
    let array = match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => array,
        other => cast(&array, &micros(other)?)?,
    };
    Ok(array.as_primitive::<TimestampMicrosecondType>().clone())
}

/// Returns a literal text, such as a unit; `None` when it is null.
fn text(value: &ColumnarValue) -> Result<Option<String>> {
    match value {
        ColumnarValue::Scalar(scalar) => Ok(scalar.try_as_str().flatten().map(str::to_string)),
        ColumnarValue::Array(_) => plan_err!("the unit, format or zone must be a literal text"),
    }
}

/// Returns how many rows to compute: one when all arguments are constants.
fn rows(arguments: &ScalarFunctionArgs) -> (usize, bool) {
    let is_constant = arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    (if is_constant { 1 } else { arguments.number_rows }, is_constant)
}

/// Returns the result, which is one value if all arguments were.
fn result(array: ArrayRef, is_constant: bool) -> Result<ColumnarValue> {
    Ok(if is_constant {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
    } else {
        ColumnarValue::Array(array)
    })
}

/// Returns times made from times, in the same zone.
fn changed(arguments: &ScalarFunctionArgs, time: usize, change: impl Fn(i64) -> Result<i64>) -> Result<ColumnarValue> {
    let (rows, is_constant) = rows(arguments);
    let array = times(&arguments.args[time], rows)?;
    let zone = array.timezone().map(Arc::<str>::from);
    let made: TimestampMicrosecondArray = array.try_unary(change)?;
    result(Arc::new(made.with_timezone_opt(zone)), is_constant)
}
