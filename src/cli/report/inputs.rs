//! `auditlake report inputs`, and the inputs of a run from the places that name them.

use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::super::App;
use super::super::terminal::rows::{Column, batch, print};
use crate::error::{Context, Kind, Result};
use crate::render::{self, Format};
use crate::report::{Catalog, Expectation, Input, Report, Suppressions, read_inputs};
use crate::sql::{self, Horizon, Session};

/// Reads the inputs of a run: those of the configuration, and `named`, which win.
pub fn read(app: &App, catalog: &Catalog, named: &[(String, PathBuf)]) -> Result<Vec<Input>> {
    let mut given = named.to_vec();
    let is_named = |name: &String| named.iter().any(|(other, _)| other == name);
    let configured = app.config.inputs().iter().filter(|(name, _)| !is_named(name));
    given.extend(configured.map(|(name, path)| (name.clone(), path.clone())));
    read_inputs(&given, catalog.conventions(), &|| addresses(app))
}

/// Returns the addresses in the log.
fn addresses(app: &App) -> Result<Vec<String>> {
    let lake = app.open_lake()?;
    let options = app.config.sql();
    app.wait(async move {
        let session = Session::new(&lake, &options).await?;
        let sql = "select distinct src_ip from event where src_ip is not null order by 1";
        let batches = session.query(sql, &sql::Params::default(), Horizon::All).await?.collect().await?;
        let texts = |batch: RecordBatch| {
            let texts = cast(batch.column(0), &DataType::Utf8).context(Kind::Internal, || "an address is not text")?;
            Ok(texts.as_string::<i32>().iter().flatten().map(str::to_string).collect::<Vec<_>>())
        };
        Ok(batches.into_iter().map(texts).collect::<Result<Vec<_>>>()?.concat())
    })
}

/// Checks the reports, inputs and suppressions that the configuration names, without running anything.
pub fn check(app: &App) -> Vec<Result<()>> {
    let suppressions = app.config.suppressions().map(|path| Suppressions::read(path, &app.clock).map(drop));
    let found = match super::catalog(app) {
        Ok(catalog) => read(app, &catalog, &[]).map(drop),
        Err(error) => Err(error),
    };
    [found].into_iter().chain(suppressions).collect()
}

/// Prints one line for each report and each input that it could use.
pub fn list(app: &App, catalog: &Catalog, format: Format) -> Result<()> {
    let configured = app.config.inputs();
    let conventions = catalog.conventions();
    let (mut ids, mut names, mut columns, mut files, mut lacks) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for report in catalog.list() {
        for view in conventions.list().filter(|view| !view.columns.is_empty()) {
            let lack = report.verdict.input.iter().find(|(input, _)| *input == view.name).map(|(_, what)| what);
            if lack.is_none() && !conventions.stands_on(&report.sql, &view.name) {
                continue;
            }
            ids.push(Some(report.id.clone()));
            names.push(Some(view.name.clone()));
            columns.push(Some(view.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")));
            files.push(configured.get(&view.name).map(|path| path.display().to_string()));
            lacks.push(Some(without(report, lack, &view.without)));
        }
    }
    let table = batch(vec![
        ("report", Column::Text(ids)),
        ("input", Column::Text(names)),
        ("cannot say without it", Column::Text(lacks)),
        ("columns", Column::Text(columns)),
        ("configured", Column::Text(files)),
    ])?;
    print(&app.screen, &table, format, render::Options::default())
}

fn without(report: &Report, lack: Option<&String>, text: &str) -> String {
    match lack.filter(|_| report.expectation == Expectation::NoRows) {
        Some(_) => format!("{text}; then nothing can be assessed"),
        None => text.to_string(),
    }
}
