//! The validity and the type of a JSON text.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde_json::Value;

use super::texts::{result, rows};

/// Returns `json_valid` and `json_type`.
pub fn functions() -> Vec<ScalarUDF> {
    let function = |name, aliases: &[&str], asks, description: &str, example: &str| {
        let documentation = Documentation::builder(Default::default(), description, format!("{name}(text)"))
            .with_argument("text", "a text that may be JSON")
            .with_sql_example(example)
            .build();
        let aliases = aliases.iter().map(|alias| alias.to_string()).collect();
        let signature = Signature::user_defined(Volatility::Immutable);
        ScalarUDF::new_from_impl(OfJson { name, aliases, asks, signature, documentation })
    };
    vec![
        function(
            "json_valid",
            &["is_json"],
            Asks::Validity,
            "Whether a text is JSON.",
            "select count(*) from event where not json_valid(unmapped)",
        ),
        function(
            "json_type",
            &["json_typeof", "jsonb_typeof"],
            Asks::Kind,
            "What a JSON text is: object, array, string, number, boolean or null; null for what is no JSON.",
            "select json_type(unmapped->'trace') as kind, count(*) from event group by 1 order by 1",
        ),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asks {
    Validity,
    Kind,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfJson {
    name: &'static str,
    aliases: Vec<String>,
    asks: Asks,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for OfJson {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [text] if text.is_string() || text.is_null() => Ok(vec![DataType::Utf8]),
            _ => plan_err!("{} takes a JSON text", self.name),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.asks {
            Asks::Validity => DataType::Boolean,
            Asks::Kind => DataType::Utf8,
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = arguments.args[0].to_array(rows(&arguments))?;
        let kinds = texts.as_string::<i32>().iter().map(|text| text.map(kind));
        match self.asks {
            Asks::Validity => {
                result(&arguments, Arc::new(kinds.map(|kind| Some(kind?.is_some())).collect::<BooleanArray>()))
            }
            Asks::Kind => result(&arguments, Arc::new(kinds.map(Option::flatten).collect::<StringArray>())),
        }
    }
}

fn kind(text: &str) -> Option<&'static str> {
    Some(match serde_json::from_str(text).ok()? {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_texts_are_told_apart() {
        let kinds = ["{}", "[1", " [1]", "null", "-1e3", "\"x\"", "true", "x", ""].map(kind);
        let wanted = ["object", "", "array", "null", "number", "string", "boolean", "", ""];
        assert_eq!(kinds.map(|kind| kind.unwrap_or_default()), wanted);
    }
}
