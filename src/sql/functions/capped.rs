//! Functions that could make as much as they are asked for: `repeat('x', 2000000000)`.
//!
//! The memory pool does not see what a function allocates, and constants are computed while a statement is planned. So
//! the size of a result is reckoned from the arguments before the function is called.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, IntervalMonthDayNanoArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::{ExprSchema, Result, exec_err};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

/// Bytes that one call may make for all rows of a batch: enough for every honest use, and for two threads at once.
const MAX_BYTES: i128 = 256 << 20;

/// Bytes of the result for one row, from the arguments.
type Reckon = fn(&Arguments, usize) -> Option<i128>;

const FUNCTIONS: [(&str, Reckon); 8] = [
    ("repeat", |a, row| Some(a.length(0, row)? * a.number(1, row)?)),
    ("lpad", |a, row| Some(a.number(1, row)? * 4)),
    ("rpad", |a, row| Some(a.number(1, row)? * 4)),
    ("replace", |a, row| Some((a.length(0, row)? + 1) * a.length(2, row)? / a.length(1, row)?.max(1))),
    ("range", |a, row| a.steps(row)),
    ("generate_series", |a, row| a.steps(row)),
    ("array_resize", |a, row| Some(a.number(1, row)? * 8)),
    ("array_repeat", |a, row| Some(a.number(1, row)? * a.length(0, row).unwrap_or(8).max(8))),
];

/// Puts the capped functions in place of the engine's, aliases too.
pub fn register(context: &SessionContext) {
    for (name, reckon) in FUNCTIONS {
        if let Ok(inner) = context.udf(name) {
            let capped = Capped { inner: inner.inner().clone(), reckon };
            context.register_udf(ScalarUDF::new_from_impl(capped));
        }
    }
}

#[derive(Debug)]
struct Capped {
    inner: Arc<dyn ScalarUDFImpl>,
    reckon: Reckon,
}

// One function is capped in one way.
impl PartialEq for Capped {
    fn eq(&self, other: &Self) -> bool {
        self.inner.name() == other.inner.name()
    }
}

impl Eq for Capped {}

impl Hash for Capped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.name().hash(state);
    }
}

impl ScalarUDFImpl for Capped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn is_nullable(&self, arguments: &[Expr], schema: &dyn ExprSchema) -> bool {
        #[allow(deprecated)]
        self.inner.is_nullable(arguments, schema)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(arguments, info)
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(input)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let known = Arguments::new(&arguments)?;
        let mut bytes = 0_i128;
        for row in 0..known.rows {
            bytes += (self.reckon)(&known, row).unwrap_or(0).max(0);
            if bytes > MAX_BYTES {
                let limit = MAX_BYTES >> 20;
                return exec_err!("`{}` would make more than {limit} MiB in one step", self.name());
            }
        }
        self.inner.invoke_with_args(arguments)
    }
}

/// The arguments of a call, as far as they tell the size of its result.
struct Arguments {
    known: Vec<Known>,
    rows: usize,
}

/// An argument in a form that a row is quickly taken from.
enum Known {
    Numbers(Int64Array),
    Texts(StringArray),
    /// Microseconds.
    Times(Int64Array),
    Intervals(IntervalMonthDayNanoArray),
    Other(ArrayRef),
}

impl Arguments {
    fn new(arguments: &ScalarFunctionArgs) -> Result<Arguments> {
        let is_constant = arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        // Constants are computed once, whatever the rows.
        let rows = if is_constant { 1 } else { arguments.number_rows };
        let known = arguments.args.iter().map(|value| Known::new(value.to_array(rows)?)).collect::<Result<_>>()?;
        Ok(Arguments { known, rows })
    }

    /// A whole number; `None` for null and for what is none.
    fn number(&self, argument: usize, row: usize) -> Option<i128> {
        match self.known.get(argument)? {
            Known::Numbers(numbers) => numbers.is_valid(row).then(|| i128::from(numbers.value(row))),
            _ => None,
        }
    }

    /// Bytes of a text, or about those of a list.
    fn length(&self, argument: usize, row: usize) -> Option<i128> {
        match self.known.get(argument)? {
            Known::Texts(texts) => texts.is_valid(row).then(|| texts.value(row).len() as i128),
            Known::Other(array) => Some((array.get_array_memory_size() / array.len().max(1)) as i128),
            _ => None,
        }
    }

    /// Bytes of a series from the first to the second argument by the third; of one argument, from nought to it.
    fn steps(&self, row: usize) -> Option<i128> {
        if let [Known::Times(start), Known::Times(stop), Known::Intervals(step)] = self.known.as_slice() {
            let is_whole = start.is_valid(row) && stop.is_valid(row) && step.is_valid(row);
            let step = is_whole.then(|| step.value(row))?;
            // The shortest that an interval can be.
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
