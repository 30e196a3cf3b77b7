//! `ago('7d')`: the instant this long before the statement began.
//!
//! It is one instant for the whole statement, inserted while it is planned, so that tables are pruned by it.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::error::Error;
use crate::typed::parse_duration;

pub fn function() -> ScalarUDF {
    let documentation =
        Documentation::builder(Default::default(), "The instant so long before the statement began.", "ago(length)")
            .with_argument("length", "a literal: '30s', '15m', '1.5h', '7d', '1w', 'PT15M'")
            .with_sql_example("select count(*) from event where time > ago('7d')")
            .build();
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Stable);
    ScalarUDF::new_from_impl(Ago { signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ago {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Ago {
    fn name(&self) -> &str {
        "ago"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let (Some(now), [Expr::Literal(length, _)]) = (info.query_execution_start_time(), arguments.as_slice()) else {
            return Ok(ExprSimplifyResult::Original(arguments));
        };
        let Some(Some(text)) = length.try_as_str() else { return plan_err!("ago() takes a length of time, as text") };
        let length = match parse_duration(text) {
            Ok(length) => length,
            Err(error) => {
                let hint = error.hint_text().unwrap_or_default().to_string();
                let error = Error::input(format!("ago(): {}", error.message())).hint(hint);
                return Err(DataFusionError::External(Box::new(error)));
            }
        };
        let length_us = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        let then = now.timestamp_micros().saturating_sub(length_us);
        let value = ScalarValue::TimestampMicrosecond(Some(then), Some(Arc::from("UTC")));
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // An argument that is not a literal was not replaced.
        exec_err!("ago() takes the length of time as literal text")
    }
}
