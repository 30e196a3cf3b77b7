//! The engine's errors, said so that an analyst can act on them.
//!
//! An error names the fault, its place in the statement (`place`), and what to write instead. Names are looked up among those
//! that exist (`names`); texts of the engine are put into words, never with a syntax tree or `Utf8("day")` in them (`engine`).

mod data;
mod engine;
mod names;
mod place;
mod values;

use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::tokenizer::Location;

use super::dialect::Place;
use super::documentation::FunctionInfo;
use super::functions::catalogue;
use crate::error::{Error, Kind};
use crate::schema::Ocsf;

pub use names::nearest;

/// Bytes of an error's message.
const LONGEST: usize = 2000;

/// Begins what is said when no file can be made.
pub const CANNOT_SPILL: &str = "cannot spill to";

/// The surroundings of a statement, from which suggestions are made.
#[derive(Clone)]
pub struct Known {
    pub ocsf: Arc<Ocsf>,
    pub tables: Vec<String>,
    /// Tables of the lake whose classes are not loaded.
    pub unknown: Vec<String>,
    /// The statement.
    pub sql: String,
    /// Where the engine says that it went wrong.
    pub place: Option<Place>,
    pub memory_limit: Option<usize>,
    /// For the names of functions, when one is wrong.
    pub context: SessionContext,
}

impl Known {
    fn functions(&self) -> Vec<FunctionInfo> {
        catalogue(&self.context)
    }
}

/// The answer to everything that would write.
pub fn read_only() -> Error {
    Error::input("the lake is read only: only queries can be run")
        .hint("write results to a file with `-o FILE`; `auditlake ingest` adds events")
}

/// Where the name stands that no column has, if that is what an error says.
pub fn missing(error: &DataFusionError) -> Option<Location> {
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) if matches!(**schema, SchemaError::FieldNotFound { .. }) => {
            error.diagnostic()?.span.map(|span| Location { line: span.start.line, column: span.start.column })
        }
        _ => None,
    }
}

/// Says what is wrong with a statement, or with the data that it reads.
pub fn explain(error: DataFusionError, known: &Known) -> Error {
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let place = place.map(|span| Place { line: span.start.line, column: span.start.column });
    let known = &Known { place, ..known.clone() };
    let root = carried(error.find_root());
    match root {
        DataFusionError::ArrowError(..)
        | DataFusionError::ParquetError(_)
        | DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_) => {
            data::about_the_data(root).unwrap_or_else(|| engine::said(&root.to_string(), known))
        }
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => names::no_column(field, valid_fields, known),
            SchemaError::AmbiguousReference { field } => ambiguous(field, known),
            SchemaError::DuplicateUnqualifiedField { name } => twice(name, known),
            SchemaError::DuplicateQualifiedField { name, .. } => twice(name, known),
        },
        DataFusionError::SQL(parser, _) => Error::input(format!("cannot parse the statement: {parser}")),
        DataFusionError::ResourcesExhausted(text) => exhausted(text, known),
        DataFusionError::External(inner) => match Error::within(inner.as_ref()) {
            // A text of the statement, whose place is known here alone.
            Some(error) if error.message().starts_with("cannot read the time") => engine::said(error.message(), known),
            Some(error) if error.message().len() > LONGEST => {
                // A value that is quoted may be of any size.
                Error::new(
                    error.kind(),
                    error.message().chars().take(LONGEST / 4).chain(" ...".chars()).collect::<String>(),
                )
            }
            Some(error) => error.copy(),
            None => data::about_the_data(root).unwrap_or_else(|| engine::said(&root.to_string(), known)),
        },
        // Both sides of a union may be wrong; the first is said.
        DataFusionError::Collection(errors) if !errors.is_empty() => engine::said(&errors[0].to_string(), known),
        _ => engine::said(&root.to_string(), known),
    }
}

/// The engine's error that came through a writer of Arrow data, as those of spilled files do.
fn carried(error: &DataFusionError) -> &DataFusionError {
    let DataFusionError::ArrowError(arrow, _) = error else { return error };
    let inner: Option<&DataFusionError> = match arrow.as_ref() {
        ArrowError::IoError(_, io) => io.get_ref().and_then(|inner| inner.downcast_ref()),
        ArrowError::ExternalError(inner) => inner.downcast_ref(),
        _ => None,
    };
    inner.map_or(error, DataFusionError::find_root)
}

fn ambiguous(column: &Column, known: &Known) -> Error {
    let name = &column.name;
    let hint = format!("say whose it is: table.{name}");
    known.at(name, &format!("`{name}` is a column of several tables")).hint(hint)
}

fn twice(name: &str, known: &Known) -> Error {
    known
        .at(name, &format!("two columns are named `{name}`"))
        .hint(format!("give one of them another name: {name} as other"))
}

/// A query that does not fit ends alone; what it holds is given back.
fn exhausted(text: &str, known: &Known) -> Error {
    let error = match (text.contains("disk space"), known.memory_limit) {
        (true, _) => {
            return Error::new(Kind::Unavailable, "the query spills more to the disk than it may")
                .hint("narrow it, or raise `[sql] spill` in the configuration");
        }
        _ if text.contains(CANNOT_SPILL) => {
            return Error::new(Kind::Unavailable, engine::first_line(text))
                .hint("name a folder that can be written to with `spill_folder` in the configuration");
        }
        (false, Some(limit)) => {
            Error::new(Kind::Unavailable, format!("the query needs more than the {} MiB it may hold", limit >> 20))
        }
        (false, None) => Error::new(Kind::Unavailable, engine::first_line(text)),
    };
    error.hint("narrow it with `--since` and `--until`, select fewer columns, or raise `--memory-limit`")
}

#[cfg(test)]
mod tests;
