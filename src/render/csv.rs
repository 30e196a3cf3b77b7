//! CSV and TSV (RFC 4180, lines end in `\n`). NULL is nothing, the empty string is `""`.
//!
//! A spreadsheet reads a cell that begins with `=` as a formula. To prevent that, text gets an apostrophe before such a
//! character, also after a `;`, a tab or another separator that is not ours: the list separator of a spreadsheet is its
//! country's, and a file of commas is split at semicolons there, quotes or not. Numbers, times and lengths of time are
//! typed columns, and stay as they are.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

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
    /// Makes the format; `separator` is its own, and one character of the options replaces it.
    pub(super) fn new(schema: SchemaRef, options: Options, separator: char) -> Csv {
        let separator = options.separator.as_ref().and_then(|text| text.chars().next()).unwrap_or(separator);
        Csv { schema, options, separator }
    }

    /// Appends a cell; text that a program could interpret is guarded.
    fn cell(&self, text: &str, is_text: bool, out: &mut String) {
        let guarded = if is_text && self.options.neutralise_formulas {
            guarded(text, self.separator)
        } else {
            Cow::Borrowed(text)
        };
        if self.options.is_terminal {
            let mut shown = String::with_capacity(guarded.len());
            visible(&guarded, &mut shown);
            self.quoted(&shown, out);
        } else {
            self.quoted(&guarded, out);
        }
    }

    fn quoted(&self, text: &str, out: &mut String) {
        let is_special = |c: char| c == self.separator || matches!(c, '"' | '\n' | '\r');
        // The text that stands for NULL must differ from NULL.
        if text == self.options.null_text() || text.is_empty() || text.contains(is_special) {
            out.push('"');
            for (index, part) in text.split('"').enumerate() {
                if index > 0 {
                    out.push_str("\"\"");
                }
                out.push_str(part);
            }
            out.push('"');
        } else {
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
            self.cell(field.name(), true, out);
        }
        out.push('\n');
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        let is_text: Vec<bool> = self.schema.fields().iter().map(|field| may_be_text(field.data_type())).collect();
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    out.push(self.separator);
                }
                text.clear();
                if column.write_text(row, &mut text) {
                    self.cell(&text, is_text[index], out);
                } else if columns.len() == 1 && self.options.null_text().is_empty() {
                    // Most readers do not count an empty line as a row: the row matters more than NULL against empty.
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

/// Returns whether values of this type can be somebody's text. Structs and lists are JSON, and begin with a bracket.
fn may_be_text(of: &DataType) -> bool {
    match of {
        DataType::Dictionary(_, values) => may_be_text(values),
        DataType::RunEndEncoded(_, values) => may_be_text(values.data_type()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Union(..) => true,
        _ => false,
    }
}

/// Returns `text` with an apostrophe at each place from which a spreadsheet would run it.
fn guarded(text: &str, separator: char) -> Cow<'_, str> {
    let splits = |c: char| c != separator && matches!(c, ';' | ',' | '|' | '\t' | '\n' | '\r');
    let mut places: Vec<usize> = Vec::new();
    if is_formula(text) {
        places.push(0);
    }
    // Text is guarded only where a formula can begin after a separator: `a; -1` and `(X11; Linux)` stay as they are.
    let behind = text.char_indices().filter(|(_, c)| splits(*c)).map(|(at, c)| at + c.len_utf8());
    places.extend(behind.filter(|at| {
        let rest = text[*at..].trim_start_matches([' ', '"']);
        let cell = rest.split(splits).next().unwrap_or_default();
        rest.starts_with(FORMULA) && is_formula(cell.trim_end())
    }));
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + places.len());
    let mut from = 0;
    for at in places {
        out.push_str(&text[from..at]);
        out.push('\'');
        from = at;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Characters that begin a formula, also in their full-width form.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Returns whether a spreadsheet would run `text`. Signed numbers are left alone: a report of differences must stay
/// numeric.
pub(super) fn is_formula(text: &str) -> bool {
    text.starts_with(|c| FORMULA.contains(&c) || matches!(c, '\t' | '\r' | '\n')) && !is_number(text)
}

fn is_number(text: &str) -> bool {
    // Rust also reads `inf` and `nan`, which a spreadsheet reads as a name.
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

    #[test]
    fn a_formula_behind_anybodys_separator_is_guarded() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("x;=1+1", "x;'=1+1"),
            ("x; \"@SUM(A1);y\n+cmd|' /C'!A0", "x;' \"@SUM(A1);y\n'+cmd|' /C'!A0"),
            ("a\t-2+3", "a\t'-2+3"),
            // With commas we quote our own separator, and a reader who splits there reads quotes.
            ("a,=1", "a,=1"),
        ] {
            assert_eq!(guarded(text, ','), expected);
        }
        assert_eq!(guarded("a,=1", '\t'), "a,'=1");
        for plain in ["Mozilla/5.0 (X11; Linux x86_64)", "a;-1;+2.5", "-7", "a=b;c=d", "k;\n", ""] {
            assert!(matches!(guarded(plain, ','), Cow::Borrowed(_)), "{plain:?}");
        }
    }

    #[test]
    fn only_text_is_guarded() {
        let of = |value: DataType| may_be_text(&value);
        assert!(of(DataType::Utf8View) && of(DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into())));
        for typed in [DataType::Int64, DataType::Float64, DataType::Interval(arrow::datatypes::IntervalUnit::DayTime)] {
            assert!(!of(typed));
        }
    }
}
