//! Small functions of texts, lists and numbers that DuckDB and Athena have.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions_nested::array_has::array_has_udf;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

/// The greatest width that a number may be padded to.
const MAX_WIDTH: usize = 1000;

pub fn functions(contains: Option<Arc<ScalarUDF>>) -> Vec<ScalarUDF> {
    let mut all = vec![len(), printf(), width_bucket()];
    all.extend(
        contains.map(|text| ScalarUDF::new_from_impl(Contains { text, list: array_has_udf(), signature: own() })),
    );
    all
}

fn own() -> Signature {
    Signature::user_defined(Volatility::Immutable)
}

/// Returns the result, as one value if all arguments were.
pub fn result(arguments: &ScalarFunctionArgs, array: ArrayRef) -> Result<ColumnarValue> {
    let is_constant = arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    Ok(if is_constant {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
    } else {
        ColumnarValue::Array(array)
    })
}

pub fn rows(arguments: &ScalarFunctionArgs) -> usize {
    let is_constant = arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    if is_constant { 1 } else { arguments.number_rows }
}

fn len() -> ScalarUDF {
    let documentation =
        Documentation::builder(Default::default(), "The letters of a text, or the items of a list.", "len(x)")
            .with_argument("x", "a text or a list")
            .with_sql_example("select max(len(message)) from event")
            .build();
    ScalarUDF::new_from_impl(Len { signature: own(), documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Len {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Len {
    fn name(&self) -> &str {
        "len"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [list @ DataType::List(_)] => Ok(vec![list.clone()]),
            [text] if text.is_string() || text.is_null() => Ok(vec![DataType::Utf8]),
            [_] => plan_err!("len takes a text or a list"),
            _ => plan_err!("len takes one argument"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = arguments.args[0].to_array(rows(&arguments))?;
        let lengths: Int64Array = match array.data_type() {
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                (0..lists.len()).map(|row| lists.is_valid(row).then(|| i64::from(lists.value_length(row)))).collect()
            }
            _ => array.as_string::<i32>().iter().map(|text| text.map(|text| text.chars().count() as i64)).collect(),
        };
        result(&arguments, Arc::new(lengths))
    }
}

/// `contains` of a text and of a list.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Contains {
    text: Arc<ScalarUDF>,
    list: Arc<ScalarUDF>,
    signature: Signature,
}

impl Contains {
    fn of(&self, first: &DataType) -> &Arc<ScalarUDF> {
        if matches!(first, DataType::List(_)) { &self.list } else { &self.text }
    }
}

impl ScalarUDFImpl for Contains {
    fn name(&self) -> &str {
        "contains"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [list @ DataType::List(item), _] => Ok(vec![list.clone(), item.data_type().clone()]),
            [_, _] => Ok(vec![DataType::Utf8, DataType::Utf8]),
            _ => plan_err!("contains takes a text and a part of it, or a list and an item"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<arrow::datatypes::FieldRef> {
        Ok(Arc::new(arrow::datatypes::Field::new(
            self.name(),
            DataType::Boolean,
            arguments.arg_fields.iter().any(|field| field.is_nullable()),
        )))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.text.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.of(&arguments.args[0].data_type()).invoke_with_args(arguments)
    }
}

fn printf() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "A text with values put in: %s any value, %d a whole number, %f and %.2f a number, %x hexadecimal, %% a percent \
         sign; {} any value as well.",
        "printf(pattern, x, ...)",
    )
    .with_argument("pattern", "a text with a place for each value")
    .with_argument("x", "values")
    .with_sql_example("select printf('%d: %d', class_uid, count(*)) from event group by class_uid order by 1")
    .build();
    ScalarUDF::new_from_impl(Printf { signature: own(), documentation, aliases: vec!["format".to_string()] })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Printf {
    signature: Signature,
    documentation: Documentation,
    aliases: Vec<String>,
}

impl ScalarUDFImpl for Printf {
    fn name(&self) -> &str {
        "printf"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Some((_, values)) = types.split_first() else { return plan_err!("printf takes a pattern") };
        Ok(std::iter::once(DataType::Utf8).chain(values.iter().cloned()).collect())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = rows(&arguments);
        let arrays: Vec<ArrayRef> = arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<_>>()?;
        let options = FormatOptions::default();
        let shown: Vec<ArrayFormatter<'_>> = arrays[1..]
            .iter()
            .map(|array| ArrayFormatter::try_new(array, &options))
            .collect::<std::result::Result<_, _>>()?;
        let numbers: Vec<Option<ArrayRef>> =
            arrays[1..].iter().map(|array| cast(array, &DataType::Float64).ok()).collect();
        let mut made = Vec::with_capacity(rows);
        for row in 0..rows {
            // As in PostgreSQL, a null among the values makes the whole null, rather than a text that looks right.
            if arrays.iter().any(|array| array.is_null(row)) {
                made.push(None);
                continue;
            }
            let value = |at: usize| -> Option<(String, Option<f64>)> {
                let number = numbers.get(at)?.as_ref().filter(|numbers| numbers.is_valid(row));
                Some((
                    shown.get(at)?.value(row).to_string(),
                    number.map(|numbers| numbers.as_primitive::<Float64Type>().value(row)),
                ))
            };
            made.push(Some(filled(arrays[0].as_string::<i32>().value(row), &value)?));
        }
        result(&arguments, Arc::new(StringArray::from(made)))
    }
}

/// Fills the pattern with a value at each place.
fn filled(pattern: &str, value: &dyn Fn(usize) -> Option<(String, Option<f64>)>) -> Result<String> {
    let mut made = String::new();
    let mut letters = pattern.chars().peekable();
    let mut next = 0;
    let mut take = || {
        next += 1;
        match value(next - 1) {
            Some(value) => Ok(value),
            None => exec_err!("printf: the pattern has more places than there are values"),
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '{' if letters.peek() == Some(&'}') => {
                letters.next();
                made.push_str(&take()?.0);
            }
            '%' if letters.peek() == Some(&'%') => {
                letters.next();
                made.push('%');
            }
            '%' => {
                let mut flags = String::new();
                let mut kind = None;
                for part in letters.by_ref() {
                    if part.is_ascii_alphabetic() {
                        kind = Some(part);
                        break;
                    }
                    flags.push(part);
                }
                let (text, number) = take()?;
                made.push_str(&placed(&flags, kind, text, number)?);
            }
            letter => made.push(letter),
        }
    }
    Ok(made)
}

fn placed(flags: &str, kind: Option<char>, text: String, number: Option<f64>) -> Result<String> {
    let wrong =
        || exec_err!("printf: `%{flags}{}` is not a place for a value", kind.map(String::from).unwrap_or_default());
    let is_left = flags.starts_with('-');
    let is_zero = flags.starts_with('0');
    let (width, digits) = match flags.trim_start_matches(['-', '0', '+', ' ']).split_once('.') {
        Some((width, digits)) => (width, Some(digits)),
        None => (flags.trim_start_matches(['-', '0', '+', ' ']), None),
    };
    let count = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<usize>().ok() };
    let (Some(width), Some(digits)) = (count(width), digits.map_or(Some(None), |digits| count(digits).map(Some)))
    else {
        return wrong();
    };
    if width > MAX_WIDTH || digits.is_some_and(|digits| digits > MAX_WIDTH) {
        return wrong();
    }
    let body = match (kind, number) {
        (Some('s'), _) => match digits {
            Some(digits) => text.chars().take(digits).collect(),
            None => text,
        },
        (Some('d' | 'i' | 'u'), Some(_)) if text.parse::<i128>().is_ok() => text,
        (Some('d' | 'i' | 'u'), Some(number)) => format!("{:.0}", number.trunc()),
        (Some('f' | 'F'), Some(number)) => format!("{number:.*}", digits.unwrap_or(6)),
        (Some('e'), Some(number)) => format!("{number:.*e}", digits.unwrap_or(6)),
        (Some('g'), Some(number)) => format!("{number}"),
        (Some('x'), Some(_)) if text.parse::<i64>().is_ok() => format!("{:x}", text.parse::<i64>().unwrap_or_default()),
        (Some('X'), Some(_)) if text.parse::<i64>().is_ok() => format!("{:X}", text.parse::<i64>().unwrap_or_default()),
        _ => return wrong(),
    };
    let missing = width.saturating_sub(body.chars().count());
    let mut made = String::new();
    let blanks = |made: &mut String| (0..missing).for_each(|_| made.push(' '));
    match (is_left, is_zero && kind != Some('s')) {
        (true, _) => {
            made.push_str(&body);
            blanks(&mut made);
        }
        (false, true) => {
            let (sign, digits) = body.strip_prefix('-').map_or(("", body.as_str()), |digits| ("-", digits));
            let _ = write!(made, "{sign}{}{digits}", "0".repeat(missing));
        }
        (false, false) => {
            blanks(&mut made);
            made.push_str(&body);
        }
    }
    Ok(made)
}

fn width_bucket() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "Which of so many equal spans between two numbers a number lies in, from 1; 0 below and one more above.",
        "width_bucket(x, low, high, count)",
    )
    .with_argument("x", "a number")
    .with_argument("low", "where the first span begins")
    .with_argument("high", "where the last one ends")
    .with_argument("count", "how many spans")
    .with_sql_example("select width_bucket(severity_id, 0, 6, 3) as span, count(*) from event group by 1 order by 1")
    .build();
    ScalarUDF::new_from_impl(WidthBucket { signature: own(), documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WidthBucket {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for WidthBucket {
    fn name(&self) -> &str {
        "width_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types.len() {
            4 => Ok(vec![DataType::Float64, DataType::Float64, DataType::Float64, DataType::Int64]),
            _ => plan_err!("width_bucket takes a number, two bounds and how many spans"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = rows(&arguments);
        let arrays: Vec<ArrayRef> = arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<_>>()?;
        let number = |at: usize, row: usize| arrays[at].as_primitive::<Float64Type>().value(row);
        let mut made = Vec::with_capacity(rows);
        for row in 0..rows {
            if arrays.iter().any(|array| array.is_null(row)) {
                made.push(None);
                continue;
            }
            let (x, low, high) = (number(0, row), number(1, row), number(2, row));
            let count = arrays[3].as_primitive::<Int64Type>().value(row);
            if count < 1 || low == high || !low.is_finite() || !high.is_finite() || x.is_nan() {
                return exec_err!("width_bucket takes two different bounds and at least one span");
            }
            let share = (x - low) / (high - low);
            made.push(Some(match share {
                share if share < 0.0 => 0,
                share if share >= 1.0 => count.saturating_add(1),
                share => (share * count as f64).floor() as i64 + 1,
            }));
        }
        result(&arguments, Arc::new(Int64Array::from(made)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_into_a_pattern() {
        let values = |at: usize| {
            [("ann", None), ("-7", Some(-7.0)), ("2.5", Some(2.5))]
                .get(at)
                .map(|(text, number)| (text.to_string(), *number))
        };
        let said = |pattern: &str| filled(pattern, &values).map_err(|error| error.to_string());
        assert_eq!(said("%s has %d, %.2f%%").unwrap(), "ann has -7, 2.50%");
        assert_eq!(said("%5s|%-5d|%05.1f").unwrap(), "  ann|-7   |002.5");
        assert_eq!(said("{} {} {}").unwrap(), "ann -7 2.5");
        assert!(said("%d").unwrap_err().contains("not a place"));
        assert!(said("{}{}{}{}").unwrap_err().contains("more places"));
        assert!(said("%99999999s").is_err());
    }
}
