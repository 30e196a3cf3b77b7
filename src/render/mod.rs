//! Arrow record batches become text: tables for people, CSV and JSON for programs; and files: Parquet, Arrow, XLSX.
//!
//! ```text
//! RecordBatch -> value::Column (one typed view per column) -> csv | json | markdown | line | list | html | table -> W
//!            \-> parquet | arrow                            \-> xlsx                                             -> W
//! ```
//!
//! Everything streams: memory is bounded by a page of rows or a row group, whatever the result's size (a workbook is
//! bounded by the rows that a worksheet can hold). Log content is hostile, so
//! control and bidirectional characters reach a person only as `\u{202e}`, and CSV cells cannot start a formula.
//! NULL is the empty text unless `Options::null` says otherwise; JSON has its own `null`. Row counts and all other
//! talk belong to the caller.

mod csv;
mod escape;
mod files;
mod format;
mod html;
mod json;
mod line;
mod list;
mod markdown;
mod names;
mod parquet;
mod table;
mod value;
mod xlsx;

use std::error::Error as _;
use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

pub use self::parquet::Parquet;
pub use format::Format;
pub use markdown::escaped as markdown_text;
pub use value::row_texts;
pub use xlsx::Workbook;

use crate::error::{Context, Error, Kind, Result};

/// Rows that are turned into text before the writer sees them: bounds the buffer for wide rows.
const ROWS_PER_WRITE: usize = 1024;

/// How a result is shown; what does not concern a format is ignored by it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether column names are printed (csv, tsv, table, markdown).
    pub header: bool,
    /// The text of NULL in every format but JSON; empty when not set.
    pub null: Option<String>,
    /// The terminal's columns: tables are cut to fit. `None` cuts nothing.
    pub width: Option<usize>,
    /// Tables only: of longer results, show the head, a line of dots and the tail.
    pub max_rows: Option<usize>,
    /// The writer is a terminal: CSV is then escaped like a table.
    pub is_terminal: bool,
    /// What stands between values (csv, list); the format's own when not set.
    pub separator: Option<String>,
    /// CSV and TSV: cells that a spreadsheet would run as a formula get a leading apostrophe.
    pub neutralise_formulas: bool,
    /// Tables that are wider than `width` are printed in line format instead of being cut (`\x auto`).
    pub line_if_wide: bool,
    /// The result's name, which a workbook shows on its sheet.
    pub title: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            header: true,
            null: None,
            width: None,
            max_rows: None,
            is_terminal: false,
            separator: None,
            neutralise_formulas: true,
            line_if_wide: false,
            title: None,
        }
    }
}

impl Options {
    fn null_text(&self) -> &str {
        self.null.as_deref().unwrap_or_default()
    }
}

/// What a format does; text is appended to `out`, which the renderer writes and clears.
trait Body: Send {
    /// What stands before the first row, also when there is none.
    fn begin(&mut self, out: &mut String);
    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()>;
    fn end(&mut self, out: &mut String) -> Result<()>;
}

/// What a format of bytes does; the writer is made with the first batch, because it can fail.
trait FileBody: Send {
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;
    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;
}

enum Form {
    Text(Box<dyn Body>, String),
    File(Box<dyn FileBody>, Vec<u8>),
}

/// Writes batches of one schema to `W` as they come.
///
/// Dropped without `finish`, the output stays incomplete on purpose: a JSON array that failed half-way does not parse.
pub struct Renderer<W: Write> {
    form: Form,
    rows: u64,
    out: W,
}

impl<W: Write> Renderer<W> {
    pub fn new(format: Format, schema: SchemaRef, options: Options, out: W) -> Self {
        let text = |mut body: Box<dyn Body>| {
            let mut buffer = String::new();
            body.begin(&mut buffer);
            Form::Text(body, buffer)
        };
        let form = match format {
            Format::Table => text(Box::new(table::Table::new(schema, options))),
            Format::Csv => text(Box::new(csv::Csv::new(schema, options, ','))),
            Format::Tsv => text(Box::new(csv::Csv::new(schema, options, '\t'))),
            Format::Json => text(Box::new(json::Json::array(&schema))),
            Format::Ndjson => text(Box::new(json::Json::lines(&schema))),
            Format::Markdown => text(Box::new(markdown::Markdown::new(schema, options))),
            Format::Line => text(Box::new(line::Line::new(schema, options))),
            Format::Html => text(Box::new(html::Html::new(schema, options))),
            Format::List => text(Box::new(list::List::new(schema, options))),
            Format::Parquet => Form::File(Box::new(files::ParquetFile::new(&schema)), Vec::new()),
            Format::Arrow => Form::File(Box::new(files::ArrowFile::new(&schema)), Vec::new()),
            Format::Xlsx => Form::File(Box::new(files::Sheet::new(schema, options)), Vec::new()),
        };
        Renderer { form, rows: 0, out }
    }

    /// Writes the rows of `batch`; tables may hold them back until `finish`.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for start in (0..batch.num_rows()).step_by(ROWS_PER_WRITE) {
            let rows = ROWS_PER_WRITE.min(batch.num_rows() - start);
            let batch = batch.slice(start, rows);
            match &mut self.form {
                Form::Text(body, buffer) => body.rows(&batch, buffer)?,
                Form::File(body, buffer) => body.rows(&batch, buffer)?,
            }
            self.rows += rows as u64;
            self.drain()?;
        }
        Ok(())
    }

    /// Writes what is left and flushes the writer; returns how many rows were given.
    pub fn finish(mut self) -> Result<u64> {
        match &mut self.form {
            Form::Text(body, buffer) => body.end(buffer)?,
            Form::File(body, buffer) => body.end(buffer)?,
        }
        self.drain()?;
        self.out.flush().context(Kind::Unavailable, || "cannot write the result")?;
        Ok(self.rows)
    }

    fn drain(&mut self) -> Result<()> {
        let cannot = || "cannot write the result";
        match &mut self.form {
            Form::Text(_, buffer) if !buffer.is_empty() => {
                self.out.write_all(buffer.as_bytes()).context(Kind::Unavailable, cannot)?;
                buffer.clear();
            }
            Form::File(_, buffer) if !buffer.is_empty() => {
                self.out.write_all(buffer).context(Kind::Unavailable, cannot)?;
                buffer.clear();
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether `error` says that the reader went away (`| head`): no error to a command line, which then ends quietly.
pub fn is_closed_pipe(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests;
