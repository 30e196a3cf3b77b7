//! Arithmetic of whole numbers that does not wrap around, and concatenation of texts within bounds.
//!
//! The engine's `+`, `-`, `*` and `sum` silently go from the largest number to the smallest (apache/datafusion#12140,
//! #17539). The optimizer's rule `upstream::Checked` puts these functions in place of the operators; nobody types their
//! names.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Datum, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Documentation, EmitTo, GroupsAccumulator, Operator,
    ReversedUDAF, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

/// Returns the function that computes an operation of two whole numbers of one type.
pub fn arithmetic(op: Operator) -> Option<ScalarUDF> {
    let name = match op {
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Multiply => "*",
        _ => return None,
    };
    Some(ScalarUDF::new_from_impl(Checked { name, signature: Signature::user_defined(Volatility::Immutable) }))
}

/// Returns the function for `a
/// b` of texts.
pub fn concatenation() -> ScalarUDF {
    ScalarUDF::new_from_impl(Checked { name: "||", signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    // The operator's operands already have one type.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [left, right] if left == right => Ok(left.clone()),
            _ => plan_err!("`{}` takes two values of one type", self.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.name == "||" {
            super::sizes::before("||", &arguments)?;
        }
        let [left, right] = arguments.args.as_slice() else { return plan_err!("`{}` takes two values", self.name) };
        let is_constant = matches!((left, right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { arguments.number_rows };
        let made = match self.name {
            "||" => joined(left, right, rows)?,
            _ => self.compute(left, right)?,
        };
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)
        } else {
            ColumnarValue::Array(made)
        })
    }
}

impl Checked {
    fn compute(&self, left: &ColumnarValue, right: &ColumnarValue) -> Result<ArrayRef> {
        let datum = |value: &ColumnarValue| -> Result<Box<dyn Datum>> {
            Ok(match value {
                ColumnarValue::Array(array) => Box::new(array.clone()),
                ColumnarValue::Scalar(scalar) => Box::new(scalar.to_scalar()?),
            })
        };
        let (left, right) = (datum(left)?, datum(right)?);
        let made = match self.name {
            "+" => add(left.as_ref(), right.as_ref()),
            "-" => sub(left.as_ref(), right.as_ref()),
            _ => mul(left.as_ref(), right.as_ref()),
        };
        match made {
            Ok(made) => Ok(made),
            Err(ArrowError::ArithmeticOverflow(_)) => out_of_range(self.name, left.get().0.data_type()),
            Err(error) => Err(error.into()),
        }
    }
}

fn out_of_range<T>(what: &str, data_type: &DataType) -> Result<T> {
    let name = crate::sql::type_name::type_name(data_type);
    exec_err!("`{what}`: the result is out of the range of {name}; cast a value to double first")
}

fn joined(left: &ColumnarValue, right: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let texts = |value: &ColumnarValue| -> Result<ArrayRef> { Ok(cast(&value.to_array(rows)?, &DataType::Utf8)?) };
    let (left, right) = (texts(left)?, texts(right)?);
    let both = left.as_string::<i32>().iter().zip(right.as_string::<i32>().iter());
    let made: StringArray = both
        .map(|(left, right)| match (left, right) {
            (Some(left), Some(right)) => Some(format!("{left}{right}")),
            _ => None,
        })
        .collect();
    Ok(Arc::new(made))
}

/// Returns `sum`, which fails when whole numbers get too large.
pub fn sum() -> AggregateUDF {
    AggregateUDF::new_from_impl(Sum { inner: sum_udaf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.inner().state_fields(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if is_whole(&arguments) { Ok(Box::new(Total::default())) } else { self.inner.accumulator(arguments) }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if is_whole(&arguments) {
            Ok(Box::new(Total::default()))
        } else {
            self.inner.create_sliding_accumulator(arguments)
        }
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if is_whole(&arguments) {
            Ok(Box::new(Totals::default()))
        } else {
            self.inner.create_groups_accumulator(arguments)
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

fn is_whole(arguments: &AccumulatorArgs) -> bool {
    !arguments.is_distinct && *arguments.return_field.data_type() == DataType::Int64
}

fn whole(array: &ArrayRef) -> &Int64Array {
    array.as_primitive::<Int64Type>()
}

fn plus(total: i64, value: i64) -> Result<i64> {
    match total.checked_add(value) {
        Some(total) => Ok(total),
        None => out_of_range("sum", &DataType::Int64),
    }
}

/// The sum of all rows; `None` for no row. It is wider than the result, so that parts may be large.
#[derive(Debug, Default)]
struct Total {
    sum: i128,
    rows: u64,
}

impl Total {
    fn value(&self) -> Result<Option<i64>> {
        if self.rows == 0 {
            return Ok(None);
        }
        match i64::try_from(self.sum) {
            Ok(sum) => Ok(Some(sum)),
            Err(_) => out_of_range("sum", &DataType::Int64),
        }
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = whole(&values[0]);
        self.sum += values.iter().flatten().map(i128::from).sum::<i128>();
        self.rows += (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = whole(&values[0]);
        self.sum -= values.iter().flatten().map(i128::from).sum::<i128>();
        self.rows -= (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(self.value()?))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sums of all groups.
#[derive(Debug, Default)]
struct Totals {
    sums: Vec<Option<i64>>,
}

impl Totals {
    fn emit(&mut self, to: EmitTo) -> ArrayRef {
        Arc::new(Int64Array::from(to.take_needed(&mut self.sums)))
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.sums.resize(total, None);
        let values = whole(&values[0]);
        for (row, group) in groups.iter().enumerate() {
            let counts = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if counts && values.is_valid(row) {
                let sum = &mut self.sums[*group];
                *sum = Some(plus(sum.unwrap_or(0), values.value(row))?);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(values, groups, None, total)
    }

    fn evaluate(&mut self, to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(to))
    }

    fn state(&mut self, to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(to)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = whole(&values[0]);
        let counts = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let kept: Int64Array = values.iter().enumerate().map(|(row, value)| value.filter(|_| counts(row))).collect();
        Ok(vec![Arc::new(kept)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i64>>()
    }
}
