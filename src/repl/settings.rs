//! What the user has set, and what it means for the next result.

use std::path::PathBuf;

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
    /// Results go to this file instead of the terminal.
    pub output: Option<Output>,
}

/// A file that results are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub path: PathBuf,
    /// An earlier result of this session is in the file: write behind it.
    pub is_append: bool,
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
            output: None,
        }
    }
}

impl Settings {
    /// The format in force: a file's suffix first, then `\x`, then the one that was chosen.
    pub fn format(&self) -> Format {
        let suffix = self.output.as_ref().and_then(|output| Format::from_path(&output.path));
        match suffix {
            Some(format) => format,
            None if self.expanded == Expanded::On && self.format == Format::Table => Format::Line,
            None => self.format,
        }
    }

    /// The renderer's options for a result on a terminal of `width` columns; `None` when stdout is no terminal.
    ///
    /// A result that goes to a file is never cut.
    pub fn render_options(&self, width: Option<usize>) -> render::Options {
        let width = width.filter(|_| self.output.is_none());
        render::Options {
            header: self.header,
            null: self.null.clone(),
            width,
            max_rows: self.max_rows.filter(|_| self.output.is_none()),
            is_terminal: width.is_some(),
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
        format!(
            "format    {}\nexpanded  {expanded}\ntiming    {}\nheader    {}\nnull      '{}'\nmaxrows   {max_rows}\n\
             output    {output}\n",
            self.format,
            on_off(self.is_timing_on),
            on_off(self.header),
            self.null.as_deref().unwrap_or_default(),
        )
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
