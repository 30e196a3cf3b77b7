//! Lengths of time multiplied and divided by numbers, for which the engine has no operator.

use std::sync::Arc;

use arrow::array::{Array, AsArray, DurationMicrosecondArray, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    TimeUnit,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::{result, rows};

const DAY_NS: f64 = 86_400e9;

/// Returns the function for `length * number` or `length / number` (`upstream::Operators`); nobody types its name.
pub fn scaled(divides: bool) -> ScalarUDF {
    let name = if divides { "/" } else { "*" };
    ScalarUDF::new_from_impl(Scaled { name, signature: Signature::user_defined(Volatility::Immutable) })
}

pub fn is_length(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Scaled {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Scaled {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [DataType::Duration(_), _] => Ok(vec![DataType::Duration(TimeUnit::Microsecond), DataType::Float64]),
            [DataType::Interval(_), _] => Ok(vec![DataType::Interval(IntervalUnit::MonthDayNano), DataType::Float64]),
            _ => plan_err!("`{}` takes a length of time and a number", self.name),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Duration(_), _] => Ok(DataType::Duration(TimeUnit::Microsecond)),
            _ => Ok(DataType::Interval(IntervalUnit::MonthDayNano)),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (rows, is_constant) = rows(&arguments);
        let lengths = arguments.args[0].to_array(rows)?;
        let numbers = cast(&arguments.args[1].to_array(rows)?, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let number = |row: usize| -> Result<Option<f64>> {
            if numbers.is_null(row) || lengths.is_null(row) {
                return Ok(None);
            }
            match (self.name, numbers.value(row)) {
                ("/", 0.0) => exec_err!("a length of time is divided by nought"),
                ("/", number) => Ok(Some(1.0 / number)),
                (_, number) => Ok(Some(number)),
            }
        };
        if let DataType::Duration(_) = lengths.data_type() {
            let lengths = lengths.as_primitive::<DurationMicrosecondType>();
            let one = |row: usize| match number(row)? {
                Some(by) => Ok(Some(in_range((lengths.value(row) as f64 * by).round())? as i64)),
                None => Ok(None),
            };
            let made: DurationMicrosecondArray = (0..rows).map(one).collect::<Result<Vec<_>>>()?.into();
            return result(Arc::new(made), is_constant);
        }
        let lengths = lengths.as_primitive::<IntervalMonthDayNanoType>();
        let one = |row: usize| match number(row)? {
            Some(by) => Ok(Some(interval(lengths.value(row), by)?)),
            None => Ok(None),
        };
        let made: IntervalMonthDayNanoArray = (0..rows).map(one).collect::<Result<Vec<_>>>()?.into();
        result(Arc::new(made), is_constant)
    }
}

/// Checks the range: larger doubles are not whole microseconds any more, and soon not a number of them.
fn in_range(length: f64) -> Result<f64> {
    if length.abs() < 9.2e18 { Ok(length) } else { exec_err!("a length of time is out of range") }
}

/// Multiplies an interval; parts of a month become days, of 30 to a month, and parts of a day become hours.
fn interval(length: IntervalMonthDayNano, by: f64) -> Result<IntervalMonthDayNano> {
    let months = f64::from(length.months) * by;
    let days = f64::from(length.days) * by + months.fract() * 30.0;
    // A day in a thousand million million is not a part of a day.
    let days = if (days - days.round()).abs() < 1e-9 { days.round() } else { days };
    let ns = in_range((length.nanoseconds as f64 * by + days.fract() * DAY_NS).round())?;
    let whole = |count: f64| {
        if count.abs() < f64::from(i32::MAX) {
            Ok(count.trunc() as i32)
        } else {
            exec_err!("a length of time is out of range")
        }
    };
    Ok(IntervalMonthDayNano::new(whole(months)?, whole(days)?, ns as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_multiplied_part_by_part() {
        let of = |months, days, ns| IntervalMonthDayNano::new(months, days, ns);
        assert_eq!(interval(of(1, 0, 0), 1.5).unwrap(), of(1, 15, 0));
        assert_eq!(interval(of(0, 1, 0), 0.5).unwrap(), of(0, 0, 43_200_000_000_000));
        assert_eq!(interval(of(0, 1, 3_600_000_000_000), 7.0).unwrap(), of(0, 7, 25_200_000_000_000));
        assert_eq!(interval(of(0, 1, 0), 1.0 / 3.0 * 3.0).unwrap(), of(0, 1, 0));
        assert!(interval(of(0, 1, 0), 1e300).is_err());
    }
}
