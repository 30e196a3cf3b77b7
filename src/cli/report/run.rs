//! `auditlake report run`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::App;
use super::super::access::{Access, Read};
use super::super::terminal::hook;
use super::super::terminal::value::{State, state};
use super::batch::{Batch, Ground, into_folders};
use super::inputs;
use super::rows;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::Lake;
use crate::render::Format;
use crate::report::{
    Finding, Metric, Period, Report, Selection, Severity, Summary, Suppressions, begin_summary, is_evidence, is_run,
    metrics, zone,
};
use crate::sql::AsOf;

#[derive(Debug, Clone, Default, clap::Args)]
pub struct RunArgs {
    /// The reports' ids
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All reports of a tier: 1 is asked in nearly every engagement
    #[arg(long, value_name = "TIER")]
    pub tier: Option<u8>,
    /// All reports that back a control: 'SOC2 CC6.*', 'PCI 10.2.1.4'; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub controls: Vec<String>,
    /// All reports
    #[arg(long)]
    pub all: bool,
    /// The period: 2026-01, 2026-Q1, 2026-01-15..2026-02-15 (end excluded), last-month
    #[arg(long)]
    pub period: Option<String>,
    /// The time zone of the period, and of reports that take one [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// A parameter; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub params: Vec<(String, String)>,
    /// A table beside the lake, as `report inputs` lists them: CSV with a header, NDJSON or Parquet; several times
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = parameter)]
    pub inputs: Vec<(String, String)>,
    /// How rows are written
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write evidence into this directory, a folder a report; or rows to this file, whose suffix names the format
    #[arg(short, long, value_name = "DIR|FILE")]
    pub output: Option<PathBuf>,
    /// See the lake as it was after this ledger entry, or at this time
    #[arg(long, value_name = "SEQUENCE|TIME", value_parser = state)]
    pub as_of: Option<State>,
    /// Also write each result as XLSX
    #[arg(long)]
    pub xlsx: bool,
    /// Write over folders that are there
    #[arg(long)]
    pub replace: bool,
    /// Say of each control and report what changed since the run in this directory
    #[arg(long, value_name = "DIR")]
    pub compare: Option<PathBuf>,
    /// Findings that are explained: a TOML file
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    /// Exit with 1 for findings at or above this severity, with 4 when a detection could not be assessed
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,
    /// Write JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write SARIF to this file
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Write what the run did as JSON to this file; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub summary_json: Option<PathBuf>,
    /// Write metrics for Prometheus' textfile collector to this file
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// A shell command that gets the run's JSON on stdin
    #[arg(long, value_name = "CMD")]
    pub hook: Option<String>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_string(), value.to_string()))
}

pub fn run(app: &App, args: &RunArgs) -> Result<u8> {
    let catalog = super::catalog(app)?;
    let selection =
        Selection { ids: args.ids.clone(), tier: args.tier, controls: args.controls.clone(), is_all: args.all };
    let reports = selection.pick(&catalog)?;
    let zone = zone(args.tz.as_deref().unwrap_or("UTC"))?;
    let period = match &args.period {
        Some(text) => Some((text.clone(), Period::parse(text, zone, &app.clock)?)),
        None => None,
    };
    let suppressions = match args.suppressions.as_deref().or(app.config.suppressions()) {
        Some(path) => Suppressions::read(path, &app.clock)?,
        None => Suppressions::default(),
    };
    let named: Vec<(String, PathBuf)> =
        args.inputs.iter().map(|(name, path)| (name.clone(), PathBuf::from(path))).collect();
    let batch = Batch {
        period,
        zone,
        has_zone: args.tz.is_some(),
        params: args.params.clone(),
        inputs: inputs::read(app, &catalog, &named)?,
        named_inputs: named.into_iter().map(|(name, _)| name).collect(),
        suppressions,
        with_xlsx: args.xlsx,
        is_replacing: args.replace,
        schedule: None,
        earlier: args.compare.clone(),
    };
    if let Some(dir) = &args.compare
        && !reports.iter().any(|report| is_evidence(&dir.join(&report.id)))
        && !is_run(dir)
    {
        return Err(Error::usage(format!("cannot compare with {}: it holds no run of these reports", dir.display()))
            .hint("name the directory of an earlier `report run -o DIR`"));
    }
    let as_of = args.as_of.map(|state| state.as_of(app.clock.now_ms()));
    let lake = app.open_lake_as_of(as_of)?;
    let batch = batch.redacted(app, &lake)?;
    let mut access = Access::of(app, &lake)?;
    let ids = reports.iter().map(|report| report.id.as_str()).collect();
    access.begin(app, &Read::Reports { ids, parameters: &batch.params }, lake.state().sequence)?;
    let ran = run_batch(app, args, lake, as_of, (&reports, &batch));
    let rows = |(summary, ..): &Ran| summary.reports.iter().map(|report| report.rows).sum();
    access.end(app, ran.as_ref().map(rows))?;
    access.close(app)?;
    let (summary, named, is_short) = ran?;
    tell(app, args, &summary, &named)?;
    Ok(match summary.exit_code(args.fail_on) {
        0 if is_short => Kind::Incomplete.exit_code(),
        code => code,
    })
}

