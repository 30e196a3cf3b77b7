//! Series of times, over the whole calendar and by the clocks of their zone.
//!
//! The engine's series convert through nanoseconds, and lose the years 1601 and 9999 to null.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::calendar::{Zone, add_months};
use super::{micros, result, rows, times};

/// Returns the engine's `range` or `generate_series`, with series of times of our own.
pub fn series(engines: Arc<ScalarUDF>) -> ScalarUDF {
    let includes_stop = engines.name() == "generate_series";
    ScalarUDF::new_from_impl(Series {
        engines,
        includes_stop,
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Series {
    engines: Arc<ScalarUDF>,
    includes_stop: bool,
    signature: Signature,
}

/// Returns whether a series is of times rather than of days or numbers.
fn is_of_times(types: &[DataType]) -> bool {
    types.len() == 3 && types[..2].iter().any(|data_type| matches!(data_type, DataType::Timestamp(..)))
}

impl ScalarUDFImpl for Series {
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
        if !is_of_times(types) {
            let fields: Vec<_> = types.iter().map(|kind| Arc::new(Field::new("", kind.clone(), true))).collect();
            let coerced =
                datafusion::logical_expr::type_coercion::functions::fields_with_udf(&fields, self.engines.as_ref())?;
            return Ok(coerced.iter().map(|field| field.data_type().clone()).collect());
        }
        let time = types[..2].iter().find(|kind| matches!(kind, DataType::Timestamp(..))).unwrap_or(&types[0]);
        let time = micros(time)?;
        Ok(vec![time.clone(), time, DataType::Interval(IntervalUnit::MonthDayNano)])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if is_of_times(types) {
            Ok(DataType::List(Arc::new(Field::new_list_field(types[0].clone(), true))))
        } else {
            self.engines.return_type(types)
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<arrow::datatypes::FieldRef> {
        let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = arguments.args.iter().map(ColumnarValue::data_type).collect();
        if !is_of_times(&types) {
            return self.engines.invoke_with_args(arguments);
        }
        let (rows, is_constant) = rows(&arguments);
        let zone = Zone::of(&types[0])?;
        let (starts, stops) = (times(&arguments.args[0], rows)?, times(&arguments.args[1], rows)?);
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        let steps = cast(&arguments.args[2].to_array(rows)?, &interval)?;
        let steps = steps.as_primitive::<IntervalMonthDayNanoType>();
        let values = TimestampMicrosecondBuilder::new().with_data_type(types[0].clone());
        let mut made = ListBuilder::new(values);
        for row in 0..rows {
            if [&starts as &dyn Array, &stops, steps].iter().any(|array| array.is_null(row)) {
                made.append_null();
                continue;
            }
            for time in self.between(zone, starts.value(row), stops.value(row), steps.value(row))?.values() {
                made.values().append_value(*time);
            }
            made.append(true);
        }
        result(Arc::new(made.finish()), is_constant)
    }
}

impl Series {
    fn between(
        &self,
        zone: Zone,
        start: i64,
        stop: i64,
        step: IntervalMonthDayNano,
    ) -> Result<TimestampMicrosecondArray> {
        let Some(second) = later(zone, start, step, 1)? else { return exec_err!("a time is out of range") };
        if second == start {
            return exec_err!("the step of a series is nought");
        }
        let is_rising = second > start;
        let mut made = Vec::new();
        let mut next = Some(start);
        while let Some(time) = next {
            let is_over = if is_rising { time > stop } else { time < stop };
            if is_over || (time == stop && !self.includes_stop) {
                break;
            }
            made.push(time);
            // Each step counts from the start, so that months do not lose their last days on the way.
            next = later(zone, start, step, made.len() as i64)?;
        }
        Ok(made.into())
    }
}

/// Returns the time this many steps later; `None` beyond the calendar.
fn later(zone: Zone, start: i64, step: IntervalMonthDayNano, count: i64) -> Result<Option<i64>> {
    let length_us = i128::from(step.nanoseconds) * i128::from(count) / 1000;
    let Ok(length_us) = i64::try_from(length_us) else { return Ok(None) };
    let moved = match (step.months, step.days) {
        (0, 0) => Some(start),
        (months, days) => {
            let clock = add_months(zone.clock(start)?, i64::from(months) * count);
            let days = chrono::TimeDelta::try_days(i64::from(days) * count);
            clock.zip(days).and_then(|(clock, days)| clock.checked_add_signed(days)).map(|clock| zone.instant(clock))
        }
    };
    Ok(moved.and_then(|moved| moved.checked_add(length_us)))
}
