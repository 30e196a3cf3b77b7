//! XLSX: workbooks, one sheet per result, for people who read Excel.
//!
//! Log content is hostile: text is always a text cell in text format, so that it never becomes a formula, not even when
//! somebody edits the cell; text that looks like one also gets Excel's own quote mark. The same rows give the same
//! bytes: no time and no user are written. The format keeps a sheet in memory until the end, which is why it has a
//! limit of rows.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use chrono::DateTime;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatBorder, Worksheet, XlsxError};

use super::csv::is_formula;
use super::value::{columns, is_number};
use crate::error::{Context, Error, Kind, Result};
use crate::typed::visible_lines;

/// Excel's limits.
const MAX_COLUMNS: usize = 16_384;
const MAX_CELL_UTF16: usize = 32_767;
const MAX_NAME: usize = 31;
/// Excel keeps 15 digits: longer whole numbers are ids, and become text.
const MAX_DIGITS: usize = 15;
/// Rows looked at for the width of a column, and the limits of that width in characters.
const WIDTH_ROWS: u32 = 500;
const WIDTH: std::ops::RangeInclusive<usize> = 8..=60;
/// Serial number of 1970-01-01 in Excel's count of days.
const EPOCH_DAYS: f64 = 25_569.0;
/// Excel took 1900 for a leap year: serial numbers are right from 1900-03-01 on, and end with the year 9999.
const TIMES_MS: std::ops::Range<i64> = -2_203_891_200_000..253_402_300_800_000;

/// A workbook that is being written.
pub struct Workbook {
    book: rust_xlsxwriter::Workbook,
    styles: Styles,
    /// Names of the sheets in lower case, which is how Excel compares them.
    names: Vec<String>,
    kinds: Vec<CellKind>,
    widths: Vec<usize>,
    /// Rows of the sheet, the header included.
    row: u32,
    rows: u64,
}

struct Styles {
    header: Format,
    text: Format,
    formula: Format,
    time: Format,
}

#[derive(Clone, Copy)]
enum CellKind {
    Whole,
    Float,
    Boolean,
    Time,
    Text,
}

impl Workbook {
    /// Rows that a sheet holds below its header.
    pub const MAX_ROWS: u64 = 1_048_575;

    pub fn new() -> Result<Workbook> {
        let mut book = rust_xlsxwriter::Workbook::new();
        let epoch = ExcelDateTime::from_ymd(2000, 1, 1).context(Kind::Internal, || "cannot date a workbook")?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&epoch));
        let styles = Styles {
            header: Format::new().set_bold().set_border_bottom(FormatBorder::Thin).set_num_format("@"),
            text: Format::new().set_num_format("@"),
            formula: Format::new().set_num_format("@").set_quote_prefix(),
            time: Format::new().set_num_format("yyyy\\-mm\\-dd hh:mm:ss.000"),
        };
        Ok(Workbook { book, styles, names: Vec::new(), kinds: Vec::new(), widths: Vec::new(), row: 0, rows: 0 })
    }

    /// Begins a sheet; rows go there from now on. Its name is changed into one that Excel accepts and that is still free.
    pub fn add_sheet(&mut self, name: &str, schema: &Schema) -> Result<()> {
        self.end_sheet()?;
        if schema.fields().len() > MAX_COLUMNS {
            let message = format!("a sheet holds {MAX_COLUMNS} columns; the result has {}", schema.fields().len());
            return Err(Error::input(message).hint("write it as .csv or .parquet"));
        }
        let name = self.free_name(name);
        self.kinds = schema.fields().iter().map(|field| kind(field.data_type())).collect();
        self.widths = schema.fields().iter().map(|field| field.name().chars().count() + 3).collect();
        let sheet = self.book.add_worksheet();
        sheet.set_name(&name).map_err(refused)?;
        for (column, field) in schema.fields().iter().enumerate() {
            let text = cell_text(field.name());
            sheet.write_string_with_format(0, column as u16, text, &self.styles.header).map_err(refused)?;
        }
        sheet.set_freeze_panes(1, 0).map_err(refused)?;
        self.row = 1;
        self.names.push(name.to_lowercase());
        Ok(())
    }

    /// Writes rows to the sheet that was begun last.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if u64::from(self.row) - 1 + batch.num_rows() as u64 > Workbook::MAX_ROWS {
            return Err(Error::input(format!("a sheet holds {} rows; the result has more", Workbook::MAX_ROWS))
                .hint("write it as .csv or .parquet"));
        }
        let columns = columns(batch)?;
        let sheet = current(&mut self.book, self.names.len())?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                text.clear();
                if !column.write_text(row, &mut text) {
                    continue;
                }
                if self.row <= WIDTH_ROWS {
                    self.widths[index] = self.widths[index].max(text.chars().count() + 1);
                }
                write_cell(sheet, (self.row, index as u16), self.kinds[index], &text, &self.styles).map_err(refused)?;
            }
            self.row += 1;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Writes the workbook; returns the rows of all sheets.
    pub fn finish(mut self, mut out: impl Write) -> Result<u64> {
        self.end_sheet()?;
        let bytes = self.book.save_to_buffer().map_err(refused)?;
        out.write_all(&bytes).and_then(|()| out.flush()).context(Kind::Unavailable, || "cannot write the result")?;
        Ok(self.rows)
    }

    fn end_sheet(&mut self) -> Result<()> {
        if self.names.is_empty() || self.widths.is_empty() {
            return Ok(());
        }
        let sheet = current(&mut self.book, self.names.len())?;
        for (column, width) in self.widths.iter().enumerate() {
            let width = (*width).clamp(*WIDTH.start(), *WIDTH.end());
            sheet.set_column_width(column as u16, width as f64).map_err(refused)?;
        }
        sheet.autofilter(0, 0, self.row - 1, self.widths.len() as u16 - 1).map_err(refused)?;
        Ok(())
    }

    fn free_name(&self, wanted: &str) -> String {
        let is_refused = |c: char| c.is_control() || matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\'');
        let plain: String = wanted.chars().map(|c| if is_refused(c) { '_' } else { c }).collect();
        let plain = if plain.trim().is_empty() { "result".to_string() } else { plain };
        let candidates = (1..).map(|number| match number {
            1 => cut(&plain, MAX_NAME).to_string(),
            number => {
                let suffix = format!(" {number}");
                format!("{}{suffix}", cut(&plain, MAX_NAME - suffix.len()))
            }
        });
        let mut free = candidates.filter(|name| !self.names.contains(&name.to_lowercase()));
        free.next().expect("numbers do not end")
    }
}

