//! Markdown tables (GitHub's). A value can only be text in them: every character with a meaning is escaped.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::value::{columns, is_number};
use super::{Body, Options};
use crate::error::Result;
use crate::typed::{is_shown, visible_char};

pub(super) struct Markdown {
    schema: SchemaRef,
    options: Options,
}

impl Markdown {
    pub(super) fn new(schema: SchemaRef, options: Options) -> Markdown {
        Markdown { schema, options }
    }
}

impl Body for Markdown {
    /// Begins the table, which must have a header; without names its cells are empty.
    fn begin(&mut self, out: &mut String) {
        out.push('|');
        for field in self.schema.fields() {
            out.push(' ');
            if self.options.header {
                escaped(field.name(), out);
            }
            out.push_str(" |");
        }
        out.push_str("\n|");
        for field in self.schema.fields() {
            out.push_str(if is_number(field.data_type()) { " ---: |" } else { " --- |" });
        }
        out.push('\n');
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            out.push('|');
            for column in &columns {
                text.clear();
                if !column.write_text(row, &mut text) {
                    text.push_str(self.options.null_text());
                }
                out.push(' ');
                escaped(&text, out);
                out.push_str(" |");
            }
            out.push('\n');
        }
        Ok(())
    }

    fn end(&mut self, _: &mut String) -> Result<()> {
        Ok(())
    }
}

/// A zero-width space that breaks a word for a forge and not for the eye, written so that the source shows it.
const BREAK: &str = "&#8203;";

/// Appends `text` so that Markdown reads it as text, including addresses, which GitHub's dialect turns into links unasked.
///
/// A forge looks for `@name` and `#1` in the rendered text, where no backslash is left: a report that is posted there
/// would notify anyone who has that name. A zero-width space between the two prevents that.
pub fn escaped(text: &str, out: &mut String) {
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let is_special = match c {
            '\\' | '|' | '`' | '<' | '>' | '[' | ']' | '*' | '~' | '&' | '$' => true,
            ':' => characters.peek() == Some(&'/'),
            '.' => matches!(before, 'w' | 'W'),
            // Inside a word it has no meaning, and `user_access` should stay readable in the source.
            '_' => !(before.is_alphanumeric() && characters.peek().is_some_and(|next| next.is_alphanumeric())),
            _ => false,
        };
        if is_special {
            out.push('\\');
        }
        if is_shown(c, Some(before)) {
            out.push(c)
        } else {
            visible_char(c, out)
        }
        // In `ann@corp.example` and `a#1` it is inside a word, and names nobody.
        let is_sign = matches!(c, '@' | '#' | '!' | '%') && !before.is_alphanumeric();
        if is_sign && characters.peek().is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '"')) {
            out.push_str(BREAK);
        }
        before = c;
    }
}
