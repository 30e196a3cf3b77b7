//! DataFusion's errors, said so that an analyst can act on them.

use datafusion::common::{DataFusionError, SchemaError};

use super::guard::read_only;
use crate::error::{Error, Kind};

/// What the session knows, for suggestions.
pub trait Names {
    fn tables(&self) -> Vec<String>;
    /// A column path of any table that is close to `wrong`.
    fn nearest_path(&self, wrong: &str) -> Option<String>;
}

/// Says what is wrong with a statement.
pub fn explain(error: DataFusionError, names: &dyn Names) -> Error {
    let root = error.find_root();
    match root {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let wrong = field.flat_name();
                let valid: Vec<String> = valid_fields.iter().map(|column| column.name.clone()).collect();
                let nearest = nearest(&field.name, &valid).or_else(|| names.nearest_path(&wrong));
                with_nearest(Error::input(format!("no column `{wrong}`")), nearest, "`\\d TABLE` lists the columns")
            }
            other => Error::input(first_line(&other.to_string())),
        },
        DataFusionError::SQL(parser, _) => Error::input(format!("cannot parse the statement: {parser}")),
        DataFusionError::ResourcesExhausted(_) => Error::new(Kind::Unavailable, first_line(&root.to_string()))
            .hint("the query needs more memory than it may use; narrow the period or select fewer columns"),
        _ => plan_error(&root.to_string(), names),
    }
}

fn plan_error(text: &str, names: &dyn Names) -> Error {
    let text = text.strip_prefix("Error during planning: ").unwrap_or(text);
    if let Some(table) = between(text, "table '", "' not found") {
        let wrong = table.rsplit('.').next().unwrap_or(table);
        let error = Error::input(format!("no table `{wrong}`"));
        return with_nearest(error, nearest(wrong, &names.tables()), "`\\d` lists the tables");
    }
    // `get_field` over a struct that has no such member.
    if let Some(wrong) = between(text, "Field ", " not found in struct") {
        let nearest = names.nearest_path(wrong);
        return with_nearest(Error::input(format!("no field `{wrong}`")), nearest, "`\\d TABLE` lists the columns");
    }
    if ["DDL not supported", "DML not supported", "Statement not supported"].iter().any(|no| text.contains(no)) {
        return read_only();
    }
    Error::input(first_line(text))
}

/// The name most like `wrong`, when it is like enough to be meant.
pub fn nearest(wrong: &str, names: &[String]) -> Option<String> {
    let lower = wrong.to_lowercase();
    names
        .iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}

fn with_nearest(error: Error, nearest: Option<String>, otherwise: &str) -> Error {
    match nearest {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint(otherwise),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// DataFusion appends backtraces and long lists of candidates on lines of their own.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_string()
}