/// Returns the longest beginning of `text` that has at most `units` UTF-16 units, in which Excel counts.
fn cut(text: &str, units: usize) -> &str {
    let mut length = 0;
    for (at, c) in text.char_indices() {
        length += c.len_utf16();
        if length > units {
            return &text[..at];
        }
    }
    text
}

fn current(book: &mut rust_xlsxwriter::Workbook, sheets: usize) -> Result<&mut Worksheet> {
    let last = sheets.checked_sub(1).ok_or_else(|| Error::new(Kind::Internal, "a workbook has no sheet yet"))?;
    book.worksheet_from_index(last).map_err(refused)
}

fn kind(ty: &DataType) -> CellKind {
    match ty {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => CellKind::Float,
        DataType::Boolean => CellKind::Boolean,
        DataType::Timestamp(_, Some(_)) => CellKind::Time,
        ty if is_number(ty) => CellKind::Whole,
        _ => CellKind::Text,
    }
}

/// Writes a value; one whose kind a sheet cannot hold becomes text, which keeps every digit.
fn write_cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    kind: CellKind,
    text: &str,
    styles: &Styles,
) -> Result<(), XlsxError> {
    let number = match kind {
        CellKind::Whole if text.bytes().filter(u8::is_ascii_digit).count() > MAX_DIGITS => None,
        CellKind::Whole | CellKind::Float => text.parse::<f64>().ok().filter(|number| number.is_finite()),
        CellKind::Time => {
            if let Some(serial) = serial(text) {
                return sheet.write_number_with_format(row, column, serial, &styles.time).map(|_| ());
            }
            None
        }
        CellKind::Boolean => return sheet.write_boolean(row, column, text == "true").map(|_| ()),
        CellKind::Text => None,
    };
    match number {
        Some(number) => sheet.write_number(row, column, number).map(|_| ()),
        None => {
            let style = if is_formula(text) { &styles.formula } else { &styles.text };
            sheet.write_string_with_format(row, column, cell_text(text), style).map(|_| ())
        }
    }
}

/// Returns Excel's count of days for an instant of whole milliseconds within its calendar.
fn serial(text: &str) -> Option<f64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    let time_ms = time.timestamp_millis();
    let is_whole = time.timestamp_subsec_nanos() % 1_000_000 == 0;
    (is_whole && TIMES_MS.contains(&time_ms)).then(|| time_ms as f64 / 86_400_000.0 + EPOCH_DAYS)
}

/// Returns the text as a cell can hold it: no control characters, no longer than Excel allows.
fn cell_text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // The library takes such text for its own markup and writes it unescaped.
    if text.starts_with("<r>") && text.ends_with("</r>") {
        shown.push(' ');
    }
    shown.push_str(&visible_lines(text));
    if cut(&shown, MAX_CELL_UTF16).len() == shown.len() {
        return shown;
    }
    let note = format!(" ... [{} characters in all]", text.chars().count());
    format!("{}{note}", cut(&shown, MAX_CELL_UTF16 - note.len()))
}

