//! The type of a value, in the words of help and `\d`.

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::sql::type_name;

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(Default::default(), "The type of a value.", "typeof(x)")
        .with_argument("x", "anything")
        .with_sql_example("select typeof(time), typeof(severity_id) from event limit 1")
        .build();
    let aliases = vec!["pg_typeof".to_string()];
    ScalarUDF::new_from_impl(TypeOf { aliases, signature: Signature::any(1, Volatility::Immutable), documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    aliases: Vec<String>,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        "typeof"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
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
        let [value] = arguments.args.as_slice() else { return plan_err!("typeof takes one value") };
        Ok(ColumnarValue::Scalar(ScalarValue::from(type_name(&value.data_type()))))
    }
}
