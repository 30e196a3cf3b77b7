//! `ocsf_caption('account_change', 'activity_id', activity_id)`: the meaning of an id of an OCSF enumeration.
//!
//! It is null for an id that OCSF does not list; the class and the column must be literals that exist.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::schema::Ocsf;

pub fn function(ocsf: Arc<Ocsf>) -> ScalarUDF {
    let types = vec![DataType::Utf8, DataType::Utf8, DataType::Int64];
    let documentation = Documentation::builder(
        Default::default(),
        "The caption of an id of an OCSF enumeration, null for an id that OCSF does not list.",
        "ocsf_caption(class, column, id)",
    )
    .with_argument("class", "name of the table, a literal")
    .with_argument("column", "dotted path of the column, a literal")
    .with_argument("id", "the id")
    .build();
    ScalarUDF::new_from_impl(OcsfCaption {
        ocsf,
        signature: Signature::exact(types, Volatility::Immutable),
        documentation,
    })
}

#[derive(Debug)]
struct OcsfCaption {
    ocsf: Arc<Ocsf>,
    signature: Signature,
    documentation: Documentation,
}

// Two sessions of one program have the same schemas unless they were loaded again: then they are other functions.
impl PartialEq for OcsfCaption {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ocsf, &other.ocsf)
    }
}

impl Eq for OcsfCaption {}

impl Hash for OcsfCaption {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.ocsf).hash(state);
    }
}

impl ScalarUDFImpl for OcsfCaption {
    fn name(&self) -> &str {
        "ocsf_caption"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [class, column, ids] = arguments.args.as_slice() else {
            return exec_err!("ocsf_caption() takes a class, a column and an id");
        };
        let (class, column) = (literal(class)?, literal(column)?);
        let Some(class) = self.ocsf.classes().iter().find(|known| known.name == class) else {
            return exec_err!("ocsf_caption(): no event class `{class}`");
        };
        let Some(captions) = class.attribute(&column).and_then(|attribute| attribute.captions.as_ref()) else {
            return exec_err!("ocsf_caption(): `{}` has no enumeration `{column}`", class.name);
        };
        let ids = cast(&ids.to_array(arguments.number_rows)?, &DataType::Int64)?;
        let ids = ids.as_primitive::<Int64Type>();
        let captions: StringArray =
            (0..ids.len()).map(|row| ids.is_valid(row).then(|| captions.get(ids.value(row))).flatten()).collect();
        Ok(ColumnarValue::Array(Arc::new(captions)))
    }
}

fn literal(value: &ColumnarValue) -> Result<String> {
    match value {
        ColumnarValue::Scalar(
            ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)),
        ) => Ok(text.clone()),
        _ => exec_err!("ocsf_caption() takes the class and the column as literal text"),
    }
}
