//! `somebody(text, words)`: a name or an id without blanks around it; null where it stands for nobody (C5).
//!
//! Sources that have no name for somebody write a word in its place (`-`, `NULL SID`), or an id of zeros. Those are not
//! identities: compared as such, twelve people who mistyped a password were one account under attack.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

/// An id of fewer zeros may be somebody's.
const ZEROS: usize = 8;

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The text without blanks around it; null for blank text, for one of the words (in any case) and for an id of \
         eight or more zeros.",
        "somebody(text, words)",
    )
    .with_argument("text", "a name or an id")
    .with_argument("words", "words that stand for nobody, in lower case: a list")
    .build();
    ScalarUDF::new_from_impl(Somebody { signature: Signature::any(2, Volatility::Immutable), documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Somebody {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Somebody {
    fn name(&self) -> &str {
        "somebody"
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
        let [texts, words] = arguments.args.as_slice() else { return exec_err!("somebody() takes a text and words") };
        let ColumnarValue::Scalar(ScalarValue::List(words)) = words else {
            return exec_err!("somebody() takes the words as a literal list");
        };
        let words = arrow::compute::cast(&words.value(0), &DataType::Utf8)?;
        let words: Vec<&str> = words.as_string::<i32>().iter().flatten().collect();
        let texts = arrow::compute::cast(&texts.to_array(arguments.number_rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let mut found = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
        texts.iter().for_each(|text| found.append_option(text.and_then(|text| somebody(text, &words))));
        Ok(ColumnarValue::Array(Arc::new(found.finish())))
    }
}

fn somebody<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let text = text.trim();
    let is_word =
        |word: &&&str| if text.is_ascii() { text.eq_ignore_ascii_case(word) } else { text.to_lowercase() == **word };
    let is_nobody = text.is_empty() || words.iter().find(is_word).is_some() || is_zero(text);
    (!is_nobody).then_some(text)
}

/// Returns whether an id is nothing but zeros, and enough of them.
fn is_zero(text: &str) -> bool {
    let mut zeros = 0;
    for c in text.chars() {
        match c {
            '0' => zeros += 1,
            _ if c.is_alphanumeric() => return false,
            _ => {}
        }
    }
    zeros >= ZEROS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_nobody_and_zero_is_somebody() {
        let words = ["-", "null sid", "unknown"];
        for nobody in ["", "  ", "-", " NULL SID ", "Unknown", "00000000-0000-0000-0000-000000000000", "{00000000}"] {
            assert_eq!(somebody(nobody, &words), None, "{nobody}");
        }
        for text in ["0", "0000000", "00000001", "unknown person", "--", "Ä-"] {
            assert_eq!(somebody(text, &words), Some(text), "{text}");
        }
        assert_eq!(somebody(" ann ", &words), Some("ann"));
    }
}
