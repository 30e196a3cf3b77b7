//! One run of a report: the horizon up to which it sees events, the statement, and a check of its result.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::super::catalog::header::{ColumnType, Report};
use super::super::catalog::params::Params;
use super::findings::KEY;
use crate::error::{Context, Error, Kind, Result};
use crate::sql::{self, Horizon, Rows, Session, Used, numbered};

/// The rows of a report as they come, and their basis.
pub struct Outcome {
    /// The head's columns: names, order and types.
    pub schema: SchemaRef,
    rows: Rows,
    id: String,
    /// The column of finding keys, and how often each key appeared.
    key: Option<usize>,
    seen: HashMap<String, u64>,
}

impl Outcome {
    /// Returns what the report was made of.
    pub fn used(&self) -> &Used {
        self.rows.used()
    }

    /// Returns the next rows; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = self.rows.next().await.map_err(|error| named(error, &self.id))?;
        let Some(batch) = batch else { return Ok(None) };
        // We cast the batches and not a projection of the plan: above one the engine no longer keeps the order of rows,
        // and a report of 100,000 rows came in pieces.
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| arrow::compute::cast(column, field.data_type()));
        let cannot = || format!("cannot run report `{}`", self.id);
        let mut columns = columns.collect::<std::result::Result<Vec<_>, _>>().context(Kind::Internal, cannot)?;
        if let Some(key) = self.key {
            columns[key] = Arc::new(numbered(columns[key].as_string(), &mut self.seen));
        }
        RecordBatch::try_new(self.schema.clone(), columns).map(Some).context(Kind::Internal, cannot)
    }

    /// Collects all rows in memory.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// Returns the horizon up to which a run sees events (C3): an as-of report up to and including `as_of`, or `to` if its
/// head says so; a period report before `to`.
fn horizon(report: &Report, params: &Params) -> Horizon {
    match (params.timestamp("as_of"), params.timestamp("to")) {
        (Some(as_of), _) => Horizon::up_to(as_of),
        (None, Some(to)) if report.includes_to => Horizon::up_to(to),
        (None, Some(time_ms)) => Horizon::Before { time_ms },
        (None, None) => Horizon::All,
    }
}

/// Runs `report` in a session. Its rows come in one order: a result that cannot be made again is not evidence.
pub async fn run(report: &Report, params: &Params, session: &Session) -> Result<Outcome> {
    let id = &report.id;
    let columns: Vec<String> = report.columns.iter().map(|column| column.name.clone()).collect();
    let values = params.scalars();
    let rows = session.ordered(&report.sql, &values, horizon(report, params), &columns).await;
    let rows = rows.map_err(|error| match error.kind() {
        Kind::Usage => undeclared(report, &values).unwrap_or_else(|| named(error, id)),
        _ => named(error, id),
    })?;
    check(report, &rows.schema)?;
    let fields: Vec<Field> =
        report.columns.iter().map(|column| Field::new(&column.name, column.ty.arrow(), true)).collect();
    let key = report.columns.iter().position(|column| column.name == KEY && column.ty == ColumnType::String);
    Ok(Outcome { schema: Arc::new(Schema::new(fields)), rows, id: id.clone(), key, seen: HashMap::new() })
}

/// Returns an error for a report that names a parameter which its head does not have.
fn undeclared(report: &Report, values: &sql::Params) -> Option<Error> {
    let is_known = |name: &String| values.iter().any(|(known, _)| known == name);
    let name = sql::placeholders(&report.sql).ok()?.into_iter().find(|name| !is_known(name))?;
    let error = Error::input(format!("`${name}` is no parameter of report `{}`", report.id));
    Some(error.hint("declare it under `[parameters]` in the report's head"))
}

fn named(error: Error, id: &str) -> Error {
    let hint = error.hint_text().map(str::to_string);
    let wrapped = Error::new(error.kind(), format!("cannot run report `{id}`")).caused_by(error);
    match hint {
        Some(hint) => wrapped.hint(hint),
        None => wrapped,
    }
}

/// Compares the result's columns with the head.
fn check(report: &Report, found: &Schema) -> Result<()> {
    let id = &report.id;
    let differs =
        |message: String| Error::new(Kind::Internal, format!("report `{id}` is not what its head says: {message}"));
    let names: Vec<&str> = found.fields().iter().map(|field| field.name().as_str()).collect();
    let expected: Vec<&str> = report.columns.iter().map(|column| column.name.as_str()).collect();
    if names != expected {
        return Err(differs(format!("columns {} instead of {}", names.join(", "), expected.join(", "))));
    }
    for (column, field) in report.columns.iter().zip(found.fields()) {
        if !fits(column.ty, field.data_type()) {
            return Err(differs(format!("column `{}` is {}, not {}", column.name, field.data_type(), column.ty)));
        }
    }
    Ok(())
}

/// Returns whether a cast from `found` changes how a value is stored, not what it is.
fn fits(ty: ColumnType, found: &DataType) -> bool {
    let is_text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match ty {
        // Whole milliseconds survive every unit but seconds; without a zone it may be local time.
        ColumnType::Timestamp => matches!(found, DataType::Timestamp(unit, Some(_)) if *unit != TimeUnit::Second),
        ColumnType::Int | ColumnType::Bigint => found.is_integer(),
        ColumnType::Double => matches!(found, DataType::Float32 | DataType::Float64),
        ColumnType::Boolean => *found == DataType::Boolean,
        ColumnType::String => is_text(found),
        ColumnType::Date => *found == DataType::Date32,
        ColumnType::Strings => match found {
            DataType::List(item) | DataType::LargeList(item) => is_text(item.data_type()),
            _ => false,
        },
    }
}
