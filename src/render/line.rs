//! One line per value, one record after the other: for reading single events. Nothing is cut.
//!
//! A struct is shown as its members, by the dotted paths that a statement takes, and so are the items of a list. Only
//! values that exist get a line, unless the options ask for the others as well. Text that is JSON is indented, and an
//! id of an enumeration has its caption beside it.
//!
//! ```text
//! -[ RECORD 1 ]-
//! time           | 2026-01-15T10:00:00.123Z
//! activity_id    | 1  Logon
//! actor.user.uid | u1
//! unmapped       | {
//!                |   "region": "eu-central-1"
//!                | }
//! ```

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::escape::write_to;
use super::value::{Column, Parts, columns, is_whole_number};
use super::wrap::{width, wrapped};
use super::{Body, Options};
use crate::error::Result;
use crate::typed::visible;

/// Values get at least this many columns, however long the names are.
const NARROWEST: usize = 20;
/// The separator between a name and its value.
const BAR: &str = " |";

pub(super) struct Line {
    schema: SchemaRef,
    options: Options,
    record: u64,
}

/// One line of a record before it is drawn.
struct Entry {
    path: String,
    /// None for NULL.
    value: Option<Vec<String>>,
}

impl Line {
    pub(super) fn new(schema: SchemaRef, options: Options) -> Line {
        Line { schema, options, record: 0 }
    }

    /// Counts records that are not shown.
    pub(super) fn skip(&mut self, records: u64) {
        self.record += records;
    }

    /// Returns the lines that the rows of a batch take; stops counting above `limit`.
    pub(super) fn height(&self, batch: &RecordBatch, limit: usize) -> Result<usize> {
        let columns = columns(batch)?;
        let mut lines = 0;
        for row in 0..batch.num_rows() {
            let mut out = String::new();
            self.draw(self.entries(&columns, row), &mut out);
            lines += 1 + out.lines().count();
            if lines > limit {
                break;
            }
        }
        Ok(lines)
    }

    fn entries(&self, columns: &[Column<'_>], row: usize) -> Vec<Entry> {
        let is_class = |field: &&arrow::datatypes::FieldRef| field.name() == "class_uid";
        let class = self.schema.fields().iter().position(|field| is_class(&field)).map(|at| &columns[at]);
        let class_uid = class.and_then(|column| {
            let mut text = String::new();
            column.write_text(row, &mut text).then(|| text.parse().ok()).flatten()
        });
        let mut record = Record { options: &self.options, class_uid, entries: Vec::new() };
        for (field, column) in self.schema.fields().iter().zip(columns) {
            record.add(field.name(), column, row, is_whole_number(field.data_type()));
        }
        record.entries
    }

    fn draw(&self, entries: Vec<Entry>, out: &mut String) {
        let names = entries.iter().map(|entry| width(&entry.path)).max().unwrap_or_default();
        let room = self.options.width.map(|all| all.saturating_sub(names + BAR.len() + 1).max(NARROWEST));
        for entry in entries {
            let lines = entry.value.unwrap_or_else(|| vec![self.options.null_text().to_owned()]);
            let lines = lines.iter().flat_map(|line| match room {
                Some(room) => wrapped(line, room),
                None => vec![line.clone()],
            });
            for (index, line) in lines.enumerate() {
                let name = if index == 0 { entry.path.as_str() } else { "" };
                write_to(out, format_args!("{name}{:1$}{BAR}", "", names - width(name)));
                if !line.is_empty() {
                    out.push(' ');
                    out.push_str(&line);
                }
                out.push('\n');
            }
        }
    }
}

/// The values of one row, path by path.
struct Record<'o> {
    options: &'o Options,
    class_uid: Option<i64>,
    entries: Vec<Entry>,
}

