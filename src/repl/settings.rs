//! The user's settings, and their effect on the next result.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::variables::Parameters;
use crate::error::{Error, Result};
use crate::render::{self, Format};

/// The form of results, until the user changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The format that was chosen; see [`Settings::format`] for the one in force.
    pub format: Format,
    pub expanded: Expanded,
    pub is_timing_on: bool,
    /// The text of NULL; the renderer's default when not set.
    pub null: Option<String>,
    /// Whether NULL gets a line too in the format of one line per value.
    pub nulls: bool,
    /// The zone in which times are shown; UTC when not set.
    pub zone: Option<chrono_tz::Tz>,
    /// Rows of a table on a terminal; `None` shows all.
    pub max_rows: Option<usize>,
    pub header: bool,
    /// Whether rows and time are reported after a result on a terminal.
    pub footer: bool,
    /// The separator between the values of a list.
    pub separator: Option<String>,
    /// The separator between the values of CSV.
    pub csv_separator: Option<String>,
    /// The width that tables are cut to instead of the terminal's.
    pub columns: Option<usize>,
    pub pager: Pager,
    /// The file or program that gets results instead of the terminal.
    pub output: Option<Output>,
    /// Values of the statements' parameters.
    pub parameters: Parameters,
}

/// The destination of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub target: Target,
    /// Whether the file has an earlier result of this session: further ones are appended.
    pub is_append: bool,
    /// The format that was asked for together with the file; otherwise its suffix decides.
    pub format: Option<Format>,
}

/// The destination of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    File(PathBuf),
    /// A command line of the system's shell, which reads the result.
    Program(String),
    /// The program that the desktop opens workbooks with.
    Spreadsheet,
    Editor,
}

impl Output {
    pub fn new(target: Target) -> Output {
        Output { target, is_append: false, format: None }
    }

    pub fn file(path: PathBuf) -> Output {
        Output::new(Target::File(path))
    }
}

impl Target {
    /// Returns the format that the target asks for.
    pub fn format(&self) -> Option<Format> {
        match self {
            Target::File(path) => Format::from_path(path),
            Target::Spreadsheet => Some(Format::Xlsx),
            Target::Program(_) | Target::Editor => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::File(path) => path.display().fmt(f),
            Target::Program(line) => write!(f, "|{line}"),
            Target::Spreadsheet => f.write_str("a spreadsheet"),
            Target::Editor => f.write_str("the editor"),
        }
    }
}

/// When the pager is used: never, for output longer than the screen, or for every result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pager {
    Off,
    On,
    Always,
}

impl FromStr for Pager {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pager> {
        if text.eq_ignore_ascii_case("always") {
            return Ok(Pager::Always);
        }
        let is_on = switch(text).map_err(|_| Error::usage(format!("`{text}` is not on, off or always")))?;
        Ok(if is_on { Pager::On } else { Pager::Off })
    }
}

/// Whether rows are shown as one line per value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expanded {
    Off,
    On,
    /// Only where a table would be wider than the terminal.
    Auto,
}

impl Expanded {
    pub(super) fn name(self) -> &'static str {
        match self {
            Expanded::Off => "off",
            Expanded::On => "on",
            Expanded::Auto => "auto",
        }
    }
}

impl Default for Settings {
    /// Returns the settings with which an interactive shell starts; 40 rows are DuckDB's limit.
    fn default() -> Self {
        Settings {
            format: Format::Table,
            expanded: Expanded::Auto,
            is_timing_on: false,
            null: None,
            nulls: false,
            zone: None,
            max_rows: Some(40),
            header: true,
            footer: true,
            separator: None,
            csv_separator: None,
            columns: None,
            pager: Pager::On,
            output: None,
            parameters: Parameters::new(),
        }
    }
}

impl Settings {
    /// Returns the format in force: a file's first, then `\x`, then the one that was chosen.
    pub fn format(&self) -> Format {
        let of_target = self.output.as_ref().and_then(|output| output.format.or_else(|| output.target.format()));
        match of_target {
            Some(format) => format,
            None if self.expanded == Expanded::On && self.format == Format::Table => Format::Line,
            None => self.format,
        }
    }

    /// Returns the renderer's options for a result on a terminal of this size; `None` when stdout is not one.
    ///
    /// A result that goes elsewhere is never cut.
    pub fn render_options(&self, terminal: Option<(usize, usize)>) -> render::Options {
        let terminal = terminal.filter(|_| self.output.is_none());
        render::Options {
            header: self.header,
            null: self.null.clone(),
            nulls: self.nulls,
            zone: self.zone,
            width: terminal.map(|(columns, _)| self.columns.unwrap_or(columns)),
            height: terminal.map(|(_, rows)| rows),
            max_rows: self.max_rows.filter(|_| self.output.is_none()),
            is_terminal: terminal.is_some(),
            separator: match self.format() {
                Format::List => self.separator.clone(),
                Format::Csv => self.csv_separator.clone(),
                _ => None,
            },
            line_if_wide: self.expanded == Expanded::Auto,
            ..render::Options::default()
        }
    }
}

impl Pager {
    pub(super) fn name(self) -> &'static str {
        match self {
            Pager::Off => "off",
            Pager::On => "on",
            Pager::Always => "always",
        }
    }
}

pub(super) fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// Reads a switch as psql and sqlite3 spell it.
pub(super) fn switch(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(Error::usage(format!("`{text}` is not on or off"))),
    }
}
