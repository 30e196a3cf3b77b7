//! Output that is longer than the screen goes to a pager; shorter output is printed as it is.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::{Context, Error, Kind, Result};

/// How `less` behaves unless `$LESS` says otherwise: it ends when the text is shorter than the screen, cuts lines
/// instead of wrapping them, and leaves the text on the screen.
const LESS: &str = "FRSX";

/// The pager's command line.
#[derive(Debug, Clone)]
pub struct Pager(String);

impl Pager {
    /// Returns `$PAGER`, or `less` where it exists; an empty `$PAGER` means none.
    pub fn from_env() -> Option<Pager> {
        match std::env::var("PAGER") {
            Ok(command) if command.trim().is_empty() => None,
            Ok(command) => Some(Pager(command)),
            Err(_) => {
                let folders = std::env::var_os("PATH")?;
                let is_there = std::env::split_paths(&folders).any(|folder| folder.join("less").is_file());
                is_there.then(|| Pager("less".to_owned()))
            }
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.0).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS);
        }
        command.spawn()
    }
}

/// Stdout, or the pager once there is more than a screen holds.
pub struct Paged {
    pager: Option<Pager>,
    rows: usize,
    columns: usize,
    held: Vec<u8>,
    state: State,
}

enum State {
    Holding,
    Printing(Box<dyn Write>),
    Paging(Child),
}

impl Paged {
    /// Wraps the output; without a pager, or without a terminal, everything is printed at once.
    pub fn new(pager: Option<Pager>, size: Option<(usize, usize)>, is_always: bool, out: Box<dyn Write>) -> Paged {
        let (columns, rows) = size.unwrap_or_default();
        let is_paged = pager.is_some() && size.is_some();
        let state = if is_paged { State::Holding } else { State::Printing(out) };
        // The prompt takes one row.
        let rows = if is_always { 0 } else { rows.saturating_sub(1) };
        Paged { pager, rows, columns: columns.max(1), held: Vec::new(), state }
    }

    /// Returns whether the pager has taken over: then its user decides how much is wanted.
    pub fn is_paging(&self) -> bool {
        matches!(self.state, State::Paging(_))
    }

    /// Returns the lines of the screen that the held text takes.
    fn height(&self) -> usize {
        let width = |line: &[u8]| line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        self.held.split_inclusive(|byte| *byte == b'\n').map(|line| width(line).div_ceil(self.columns + 1)).sum()
    }

    /// Prints what is held, or waits until the user has left the pager.
    pub fn close(mut self) -> Result<()> {
        let cannot = || "cannot write the result";
        match self.state {
            State::Holding => {
                let mut out = io::stdout();
                out.write_all(&self.held).and_then(|()| out.flush()).context(Kind::Unavailable, cannot)
            }
            State::Printing(ref mut out) => out.flush().context(Kind::Unavailable, cannot),
            State::Paging(ref mut child) => {
                drop(child.stdin.take());
                let status = child.wait().context(Kind::Unavailable, || "cannot wait for the pager")?;
                let name = self.pager.map(|pager| pager.0).unwrap_or_default();
                // The system's shell reports a command that does not exist this way.
                match status.code() {
                    Some(126 | 127) => Err(Error::new(Kind::Unavailable, format!("cannot run the pager `{name}`"))
                        .hint("set PAGER to a program that exists, or turn paging off: `\\pset pager off`")),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Printing(out) => return out.write(bytes),
            State::Paging(child) => {
                return child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write(bytes);
            }
            State::Holding => self.held.extend_from_slice(bytes),
        }
        if self.height() > self.rows
            && let Some(pager) = &self.pager
        {
            let mut child = pager.start()?;
            let stdin = child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            let passed = stdin.write_all(&self.held);
            self.held = Vec::new();
            self.state = State::Paging(child);
            passed?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Holding => Ok(()),
            State::Printing(out) => out.flush(),
            State::Paging(child) => child.stdin.as_mut().map_or(Ok(()), Write::flush),
        }
    }
}

/// Returns the editor's command line: `$VISUAL`, `$EDITOR`, or `vi`.
fn editor() -> String {
    let mut named = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.find(|command| !command.trim().is_empty()).unwrap_or_else(|| "vi".to_owned())
}

/// Opens `file` in the editor and waits until it is closed.
pub fn edit(file: &Path) -> Result<()> {
    let editor = editor();
    // The variable holds a command line (`code --wait`); the name is an argument of its own, whatever it holds.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file).status();
    let status = status.context(Kind::Unavailable, || format!("cannot run the editor `{editor}`"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable, format!("the editor `{editor}` failed: {status}"))
        .hint("set EDITOR to a program that exists"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paged(pager: Option<&str>, size: Option<(usize, usize)>) -> Paged {
        Paged::new(pager.map(|name| Pager(name.to_owned())), size, false, Box::new(io::sink()))
    }

    #[test]
    fn what_fits_the_screen_is_held_and_what_does_not_goes_to_the_pager() {
        let mut short = paged(Some("cat > /dev/null"), Some((10, 4)));
        short.write_all("é\né\n".as_bytes()).unwrap();
        assert!(matches!(short.state, State::Holding));
        short.write_all(b"12345678901234567890\n").unwrap();
        assert!(matches!(short.state, State::Paging(_)), "a line that wraps takes two rows");
        short.close().unwrap();
        let mut plain = paged(None, Some((10, 1)));
        plain.write_all(b"a\nb\nc\n").unwrap();
        assert!(matches!(plain.state, State::Printing(_)));
        assert!(matches!(paged(Some("cat"), None).state, State::Printing(_)));
    }

    #[test]
    fn a_pager_that_is_not_there_is_named() {
        let mut missing = paged(Some("no-such-pager 2>/dev/null"), Some((10, 1)));
        let _ = missing.write_all(b"a\nb\n");
        let error = missing.close().unwrap_err();
        assert_eq!(error.message(), "cannot run the pager `no-such-pager 2>/dev/null`");
    }
}
