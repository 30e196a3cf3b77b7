//! The only place that prints.
//!
//! Results go to stdout, all talk to stderr. A closed pipe is not an error: its reader has seen enough. Names of files,
//! words of servers and values of events occur in all talk, and any of them may be hostile: what leaves here is shown and
//! not obeyed.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};

use crate::error::{Context, Error, Kind, Result};
use crate::typed::{visible_json, visible_lines};

/// Where the program's words go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Screen {
    pub is_quiet: bool,
}

impl Screen {
    /// Talk, for whoever watches.
    pub fn say(&self, text: impl Display) {
        if !self.is_quiet {
            // There is nowhere to report that stderr is gone.
            let _ = writeln!(io::stderr(), "{}", visible_lines(&text.to_string()));
        }
    }

    /// Talk that is never silenced: the user must know it.
    pub fn warn(&self, text: impl Display) {
        let _ = writeln!(io::stderr(), "warning: {}", visible_lines(&text.to_string()));
    }

    /// An error, and what to do about it.
    pub fn error(&self, error: &Error) {
        self.error_as(error, str::to_owned);
    }

    /// An error whose hint is said in other words.
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

    /// Writes JSON to stdout: its value stays what it is.
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

    /// Columns of the terminal, when stdout is one.
    pub fn width(&self) -> Option<usize> {
        self.terminal().map(|(width, _)| width)
    }

    /// Columns and rows of the terminal, when stdout is one.
    pub fn terminal(&self) -> Option<(usize, usize)> {
        if !self.is_terminal() {
            return None;
        }
        terminal_size::terminal_size().map(|(width, height)| (usize::from(width.0), usize::from(height.0)))
    }

    /// Columns and rows of the terminal, when stdout and stdin are one: there somebody can turn pages.
    pub fn size(&self) -> Option<(usize, usize)> {
        self.terminal().filter(|_| io::stdin().is_terminal())
    }

    /// Whether somebody watches what is said.
    pub fn is_watched(&self) -> bool {
        !self.is_quiet && io::stderr().is_terminal()
    }

    /// A line of JSON that a program reads on stderr, whether or not we are quiet: it was asked for.
    pub fn tell(&self, line: impl Display) {
        let _ = writeln!(io::stderr(), "{}", visible_json(&line.to_string()));
    }
}
