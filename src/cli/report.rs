//! `auditlake report`: compliance reports over one state of the lake.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::App;
use super::rows::{Column, batch, print};
use super::screen::count;
use crate::error::{Context, Error, Kind, Result};
use crate::render::{self, Format, Renderer};
use crate::report::{self, Catalog, Params, Period, Report};
use crate::sql::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the reports
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Print what a report asks, takes and gives, and its SQL
    Show {
        /// The report's id
        id: String,
    },
    /// Run a report
    Run(RunArgs),
}

#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// The report's id
    pub id: String,
    /// The period, UTC: 2026-01, 2026-Q1, 2026-01-15..2026-02-15, last-month
    #[arg(long)]
    pub period: Option<String>,
    /// A parameter; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub params: Vec<(String, String)>,
    /// How rows are written
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write rows to this file; its suffix names the format
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// See the lake as it was after this ledger entry
    #[arg(long, value_name = "SEQUENCE")]
    pub as_of: Option<u64>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_string(), value.to_string()))
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let catalog = Catalog::load(app.config.reports())?;
    match args.action {
        Action::List { format } => list(app, &catalog, format)?,
        Action::Show { id } => show(app, catalog.get(&id)?)?,
        Action::Run(args) => {
            let report = catalog.get(&args.id)?.clone();
            let lake = app.open_lake()?;
            let options = crate::sql::Options { as_of: args.as_of.map(crate::sql::AsOf::Sequence), ..app.config.sql() };
            let session = app.wait(async move { Session::new(&lake, &options).await })?;
            run_report(app, &Arc::new(session), &report, &args)?;
        }
    }
    Ok(0)
}

fn list(app: &App, catalog: &Catalog, format: Format) -> Result<()> {
    let reports = catalog.list();
    let table = batch(vec![
        ("id", Column::Text(reports.iter().map(|report| Some(report.id.clone())).collect())),
        ("title", Column::Text(reports.iter().map(|report| Some(report.title.clone())).collect())),
        ("kind", Column::Text(reports.iter().map(|report| Some(report.kind.to_string())).collect())),
        ("tier", Column::Number(reports.iter().map(|report| Some(report.tier.into())).collect())),
        ("question", Column::Text(reports.iter().map(|report| Some(report.question.clone())).collect())),
    ])?;
    print(&app.screen, &table, format, render::Options::default())
}

fn show(app: &App, report: &Report) -> Result<()> {
    let mut text = format!("{}: {}\n\n{}\n\nparameters\n", report.id, report.title, report.question);
    for parameter in &report.parameters {
        let default = parameter.default.as_ref().map_or("required".to_string(), |default| format!("= {default}"));
        text.push_str(&format!("  {:<22} {:<14} {default}\n", parameter.name, parameter.ty.to_string()));
    }
    text.push_str("\ncolumns\n");
    for column in &report.columns {
        text.push_str(&format!("  {:<22} {}\n", column.name, column.ty));
    }
    text.push_str("\ncontrols\n");
    for (framework, controls) in &report.controls {
        text.push_str(&format!("  {framework:<22} {}\n", controls.join(", ")));
    }
    text.push_str(&format!("\n{}\n", report.sql.trim()));
    app.screen.print(&text)
}

/// Runs a report and writes its rows; the head of the run goes to stderr.
pub fn run_report(app: &App, session: &Arc<Session>, report: &Report, args: &RunArgs) -> Result<u64> {
    let format = format(args)?;
    let period = args.period.as_deref().map(|text| Period::parse(text, &app.clock)).transpose()?;
    let params = Params::new(report, &args.params, period)?;
    let (sequence, hash) = session.entry();
    app.screen.say(format!("report {}: {}", report.id, report.title));
    for (name, value) in params.iter() {
        app.screen.say(format!("  {name} = {value}"));
    }
    app.screen.say(format!("  ledger entry {sequence}, sha256 {hash}"));
    let (runner, task) = (session.clone(), report.clone());
    let (schema, batches) = app.wait(async move {
        let outcome = report::run(&task, &params, runner.context()).await?;
        let schema = outcome.schema.clone();
        Ok((schema, outcome.collect().await?))
    })?;
    let out: Box<dyn Write> = match &args.output {
        None => {
            format.check_stdout()?;
            Box::new(app.screen.stdout())
        }
        Some(path) => {
            let file = File::create(path).context(Kind::Unavailable, || format!("cannot write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
    };
    let width = if args.output.is_none() { app.screen.width() } else { None };
    let options = render::Options { width, ..render::Options::default() };
    let mut renderer = Renderer::new(format, schema, options, out);
    for batch in &batches {
        renderer.write(batch)?;
    }
    let rows = renderer.finish()?;
    app.screen.say(format!("  {} rows", count(rows)));
    Ok(rows)
}

/// The format that was asked for, or the one of the file's suffix.
fn format(args: &RunArgs) -> Result<Format> {
    let Some(path) = &args.output else { return Ok(args.format.unwrap_or(Format::Table)) };
    args.format.or_else(|| Format::from_path(path)).ok_or_else(|| {
        Error::usage(format!("cannot tell a format from {}", path.display()))
            .hint("use a suffix such as .csv, or say it with --format")
    })
}