fn refused(error: XlsxError) -> Error {
    Error::new(Kind::Internal, "cannot write the workbook").caused_by(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn book(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut book = Workbook::new().unwrap();
        book.add_sheet("result", &batch.schema()).unwrap();
        book.write(&batch).unwrap();
        let mut bytes = Vec::new();
        book.finish(&mut bytes).unwrap();
        bytes
    }

    /// Returns one part of a workbook. Entries are found by their local headers; sizes are in the central directory.
    fn part(bytes: &[u8], name: &str) -> String {
        let u16_at = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let central = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"PK\x01\x02").map(|(at, _)| at);
        for at in central {
            if &bytes[at + 46..at + 46 + u16_at(at + 28)] == name.as_bytes() {
                let (size, local) = (u32_at(at + 20), u32_at(at + 42));
                let start = local + 30 + u16_at(local + 26) + u16_at(local + 28);
                let mut text = String::new();
                let mut inflate = flate2::read::DeflateDecoder::new(&bytes[start..start + size]);
                inflate.read_to_string(&mut text).unwrap();
                return text;
            }
        }
        panic!("no part {name}");
    }

    #[test]
    fn hostile_text_is_text() {
        let texts = ["=1+1", "<r><t>x</t></r>", "a\u{1b}[31m\u{202e}b", "two\nlines", "</t></si>", "_x0041_", "007"];
        let long = "é".repeat(40_000);
        let mut column: Vec<&str> = texts.to_vec();
        column.push(&long);
        let bytes = book(vec![("=cmd", Arc::new(StringArray::from(column)))]);
        let strings = part(&bytes, "xl/sharedStrings.xml");
        assert!(strings.contains("<t>=1+1</t>") && strings.contains("<t>=cmd</t>"), "{strings}");
        assert!(strings.contains("> &lt;r&gt;&lt;t&gt;x&lt;/t&gt;&lt;/r&gt;</t>"), "{strings}");
        assert!(strings.contains("a\\u{1b}[31m\\u{202e}b"), "{strings}");
        assert!(strings.contains("two\nlines") && strings.contains("&lt;/t&gt;&lt;/si&gt;"), "{strings}");
        assert!(strings.contains("_x005F_x0041_"), "{strings}");
        assert!(strings.contains("é ... [40000 characters in all]</t>"));
        let sheet = part(&bytes, "xl/worksheets/sheet1.xml");
        assert!(!sheet.contains("<f>"), "{sheet}");
        // Every cell below the header is a shared string; the formula's style is its own.
        assert_eq!(sheet.matches("t=\"s\"").count(), 9, "{sheet}");
        assert!(part(&bytes, "xl/styles.xml").contains("quotePrefix=\"1\""));
    }

    #[test]
    fn values_keep_their_kind_and_their_digits() {
        let time = |us: i64| Some(us);
        let bytes = book(vec![
            ("n", Arc::new(Int64Array::from(vec![Some(7), Some(1_234_567_890_123_456), None]))),
            ("f", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN), None]))),
            ("b", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
            (
                "t",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![time(1_767_225_600_000_000), time(1), None])
                        .with_timezone("UTC"),
                ),
            ),
        ]);
        let sheet = part(&bytes, "xl/worksheets/sheet1.xml");
        assert!(sheet.contains("<c r=\"A2\"><v>7</v></c>"), "{sheet}");
        assert!(sheet.contains("<c r=\"B2\"><v>0.1</v></c>"), "{sheet}");
        assert!(sheet.contains("<c r=\"C2\" t=\"b\"><v>1</v></c>"), "{sheet}");
        assert!(sheet.contains("<v>46023</v>"), "{sheet}");
        let strings = part(&bytes, "xl/sharedStrings.xml");
        assert!(strings.contains("<t>1234567890123456</t>") && strings.contains("<t>NaN</t>"), "{strings}");
        assert!(strings.contains("<t>1970-01-01T00:00:00.000001Z</t>"), "{strings}");
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let once = || book(vec![("a", Arc::new(StringArray::from(vec!["x", "=y"])) as ArrayRef)]);
        assert_eq!(once(), once());
        assert!(!part(&once(), "docProps/core.xml").contains("202"), "{}", part(&once(), "docProps/core.xml"));
    }

    #[test]
    fn sheet_names_are_made_to_fit() {
        let mut book = Workbook::new().unwrap();
        let schema = Schema::empty();
        for name in [
            "a/b:c",
            "A_b_c",
            "",
            "a-very-long-name-of-a-report-beyond-the-limit",
            "a-very-long-name-of-a-report-beyond",
        ] {
            book.add_sheet(name, &schema).unwrap();
        }
        let expected =
            ["a_b_c", "a_b_c 2", "result", "a-very-long-name-of-a-report-be", "a-very-long-name-of-a-report- 2"];
        assert_eq!(book.names, expected);
        book.finish(Vec::new()).unwrap();
    }
}
