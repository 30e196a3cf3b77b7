//! The size of a function's result, before the call and after.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, IntervalMonthDayNanoArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs};

use crate::sql::patience::Patience;

/// Bytes of one value. A line of the log has at most 16 MiB.
const MAX_VALUE: i128 = 64 << 20;
/// Bytes that one call may make for all rows of a batch: enough for every honest use, and for two threads at once.
const MAX_BYTES: i128 = 256 << 20;
/// Bytes of a constant: it is copied with the plan, and shown in the names of expressions made from it.
const MAX_CONSTANT: i128 = 1 << 20;
/// Bytes from which a constant counts: smaller ones are computed by the thousand.
const LARGE_CONSTANT: i128 = 16 << 10;
/// With less input than this, only the functions below make a lot.
const SMALL: usize = 16 << 20;

/// Bytes of the result for one row, from the arguments.
type Reckon = fn(&Arguments, usize) -> Option<i128>;

/// Functions whose result is larger than their input.
const MAKERS: [(&str, Reckon); 15] = [
    ("repeat", |a, row| Some(a.length(0, row)? * a.number(1, row)?)),
    ("lpad", |a, row| Some(a.number(1, row)? * 4)),
    ("rpad", |a, row| Some(a.number(1, row)? * 4)),
    ("replace", |a, row| {
        Some((a.length(0, row)? + 1) * a.length(2, row)? / a.length(1, row)?.max(1) + a.length(0, row)?)
    }),
    // A pattern may match between any two letters.
    ("regexp_replace", |a, row| Some((a.length(0, row)? + 1) * (a.length(2, row)? + 1))),
    ("translate", |a, row| Some(a.length(0, row)? * 4)),
    ("range", |a, row| a.steps(row)),
    ("generate_series", |a, row| a.steps(row)),
    ("array_resize", |a, row| Some(a.number(1, row)? * a.length(2, row).unwrap_or(8).max(8))),
    ("array_repeat", |a, row| Some(a.number(1, row)? * a.length(0, row).unwrap_or(8).max(8))),
    ("array_to_string", |a, row| {
        Some(a.length(0, row)? + a.items(0, row)? * (a.length(1, row)? + a.length(2, row).unwrap_or(0)))
    }),
    ("array_replace_all", |a, row| Some(a.length(0, row)? + a.items(0, row)? * a.length(2, row)?)),
    ("concat_ws", |a, row| Some(a.all(row) + a.length(0, row)? * a.known.len() as i128)),
    ("string_to_array", |a, row| Some(a.length(0, row)? * 5)),
    ("encode", |a, row| Some(a.length(0, row)? * 2)),
];

/// Refuses a call that would make too much.
pub fn before(name: &str, arguments: &ScalarFunctionArgs) -> Result<()> {
    let maker = MAKERS.iter().find(|(maker, _)| *maker == name).map(|(_, reckon)| *reckon);
    if maker.is_none() && given(arguments) <= SMALL {
        return Ok(());
    }
    let known = Arguments::new(arguments)?;
    let reckon = maker.unwrap_or(|arguments, row| Some(arguments.all(row)));
    let mut bytes = 0_i128;
    for row in 0..known.rows {
        let value = reckon(&known, row).unwrap_or(0).max(0);
        bytes += value;
        too_much(name, value, bytes)?;
    }
    let is_constant = is_constant(arguments);
    if is_constant && bytes > MAX_CONSTANT {
        return exec_err!("`{name}` would make more than {} MiB for a constant", MAX_CONSTANT >> 20);
    }
    // The result of a lambda is made for each item, whatever it is made from.
    let spread = bytes.saturating_mul(arguments.number_rows as i128);
    if is_constant {
        too_much(name, 0, spread)?;
    }
    if is_constant && bytes > LARGE_CONSTANT {
        Patience::spend(&arguments.config_options, u64::try_from(bytes).unwrap_or(u64::MAX))
    } else {
        Ok(())
    }
}

/// Returns whether literal arguments are so large that only a counted call may use them.
pub fn is_large(arguments: &[Expr]) -> bool {
    let sizes = arguments.iter().map(|argument| match argument {
        Expr::Literal(value, _) => value.size(),
        _ => 0,
    });
    sizes.fold(0, usize::saturating_add).saturating_mul(arguments.len()) > SMALL
}

fn is_constant(arguments: &ScalarFunctionArgs) -> bool {
    arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)))
}

/// Refuses the result of a call when it is still too large.
pub fn behind(name: &str, made: &ColumnarValue) -> Result<()> {
    match made {
        ColumnarValue::Scalar(value) if value.size() as i128 > MAX_CONSTANT => {
            exec_err!("`{name}` would make more than {} MiB for a constant", MAX_CONSTANT >> 20)
        }
        ColumnarValue::Scalar(_) => Ok(()),
        ColumnarValue::Array(array) => {
            let bytes = array.get_array_memory_size();
            if bytes <= SMALL {
                return Ok(());
            }
            let largest = (0..array.len()).map(|row| size(array, row)).max().unwrap_or(0);
            // A slice of a large array counts as the whole; then the rows are counted alone.
            let sum: i128 = (0..array.len()).map(|row| size(array, row)).sum();
            too_much(name, largest, sum)
        }
    }
}

fn too_much(name: &str, value: i128, all: i128) -> Result<()> {
    if value > MAX_VALUE {
        let limit = MAX_VALUE >> 20;
        return exec_err!("`{name}` would make more than {limit} MiB for one value");
    }
    if all > MAX_BYTES {
        let limit = MAX_BYTES >> 20;
        return exec_err!("`{name}` would make more than {limit} MiB in one step");
    }
    Ok(())
}

