//! One line per value, a record after the other: for rows that are wider than a screen. Nothing is cut.
//!
//! ```text
//! -[ RECORD 1 ]-
//! time  | 2026-01-15T10:00:00.123Z
//! actor | {"user":{"uid":"u1"}}
//! ```

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::escape::write_to;
use super::value::columns;
use super::{Body, Options};
use crate::error::Result;
use crate::typed::visible;

pub(super) struct Line {
    options: Options,
    /// Names, escaped and padded to one width.
    names: Vec<String>,
    record: u64,
}

impl Line {
    pub(super) fn new(schema: SchemaRef, options: Options) -> Line {
        let names: Vec<String> = schema.fields().iter().map(|field| shown(field.name())).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let names = names.into_iter().map(|name| format!("{name:width$}")).collect();
        Line { options, names, record: 0 }
    }

    /// Counts records that are not shown.
    pub(super) fn skip(&mut self, records: u64) {
        self.record += records;
    }
}

impl Body for Line {
    fn begin(&mut self, _: &mut String) {}

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            self.record += 1;
            write_to(out, format_args!("-[ RECORD {} ]-\n", self.record));
            for (name, column) in self.names.iter().zip(&columns) {
                text.clear();
                if !column.write_text(row, &mut text) {
                    text.push_str(self.options.null_text());
                }
                out.push_str(name);
                out.push_str(" |");
                if !text.is_empty() {
                    out.push(' ');
                    visible(&text, out);
                }
                out.push('\n');
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &mut String) -> Result<()> {
        Ok(())
    }
}

fn shown(name: &str) -> String {
    let mut out = String::new();
    visible(name, &mut out);
    out
}
