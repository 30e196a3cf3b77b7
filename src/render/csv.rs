//! CSV and TSV (RFC 4180, lines end in `\n`). NULL is nothing, the empty string is `""`.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::value::columns;
use super::{Body, Options};
use crate::error::Result;
use crate::typed::visible;

pub(super) struct Csv {
    schema: SchemaRef,
    options: Options,
    separator: char,
}

impl Csv {
    /// `separator` is the format's own; one character of the options replaces it.
    pub(super) fn new(schema: SchemaRef, options: Options, separator: char) -> Csv {
        let separator = options.separator.as_ref().and_then(|text| text.chars().next()).unwrap_or(separator);
        Csv { schema, options, separator }
    }

    fn cell(&self, text: &str, out: &mut String) {
        if self.options.is_terminal {
            let mut shown = String::with_capacity(text.len());
            visible(text, &mut shown);
            self.quoted(&shown, out);
        } else {
            self.quoted(text, out);
        }
    }

    fn quoted(&self, text: &str, out: &mut String) {
        let guard = if self.options.neutralise_formulas && is_formula(text) { "'" } else { "" };
        let is_special = |c: char| c == self.separator || matches!(c, '"' | '\n' | '\r');
        // The text that stands for NULL must differ from NULL.
        if text == self.options.null_text() || text.is_empty() || text.contains(is_special) {
            out.push('"');
            out.push_str(guard);
            for (index, part) in text.split('"').enumerate() {
                if index > 0 {
                    out.push_str("\"\"");
                }
                out.push_str(part);
            }
            out.push('"');
        } else {
            out.push_str(guard);
            out.push_str(text);
        }
    }
}

impl Body for Csv {
    fn begin(&mut self, out: &mut String) {
        if !self.options.header {
            return;
        }
        for (index, field) in self.schema.fields().iter().enumerate() {
            if index > 0 {
                out.push(self.separator);
            }
            self.cell(field.name(), out);
        }
        out.push('\n');
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    out.push(self.separator);
                }
                text.clear();
                if column.write_text(row, &mut text) {
                    self.cell(&text, out);
                } else if columns.len() == 1 && self.options.null_text().is_empty() {
                    // An empty line is no row to most readers: the row is worth more than NULL against empty.
                    out.push_str("\"\"");
                } else {
                    out.push_str(self.options.null_text());
                }
            }
            out.push('\n');
        }
        Ok(())
    }

    fn end(&mut self, _: &mut String) -> Result<()> {
        Ok(())
    }
}

/// Whether a spreadsheet would run `text`. Signed numbers are left alone: a report of differences must stay numeric.
pub(super) fn is_formula(text: &str) -> bool {
    let starts_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    starts_formula && !is_number(text)
}

fn is_number(text: &str) -> bool {
    // Rust also reads `inf` and `nan`, which a spreadsheet takes for a name.
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_told_from_numbers() {
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-1+1", "@SUM(A1)", "\t=1", "-", "-inf", "--1", "\u{ff1d}1"] {
            assert!(is_formula(formula), "{formula}");
        }
        for plain in ["-1", "+1.5e-7", "-0.25", "a=b", "", "1-2"] {
            assert!(!is_formula(plain), "{plain}");
        }
    }
}
