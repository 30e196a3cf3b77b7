//! The command line: one file per command.
//!
//! Its rooms, from above to below:
//!
//! ```text
//! report, shell       reports and schedules; the shell and one-shot SQL
//! intake, keeping     events in; a lake that stays small, forgets and is copied
//! trust               a lake that is checked, signed and anchored
//! access              lines in the lake's own log of reads
//! terminal            the screen, files, signals, keys and programs that are run, for all of them
//! ```

mod access;
mod config;
mod connect;
mod demo;
mod export;
mod facts;
mod intake;
mod keeping;
mod reads;
mod report;
mod schedule;
mod schema;
mod scope;
mod serve;
mod shell;
mod sql;
mod status;
mod terminal;
mod trust;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::clock::Clock;
use crate::config::Config;
use crate::disk::{self, Unfinished};
use crate::error::{Context, Kind, Result};
use crate::failpoint;
use crate::schema::Ocsf;
use crate::sql::{Conventions, check_names};
use crate::typed::Visible;
use terminal::screen::Screen;
use terminal::signal::Signals;
use trust::anchor::Recorder;

/// DataFusion plans by recursion: deep statements need more than the two megabytes that threads get.
const STACK_BYTES: usize = 32 << 20;

/// A SQL analytics engine for OCSF audit logs
#[derive(Debug, Parser)]
#[command(name = "auditlake", version, about, max_term_width = 100, subcommand_required = false)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The lake's directory [default: ./auditlake-data]
    #[arg(long, global = true, env = "AUDITLAKE_LAKE", value_name = "DIR", hide_env_values = true)]
    lake: Option<PathBuf>,
    /// A directory with event classes of your own
    #[arg(long, global = true, value_name = "DIR")]
    schemas: Option<PathBuf>,
    /// The configuration file [default: ./auditlake.toml, if it exists]
    #[arg(long, global = true, env = "AUDITLAKE_CONFIG", value_name = "FILE", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Wait at most this long for another run that writes to the lake [default: 10m]
    #[arg(long, global = true, value_name = "DURATION", value_parser = terminal::value::lock_timeout)]
    lock_timeout: Option<Duration>,
    /// Silence everything but results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Also report which configuration file is in force
    #[arg(long, global = true, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Generate sample events, ingest them, and answer questions about them
    Demo(demo::Args),
    /// Ingest events from files, directories, glob patterns or stdin
    Ingest(intake::ingest::Args),
    /// Ingest the audit log of a workspace through its API
    Pull(intake::pull::Args),
    /// Run SQL over the lake; a shell when no statement is given
    Sql(sql::Args),
    /// List, show and run compliance reports
    Report(report::Args),
    /// List schedules, or run them as they become due
    Schedule(schedule::Args),
    /// Write events back as the OCSF JSON that came in
    Export(export::Args),
    /// Show tables with rows, files, bytes, time range and last batch
    Status(status::Args),
    /// Show coverage of API sources, with gaps
    Coverage(intake::coverage::Args),
    /// Check the lake and its machine, and report what to do
    Doctor(trust::doctor::Args),
    /// Merge small files, and remove those that were replaced long enough ago
    Compact(keeping::compact::Args),
    /// Remove what is older than the configuration keeps, and write receipts
    Retain(keeping::retain::Args),
    /// Keep rows whatever their age is, list what is kept so, and end it
    #[command(subcommand)]
    Hold(keeping::hold::Command),
    /// Replace a person's identifiers by pseudonyms, and write a receipt
    Erase(keeping::erase::Args),
    /// Copy the lake, each time only what is new, and check the copy
    Backup(keeping::backup::Args),
    /// Pack a closed range into one tar, with the ledger that proves it
    Archive(keeping::archive::Args),
    /// Compare the whole lake with its ledger, or check an archive
    Verify(trust::verify::Args),
    /// Rewrite what follows from the ledger, and remove leftovers
    Repair(trust::repair::Args),
    /// Print the head of the ledger, record it elsewhere, and list the heads that were
    #[command(subcommand)]
    Ledger(trust::ledger::Command),
    /// Print the lines to paste into a notebook
    Connect(connect::Args),
    /// Serve the audit log to the vendor's SDK
    Serve(serve::Args),
    /// Create, list and revoke keys for `auditlake serve`; create the key that signs evidence
    #[command(visible_alias = "keys")]
    Key(trust::key::Args),
    /// Print the default configuration, or check a file
    #[command(subcommand)]
    Config(config::Command),
    /// Print event classes and their columns
    Schema(schema::Args),
    /// List rejected lines, or retry them after a fix
    #[command(subcommand)]
    Reject(intake::reject::Command),
    /// Show what would be redacted in a file, and by which rule
    Redact(intake::redact::Args),
    /// Generate synthetic audit-log entries
    Gen(intake::generate::Args),
}

