//! The destination of a result: stdout, or a file that is either complete or absent.

use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;

use super::super::App;
use crate::disk::Whole;
use crate::error::{Context, Kind, Result};

pub enum Output {
    Screen(BufWriter<Stdout>),
    File(Box<Whole>),
}

impl Output {
    /// Begins a result; `-` and a missing path mean stdout.
    pub fn begin(app: &App, path: Option<&Path>) -> Result<Output> {
        match path.filter(|path| path.as_os_str() != "-") {
            None => Ok(Output::Screen(app.screen.stdout())),
            Some(path) => Ok(Output::File(Box::new(Whole::begin(path)?.known_to(&app.unfinished)))),
        }
    }

    /// Returns whether the result is visible while it is being written.
    pub fn is_screen(&self) -> bool {
        matches!(self, Output::Screen(_))
    }

    /// Ends the result: from now on the file holds it.
    pub fn finish(self) -> Result<()> {
        match self {
            Output::Screen(mut out) => out.flush().context(Kind::Unavailable, || "cannot write to stdout"),
            Output::File(whole) => whole.finish(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Screen(out) => out.write(bytes),
            Output::File(whole) => whole.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Screen(out) => out.flush(),
            Output::File(whole) => whole.flush(),
        }
    }
}
