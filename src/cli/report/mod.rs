//! `auditlake report`: compliance reports over one state of the lake.

mod attest;
mod batch;
mod due;
mod history;
mod inputs;
mod own;
mod prepare;
mod rows;
mod run;
mod runs;
mod verify;

use std::path::PathBuf;

use super::App;
use super::terminal::rows::{Column, batch, print};
use crate::error::Result;
use crate::render::{self, Format};
use crate::report::{Backed, Catalog, Report, backed, wanted_framework};

pub use due::{DueArgs, check_schedules, jobs, run as run_due};
pub use inputs::check as check_inputs;
pub use run::{RunArgs, run as run_reports};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the reports, or the controls of a framework with the reports that back them
    List {
        /// The controls of this framework: soc2, iso, nist, csf, pci, hipaa, gdpr, cis
        #[arg(long, value_name = "NAME")]
        framework: Option<String>,
        /// Output format of the list
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Print what a report asks, takes and gives, and its SQL
    Show {
        /// The report's id
        id: String,
    },
    /// Run reports: rows to the screen, or evidence into a directory
    Run(Box<RunArgs>),
    /// List the tables that reports can be given beside the lake, and what they cannot say without
    Inputs {
        /// Output format of the list
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Run what the schedules of the configuration say is due
    Due(DueArgs),
    /// Compare the findings of two runs of one report: new, gone, unchanged
    Diff(own::DiffArgs),
    /// Check the evidence in a folder: every file, the ledger, and the run again
    Verify(verify::Args),
    /// Sign a report off: a decision for each row, and who reviewed it
    Attest(attest::AttestArgs),
    /// Pack evidence into one zip, with a text that says how to check it without auditlake
    Pack(attest::PackArgs),
    /// Check reports of your own: head, controls, parameters, columns, plan
    Check {
        /// The directory with the reports
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Start a report of your own
    New {
        /// The report's id: lower-case letters, digits and `-`
        id: String,
        /// Where it is written [default: the directory of the configuration, or .]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    match args.action {
        Action::List { framework: Some(name), format } => controls(app, &catalog(app)?, &name, format)?,
        Action::List { framework: None, format } => list(app, &catalog(app)?, format)?,
        Action::Show { id } => show(app, catalog(app)?.get(&id)?)?,
        Action::Run(args) => return run::run(app, &args),
        Action::Inputs { format } => inputs::list(app, &catalog(app)?, format)?,
        Action::Due(args) => return due::run(app, &args),
        Action::Diff(args) => return own::diff(app, &args),
        Action::Verify(args) => return verify::run(app, &args),
        Action::Attest(args) => attest::run_attest(app, &args)?,
        Action::Pack(args) => attest::run_pack(app, &args)?,
        Action::Check { directory } => return own::check(app, &directory),
        Action::New { id, dir } => own::new(app, &id, dir)?,
    }
    Ok(0)
}

fn catalog(app: &App) -> Result<Catalog> {
    Catalog::load(app.config.reports())
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

/// Lists the controls; a control that no report backs has its line too.
fn controls(app: &App, catalog: &Catalog, name: &str, format: Format) -> Result<()> {
    let controls = backed(wanted_framework(name)?, catalog);
    let reports = |control: &Backed| Some(control.reports.join(", ")).filter(|names| !names.is_empty());
    let table = batch(vec![
        ("control", Column::Text(controls.iter().map(|control| Some(control.id.clone())).collect())),
        ("title", Column::Text(controls.iter().map(|control| Some(control.title.clone())).collect())),
        ("reports", Column::Text(controls.iter().map(reports).collect())),
    ])?;
    print(&app.screen, &table, format, render::Options::default())
}

fn show(app: &App, report: &Report) -> Result<()> {
    let mut text = format!("{}: {}\n\n{}\n\nparameters\n", report.id, report.title, report.question);
    for parameter in report.all_parameters() {
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
    if !report.limits.is_empty() {
        text.push_str("\nhow to read this, and its limits\n");
        for line in report.limits.lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    text.push_str(&format!("\n{}\n", report.sql.trim()));
    app.screen.print(&text)
}
