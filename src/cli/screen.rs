//! The only place that prints.
//!
//! Results go to stdout, all talk to stderr. A closed pipe is not an error: whoever reads has seen enough.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};

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
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// An error, and what to do about it.
    pub fn error(&self, error: &Error) {
        self.error_as(error, str::to_owned);
    }

    /// An error whose hint is said in other words.
    pub fn error_as(&self, error: &Error, say: impl Fn(&str) -> String) {
        let _ = writeln!(io::stderr(), "error: {}", escape(&error.to_string()));
        if let Some(hint) = error.hint_text() {
            let _ = writeln!(io::stderr(), "hint: {}", say(hint));
        }
    }

    /// Writes a result to stdout.
    pub fn print(&self, text: &str) -> Result<()> {
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

    /// A line that a program reads on stderr, whether or not we are quiet: it was asked for.
    pub fn tell(&self, line: impl Display) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Control characters of hostile input must not reach the terminal through a message.
pub fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c.to_string(),
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                c.escape_unicode().to_string()
            }
            c => c.to_string(),
        })
        .collect()
}

/// `12.3 MB`, decimal units.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `45 s`, `12 min`, `3.5 h`.
pub fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5999 => format!("{} min", seconds / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
