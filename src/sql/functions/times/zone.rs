//! `time at time zone 'Europe/Berlin'`: the time as clocks there show it.

use std::sync::Arc;

use arrow::array::TimestampMicrosecondArray;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::calendar::Zone;
use super::{micros, result, rows, times};

pub fn at_time_zone() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The time as clocks in a zone show it; a time without a zone is read as one of that zone. \
         The same as `time at time zone zone`.",
        "at_time_zone(time, zone)",
    )
    .with_argument("time", "a time")
    .with_argument("zone", "a literal: 'Europe/Berlin', '+02:00'")
    .with_sql_example("select time at time zone 'Europe/Berlin' from event")
    .build();
    ScalarUDF::new_from_impl(AtTimeZone { signature: Signature::user_defined(Volatility::Immutable), documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        "at_time_zone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [time, _] => Ok(vec![micros(time)?, DataType::Utf8]),
            _ => plan_err!("at_time_zone takes a time and a zone"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the zone must be a literal text")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let zone = arguments.scalar_arguments.get(1).copied().flatten().and_then(|zone| zone.try_as_str().flatten());
        let Some(zone) = zone else {
            return plan_err!("the zone must be a literal text, such as 'Europe/Berlin'");
        };
        Zone::parse(zone)?;
        let data_type = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(zone)));
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Timestamp(_, Some(name)) = arguments.return_field.data_type() else {
            return plan_err!("the zone must be a literal text, such as 'Europe/Berlin'");
        };
        let zone = Zone::parse(name)?;
        let (rows, is_constant) = rows(&arguments);
        let array = times(&arguments.args[0], rows)?;
        let made: TimestampMicrosecondArray = match array.timezone() {
            // The instant stays; only its clock time changes.
            Some(_) => array,
            None => array.try_unary(|us| {
                Ok::<_, datafusion::error::DataFusionError>(zone.instant(super::calendar::from_us(us)?))
            })?,
        };
        result(Arc::new(made.with_timezone(name.clone())), is_constant)
    }
}
