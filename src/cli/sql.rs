//! `auditlake sql`: statements from the command line, a file or stdin; the shell on a terminal.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{ArgMatches, FromArgMatches};

use super::App;
use super::scope::Scope;
use super::shell::Shell;
use super::terminal::signal::Which;
use crate::error::{Context, Error, Kind, Result};
use crate::render::Format;
use crate::repl::{self, Expanded, Output, Script, Settings, Variables};

/// The file in the home directory that an interactive shell reads before its first prompt.
const INIT_FILE: &str = ".auditlakerc";

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Write results to this file; its suffix names the format
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Output format of results [default: table]
    #[arg(long, value_enum, group = "form")]
    format: Option<Format>,
    /// Short for --format csv
    #[arg(long, group = "form")]
    csv: bool,
    /// Short for --format json
    #[arg(long, group = "form")]
    json: bool,
    /// Short for --format ndjson
    #[arg(long, group = "form")]
    ndjson: bool,
    /// Short for --format markdown
    #[arg(long, group = "form")]
    md: bool,
    /// Short for --format list: values with a bar between them
    #[arg(short = 'A', long, group = "form")]
    no_align: bool,
    /// Show one line per value
    #[arg(short = 'x', long)]
    expanded: bool,
    /// Leave out column names and row counts
    #[arg(short = 't', long, visible_alias = "tuples-only")]
    no_header: bool,
    /// Show at most this many rows of a table; 0 for all [default: 40 in the shell, else 0]
    #[arg(long, value_name = "ROWS")]
    maxrows: Option<usize>,
    /// Set a variable, used as `:NAME`
    #[arg(short = 'v', long = "variable", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// Continue after a failed statement; the exit code still reports it
    #[arg(long)]
    keep_going: bool,
    /// Do not read ~/.auditlakerc (only the interactive shell reads it)
    #[arg(short = 'X', long)]
    no_rc: bool,
    /// Disable file access and external programs
    #[arg(long)]
    safe: bool,
    #[command(flatten)]
    scope: Scope,
}

/// Statements and files in the order in which they were given.
#[derive(Debug, Default)]
struct Inputs(Vec<Input>);

#[derive(Debug, Clone)]
enum Input {
    Statement(String),
    File(PathBuf),
}

/// The inputs as the help describes them; only the matches know their order.
#[derive(clap::Args)]
struct InputArgs {
    /// Run this statement; may be given several times
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    commands: Vec<String>,
    /// Run the statements of this file; `-` is stdin
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Files with statements, like -f
    #[arg(value_name = "FILE")]
    scripts: Vec<PathBuf>,
}

