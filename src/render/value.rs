//! One cell: a column is inspected once per batch, then gives any row as text or as JSON.
//!
//! Numbers are plain (floats the shortest text that reads back the same), timestamps RFC 3339 in the zone of the query,
//! lengths of time `89 days 23:27:20`, binary lower-case hex, decimals text that keeps all digits, structs, lists and
//! maps JSON. A union, such as a JSON value of any type, is the value that it holds. The remaining types are Arrow's
//! own text.

use std::ops::Range;

use arrow::array::{Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow::util::display::ArrayFormatter;

use super::escape::{json_string, write_to};
use super::read::value;
use crate::error::Result;

/// A typed view of an array.
pub(super) struct Column<'a> {
    /// Nulls, including values that are null through their dictionary or run.
    nulls: Option<NullBuffer>,
    pub value: Value<'a>,
}

pub(super) type Print<'a> = Box<dyn Fn(usize, &mut String) + 'a>;
pub(super) type PrintFloat<'a> = Box<dyn Fn(usize, &mut String) -> bool + 'a>;

/// A typed view of a column, which gives its values.
pub(super) enum Value<'a> {
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// Values that print the same in JSON: integers and booleans.
    Plain(Print<'a>),
    /// Returns whether JSON has this number; it has no NaN and no infinity.
    Float(PrintFloat<'a>),
    /// Values that need only quotes in JSON.
    Quoted(Print<'a>),
    /// Arrow's text.
    Formatted(ArrayFormatter<'a>),
    /// The row is looked up in another column.
    Indirect(Box<dyn Fn(usize) -> usize + 'a>, Box<Column<'a>>),
    /// Text that is JSON already.
    Json(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// Each row holds the value of one of the columns, in its own row of that column.
    Union(Box<dyn Fn(usize) -> (usize, usize) + 'a>, Vec<Column<'a>>),
    Struct(Vec<Member<'a>>),
    List(Box<dyn Fn(usize) -> Range<usize> + 'a>, Box<Column<'a>>),
    Map(Box<dyn Fn(usize) -> Range<usize> + 'a>, Box<Column<'a>>, Box<Column<'a>>),
}

/// A member of a struct.
pub(super) struct Member<'a> {
    pub name: String,
    /// `"name":`, ready to be copied.
    pub key: String,
    /// Whether it may be the id of an enumeration.
    pub is_whole_number: bool,
    pub column: Column<'a>,
}

/// The parts of a column, for formats that show each part on its own line.
pub(super) enum Parts<'c, 'a> {
    /// One value.
    Whole,
    Members(&'c [Member<'a>]),
    /// Items of the row, when they are structs.
    Items(Range<usize>, &'c Column<'a>),
}

/// Returns the columns of a batch.
pub(super) fn columns(batch: &RecordBatch) -> Result<Vec<Column<'_>>> {
    batch.columns().iter().map(|array| Column::new(array.as_ref())).collect()
}

/// Returns the values of one row as plain text, NULL as `None`.
pub fn row_texts(batch: &RecordBatch, row: usize) -> Result<Vec<Option<String>>> {
    let text = |column: Column<'_>| {
        let mut text = String::new();
        column.write_text(row, &mut text).then_some(text)
    };
    Ok(columns(batch)?.into_iter().map(text).collect())
}

/// Returns whether values of the type are right-aligned in tables.
pub(super) fn is_number(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => is_number(value),
        kind => kind.is_numeric(),
    }
}

/// Returns whether values of the type are numbers without a fraction, as the ids of an enumeration are.
pub(super) fn is_whole_number(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => is_whole_number(value),
        kind => kind.is_integer(),
    }
}

impl<'a> Column<'a> {
    pub(super) fn new(array: &'a dyn Array) -> Result<Column<'a>> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(Column { nulls, value: value(array)? })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Returns the parts of the value of `row`, which is not null.
    pub(super) fn parts(&self, row: usize) -> Parts<'_, 'a> {
        match &self.value {
            Value::Struct(members) => Parts::Members(members),
            Value::List(range, items) if matches!(items.value, Value::Struct(_)) => Parts::Items(range(row), items),
            Value::Indirect(index, column) => column.parts(index(row)),
            _ => Parts::Whole,
        }
    }

    /// Returns the members of a struct; none for other columns.
    pub(super) fn members(&self) -> &[Member<'a>] {
        match &self.value {
            Value::Struct(members) => members,
            _ => &[],
        }
    }

    /// Appends the value of `row` as plain text, unescaped; returns false and appends nothing for NULL.
    pub(super) fn write_text(&self, row: usize, out: &mut String) -> bool {
        if self.is_null(row) {
            return false;
        }
        match &self.value {
            Value::Text(text) => out.push_str(text(row)),
            Value::Plain(print) | Value::Quoted(print) => print(row, out),
            Value::Float(print) => {
                print(row, out);
            }
            Value::Formatted(formatter) => write_to(out, format_args!("{}", formatter.value(row))),
            Value::Indirect(index, column) => return column.write_text(index(row), out),
            Value::Json(text) => out.push_str(text(row)),
            Value::Union(place, columns) => {
                let (column, row) = place(row);
                return columns.get(column).is_some_and(|column| column.write_text(row, out));
            }
            Value::Struct(_) | Value::List(..) | Value::Map(..) => self.write_json(row, out),
        }
        true
    }

    /// Appends the value of `row` as JSON.
    pub(super) fn write_json(&self, row: usize, out: &mut String) {
        if self.is_null(row) {
            out.push_str("null");
            return;
        }
        match &self.value {
            Value::Text(text) => json_string(text(row), out),
            Value::Plain(print) => print(row, out),
            Value::Float(print) => {
                let start = out.len();
                if !print(row, out) {
                    out.truncate(start);
                    out.push_str("null");
                }
            }
            Value::Quoted(print) => {
                out.push('"');
                print(row, out);
                out.push('"');
            }
            Value::Formatted(formatter) => json_string(&formatter.value(row).to_string(), out),
            Value::Indirect(index, column) => column.write_json(index(row), out),
            Value::Json(text) => out.push_str(text(row)),
            Value::Union(place, columns) => {
                let (column, row) = place(row);
                match columns.get(column) {
                    Some(column) => column.write_json(row, out),
                    None => out.push_str("null"),
                }
            }
            Value::Struct(members) => {
                enclosed(out, ['{', '}'], members.iter(), |member, out| {
                    out.push_str(&member.key);
                    member.column.write_json(row, out);
                });
            }
            Value::List(range, items) => {
                enclosed(out, ['[', ']'], range(row), |item, out| items.write_json(item, out));
            }
            Value::Map(range, keys, values) => {
                enclosed(out, ['{', '}'], range(row), |item, out| {
                    let mut key = String::new();
                    keys.write_text(item, &mut key);
                    json_string(&key, out);
                    out.push(':');
                    values.write_json(item, out);
                });
            }
        }
    }
}

fn enclosed<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(T, &mut String),
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}
