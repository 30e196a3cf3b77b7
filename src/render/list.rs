//! Values with a separator between them and nothing around them, one row per line: psql's unaligned output.
//!
//! Characters that would break a line are escaped; the separator inside a value is not, so programs should ask for CSV.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::value::columns;
use super::{Body, Options};
use crate::error::Result;
use crate::typed::visible;

pub(super) struct List {
    schema: SchemaRef,
    options: Options,
    separator: String,
}

impl List {
    pub(super) fn new(schema: SchemaRef, options: Options) -> List {
        let separator = options.separator.clone().unwrap_or_else(|| "|".to_owned());
        List { schema, options, separator }
    }
}

impl Body for List {
    fn begin(&mut self, out: &mut String) {
        if !self.options.header {
            return;
        }
        for (index, field) in self.schema.fields().iter().enumerate() {
            if index > 0 {
                out.push_str(&self.separator);
            }
            visible(field.name(), out);
        }
        out.push('\n');
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    out.push_str(&self.separator);
                }
                text.clear();
                if !column.write_text(row, &mut text) {
                    text.push_str(self.options.null_text());
                }
                visible(&text, out);
            }
            out.push('\n');
        }
        Ok(())
    }

    fn end(&mut self, _: &mut String) -> Result<()> {
        Ok(())
    }
}
