//! `somebody(text, nobody)`: the text trimmed, or null where it stands for no identity, in SQL (C5).
//!
//! Failed logons carry stand-ins: one of the words `nobody`, in any case, or an id of eight or more zeros and separators.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Somebody { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Somebody {
    signature: Signature,
}

impl ScalarUDFImpl for Somebody {
    fn name(&self) -> &str {
        "somebody"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.get(1) {
            Some(DataType::List(_)) => Ok(DataType::Utf8),
            _ => plan_err!("somebody() takes a text and a list of words"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts, ColumnarValue::Scalar(words)] = arguments.args.as_slice() else {
            return exec_err!("somebody() takes the same words for all rows");
        };
        let words = cast(&words.to_array()?.as_list::<i32>().value(0), &DataType::Utf8)?;
        let words: Vec<&str> = words.as_string::<i32>().iter().flatten().collect();
        let texts = cast(&texts.to_array(arguments.number_rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let found: StringArray = texts.iter().map(|text| text.and_then(|text| somebody(text, &words))).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

fn somebody<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let text = text.trim();
    let is_word = || words.iter().any(|word| word.eq_ignore_ascii_case(text));
    let has_zeros = || text.matches('0').count() >= 8 && text.chars().all(|c| c == '0' || !c.is_alphanumeric());
    (!text.is_empty() && !is_word() && !has_zeros()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_nobody_and_a_short_zero_is_somebody() {
        let words = ["-", "null sid", "s-1-0-0"];
        for nobody in ["", "  ", "-", " NULL Sid ", "S-1-0-0", "00000000", "{00000000-0000-0000-0000-000000000000}"] {
            assert_eq!(somebody(nobody, &words), None, "{nobody}");
        }
        for somebody_else in ["0", "0000000", "000-0000", "0000000x0", "S-1-0-0-1", "--", "00000001"] {
            assert_eq!(somebody(somebody_else, &words), Some(somebody_else), "{somebody_else}");
        }
        assert_eq!(somebody(" ann ", &words), Some("ann"));
    }
}