impl FromArgMatches for Inputs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Inputs, clap::Error> {
        let args = InputArgs::from_arg_matches(matches)?;
        let mut found: Vec<(usize, Input)> = Vec::new();
        let places = |name| matches.indices_of(name).into_iter().flatten();
        found.extend(places("commands").zip(args.commands.into_iter().map(Input::Statement)));
        found.extend(places("files").zip(args.files.into_iter().map(Input::File)));
        found.extend(places("scripts").zip(args.scripts.into_iter().map(Input::File)));
        found.sort_by_key(|(place, _)| *place);
        Ok(Inputs(found.into_iter().map(|(_, input)| input).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Inputs::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Inputs {
    fn augment_args(command: clap::Command) -> clap::Command {
        InputArgs::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        InputArgs::augment_args_for_update(command)
    }
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let is_interactive = args.inputs.0.is_empty() && std::io::stdin().is_terminal();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let mut options =
        repl::Options { settings: settings(&args)?, variables: variables(&args)?, is_safe: args.safe, home };
    let mut scripts = Vec::new();
    if !is_interactive {
        for input in &args.inputs.0 {
            scripts.push(script(input)?);
        }
        if scripts.is_empty() {
            scripts.push(Script { text: read("-".as_ref())?, file: Some("-".into()) });
        }
        options.settings.max_rows = args.maxrows.filter(|rows| *rows > 0);
    }
    let options_of_sql = args.scope.options(app.sql_options(), app.clock.now_ms())?;
    let (lake, params) = (app.open_lake_as_of(options_of_sql.as_of)?, args.scope.params()?);
    let interrupts = if is_interactive { Which::All } else { Which::First };
    let mut shell = Shell::open(app, lake, options_of_sql, params, args.safe, interrupts)?;
    app.warn_of_left_out(shell.left_out());
    if is_interactive {
        shell = shell.interactive();
        let terminal = repl::Terminal {
            history: history(),
            greeting: Some(shell.greeting()).filter(|_| !app.screen.is_quiet),
            init: init(&args)?,
            ..repl::Terminal::default()
        };
        let left = repl::run(&mut shell, options, terminal);
        shell.close()?;
        return left;
    }
    let ran = repl::run_scripts(&mut shell, options, &scripts, args.keep_going);
    shell.close()?;
    let outcome = match ran {
        // On the command line 2 means its own syntax; a mistake in a script is a statement that failed.
        Err(error) if error.kind() == Kind::Usage => {
            app.screen.error(&error);
            return Ok(Kind::Input.exit_code());
        }
        outcome => outcome?,
    };
    let failed = match outcome.failures {
        0 if shell.is_short() => Kind::Incomplete.exit_code(),
        0 => 0,
        _ => Kind::Input.exit_code(),
    };
    Ok(outcome.exit.unwrap_or(failed))
}

fn settings(args: &Args) -> Result<Settings> {
    let short = [
        (args.csv, Format::Csv),
        (args.json, Format::Json),
        (args.ndjson, Format::Ndjson),
        (args.md, Format::Markdown),
        (args.no_align, Format::List),
    ];
    let format = args.format.or_else(|| short.into_iter().find(|(is_given, _)| *is_given).map(|(_, format)| format));
    let mut settings = Settings { header: !args.no_header, footer: !args.no_header, ..Settings::default() };
    if let Some(path) = &args.output {
        if format.is_none() && Format::from_path(path).is_none() {
            return Err(Error::usage(format!("cannot tell a format from {}", path.display()))
                .hint("use a suffix such as .csv, or pass --format"));
        }
        if args.safe {
            return Err(Error::usage("`--output` is off in safe mode"));
        }
        settings.output = Some(Output { format, ..Output::file(path.clone()) });
    }
    if let Some(format) = format {
        if args.output.is_none() {
            format.check_stdout(std::io::stdout().is_terminal())?;
        }
        settings.format = format;
    }
    if args.expanded {
        settings.expanded = Expanded::On;
    }
    if let Some(rows) = args.maxrows {
        settings.max_rows = Some(rows).filter(|rows| *rows > 0);
    }
    Ok(settings)
}

fn variables(args: &Args) -> Result<Variables> {
    let mut variables = Variables::default();
    for text in &args.variables {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Error::usage(format!("`{text}` is not an assignment")).hint("write -v name=value"));
        };
        variables.set(name, value.to_string())?;
    }
    Ok(variables)
}

fn script(input: &Input) -> Result<Script> {
    Ok(match input {
        Input::Statement(text) => Script { text: text.clone(), file: None },
        Input::File(path) => {
            let is_sql = !path.exists() && path.to_string_lossy().contains(char::is_whitespace);
            let text = read(path)
                .map_err(|error| if is_sql { error.hint("to run a statement, put `-c` before it") } else { error })?;
            Script { text, file: Some(path.clone()) }
        }
    })
}

fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    let cannot = || format!("cannot read {}", file.display());
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    }
    .context(Kind::Unavailable, cannot)?;
    Ok(text)
}

/// Returns the user's own file, if it exists and is wanted.
fn init(args: &Args) -> Result<Option<Script>> {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|_| !args.no_rc);
    match home.map(|home| home.join(INIT_FILE)).filter(|path| path.exists()) {
        Some(path) => script(&Input::File(path)).map(Some),
        None => Ok(None),
    }
}

/// Returns `$XDG_STATE_HOME/auditlake/history`, or its default below the home directory.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("auditlake").join("history"))
}
