//! The names of the formats, and the format that a file's suffix means.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use clap::ValueEnum;

use crate::error::Error;
use crate::typed::nearest;

/// The formats. Names of psql, DuckDB, sqlite3 and ClickHouse are aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A box around aligned columns
    #[value(aliases = ["box", "column", "aligned"])]
    Table,
    /// Comma-separated values (RFC 4180)
    Csv,
    /// Tab-separated values
    #[value(alias = "tabs")]
    Tsv,
    /// One JSON array of objects
    Json,
    /// One JSON object per line
    #[value(aliases = ["jsonl", "jsonlines"])]
    Ndjson,
    /// A Markdown table
    #[value(alias = "md")]
    Markdown,
    /// One line per value, nested ones by their paths
    #[value(aliases = ["vertical", "expanded"])]
    Line,
    /// A page with one HTML table
    Html,
    /// Values with a bar between them
    #[value(alias = "unaligned")]
    List,
    /// Apache Parquet, to a file only
    Parquet,
    /// Arrow IPC: a file (Feather 2), or a stream in a pipe
    #[value(aliases = ["feather", "ipc"])]
    Arrow,
    /// An Excel workbook, to a file only
    #[value(alias = "excel")]
    Xlsx,
}

impl Format {
    /// Returns the format that the suffix of a file name means, if it means one.
    pub fn from_path(path: &Path) -> Option<Format> {
        let suffix = path.extension()?.to_str()?.to_ascii_lowercase();
        match suffix.as_str() {
            "txt" => Some(Format::Table),
            "csv" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "json" => Some(Format::Json),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            "md" => Some(Format::Markdown),
            "html" | "htm" => Some(Format::Html),
            "parquet" => Some(Format::Parquet),
            "arrow" | "feather" => Some(Format::Arrow),
            "xlsx" => Some(Format::Xlsx),
            _ => None,
        }
    }

    /// Returns the name, without aliases.
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Markdown => "markdown",
            Format::Line => "line",
            Format::Html => "html",
            Format::List => "list",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
            Format::Xlsx => "xlsx",
        }
    }

    /// Returns whether the format is binary: one result, never on a terminal.
    pub fn is_bytes(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow | Format::Xlsx)
    }

    /// Returns whether a person reads it rather than a program.
    pub fn is_for_people(self) -> bool {
        matches!(self, Format::Table | Format::Line)
    }

    /// Refuses a format that stdout cannot take. Arrow may go to a pipe, for a notebook at its other end.
    pub fn check_stdout(self, is_terminal: bool) -> Result<(), Error> {
        let takers = match self {
            Format::Arrow if is_terminal => "a file or a pipe",
            Format::Parquet | Format::Xlsx => "a file",
            _ => return Ok(()),
        };
        Err(Error::usage(format!("{self} is written to {takers} only"))
            .hint(format!("name one: `-o result.{self}`, or `\\g result.{self}` in the shell")))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Format, Error> {
        if let Ok(format) = <Format as ValueEnum>::from_str(text, true) {
            return Ok(format);
        }
        let error = Error::usage(format!("no output format `{text}`"));
        let names: Vec<String> = Format::value_variants()
            .iter()
            .filter_map(|format| format.to_possible_value())
            .flat_map(|value| value.get_name_and_aliases().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        Err(match nearest(text, names.iter().map(String::as_str)) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint("formats are table, csv, tsv, json, ndjson, markdown, line, html and list; parquet, arrow and xlsx to a file"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_of_other_shells_work() {
        for (name, format) in [
            ("box", Format::Table),
            ("column", Format::Table),
            ("tabs", Format::Tsv),
            ("JSONL", Format::Ndjson),
            ("jsonlines", Format::Ndjson),
            ("md", Format::Markdown),
            ("vertical", Format::Line),
            ("expanded", Format::Line),
            ("aligned", Format::Table),
            ("unaligned", Format::List),
            ("feather", Format::Arrow),
        ] {
            assert_eq!(name.parse::<Format>().unwrap(), format, "{name}");
        }
        for format in Format::value_variants() {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), *format);
        }
    }

    #[test]
    fn unknown_name_suggests() {
        let error = "markdwon".parse::<Format>().unwrap_err();
        assert_eq!(error.message(), "no output format `markdwon`");
        assert_eq!(error.hint_text(), Some("did you mean `markdown`?"));
        assert!("x".parse::<Format>().unwrap_err().hint_text().unwrap().starts_with("formats are"));
    }

    #[test]
    fn suffix_decides() {
        assert_eq!(Format::from_path(Path::new("out/a.JSONL")), Some(Format::Ndjson));
        assert_eq!(Format::from_path(Path::new("a.csv")), Some(Format::Csv));
        assert_eq!(Format::from_path(Path::new("a.parquet")), Some(Format::Parquet));
        assert_eq!(Format::from_path(Path::new("a.zip")), None);
        assert_eq!(Format::from_path(Path::new("csv")), None);
    }
}
