//! DataFusion's errors, said so that an analyst can act on them.

use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::prelude::SessionContext;
use parquet::errors::ParquetError;

use super::documentation::FunctionInfo;
use super::functions::catalogue;
use super::guard::read_only;
use super::spill::CANNOT_SPILL;
use crate::error::{Error, Kind};
use crate::schema::Ocsf;

/// What is known around a statement, for suggestions.
pub struct Known {
    pub ocsf: Arc<Ocsf>,
    pub tables: Vec<String>,
    /// The statement.
    pub sql: String,
    pub memory_limit: Option<usize>,
    /// For the names of functions, when one is wrong.
    pub context: SessionContext,
}

impl Known {
    /// A column path of any table that is close to `wrong`.
    fn nearest_path(&self, wrong: &str) -> Option<String> {
        // The engine names one member only; the statement has the path that was meant.
        let (tail, within) = (format!(".{wrong}"), format!(".{wrong}."));
        let mut words = self.sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
        let meant = words.find(|word| word.ends_with(&tail) || word.contains(&within)).unwrap_or(wrong);
        self.ocsf.classes().iter().find_map(|class| {
            // The name of a table may stand before the path.
            let path = meant.split_once('.').filter(|(first, _)| class.attribute(first).is_none());
            class.nearest_path(path.map_or(meant, |(_, path)| path))
        })
    }

    fn functions(&self) -> Vec<FunctionInfo> {
        catalogue(&self.context)
    }
}

/// Says what is wrong with a statement, or with the data that it reads.
pub fn explain(error: DataFusionError, known: &Known) -> Error {
    if let Some(error) = about_the_data(&error) {
        return error;
    }
    let root = carried(error.find_root());
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

/// An error of the lake that came through the engine, or one of the engine about what the lake stores.
fn about_the_data(error: &DataFusionError) -> Option<Error> {
    if let Some(ours) = Error::within(error) {
        let again = Error::new(ours.kind(), ours.to_string());
        return Some(match ours.hint_text() {
            Some(hint) => again.hint(hint),
            None => again,
        });
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(object_store::Error::NotFound { path, .. }) = error.downcast_ref() {
            return Some(damaged(format!("cannot read {path}: it is missing, and the ledger names it")));
        }
        if let Some(ParquetError::General(text) | ParquetError::EOF(text)) = error.downcast_ref() {
            return Some(damaged(format!("cannot decode a file of the lake: {}", first_line(text))));
        }
        if let Some(ArrowError::ParquetError(text)) = error.downcast_ref() {
            return Some(damaged(format!("cannot decode a file of the lake: {}", first_line(text))));
        }
        next = error.source();
    }
    None
}

fn damaged(message: String) -> Error {
    Error::new(Kind::Integrity, message).hint("restore the file from a backup")
}

/// The engine's error that came through a writer of Arrow data, as those of spilled files do.
fn carried(error: &DataFusionError) -> &DataFusionError {
    let DataFusionError::ArrowError(arrow, _) = error else { return error };
    let ArrowError::IoError(_, io) = arrow.as_ref() else { return error };
    io.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or(error)
}

/// A query that does not fit ends alone; what it holds is given back.
fn exhausted(text: &str, known: &Known) -> Error {
    let error = match (text.contains("disk space"), known.memory_limit) {
        (true, _) => {
            return Error::new(Kind::Unavailable, "the query spills more to the disk than it may")
                .hint("narrow it, or raise `spill_mib` in the configuration");
        }
        _ if text.contains(CANNOT_SPILL) => {
            return Error::new(Kind::Unavailable, first_line(text))
                .hint("name a folder that can be written to with `spill_folder` in the configuration");
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
    if text.contains("Dot access not supported") {
        return index_before_dot(known);
    }
    if let Some(types) = text.split_once("for comparison operation ").map(|(_, types)| types) {
        return cannot_compare(types);
    }
    if let Some(time) = between(text, "Error parsing timestamp from '", "'") {
        return Error::input(format!("cannot read the time '{time}'"))
            .hint("write '2026-01-31' or '2026-01-31T12:00:00Z'");
    }
    if let Some(wrong) = between(text, "Invalid function '", "'") {
        let functions = known.functions().into_iter();
        let names: Vec<String> =
            functions.flat_map(|function| function.aliases.into_iter().chain([function.name])).collect();
        return with_nearest(
            Error::input(format!("no function `{wrong}`")),
            nearest(wrong, &names),
            "`\\h` lists the functions",
        );
    }
    if let Some(name) = between(text, "satisfy a call to '", "' function") {
        let error = Error::input(format!("`{name}` cannot be called like this"));
        return match known.functions().into_iter().find(|function| function.name == name) {
            Some(function) => error.hint(format!("it is {}; `\\h {name}` tells more", function.syntax)),
            None => error.hint("`\\h` lists the functions"),
        };
    }
    if ["DDL not supported", "DML not supported", "Statement not supported"].iter().any(|no| text.contains(no)) {
        return read_only();
    }
    Error::input(first_line(text))
}

/// `a[1].b` has no meaning in this dialect.
fn index_before_dot(known: &Known) -> Error {
    let error = Error::input("a member cannot be taken with a dot behind an index");
    let place = known.sql.find("].").and_then(|at| {
        let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | '"');
        let begin = known.sql[..at].rfind(|c: char| !is_path(c)).map_or(0, |at| at + 1);
        let member: String = known.sql[at + 2..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (!member.is_empty()).then(|| (known.sql[begin..=at].to_string(), member))
    });
    match place {
        Some((list, member)) => error.hint(format!("write {list}['{member}']")),
        None => error.hint("write list[1]['member']"),
    }
}

/// `types` is two types with an operator between them, as the engine writes them.
fn cannot_compare(types: &str) -> Error {
    let name = |text: &str| {
        let known = [
            ("Struct", "a struct"),
            ("List", "a list"),
            ("Timestamp", "a time"),
            ("Date", "a date"),
            ("Utf8", "text"),
            ("Int", "a number"),
            ("UInt", "a number"),
            ("Float", "a number"),
            ("Boolean", "true or false"),
            ("Duration", "a length of time"),
            ("Interval", "a length of time"),
        ];
        known.iter().find(|(start, _)| text.starts_with(start)).map_or("another type", |(_, name)| name)
    };
    let operators = [" = ", " != ", " < ", " <= ", " > ", " >= ", " IS DISTINCT FROM ", " IS NOT DISTINCT FROM "];
    // A struct's own text has none of them; the last one stands between the two.
    let place = operators.iter().filter_map(|operator| Some((types.rfind(operator)?, operator.len()))).max();
    let Some((at, length)) = place else { return Error::input(first_line(types)) };
    let (left, right) = (name(types[..at].trim()), name(types[at + length..].trim()));
    let error = Error::input(format!("cannot compare {left} with {right}"));
    match (left, right) {
        ("a struct", _) | (_, "a struct") => {
            error.hint("name one of its members, as in actor.user.uid; `\\d TABLE` lists them")
        }
        ("a list", _) | (_, "a list") => error.hint("use array_has(list, value), or one item: list[1]"),
        ("a time", "a number") | ("a number", "a time") => {
            error.hint("write a time as text: '2026-01-31', or as ago('7d')")
        }
        _ => error.hint("cast one of them: cast(x as varchar)"),
    }
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
