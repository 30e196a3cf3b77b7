//! All matches of a regular expression in a text, and the texts between them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use regex::Regex;

use super::texts::{result, rows};

/// Returns `regexp_extract_all` and `regexp_split`.
pub fn functions() -> Vec<ScalarUDF> {
    let extract = Documentation::builder(
        Default::default(),
        "A list of all that a regular expression finds, or of what a group of it in parentheses finds.",
        "regexp_extract_all(text, pattern, group)",
    )
    .with_argument("text", "a text")
    .with_argument("pattern", "a regular expression")
    .with_argument("group", "the number of a group; 0, or none, is the whole")
    .with_sql_example("select regexp_extract_all(message, '[0-9]+') from event")
    .build();
    let split = Documentation::builder(
        Default::default(),
        "A list of the parts of a text between what a regular expression finds.",
        "regexp_split(text, pattern)",
    )
    .with_argument("text", "a text")
    .with_argument("pattern", "a regular expression")
    .with_sql_example("select regexp_split(message, ' +') from event")
    .build();
    let function = |name, aliases: &[&str], documentation| {
        let aliases = aliases.iter().map(|alias| alias.to_string()).collect();
        let signature = Signature::user_defined(Volatility::Immutable);
        ScalarUDF::new_from_impl(Parts { name, aliases, signature, documentation })
    };
    vec![
        function("regexp_extract_all", &["regexp_find_all"], extract),
        function("regexp_split", &["regexp_split_to_array", "string_split_regex", "str_split_regex"], split),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Parts {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Parts {
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
        let is_text = |kind: &DataType| kind.is_string() || kind.is_null();
        match types {
            [text, pattern] if is_text(text) && is_text(pattern) => Ok(vec![DataType::Utf8; 2]),
            [text, pattern, _] if is_text(text) && is_text(pattern) && self.takes_group() => {
                Ok(vec![DataType::Utf8, DataType::Utf8, DataType::Int64])
            }
            _ => plan_err!("{} takes a text and a regular expression", self.name),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = rows(&arguments);
        let column = |at: usize| -> Result<_> { Ok(cast(&arguments.args[at].to_array(rows)?, &DataType::Utf8)?) };
        let (texts, patterns) = (column(0)?, column(1)?);
        let (texts, patterns) = (texts.as_string::<i32>(), patterns.as_string::<i32>());
        let groups = arguments.args.get(2).map(|groups| groups.to_array(rows)).transpose()?;
        let mut made = ListBuilder::new(StringBuilder::new());
        let mut last: Option<Regex> = None;
        for row in 0..rows {
            let is_null = groups.as_ref().is_some_and(|groups| groups.is_null(row));
            if texts.is_null(row) || patterns.is_null(row) || is_null {
                made.append_null();
                continue;
            }
            let (text, pattern) = (texts.value(row), patterns.value(row));
            let regex = match last.take().filter(|regex| regex.as_str() == pattern) {
                Some(regex) => regex,
                None => compiled(pattern)?,
            };
            if self.takes_group() {
                let group = groups.as_ref().map_or(0, |groups| groups.as_primitive::<Int64Type>().value(row));
                let Some(group) = usize::try_from(group).ok().filter(|group| *group < regex.captures_len()) else {
                    return exec_err!("the regular expression `{pattern}` has no group {group}");
                };
                for found in regex.captures_iter(text) {
                    made.values().append_option(found.get(group).map(|found| found.as_str()));
                }
            } else {
                regex.split(text).for_each(|part| made.values().append_value(part));
            }
            made.append(true);
            last = Some(regex);
        }
        result(&arguments, Arc::new(made.finish()))
    }
}

impl Parts {
    fn takes_group(&self) -> bool {
        self.name == "regexp_extract_all"
    }
}

fn compiled(pattern: &str) -> Result<Regex> {
    match Regex::new(pattern) {
        Ok(regex) => Ok(regex),
        Err(error) => exec_err!("regex parse error:\n{error}"),
    }
}
