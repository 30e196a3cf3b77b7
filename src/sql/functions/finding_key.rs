//! `finding_key('report', part, ...)`: the key of a finding, in SQL (C19).
//!
//! Parts are joined with `|`; a null is an empty part, `\` and `|` inside a part are escaped, and a time is its
//! milliseconds since 1970. Rows whose keys are still equal are numbered by [`numbered`], in the order of the result.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The key of a finding: the parts joined with `|`, times as milliseconds, `|` and `\\` within parts escaped.",
        "finding_key(report, part, ...)",
    )
    .with_argument("report", "the id of the report")
    .with_argument("part", "what makes the finding: a subject, a time ...")
    .build();
    ScalarUDF::new_from_impl(FindingKey { signature: Signature::variadic_any(Volatility::Immutable), documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FindingKey {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for FindingKey {
    fn name(&self) -> &str {
        "finding_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        if arguments.is_empty() {
            return plan_err!("finding_key() takes the report's id and what makes the finding");
        }
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let parts: Result<Vec<StringArray>> = arguments.args.iter().map(|part| text(&part.to_array(rows)?)).collect();
        let parts = parts?;
        let mut keys = StringBuilder::with_capacity(rows, rows * 32);
        let mut key = String::new();
        for row in 0..rows {
            key.clear();
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    key.push('|');
                }
                let value = if part.is_valid(row) { part.value(row) } else { "" };
                for c in value.chars() {
                    if matches!(c, '\\' | '|') {
                        key.push('\\');
                    }
                    key.push(c);
                }
            }
            keys.append_value(&key);
        }
        Ok(ColumnarValue::Array(Arc::new(keys.finish())))
    }
}

fn text(part: &ArrayRef) -> Result<StringArray> {
    let part = match part.data_type() {
        DataType::Timestamp(_, zone) => {
            let times = cast(part, &DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))?;
            cast(
                &times.as_primitive::<TimestampMillisecondType>().reinterpret_cast::<arrow::datatypes::Int64Type>(),
                &DataType::Utf8,
            )?
        }
        _ => cast(part, &DataType::Utf8)?,
    };
    Ok(part.as_string::<i32>().clone())
}

/// Returns the keys of the next rows of a result; one that appeared before gets `|2`, `|3` ... Null stays null.
pub fn numbered(keys: &StringArray, seen: &mut HashMap<String, u64>) -> StringArray {
    let numbered = keys.iter().map(|key| {
        let key = key?;
        let count = seen.entry(key.to_string()).or_default();
        *count += 1;
        Some(if *count > 1 { format!("{key}|{count}") } else { key.to_string() })
    });
    numbered.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_are_numbered_over_batches_and_null_stays_null() {
        let mut seen = HashMap::new();
        let first = numbered(&StringArray::from(vec![Some("a"), None, Some("a")]), &mut seen);
        let second = numbered(&StringArray::from(vec![Some("b"), Some("a")]), &mut seen);
        assert_eq!(first, StringArray::from(vec![Some("a"), None, Some("a|2")]));
        assert_eq!(second, StringArray::from(vec!["b", "a|3"]));
    }
}
