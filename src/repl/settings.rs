//! What the user has set, and what it means for the next result.

use std::path::PathBuf;
use std::str::FromStr;

use super::variables::Parameters;
use crate::error::{Error, Result};
use crate::render::{self, Format};

/// How results are shown, until the user says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The format that was chosen; see [`Settings::format`] for the one in force.
    pub format: Format,
    pub expanded: Expanded,
    pub is_timing_on: bool,
    /// The text of NULL; the renderer's default when not set.
    pub null: Option<String>,
    /// Rows of a table on a terminal; `None` shows all.
    pub max_rows: Option<usize>,
    pub header: bool,
    /// Whether rows and time are told after a result on a terminal.
    pub footer: bool,
    /// Between the values of a list.
    pub separator: Option<String>,
    /// Between the values of CSV.
    pub csv_separator: Option<String>,
    /// The width that tables are cut to instead of the terminal's.
    pub columns: Option<usize>,
    pub pager: Pager,
    /// Results go to this file instead of the terminal.
    pub output: Option<Output>,
    /// Values of the statements' parameters.
    pub parameters: Parameters,
}

/// A file that results are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub path: PathBuf,
    /// An earlier result of this session is in the file: write behind it.
    pub is_append: bool,
    /// The format that was asked for together with the file; otherwise its suffix decides.
    pub format: Option<Format>,
}

impl Output {
    pub fn new(path: PathBuf) -> Output {
        Output { path, is_append: false, format: None }
    }
}

/// When the pager is used: never, for what is longer than the screen, for every result.
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
        let is_on = switch(text).map_err(|_| Error::usage(format!("`{text}` is none of on, off and always")))?;
        Ok(if is_on { Pager::On } else { Pager::Off })
    }
}

/// Whether rows are shown as one line per value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expanded {
    Off,
    On,
    /// When the table is wider than the terminal.
    Auto,
}

impl Default for Settings {
    /// What an interactive shell starts with; 40 rows are DuckDB's limit.
    fn default() -> Self {
        Settings {
            format: Format::Table,
            expanded: Expanded::Off,
            is_timing_on: false,
            null: None,
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
    /// The format in force: a file's first, then `\x`, then the one that was chosen.
    pub fn format(&self) -> Format {
        let of_file = self.output.as_ref().and_then(|output| output.format.or_else(|| Format::from_path(&output.path)));
        match of_file {
            Some(format) => format,
            None if self.expanded == Expanded::On && self.format == Format::Table => Format::Line,
            None => self.format,
        }
    }

    /// The renderer's options for a result on a terminal of `width` columns; `None` when stdout is no terminal.
    ///
    /// A result that goes to a file is never cut.
    pub fn render_options(&self, width: Option<usize>) -> render::Options {
        let is_terminal = width.is_some() && self.output.is_none();
        let width = width.map(|width| self.columns.unwrap_or(width)).filter(|_| is_terminal);
        render::Options {
            header: self.header,
            null: self.null.clone(),
            width,
            max_rows: self.max_rows.filter(|_| self.output.is_none()),
            is_terminal,
            separator: match self.format() {
                Format::List => self.separator.clone(),
                Format::Csv => self.csv_separator.clone(),
                _ => None,
            },
            line_if_wide: self.expanded == Expanded::Auto,
            ..render::Options::default()
        }
    }

    /// The settings as `\pset` lists them.
    pub(super) fn list(&self) -> String {
        let expanded = match self.expanded {
            Expanded::Off => "off",
            Expanded::On => "on",
            Expanded::Auto => "auto",
        };
        let max_rows = self.max_rows.map_or("no limit".to_owned(), |rows| rows.to_string());
        let output = self.output.as_ref().map_or("stdout".to_owned(), |output| output.path.display().to_string());
        let lines = [
            ("format", self.format.to_string()),
            ("expanded", expanded.to_owned()),
            ("null", format!("'{}'", self.null.as_deref().unwrap_or_default())),
            ("tuples_only", on_off(!self.header && !self.footer).to_owned()),
            ("header", on_off(self.header).to_owned()),
            ("footer", on_off(self.footer).to_owned()),
            ("fieldsep", format!("'{}'", self.separator.as_deref().unwrap_or("|"))),
            ("csv_fieldsep", format!("'{}'", self.csv_separator.as_deref().unwrap_or(","))),
            ("pager", self.pager.name().to_owned()),
            ("columns", self.columns.map_or("the terminal's".to_owned(), |columns| columns.to_string())),
            ("maxrows", max_rows),
            ("timing", on_off(self.is_timing_on).to_owned()),
            ("output", output),
        ];
        lines.into_iter().map(|(name, value)| format!("{name:<13} {value}\n")).collect()
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
        _ => Err(Error::usage(format!("`{text}` is neither on nor off"))),
    }
}