/// A summary, the findings of each report, and whether tables were left out.
type Ran = (Summary, BTreeMap<String, Vec<Finding>>, bool);

fn run_batch(
    app: &App,
    args: &RunArgs,
    lake: Lake,
    as_of: Option<AsOf>,
    (reports, batch): (&[&Report], &Batch),
) -> Result<Ran> {
    let folder = args.output.as_deref().filter(|path| is_folder(path, args.format));
    // Set whichever way the reports run.
    let is_short;
    let (summary, named) = match (folder, reports) {
        (Some(dir), _) => {
            let prepared = batch.prepare(reports, &args.ids)?;
            let is_single = prepared.len() == 1;
            let ground = Ground::over(app, lake, as_of, &batch.inputs)?.signing(app)?;
            is_short = !ground.session.left_out().is_empty();
            disk::make_dir(dir).context(Kind::Unavailable, || format!("cannot create {}", dir.display()))?;
            let (summary, named) = into_folders(app, &ground, batch, prepared, dir)?;
            let page = match reports {
                [report] if is_single => dir.join(&report.id).join("report.html"),
                _ => dir.join("index.html"),
            };
            app.screen.say(format!("page: {}", page.display()));
            (summary, named)
        }
        (None, [report]) => {
            // Every possible mistake is found before the file is touched.
            let format = rows::format(args.format, args.output.as_deref())?;
            let params = batch.exactly(report)?;
            let ground = Ground::over(app, lake, as_of, &batch.inputs)?;
            is_short = !ground.session.left_out().is_empty();
            let output = (format, args.output.as_deref());
            let (done, found) = rows::run(app, &ground, batch, (report, params), output)?;
            let mut summary = begin_summary(app.clock.now_ms(), "", batch.asked(), ground.session.entry(), "");
            summary.findings = done.findings;
            summary.attention = done.attention;
            summary.reports.push(done);
            (summary, BTreeMap::from([(report.id.clone(), found)]))
        }
        (None, _) => {
            return Err(Error::usage(format!("{} reports cannot share one output", reports.len()))
                .hint("name a directory with `-o DIR`: each gets a folder in it"));
        }
    };
    Ok((summary, named, is_short))
}

/// Returns whether an output is a directory: an existing one, or a name that no format claims.
fn is_folder(path: &Path, format: Option<Format>) -> bool {
    path.is_dir() || (!path.exists() && format.is_none() && Format::from_path(path).is_none())
}

/// Writes everything beside the results.
fn tell(app: &App, args: &RunArgs, summary: &Summary, named: &BTreeMap<String, Vec<Finding>>) -> Result<()> {
    if let Some(path) = &args.junit {
        app.write_text(path, &summary.junit(named))?;
    }
    if let Some(path) = &args.sarif {
        app.write_json(path, &summary.sarif(named)?)?;
    }
    if let Some(path) = &args.summary_json {
        app.write_json(path, &summary.to_json()?)?;
    }
    if let Some(path) = &args.metrics {
        app.write_text(path, &metrics(&Metric::of(summary)))?;
    }
    match &args.hook {
        Some(command) => hook::shell(app, command, &summary.to_json()?),
        None => Ok(()),
    }
}
