//! The interactive shell, and scripts that speak its language.
//!
//! ```text
//! terminal -> line (editing) -> split (statements, commands) -> command (what a line means) -> Backend
//!                                                            commands, setting: the tables of what there is
//! ```
//!
//! Text passes a few stations: variables are replaced in statements and commands (`variables`), conditions decide which
//! lines count (`condition`), settings say how results are shown.
//!
//! The shell knows no SQL engine and no command of the program: a [`Backend`] does the work. Results go to stdout, all
//! talk to stderr. ^C at the prompt drops the line; ^C while a statement runs is noticed by the backend, which answers
//! with an error of kind `Cancelled`, after which the shell continues.

mod command;
mod commands;
mod complete;
mod condition;
mod help;
mod highlight;
mod keywords;
mod line;
mod pending;
mod script;
mod setting;
mod settings;
mod shell;
mod spec;
mod split;
mod statement;
mod variables;
mod words;

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

pub use command::Listing;
pub use complete::starting;
pub use keywords::{KEYWORDS, PHRASES};
pub use settings::{Expanded, Output, Pager, Settings, Target};
pub use split::{skip, split_statements};
pub use variables::{Parameters, Variables};

use crate::error::{Error, Result};
use crate::typed::Visible;
use line::{Input, LineEditor};
use pending::Pending;
use shell::Shell;

/// The work that the shell delegates; `cli` has the real backend.
pub trait Backend {
    /// Runs one statement and shows its result as `settings` say.
    fn execute(&mut self, sql: &str, settings: &Settings) -> Result<()>;
    /// Runs a statement that has one row, and returns its columns as text.
    fn row(&mut self, sql: &str, settings: &Settings) -> Result<Vec<(String, Option<String>)>>;
    /// Shows the tables, or the requested ones.
    fn tables(&mut self, settings: &Settings, listing: &Listing) -> Result<()>;
    /// Shows the columns of a table; `is_verbose` adds what the schema says about them.
    fn describe(&mut self, settings: &Settings, name: &str, is_verbose: bool) -> Result<()>;
    /// Shows the columns of a query's result.
    fn describe_query(&mut self, settings: &Settings, sql: &str) -> Result<()>;
    /// Shows the SQL that defines a view.
    fn define(&mut self, settings: &Settings, name: &str) -> Result<()>;
    /// Returns which lake is open, and in which state.
    fn connection(&self) -> String;
    /// Returns the time, for a person.
    fn time(&self) -> String;
    /// Shows the SQL functions, or what one does.
    fn functions(&mut self, settings: &Settings, name: Option<&str>) -> Result<()>;
    /// Sees the newest state of the lake from now on.
    fn refresh(&mut self) -> Result<()>;
    /// Waits; an error of kind `Cancelled` when ^C ends the wait.
    fn pause(&mut self, time: Duration) -> Result<()>;
    /// Runs a command line of the program: `.ingest x` becomes `["ingest", "x"]`.
    fn command(&mut self, arguments: &[String]) -> Result<()>;
    /// Returns the names that [`Backend::command`] takes first.
    fn commands(&self) -> Vec<String>;
    /// Runs a command of the system's shell, or that shell.
    fn system(&mut self, command: Option<&str>) -> Result<()>;
    /// Lets the user edit `text`, or the file; returns the result.
    fn edit(&mut self, text: &str, file: Option<&Path>) -> Result<String>;
    /// Returns the columns of the terminal, when there is one.
    fn columns(&self) -> Option<usize>;
    /// Prints a text that may be longer than the screen.
    fn page(&mut self, text: &str, settings: &Settings) -> Result<()>;
    /// Writes a text into a file, which is either complete or absent.
    fn write(&mut self, path: &Path, text: &str) -> Result<()>;
    /// Returns completions of a word, at once, from what is known by then.
    fn complete(&self, wanted: Wanted, typed: &Typed<'_>) -> Vec<Candidate>;
    /// Looks up in the background what completing this beginning of a statement will need.
    fn prepare(&self, statement: &str);
    /// Returns whether `text` holds a secret, which must not get into the history.
    fn is_secret(&self, text: &str) -> bool;
    /// Prints an error to stderr like the program does.
    fn show_error(&mut self, error: &Error);
}

/// The kind of text that is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A word of a statement.
    Sql,
    /// The text of a string in a statement.
    Text,
    /// The name of a table.
    Table,
    /// The name of a view.
    View,
    /// The name of a function.
    Function,
    /// A word of a command line of the program, without the dot.
    Program,
}

/// The surroundings of the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typed<'a> {
    /// The statement or command line up to the word; for a string, up to its quote.
    pub before: &'a str,
    /// The word up to the cursor.
    pub word: &'a str,
    /// The rest of the line.
    pub after: &'a str,
}

/// A completion, which replaces the word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    pub text: String,
    /// The text in the list: with a caption, for instance.
    pub shown: String,
}

