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

mod caption;
mod csv;
mod escape;
mod files;
mod format;
mod html;
mod json;
mod layout;
mod line;
mod list;
mod markdown;
mod names;
mod parquet;
mod read;
mod span;
mod table;
mod value;
mod wrap;
mod xlsx;
mod zone;

use std::error::Error as _;
use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

pub use self::parquet::Parquet;
pub use caption::Captions;
pub use format::Format;
pub use html::escaped as html_text;
pub use markdown::escaped as markdown_text;
pub use value::row_texts;
pub use wrap::wrapped;
pub use xlsx::Workbook;

use crate::error::{Context, Error, Kind, Result};

/// Rows that are turned into text before the writer sees them: bounds the buffer for wide rows.
const ROWS_PER_WRITE: usize = 1024;

/// Options of a result; a format ignores those that do not concern it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether column names are printed (csv, tsv, table, markdown).
    pub header: bool,
    /// The text of NULL in every format but JSON; empty when not set.
    pub null: Option<String>,
    /// The terminal's columns: tables are cut to fit. `None` cuts nothing.
    pub width: Option<usize>,
    /// The terminal's rows: cells of tables are wrapped while the table fits them, and cut where they are not known.
    pub height: Option<usize>,
    /// Tables only: of longer results, show the head, a line of dots and the tail.
    pub max_rows: Option<usize>,
    /// The writer is a terminal: CSV is then escaped like a table.
    pub is_terminal: bool,
    /// The writer is a pipe: Arrow is then a stream, which a reader can take without seeking.
    pub is_stream: bool,
    /// The separator between values (csv, list); the format's own when not set.
    pub separator: Option<String>,
    /// CSV and TSV: cells that a spreadsheet would run as a formula get a leading apostrophe.
    pub neutralise_formulas: bool,
    /// Tables that are wider than `width` are printed in line format instead of being cut (`\x auto`), unless they have
    /// too many rows to be read so.
    pub line_if_wide: bool,
    /// Line format: values that are NULL get a line, too.
    pub nulls: bool,
    /// Line format: the meaning of ids is shown beside them.
    pub captions: Option<Captions>,
    /// Text formats: times that are stored in UTC are shown in this zone.
    pub zone: Option<chrono_tz::Tz>,
    /// The result's name, which a workbook shows on its sheet.
    pub title: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            header: true,
            null: None,
            width: None,
            height: None,
            max_rows: None,
            is_terminal: false,
            is_stream: false,
            separator: None,
            neutralise_formulas: true,
            line_if_wide: false,
            nulls: false,
            captions: None,
            zone: None,
            title: None,
        }
    }
}

impl Options {
    fn null_text(&self) -> &str {
        self.null.as_deref().unwrap_or_default()
    }
}

/// A text format; text is appended to `out`, which the renderer writes and clears.
trait Body: Send {
    /// Writes the text before the first row, also when there is no row.
    fn begin(&mut self, out: &mut String);
    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()>;
    fn end(&mut self, out: &mut String) -> Result<()>;

    /// Returns the number of columns and of those that are shown, when some are not.
    fn left_out(&self) -> Option<(usize, usize)> {
        None
    }

    /// Returns whether a table was printed as lines.
    fn is_lines(&self) -> bool {
        false
    }
}

/// A binary format; the writer is created with the first batch, because that can fail.
trait FileBody: Send {
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;
    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;
}

/// The shown part of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Rows that were given to the renderer.
    pub rows: u64,
    /// The number of columns and of those that are shown, when the screen is too narrow for all.
    pub columns: Option<(usize, usize)>,
    /// Whether a table was printed as lines, with all its rows.
    pub is_lines: bool,
}

enum Form {
    Text(Box<dyn Body>, String),
    File(Box<dyn FileBody>, Vec<u8>),
}

/// Writes batches of one schema to `W` as they come.
///
/// When it is dropped without `finish`, the output stays incomplete on purpose: a JSON array that failed half-way does
/// not parse.
pub struct Renderer<W: Write> {
    form: Form,
    /// The schema of batches whose times are shown in a zone.
    zoned: Option<SchemaRef>,
    rows: u64,
    out: W,
}

impl<W: Write> Renderer<W> {
    pub fn new(format: Format, schema: SchemaRef, options: Options, out: W) -> Self {
        // A binary file holds the instants, which are the same in every zone.
        let zone = options.zone.filter(|_| !format.is_bytes());
        let zoned = zone.map(|zone| zone::schema_in(&schema, zone));
        let schema = zoned.clone().unwrap_or(schema);
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
            Format::Arrow => Form::File(Box::new(files::ArrowFile::new(&schema, options.is_stream)), Vec::new()),
            Format::Xlsx => Form::File(Box::new(files::Sheet::new(schema, options)), Vec::new()),
        };
        Renderer { form, zoned, rows: 0, out }
    }

    /// Writes the rows of `batch`; tables may hold them back until `finish`.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let in_zone = self.zoned.as_ref().map(|schema| zone::batch_in(batch, schema)).transpose()?;
        let batch = in_zone.as_ref().unwrap_or(batch);
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

    /// Writes the rest and flushes the writer; returns what was shown.
    pub fn finish(mut self) -> Result<Shown> {
        match &mut self.form {
            Form::Text(body, buffer) => body.end(buffer)?,
            Form::File(body, buffer) => body.end(buffer)?,
        }
        self.drain()?;
        self.out.flush().context(Kind::Unavailable, || "cannot write the result")?;
        let (columns, is_lines) = match &self.form {
            Form::Text(body, _) => (body.left_out(), body.is_lines()),
            Form::File(..) => (None, false),
        };
        Ok(Shown { rows: self.rows, columns, is_lines })
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

/// Returns whether `error` says that the reader went away (`| head`): not an error for a command line, which then ends
/// quietly.
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
