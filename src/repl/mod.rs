//! The interactive shell, and scripts that speak its language.
//!
//! ```text
//! terminal -> line (editing) -> split (statements, commands) -> meta (what a command means) -> Backend
//! ```
//!
//! The shell knows no SQL engine and no command of the program: a [`Backend`] does the work. What was asked for goes
//! to stdout, all talk to stderr. ^C at the prompt drops the line; ^C while a statement runs is the backend's to
//! notice, and answered with an error of kind `Cancelled`, after which the shell goes on.

mod line;
mod meta;
mod settings;
mod shell;
mod split;

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;

pub use settings::{Expanded, Output, Settings};
pub use split::split_statements;

use crate::error::{Error, Result};
use line::{Input, LineEditor};
use shell::{Pending, Shell};

/// What the shell needs to be done; `cli` has the real one.
pub trait Backend {
    /// Runs one statement and prints its result as `settings` say.
    fn execute(&mut self, sql: &str, settings: &Settings) -> Result<()>;
    /// Prints the tables whose name is like `pattern`; `is_verbose` adds rows, files, bytes and times.
    fn tables(&mut self, settings: &Settings, pattern: Option<&str>, is_verbose: bool) -> Result<()>;
    /// Prints the columns of a table.
    fn describe(&mut self, settings: &Settings, name: &str) -> Result<()>;
    /// Prints the SQL functions, or what one does.
    fn functions(&mut self, name: Option<&str>) -> Result<()>;
    /// Runs a command line of the program: `.ingest x` becomes `["ingest", "x"]`.
    fn command(&mut self, arguments: &[String]) -> Result<()>;
    /// The names that [`Backend::command`] takes first.
    fn commands(&self) -> Vec<String>;
    /// Words that may stand at `position` of `line`: tables, columns, dotted paths, functions, keywords.
    ///
    /// A candidate replaces the word there, which is made of letters, digits, `_` and `.`; those that do not begin
    /// like it are dropped.
    fn complete(&self, line: &str, position: usize) -> Vec<String>;
    /// Whether `text` holds a secret, which must not get into the history.
    fn is_secret(&self, text: &str) -> bool;
    /// Prints an error to stderr as the program does.
    fn show_error(&mut self, error: &Error);
}

/// How the interactive shell starts.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub settings: Settings,
    /// Where lines are remembered; folders are created, the file gets mode 0600. `None` remembers them for this run.
    pub history: Option<PathBuf>,
    pub prompt: Prompt,
    /// Printed to stderr before the first prompt.
    pub greeting: Option<String>,
}

/// What stands before the cursor.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub first: String,
    /// On the lines of a statement after its first; as wide as `first`.
    pub continued: String,
}

impl Default for Prompt {
    fn default() -> Self {
        Prompt { first: "auditlake> ".to_owned(), continued: "       -> ".to_owned() }
    }
}

/// How a script ended, if it was not stopped by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The script left with `.exit CODE` or `\q`.
    pub exit: Option<u8>,
    /// Statements and commands that failed and were shown.
    pub failures: usize,
}

/// Runs the shell on a terminal until the user leaves; returns the exit code asked for.
///
/// Errors only when the terminal or stdout is lost: what fails inside is shown, and the shell goes on.
pub fn run(backend: &mut dyn Backend, options: Options) -> Result<u8> {
    let backend = Rc::new(RefCell::new(backend));
    let mut editor = LineEditor::new(backend.clone(), options.history, options.prompt)?;
    if let Some(greeting) = &options.greeting {
        eprintln!("{greeting}");
    }
    let (mut out, mut talk) = (io::stdout(), io::stderr());
    let mut settings = options.settings;
    let mut shell = Shell::interactive(&mut settings, &mut out, &mut talk);
    let mut pending = Pending::default();
    loop {
        let line = match editor.read(pending.is_begun())? {
            Input::Line(line) => line,
            Input::Interrupted => {
                pending.clear();
                continue;
            }
            Input::End => return Ok(0),
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
        if let ControlFlow::Break(code) = shell.run(&mut **backend.borrow_mut(), &text, None)? {
            return Ok(code);
        }
        if shell.take_reset() {
            pending.clear();
        }
    }
}

/// Runs the statements and commands of a script, `settings` changing as it says.
///
/// The first failure stops it and is returned. With `keep_going` failures are shown and counted instead; a run that
/// was cancelled or whose reader went away ends all the same.
pub fn run_script(backend: &mut dyn Backend, settings: &mut Settings, text: &str, keep_going: bool) -> Result<Outcome> {
    let (mut out, mut talk) = (io::stdout(), io::stderr());
    let mut shell = Shell::script(settings, &mut out, &mut talk, keep_going);
    let exit = match shell.run(backend, text, None)? {
        ControlFlow::Break(code) => Some(code),
        ControlFlow::Continue(()) => None,
    };
    Ok(Outcome { exit, failures: shell.failures })
}

#[cfg(test)]
mod tests;