impl Candidate {
    /// Makes a candidate that is listed as it is.
    pub fn plain(text: impl Into<String>) -> Candidate {
        let text = text.into();
        Candidate { shown: text.clone(), text }
    }
}

/// Options of every run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub settings: Settings,
    pub variables: Variables,
    /// Whether files and programs are off limits to what the user types.
    pub is_safe: bool,
    /// The directory that `~` means in file names.
    pub home: Option<PathBuf>,
}

/// A text with the file that it came from.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub text: String,
    pub file: Option<PathBuf>,
}

/// The additional options of an interactive shell.
#[derive(Debug, Clone, Default)]
pub struct Terminal {
    /// The file where lines are remembered; folders are created, the file gets mode 0600. `None` remembers them for
    /// this run.
    pub history: Option<PathBuf>,
    pub prompt: Prompt,
    /// Printed to stderr before the first prompt.
    pub greeting: Option<String>,
    /// A script that runs before the first prompt; a failure in it is shown, and the shell starts anyway.
    pub init: Option<Script>,
}

/// The prompt before the cursor.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub first: String,
    /// The prompt on the lines of a statement after its first; as wide as `first`.
    pub continued: String,
}

impl Default for Prompt {
    fn default() -> Self {
        Prompt { first: "auditlake> ".to_owned(), continued: "       -> ".to_owned() }
    }
}

/// The end of scripts that were not stopped by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The exit code, if a script ended with `.exit CODE` or `\q`.
    pub exit: Option<u8>,
    /// Statements and commands that failed and were shown.
    pub failures: usize,
}

/// Runs the shell on a terminal until the user leaves; returns the exit code that the user gave.
///
/// Errors only when the terminal or stdout is lost: failures inside are shown, and the shell continues.
pub fn run(backend: &mut dyn Backend, options: Options, terminal: Terminal) -> Result<u8> {
    let backend = Rc::new(RefCell::new(backend));
    let mut editor = LineEditor::new(backend.clone(), terminal.history, terminal.prompt)?;
    if let Some(greeting) = &terminal.greeting {
        eprintln!("{greeting}");
    }
    let (mut out, mut talk) = (Visible::new(io::stdout()), Visible::new(io::stderr()));
    let mut shell = Shell::interactive(options, &mut out, &mut talk);
    if let Some(init) = terminal.init
        && let ControlFlow::Break(code) = shell.init(&mut **backend.borrow_mut(), &init)?
    {
        return Ok(code);
    }
    let mut pending = Pending::default();
    let mut edited: Option<String> = None;
    loop {
        let line = match edited.take() {
            // The last line of the file ends, the statement does not.
            Some(text) => text.trim_end_matches('\n').to_owned(),
            None => match read(&mut editor, &shell, pending.text())? {
                Input::Line(line) => line,
                Input::Interrupted => {
                    pending.clear();
                    shell.interrupt();
                    continue;
                }
                Input::End => {
                    if !pending.text().is_empty() {
                        eprintln!("the statement had no end and was not run");
                    }
                    return Ok(0);
                }
            },
        };
        let Some(text) = pending.push(&line) else { continue };
        if text.trim().is_empty() {
            continue;
        }
        if !backend.borrow().is_secret(&text)
            && let Err(error) = editor.remember(&text)
        {
            backend.borrow_mut().show_error(&error);
        }
        shell.history = editor.history();
        shell.begun = pending.text().to_owned();
        if let ControlFlow::Break(code) = shell.run(&mut **backend.borrow_mut(), &text, None)? {
            return Ok(code);
        }
        edited = shell.edited.take();
        if let Some(text) = &edited {
            pending.clear();
            // A user who comes back from the editor sees what is about to run.
            eprintln!("{}", text.trim_end());
        }
        if shell.take_reset() {
            pending.clear();
        }
    }
}

/// Reads a line from the terminal.
fn read(editor: &mut LineEditor<'_>, shell: &Shell<'_>, begun: &str) -> Result<Input> {
    let variables = shell.variables.iter().map(|(name, _)| name.to_owned());
    let plain = |name: &String| name.split(':').next().unwrap_or_default().to_owned();
    editor.know(variables.collect(), shell.settings.parameters.keys().map(plain).collect());
    editor.read(begun)
}

/// Runs scripts one after the other; settings and variables of one hold for the next.
///
/// The first failure stops all and is returned. With `keep_going` failures are shown and counted instead; a run that
/// was cancelled or whose reader went away ends anyway.
pub fn run_scripts(
    backend: &mut dyn Backend,
    options: Options,
    scripts: &[Script],
    keep_going: bool,
) -> Result<Outcome> {
    let (mut out, mut talk) = (Visible::new(io::stdout()), Visible::new(io::stderr()));
    let mut shell = Shell::script(options, &mut out, &mut talk, keep_going);
    for script in scripts {
        if let ControlFlow::Break(code) = shell.script_of(backend, script)? {
            return Ok(Outcome { exit: Some(code), failures: shell.failures });
        }
    }
    Ok(Outcome { exit: None, failures: shell.failures })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
