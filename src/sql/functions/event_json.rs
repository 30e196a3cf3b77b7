//! `event_json('account_change', named_struct('time', time, ...))`: a row as the OCSF event that came in, secrets redacted.
//!
//! `auditlake export` writes the same text. The struct has all columns of the class's table; reports pass it this way.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use crate::decode::Encoder;
use crate::schema::Ocsf;

pub fn function(ocsf: Arc<Ocsf>) -> ScalarUDF {
    ScalarUDF::new_from_impl(EventJson { ocsf, signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug)]
struct EventJson {
    ocsf: Arc<Ocsf>,
    signature: Signature,
}

// As in `ocsf_caption`: schemas that were loaded again make another function.
impl PartialEq for EventJson {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ocsf, &other.ocsf)
    }
}

impl Eq for EventJson {}

impl Hash for EventJson {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.ocsf).hash(state);
    }
}

impl ScalarUDFImpl for EventJson {
    fn name(&self) -> &str {
        "event_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(ScalarValue::Utf8(Some(name))), row] = arguments.args.as_slice() else {
            return exec_err!("event_json() takes the name of a class as text, and its columns");
        };
        let Some(class) = self.ocsf.classes().iter().find(|class| class.name == *name) else {
            return exec_err!("event_json(): no event class `{name}`");
        };
        let array = row.to_array(arguments.number_rows)?;
        let Some(columns) = array.as_struct_opt() else {
            return exec_err!("event_json() takes the columns of `{name}` as a struct");
        };
        let batch = RecordBatch::from(columns);
        let encoder = Encoder::new(class);
        let mut events = StringBuilder::with_capacity(batch.num_rows(), 0);
        let mut event = Vec::new();
        for row in 0..batch.num_rows() {
            event.clear();
            encoder.write(&batch, row, &mut event).map_err(|error| DataFusionError::External(Box::new(error)))?;
            match std::str::from_utf8(&event) {
                Ok(text) => events.append_value(text),
                Err(_) => return exec_err!("event_json(): an event that is not UTF-8"),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(events.finish())))
    }
}