/// Returns the most bytes that go into a call; constants count for each row, since many functions spread them.
fn given(arguments: &ScalarFunctionArgs) -> usize {
    let rows = if is_constant(arguments) { 1 } else { arguments.number_rows };
    let sizes = arguments.args.iter().map(|value| match value {
        ColumnarValue::Array(array) => array.get_array_memory_size(),
        ColumnarValue::Scalar(value) => value.size().saturating_mul(rows),
    });
    sizes.fold(0, usize::saturating_add)
}

/// Returns the approximate bytes of a value within an array.
fn size(array: &ArrayRef, row: usize) -> i128 {
    if array.is_null(row) {
        return 0;
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value_length(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value_length(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).len() as i128,
        DataType::Binary => array.as_binary::<i32>().value_length(row).into(),
        DataType::List(_) => {
            let items = array.as_list::<i32>();
            let share = items.values().get_array_memory_size() / items.values().len().max(1);
            i128::from(items.value_length(row)) * share as i128
        }
        _ => (array.get_array_memory_size() / array.len().max(1)) as i128,
    }
}

/// The arguments of a call, as far as they determine the size of its result.
struct Arguments {
    known: Vec<Known>,
    rows: usize,
}

/// An argument in a form from which a row is quickly taken.
enum Known {
    Numbers(Int64Array),
    Texts(StringArray),
    /// Microseconds.
    Times(Int64Array),
    Intervals(IntervalMonthDayNanoArray),
    Other(ArrayRef),
    /// The same value for all rows, which must not be spread over them.
    Constant(ArrayRef),
}

impl Arguments {
    fn new(arguments: &ScalarFunctionArgs) -> Result<Arguments> {
        // Constants are computed once, whatever the rows.
        let rows = if is_constant(arguments) { 1 } else { arguments.number_rows };
        let known = arguments.args.iter().map(|value| match value {
            ColumnarValue::Scalar(scalar) if scalar.size() > 4096 => Ok(Known::Constant(scalar.to_array()?)),
            value => Known::new(value.to_array(rows)?),
        });
        Ok(Arguments { known: known.collect::<Result<_>>()?, rows })
    }

    /// Returns a whole number; `None` for null and for other values.
    fn number(&self, argument: usize, row: usize) -> Option<i128> {
        match self.known.get(argument)? {
            Known::Numbers(numbers) => numbers.is_valid(row).then(|| i128::from(numbers.value(row))),
            _ => None,
        }
    }

    /// Returns the bytes of a text, or approximately those of a list.
    fn length(&self, argument: usize, row: usize) -> Option<i128> {
        match self.known.get(argument)? {
            Known::Texts(texts) => texts.is_valid(row).then(|| texts.value(row).len() as i128),
            Known::Other(array) => Some(size(array, row)),
            Known::Constant(array) => Some(size(array, 0)),
            _ => None,
        }
    }

    /// Returns the bytes of all arguments.
    fn all(&self, row: usize) -> i128 {
        (0..self.known.len()).map(|argument| self.length(argument, row).unwrap_or(8)).sum()
    }

    /// Returns the items of a list.
    fn items(&self, argument: usize, row: usize) -> Option<i128> {
        let (array, row) = match self.known.get(argument)? {
            Known::Other(array) => (array, row),
            Known::Constant(array) => (array, 0),
            _ => return None,
        };
        match array.data_type() {
            DataType::List(_) => Some(array.as_list::<i32>().value_length(row).into()),
            _ => None,
        }
    }

    /// Returns the bytes of a series from the first to the second argument by the third; for one argument, from zero to it.
    fn steps(&self, row: usize) -> Option<i128> {
        if let [Known::Times(start), Known::Times(stop), Known::Intervals(step)] = self.known.as_slice() {
            let is_whole = start.is_valid(row) && stop.is_valid(row) && step.is_valid(row);
            let step = is_whole.then(|| step.value(row))?;
            // The shortest possible length of the interval.
            let days = i128::from(step.months) * 28 + i128::from(step.days);
            let step = (days * 86_400_000_000_000 + i128::from(step.nanoseconds)).abs().max(1);
            let span = (i128::from(stop.value(row)) - i128::from(start.value(row))).abs() * 1000;
            return Some(span / step * 8);
        }
        let (start, stop) = match self.known.len() {
            1 => (0, self.number(0, row)?),
            _ => (self.number(0, row)?, self.number(1, row)?),
        };
        let step = if self.known.len() > 2 { self.number(2, row)? } else { 1 };
        Some((stop - start).abs() / step.abs().max(1) * 8)
    }
}

impl Known {
    fn new(array: ArrayRef) -> Result<Known> {
        let to = |data_type: &DataType| cast(&array, data_type);
        Ok(match array.data_type() {
            kind if kind.is_integer() => Known::Numbers(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Known::Texts(to(&DataType::Utf8)?.as_string::<i32>().clone())
            }
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
                // Microseconds reach further than nanoseconds do.
                let times = to(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
                Known::Times(cast(&times, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::Interval(_) => {
                let intervals = to(&DataType::Interval(IntervalUnit::MonthDayNano))?;
                Known::Intervals(intervals.as_primitive::<IntervalMonthDayNanoType>().clone())
            }
            _ => Known::Other(array),
        })
    }
}