/// The context that every command gets.
#[derive(Clone)]
struct App {
    config: Config,
    clock: Clock,
    screen: Screen,
    runtime: Arc<Runtime>,
    global: Global,
    /// Files that are being written; a signal that ends the process removes them.
    unfinished: Unfinished,
    signals: Signals,
    /// Records heads of the ledger elsewhere.
    recorder: Recorder,
}

/// Runs a command line, the program's name first; returns the exit code.
pub fn run(arguments: impl Iterator<Item = std::ffi::OsString>) -> u8 {
    init_logs();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, not errors.
            if !error.use_stderr() {
                let _ = error.print();
                return 0;
            }
            // The message repeats what the user typed or what a script put there.
            Screen::default().say(error.render().to_string().trim_end());
            return Kind::Usage.exit_code();
        }
    };
    let screen = Screen { is_quiet: cli.global.quiet };
    let armed = failpoint::arm(|| std::env::var("AUDITLAKE_FAIL_POINT").ok());
    match armed.and_then(|()| dispatch(cli.global, screen, cli.command)) {
        Ok(code) => code,
        Err(error) if crate::render::is_closed_pipe(&error) => 0,
        Err(error) => {
            screen.error(&error);
            error.kind().exit_code()
        }
    }
}

fn dispatch(global: Global, screen: Screen, command: Option<Command>) -> Result<u8> {
    match command {
        Some(Command::Config(command)) => config::run(global, screen, command),
        command => {
            let app = App::new(global, screen)?;
            let done = app.dispatch(command);
            app.finish_anchoring();
            done
        }
    }
}

impl App {
    fn new(global: Global, screen: Screen) -> Result<App> {
        let config = Config::load(global.config.as_deref())?;
        if global.verbose {
            screen.say(format!("configuration: {}", config.origin()));
        }
        let (runtime, unfinished) = (Arc::new(threads()?), Unfinished::default());
        let signals = Signals::listen(unfinished.clone())?;
        let recorder = Recorder::default();
        Ok(App { config, clock: Clock::Real, screen, runtime, global, unfinished, signals, recorder })
    }

    fn dispatch(&self, command: Option<Command>) -> Result<u8> {
        match command {
            Some(Command::Demo(args)) => demo::run(self, args),
            Some(Command::Ingest(args)) => intake::ingest::run(self, args),
            Some(Command::Pull(args)) => intake::pull::run(self, args),
            Some(Command::Sql(args)) => sql::run(self, args),
            Some(Command::Report(args)) => report::run(self, args),
            Some(Command::Schedule(args)) => schedule::run(self, args),
            Some(Command::Export(args)) => export::run(self, args),
            Some(Command::Status(args)) => status::run(self, args),
            Some(Command::Coverage(args)) => intake::coverage::run(self, args),
            Some(Command::Doctor(args)) => trust::doctor::run(self, args),
            Some(Command::Compact(args)) => keeping::compact::run(self, args),
            Some(Command::Retain(args)) => keeping::retain::run(self, args),
            Some(Command::Hold(command)) => keeping::hold::run(self, command),
            Some(Command::Erase(args)) => keeping::erase::run(self, args),
            Some(Command::Backup(args)) => keeping::backup::run(self, args),
            Some(Command::Archive(args)) => keeping::archive::run(self, args),
            Some(Command::Verify(args)) => trust::verify::run(self, args),
            Some(Command::Repair(args)) => trust::repair::run(self, args),
            Some(Command::Ledger(command)) => trust::ledger::run(self, command),
            Some(Command::Connect(args)) => connect::run(self, args),
            Some(Command::Serve(args)) => serve::run(self, args),
            Some(Command::Key(args)) => trust::key::run(self, args),
            Some(Command::Config(command)) => config::run(self.global.clone(), self.screen, command),
            Some(Command::Schema(args)) => schema::run(self, args),
            Some(Command::Reject(command)) => intake::reject::run(self, command),
            Some(Command::Redact(args)) => intake::redact::run(self, args),
            Some(Command::Gen(args)) => intake::generate::run(self, args),
            None => sql::run(self, sql::Args::default()),
        }
    }

