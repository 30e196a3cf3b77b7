//! `auditlake config`: every option with its default, and whether a file can be used.

use std::path::PathBuf;

use super::report::{check_inputs, check_schedules, jobs};
use super::terminal::rows::{Column, batch, print};
use super::terminal::screen::Screen;
use super::{App, Global};
use crate::config::{Config, Setting};
use crate::error::{Error, Kind, Result};
use crate::render::{self, Format};
use crate::serve;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print every option with its default, as a configuration file
    Default,
    /// Check a configuration file with everything it names, and list what it sets
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub struct Check {
    /// The file [default: the one in force]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Output format of the settings
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs without an [`App`]: an unusable configuration must not keep anybody from seeing the defaults.
pub fn run(global: Global, screen: Screen, command: Command) -> Result<u8> {
    match command {
        Command::Default => {
            screen.print(Config::DEFAULT)?;
            Ok(0)
        }
        Command::Check(args) => check(global, screen, args),
    }
}

fn check(global: Global, screen: Screen, args: Check) -> Result<u8> {
    let file = args.file.or_else(|| global.config.clone());
    let app = App::new(Global { config: file.clone(), ..global }, screen)?;
    let settings = Config::settings(file.as_deref())?;
    list(&screen, &settings, args.format)?;
    let faults: Vec<Error> = checks(&app).into_iter().filter_map(Result::err).collect();
    for fault in &faults {
        screen.error(fault);
    }
    let origin = app.config.origin();
    match faults.len() {
        0 => screen.say(format!("no fault found in {origin}")),
        1 => screen.say(format!("1 fault found in {origin}")),
        more => screen.say(format!("{more} faults found in {origin}")),
    }
    Ok(if faults.is_empty() { 0 } else { Kind::Usage.exit_code() })
}

/// Checks everything that the file names and that other commands would only find when they need it. Keys are not read,
/// and no command is run.
fn checks(app: &App) -> Vec<Result<()>> {
    let mut checks = vec![
        app.config.sources().map(drop),
        app.policy_with_key(b"check").map(drop),
        app.ocsf().map(drop),
        jobs(app, &[], false).map(drop),
    ];
    checks.extend(check_schedules(app));
    checks.extend(check_inputs(app));
    checks.extend(serve::faults(&app.config.serve()).into_iter().map(Err));
    checks
}

fn list(screen: &Screen, settings: &[Setting], format: Format) -> Result<()> {
    let text = |value: fn(&Setting) -> &str| {
        Column::Text(settings.iter().map(|setting| Some(value(setting).to_string())).collect())
    };
    let table = batch(vec![
        ("key", text(|setting| &setting.key)),
        ("value", text(|setting| &setting.value)),
        ("default", text(|setting| &setting.default)),
    ])?;
    print(screen, &table, format, render::Options::default())
}
