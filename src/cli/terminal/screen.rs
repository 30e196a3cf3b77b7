//! The only place that prints.
//!
//! Results go to stdout, all talk to stderr. A closed pipe is not an error: its reader has seen enough. Names of files,
//! words of servers and values of events occur in all talk, and any of them may be hostile: they are shown and not
//! obeyed.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};

use crate::error::{Context, Error, Kind, Result};
use crate::typed::{visible_json, visible_lines};

/// The destination of the program's words.
#[derive(Debug, Clone, Copy, Default)]
pub struct Screen {
    pub is_quiet: bool,
}

impl Screen {
    /// Prints talk for the user to stderr.
    pub fn say(&self, text: impl Display) {
        if !self.is_quiet {
            // There is no place to report that stderr is gone.
            let _ = writeln!(io::stderr(), "{}", visible_lines(&text.to_string()));
        }
    }

    /// Prints talk that is never silenced: the user must know it.
    pub fn warn(&self, text: impl Display) {
        let _ = writeln!(io::stderr(), "warning: {}", visible_lines(&text.to_string()));
    }

    /// Prints an error and its hint.
    pub fn error(&self, error: &Error) {
        self.error_as(error, str::to_owned);
    }

    /// Prints an error whose hint is put in other words.
    pub fn error_as(&self, error: &Error, say: impl Fn(&str) -> String) {
        let _ = writeln!(io::stderr(), "error: {}", visible_lines(&error.to_string()));
        if let Some(hint) = error.hint_text() {
            let _ = writeln!(io::stderr(), "hint: {}", visible_lines(&say(hint)));
        }
    }

    /// Writes a result of a few lines to stdout.
    pub fn print(&self, text: &str) -> Result<()> {
        self.write(&visible_lines(text))
    }

    /// Writes JSON to stdout without changing its value.
    pub fn print_json(&self, text: &str) -> Result<()> {
        self.write(&visible_json(text))
    }

    fn write(&self, text: &str) -> Result<()> {
        let mut out = self.stdout();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context(Kind::Unavailable, || "cannot write to stdout"),
        }
    }

    pub fn stdout(&self) -> BufWriter<io::Stdout> {
        BufWriter::with_capacity(64 * 1024, io::stdout())
    }

    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Returns the columns of the terminal, when stdout is one.
    pub fn width(&self) -> Option<usize> {
        self.terminal().map(|(width, _)| width)
    }

    /// Returns the columns and rows of the terminal, when stdout is one.
    pub fn terminal(&self) -> Option<(usize, usize)> {
        if !self.is_terminal() {
            return None;
        }
        terminal_size::terminal_size().map(|(width, height)| (usize::from(width.0), usize::from(height.0)))
    }

    /// Returns the columns and rows of the terminal, when stdout and stdin are one: there somebody can turn pages.
    pub fn size(&self) -> Option<(usize, usize)> {
        self.terminal().filter(|_| io::stdin().is_terminal())
    }

    /// Returns whether somebody watches the talk.
    pub fn is_watched(&self) -> bool {
        !self.is_quiet && io::stderr().is_terminal()
    }

    /// Prints a line of JSON that a program reads on stderr, whether or not we are quiet: it was asked for.
    pub fn tell(&self, line: impl Display) {
        let _ = writeln!(io::stderr(), "{}", visible_json(&line.to_string()));
    }
}