impl Record<'_> {
    fn add(&mut self, path: &str, column: &Column<'_>, row: usize, is_id: bool) {
        if column.is_null(row) {
            if self.options.nulls {
                self.entries.push(Entry { path: shown(path), value: None });
            }
            return;
        }
        match column.parts(row) {
            Parts::Members(members) => {
                for member in members {
                    self.add(&format!("{path}.{}", member.name), &member.column, row, member.is_whole_number);
                }
            }
            Parts::Items(range, items) if !range.is_empty() => {
                for (place, item) in range.enumerate() {
                    self.add(&format!("{path}[{}]", place + 1), items, item, false);
                }
            }
            Parts::Items(..) | Parts::Whole => self.add_value(path, column, row, is_id),
        }
    }

    fn add_value(&mut self, path: &str, column: &Column<'_>, row: usize, is_id: bool) {
        let mut text = String::new();
        // A union may hold a null.
        if !column.write_text(row, &mut text) {
            return;
        }
        let captions = self.options.captions.as_ref().filter(|_| is_id);
        let caption = captions.zip(text.parse().ok()).and_then(|(known, id)| known.of(path, self.class_uid, id));
        let value = match caption {
            Some(caption) => vec![shown(&format!("{text}  {caption}"))],
            None => indented(&text).unwrap_or_else(|| vec![shown(&text)]),
        };
        self.entries.push(Entry { path: shown(path), value: Some(value) });
    }
}

/// Returns the lines of a text that is JSON with members or items within it; `None` for other text, and for a list of
/// plain items.
///
/// The text is broken into lines, not rewritten: digits, order and repeated names stay as they are. A line break inside
/// a string is escaped in JSON, so no value can begin a line of its own.
fn indented(text: &str) -> Option<Vec<String>> {
    let is_nested = text.starts_with('{') && text.len() > 2 || text.starts_with('[') && text[1..].contains(['{', '[']);
    if !is_nested || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return None;
    }
    let mut lines = vec![String::new()];
    let mut depth = 0;
    let (mut is_string, mut is_escaped) = (false, false);
    let mut characters = text.chars().filter(|c| *c != '\n').peekable();
    while let Some(c) = characters.next() {
        let line = lines.last_mut()?;
        if is_string {
            line.push(c);
            is_string = is_escaped || c != '"';
            is_escaped = c == '\\' && !is_escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                line.push(c);
                while characters.next_if(|c| c.is_whitespace()).is_some() {}
                if let Some(close) = characters.next_if(|c| matches!(c, '}' | ']')) {
                    line.push(close);
                    continue;
                }
                depth += 1;
                lines.push(" ".repeat(2 * depth));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                lines.push(format!("{}{c}", " ".repeat(2 * depth)));
            }
            ',' => {
                line.push(c);
                lines.push(" ".repeat(2 * depth));
            }
            ':' => line.push_str(": "),
            c if c.is_whitespace() => {}
            c => {
                is_string = c == '"';
                line.push(c);
            }
        }
    }
    Some(lines.iter().map(|line| shown(line)).collect())
}

impl Body for Line {
    fn begin(&mut self, _: &mut String) {}

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        for row in 0..batch.num_rows() {
            self.record += 1;
            write_to(out, format_args!("-[ RECORD {} ]-\n", self.record));
            self.draw(self.entries(&columns, row), out);
        }
        Ok(())
    }

    fn end(&mut self, _: &mut String) -> Result<()> {
        Ok(())
    }
}

fn shown(text: &str) -> String {
    let mut out = String::new();
    visible(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_without_being_written_anew() {
        let text = r#"{"b":1.10,"a":[1, 2],"b":{},"c":{"d":"x\\","e":"{,}\u202e"},"f":[ ]}"#;
        let expected = [
            "{",
            r#"  "b": 1.10,"#,
            r#"  "a": ["#,
            "    1,",
            "    2",
            "  ],",
            r#"  "b": {},"#,
            r#"  "c": {"#,
            r#"    "d": "x\\","#,
            r#"    "e": "{,}\u202e""#,
            "  },",
            r#"  "f": []"#,
            "}",
        ];
        assert_eq!(indented(text).unwrap(), expected);
        for plain in ["{}", "[1,2]", "{not json}", "[", "text", r#"["a","b"]"#] {
            assert_eq!(indented(plain), None, "{plain}");
        }
    }

    proptest::proptest! {
        #[test]
        fn indenting_changes_nothing_but_blanks(members in proptest::collection::btree_map("[a-z\\\\\"]{1,3}", "[ -~]{0,6}", 1..4)) {
            let text = serde_json::to_string(&members).unwrap();
            let lines = indented(&text).unwrap();
            let back: std::collections::BTreeMap<String, String> = serde_json::from_str(&lines.concat()).unwrap();
            proptest::prop_assert_eq!(back, members);
        }
    }
}
