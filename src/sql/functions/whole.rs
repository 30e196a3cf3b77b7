//! Rounds a number to the nearest whole number, as `cast(x as int)` does in PostgreSQL and DuckDB.
//!
//! The engine's cast cuts the fraction off, so that `avg(x)::int` is one too low half of the time. A double halfway
//! between two whole numbers becomes the even one, and a literal such as 2.5 the one further from zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

/// Returns the function that is placed below casts to whole numbers (`upstream::CheckedArithmetic`); nobody types its name.
pub fn whole(is_written_out: bool) -> ScalarUDF {
    ScalarUDF::new_from_impl(Whole { is_written_out, signature: Signature::user_defined(Volatility::Immutable) })
}

/// Returns whether a cast from this type to a whole number loses a fraction.
pub fn has_fraction(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float32 | DataType::Float64 => true,
        DataType::Decimal128(_, scale) => *scale > 0,
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    is_written_out: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Whole {
    fn name(&self) -> &str {
        "whole"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [number] if has_fraction(number) => Ok(number.clone()),
            _ => plan_err!("only a number with a fraction is made whole"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = arguments.args.as_slice() else { return plan_err!("one number is made whole at a time") };
        let made = match value {
            ColumnarValue::Array(array) => return Ok(ColumnarValue::Array(self.rounded(array)?)),
            ColumnarValue::Scalar(scalar) => self.rounded(&scalar.to_array()?)?,
        };
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?))
    }
}

impl Whole {
    fn rounded(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let halves_up = self.is_written_out;
        Ok(match array.data_type() {
            DataType::Float64 => {
                each::<Float64Type>(array, |x| if halves_up { x.round() } else { x.round_ties_even() })
            }
            DataType::Float32 => {
                each::<Float32Type>(array, |x| if halves_up { x.round() } else { x.round_ties_even() })
            }
            DataType::Decimal128(digits, scale) => {
                let one = 10_i128.pow(u32::from(scale.unsigned_abs()));
                let made: PrimitiveArray<Decimal128Type> = array.as_primitive::<Decimal128Type>().unary(|x| {
                    let rest = x % one;
                    // Beyond the range of the type it is beyond that of whole numbers too, and the cast reports it.
                    if rest.abs() * 2 >= one { (x - rest).saturating_add(one * x.signum()) } else { x - rest }
                });
                Arc::new(made.with_data_type(DataType::Decimal128(*digits, *scale)))
            }
            other => return plan_err!("{other} has no fraction"),
        })
    }
}

fn each<T: ArrowPrimitiveType>(array: &ArrayRef, change: impl Fn(T::Native) -> T::Native) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().unary::<_, T>(change))
}
