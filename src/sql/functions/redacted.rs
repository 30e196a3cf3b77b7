//! `redacted(text)`: the kinds of secrets that were replaced in a text before it was stored.
//!
//! It is null where none was. Replacements are `[REDACTED:<kind>:<8 hex>]`; equal secrets have equal digits.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

const BEGIN: &str = "[REDACTED:";

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The kinds of secrets that were replaced in a text, null where none was.",
        "redacted(text)",
    )
    .with_argument("text", "any column of text")
    .with_sql_example("select redacted(http_request.url.url_string), count(*) from authentication group by all")
    .build();
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    ScalarUDF::new_from_impl(Redacted { signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Redacted {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Redacted {
    fn name(&self) -> &str {
        "redacted"
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
        let [texts] = arguments.args.as_slice() else { return exec_err!("redacted() takes one text") };
        let texts = cast(&texts.to_array(arguments.number_rows)?, &DataType::Utf8)?;
        let kinds: StringArray = texts.as_string::<i32>().iter().map(|text| text.and_then(kinds)).collect();
        Ok(ColumnarValue::Array(Arc::new(kinds)))
    }
}

/// Returns `bearer, jwt`: sorted, each once.
fn kinds(text: &str) -> Option<String> {
    let found: BTreeSet<&str> = text.split(BEGIN).skip(1).filter_map(kind).collect();
    (!found.is_empty()).then(|| found.into_iter().collect::<Vec<_>>().join(", "))
}

/// Returns the kind of a replacement whose beginning was cut off; `None` for text that only looks like one.
fn kind(rest: &str) -> Option<&str> {
    let (kind, rest) = rest.split_once(':')?;
    let is_kind =
        !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b));
    let digits = rest.split_once(']')?.0;
    (is_kind && digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_once_and_look_alikes_are_none() {
        let text = "a [REDACTED:jwt:0011aabb] b [REDACTED:api-key:0011aabb][REDACTED:jwt:ffffffff]";
        assert_eq!(kinds(text).unwrap(), "api-key, jwt");
        for text in
            ["", "REDACTED", "[REDACTED]", "[REDACTED:jwt:xyz]", "[REDACTED::00112233]", "[REDACTED:J W:00112233]"]
        {
            assert_eq!(kinds(text), None, "{text}");
        }
    }
}
