//! One HTML table. Values can only be text in it, and it loads nothing.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::value::{columns, is_number};
use super::{Body, Options};
use crate::error::Result;
use crate::typed::{is_shown, visible_char};

/// A file that is opened on its own must declare its encoding; inside another page the lines do no harm.
const HEAD: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<table>\n";

pub(super) struct Html {
    schema: SchemaRef,
    options: Options,
}

impl Html {
    pub(super) fn new(schema: SchemaRef, options: Options) -> Html {
        Html { schema, options }
    }
}

impl Body for Html {
    fn begin(&mut self, out: &mut String) {
        out.push_str(HEAD);
        if !self.options.header {
            return;
        }
        out.push_str("<tr>");
        for field in self.schema.fields() {
            out.push_str("<th>");
            escaped(field.name(), out);
            out.push_str("</th>");
        }
        out.push_str("</tr>\n");
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            out.push_str("<tr>");
            for (column, field) in columns.iter().zip(self.schema.fields()) {
                text.clear();
                if !column.write_text(row, &mut text) {
                    text.push_str(self.options.null_text());
                }
                out.push_str(if is_number(field.data_type()) { "<td align=\"right\">" } else { "<td>" });
                escaped(&text, out);
                out.push_str("</td>");
            }
            out.push_str("</tr>\n");
        }
        Ok(())
    }

    fn end(&mut self, out: &mut String) -> Result<()> {
        out.push_str("</table>\n");
        Ok(())
    }
}

pub fn escaped(text: &str, out: &mut String) {
    let mut before = None;
    for c in text.chars() {
        let is_shown = is_shown(c, before.replace(c));
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_shown => out.push(c),
            c => visible_char(c, out),
        }
    }
}
