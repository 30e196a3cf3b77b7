//! DataFusion's errors, said so that an analyst can act on them.

use std::sync::Arc;

use datafusion::common::{DataFusionError, SchemaError};

use super::guard::read_only;
use crate::error::{Error, Kind};
use crate::schema::Ocsf;

/// What is known around a statement, for suggestions.
pub struct Known {
    pub ocsf: Arc<Ocsf>,
    pub tables: Vec<String>,
    /// The statement.
    pub sql: String,
    pub memory_limit: Option<usize>,
}

impl Known {
    /// A column path of any table that is close to `wrong`.
    fn nearest_path(&self, wrong: &str) -> Option<String> {
        // The engine names the last member only; the statement has the path that was meant.
        let tail = format!(".{wrong}");
        let mut words = self.sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
        let meant = words.find(|word| word.ends_with(&tail)).unwrap_or(wrong);
        self.ocsf.classes().iter().find_map(|class| class.nearest_path(meant))
    }
}

/// Says what is wrong with a statement.
pub fn explain(error: DataFusionError, known: &Known) -> Error {
    let root = error.find_root();
    match root {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let wrong = field.flat_name();
                let valid: Vec<String> = valid_fields.iter().map(|column| column.name.clone()).collect();
                let nearest = nearest(&field.name, &valid).or_else(|| known.nearest_path(&wrong));
                with_nearest(Error::input(format!("no column `{wrong}`")), nearest, "`\\d TABLE` lists the columns")
            }
            other => Error::input(first_line(&other.to_string())),
        },
        DataFusionError::SQL(parser, _) => Error::input(format!("cannot parse the statement: {parser}")),
        DataFusionError::ResourcesExhausted(text) => exhausted(text, known),
        _ => plan_error(&root.to_string(), known),
    }
}

/// A query that does not fit ends alone; what it holds is given back.
fn exhausted(text: &str, known: &Known) -> Error {
    let error = match (text.contains("disk space"), known.memory_limit) {
        (true, _) => {
            return Error::new(Kind::Unavailable, "the query spills more to the disk than it may")
                .hint("narrow it, or raise `spill_mib` in the configuration");
        }
        (false, Some(limit)) => {
            Error::new(Kind::Unavailable, format!("the query needs more than the {} MiB it may hold", limit >> 20))
        }
        (false, None) => Error::new(Kind::Unavailable, first_line(text)),
    };
    error.hint("narrow it with `--since` and `--until`, select fewer columns, or raise `--memory-limit`")
}

fn plan_error(text: &str, known: &Known) -> Error {
    let text = text.strip_prefix("Error during planning: ").unwrap_or(text);
    if let Some(table) = between(text, "table '", "' not found") {
        let wrong = table.rsplit('.').next().unwrap_or(table);
        let error = Error::input(format!("no table `{wrong}`"));
        return with_nearest(error, nearest(wrong, &known.tables), "`\\d` lists the tables");
    }
    // `get_field` over a struct that has no such member.
    if let Some(wrong) = between(text, "Field ", " not found in struct") {
        let nearest = known.nearest_path(wrong);
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
