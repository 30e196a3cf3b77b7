//! `names(list)` and `names(list, 'uid', 'name')`: the names in a list, in SQL; `names_or('*', list, 'uid', 'name')` has
//! a name also for an element without one.
//!
//! Names are trimmed, blank ones do not count, one that is listed twice is one (C10). For structs the first given
//! member that is not blank counts. It is a function of ours because lambdas of DataFusion 55 (`array_transform`)
//! failed on real data once they met an empty list, another lambda and a CASE in one projection.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The names in a list, trimmed, each once; of structs the first of the members that is not blank.",
        "names(list, member, ...)",
    )
    .with_argument("list", "a list of text or of structs")
    .with_argument("member", "names of members, literals: names(policies, 'name', 'uid')")
    .build();
    ScalarUDF::new_from_impl(Names::new(false, documentation))
}

pub fn function_or() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The same as names(), with a name for elements that have none.",
        "names_or(name, list, member, ...)",
    )
    .with_argument("name", "what an element without a name is called, a literal")
    .with_argument("list", "a list of text or of structs")
    .with_argument("member", "names of members, literals")
    .build();
    ScalarUDF::new_from_impl(Names::new(true, documentation))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Names {
    /// Whether the first argument names elements that have no name.
    or: bool,
    signature: Signature,
    documentation: Documentation,
}

fn item() -> Field {
    Field::new("element", DataType::Utf8, true)
}

impl Names {
    fn new(or: bool, documentation: Documentation) -> Names {
        Names { or, signature: Signature::variadic_any(Volatility::Immutable), documentation }
    }
}

impl ScalarUDFImpl for Names {
    fn name(&self) -> &str {
        if self.or { "names_or" } else { "names" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.get(usize::from(self.or)) {
            Some(DataType::List(_)) => Ok(DataType::List(Arc::new(item()))),
            other => plan_err!("{}() takes a list, not {other:?}", self.name()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (or, arguments_left) = match arguments.args.as_slice() {
            [ColumnarValue::Scalar(ScalarValue::Utf8(Some(or)) | ScalarValue::Utf8View(Some(or))), rest @ ..]
                if self.or =>
            {
                (Some(or.as_str()), rest)
            }
            _ if self.or => return exec_err!("names_or() takes a text and a list"),
            all => (None, all),
        };
        let Some((list, members)) = arguments_left.split_first() else { return exec_err!("names() takes a list") };
        let list = list.to_array(arguments.number_rows)?;
        let list = list.as_list::<i32>();
        let mut candidates: Vec<StringArray> = Vec::new();
        for column in columns(list.values(), members)? {
            candidates.push(cast(&column, &DataType::Utf8)?.as_string::<i32>().clone());
        }
        let mut names = ListBuilder::new(StringBuilder::new()).with_field(item());
        let mut seen: Vec<&str> = Vec::new();
        for row in 0..list.len() {
            seen.clear();
            let offsets = list.value_offsets();
            let elements = if list.is_null(row) { 0..0 } else { offsets[row] as usize..offsets[row + 1] as usize };
            for element in elements {
                let is_there = |column: &&StringArray| !list.values().is_null(element) && !column.is_null(element);
                let texts = candidates.iter().filter(is_there).map(|column| column.value(element).trim());
                let Some(name) = texts.into_iter().find(|name| !name.is_empty()).or(or) else { continue };
                if !seen.contains(&name) {
                    seen.push(name);
                    names.values().append_value(name);
                }
            }
            names.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(names.finish())))
    }
}

/// Returns the texts to choose from: the list's elements, or the named members of its structs.
fn columns(values: &ArrayRef, members: &[ColumnarValue]) -> Result<Vec<ArrayRef>> {
    let Some(structs) = values.as_struct_opt() else { return Ok(vec![Arc::clone(values)]) };
    let mut columns = Vec::new();
    for member in members {
        let ColumnarValue::Scalar(ScalarValue::Utf8(Some(name)) | ScalarValue::Utf8View(Some(name))) = member else {
            return exec_err!("names() takes the names of members as text");
        };
        match structs.column_by_name(name) {
            Some(column) => columns.push(Arc::clone(column)),
            None => return exec_err!("names(): the list's elements have no member `{name}`"),
        }
    }
    Ok(columns)
}