    /// Builds a command line from within the shell: without the program's name, on the same lake.
    ///
    /// It is a process of its own, so that ^C ends the command and not the shell, wherever the command is.
    fn line(&self, arguments: &[String]) -> Result<std::process::Command> {
        let program = std::env::current_exe().context(Kind::Unavailable, || "cannot find the program itself")?;
        let mut command = std::process::Command::new(program);
        // Variables rather than flags: the line may hold the flags itself.
        if let Some(lake) = &self.global.lake {
            command.env("AUDITLAKE_LAKE", lake);
        }
        if let Some(config) = &self.global.config {
            command.env("AUDITLAKE_CONFIG", config);
        }
        command.args(arguments);
        let has = |names: &[&str]| arguments.iter().any(|word| names.iter().any(|name| word == name));
        if let Some(schemas) = self.global.schemas.as_ref().filter(|_| !has(&["--schemas"])) {
            command.arg("--schemas").arg(schemas);
        }
        if self.global.quiet && !has(&["-q", "--quiet"]) {
            command.arg("--quiet");
        }
        Ok(command)
    }

    fn ocsf(&self) -> Result<Arc<Ocsf>> {
        let extra = self.global.schemas.as_deref().or_else(|| self.config.schemas());
        let ocsf = Ocsf::load(extra)?;
        if extra.is_some() {
            check_names(&ocsf, &Conventions::load()?)?;
        }
        Ok(Arc::new(ocsf))
    }

    fn lake_path(&self) -> PathBuf {
        self.global.lake.clone().unwrap_or_else(|| self.config.lake().to_path_buf())
    }

    /// Runs a future on the runtime's own threads, whose stacks are deep enough for DataFusion's planner.
    fn wait<T: Send + 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        self.runtime.block_on(async { tokio::spawn(future).await.context(Kind::Internal, || "a task stopped")? })
    }

    /// Writes a text to a file, whole, or to stdout for `-`.
    fn write_text(&self, path: &Path, text: &str) -> Result<()> {
        if path.as_os_str() == "-" { self.screen.print(text) } else { disk::write(path, text.as_bytes()) }
    }

    /// Writes JSON to a file, whole, or to stdout for `-`.
    fn write_json(&self, path: &Path, text: &str) -> Result<()> {
        if path.as_os_str() == "-" { self.screen.print_json(text) } else { disk::write(path, text.as_bytes()) }
    }
}

/// Threads whose stacks are deep enough for DataFusion's planner.
fn threads() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .context(Kind::Unavailable, || "cannot start threads")
}

/// Returns the names of all commands, for the shell.
fn command_names() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_string()).collect()
}

/// Sends our warnings to stderr; `AUDITLAKE_LOG` asks for more. Libraries are silent: what stops us is in our own
/// error, and what does not, such as a commit that is tried again, would only alarm.
fn init_logs() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("AUDITLAKE_LOG").unwrap_or_else(|_| EnvFilter::new("auditlake=warn"));
    // A second call, in tests of one process, keeps the first subscriber.
    let stderr = || Visible::new(std::io::stderr());
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(false).try_init();
}
