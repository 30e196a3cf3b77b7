//! `auditlake sql`: statements from the command line, a file or stdin; the shell on a terminal.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use super::App;
use super::scope::Scope;
use super::shell::Shell;
use crate::error::{Context, Error, Kind, Result};
use crate::render::Format;
use crate::repl::{self, Output, Settings};

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Run this statement; may be given several times
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    commands: Vec<String>,
    /// Run the statements of this file; `-` is stdin
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write results to this file; its suffix names the format
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How results are written [default: table]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Leave out the column names
    #[arg(short = 't', long)]
    no_header: bool,
    /// Go on after a statement that failed; the exit code still tells
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    scope: Scope,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let is_interactive = args.commands.is_empty() && args.files.is_empty() && std::io::stdin().is_terminal();
    let lake = app.open_lake()?;
    let mut shell = Shell::open(app, lake, args.scope.options(app.config.sql())?, args.scope.params()?)?;
    let mut settings = Settings { header: !args.no_header, ..Settings::default() };
    if let Some(path) = args.output {
        if args.format.is_none() && Format::from_path(&path).is_none() {
            return Err(Error::usage(format!("cannot tell a format from {}", path.display()))
                .hint("use a suffix such as .csv, or say it with --format"));
        }
        settings.output = Some(Output { path, is_append: false });
    }
    if let Some(format) = args.format {
        settings.format = format;
    }
    if is_interactive {
        let options = repl::Options {
            settings,
            history: history(),
            greeting: Some(shell.greeting()),
            ..repl::Options::default()
        };
        return repl::run(&mut shell, options);
    }
    settings.max_rows = None;
    let mut texts = args.commands;
    for file in &args.files {
        texts.push(read(file)?);
    }
    if texts.is_empty() {
        texts.push(read("-".as_ref())?);
    }
    let mut failures = 0;
    for text in &texts {
        let outcome = repl::run_script(&mut shell, &mut settings, text, args.keep_going)?;
        failures += outcome.failures;
        if let Some(code) = outcome.exit {
            return Ok(code);
        }
    }
    Ok(if failures > 0 { Kind::Input.exit_code() } else { 0 })
}

fn read(file: &std::path::Path) -> Result<String> {
    let mut text = String::new();
    let cannot = || format!("cannot read {}", file.display());
    match file.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        false => std::fs::read_to_string(file).map(|read| text = read),
    }
    .context(Kind::Unavailable, cannot)?;
    Ok(text)
}

/// `$XDG_STATE_HOME/auditlake/history`, or its default below the home directory.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("auditlake").join("history"))
}
