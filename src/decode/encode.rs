//! A row becomes the line that it was: columns in schema order, cut values verbatim, `_extra` back in its places.
//!
//! The tree of `_extra` is walked beside the columns. What it has for a place wins over the column, which is null then.
//! It must be used up: a pointer that leads nowhere means that the row is not what was decoded.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Fields, Float64Type, Int64Type, TimestampMicrosecondType};

use super::extra::{Branch, damaged};
use super::json::write_string;
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::schema::{EventClass, Kind, Object};

/// Writes rows of one class as the JSON objects they came from.
pub struct Encoder {
    root: Arc<Object>,
    /// Whether a column that the batch lacks counts as null in every row.
    is_sparse: bool,
}

impl Encoder {
    /// For batches with all columns of the class.
    pub fn new(class: &EventClass) -> Self {
        Encoder { root: Arc::clone(&class.root), is_sparse: false }
    }

    /// For batches whose reader left out columns that it knows to be null in every row. What is there is in the
    /// class's order. A struct must be there, with one member at least, since being empty is not being null.
    pub fn sparse(class: &EventClass) -> Self {
        Encoder { root: Arc::clone(&class.root), is_sparse: true }
    }

    /// Appends the event of row `row`, without a newline.
    ///
    /// `batch` has the class's columns; text may be in any of Arrow's three layouts, since DataFusion changes it.
    /// Errors with [`ErrorKind::Integrity`] when `_extra` does not belong to the row; `out` is as before then.
    pub fn write(&self, batch: &RecordBatch, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let schema = batch.schema_ref();
        let branch = match batch.column_by_name("_extra") {
            Some(extra) if extra.is_valid(row) => Some(Branch::parse(text(extra, row)?)?),
            None if !self.is_sparse => return Err(missing_column("_extra")),
            _ => None,
        };
        let mut line = String::new();
        self.write_object(&self.root, schema.fields(), batch.columns(), row, branch.as_ref(), &mut line)?;
        out.extend_from_slice(line.as_bytes());
        Ok(())
    }

    fn write_object(
        &self,
        object: &Object,
        fields: &Fields,
        columns: &[ArrayRef],
        row: usize,
        branch: Option<&Branch<'_>>,
        out: &mut String,
    ) -> Result<()> {
        let start = out.len();
        let separate = |name: &str, out: &mut String| {
            out.push(if out.len() == start { '{' } else { ',' });
            write_string(name, out);
            out.push(':');
        };
        let mut next = 0;
        for attribute in &object.attributes {
            let below = branch.and_then(|branch| branch.below.get(&attribute.name));
            let column = self.column(fields, columns, &mut next, &attribute.name)?;
            match column.filter(|column| below.is_some() || column.is_valid(row)) {
                Some(column) => {
                    separate(&attribute.name, out);
                    self.write_value(&attribute.kind, column, row, below, out)?;
                }
                None => {
                    let Some(below) = below else { continue };
                    separate(&attribute.name, out);
                    out.push_str(below.value.filter(|_| below.below.is_empty()).ok_or_else(damaged)?);
                }
            }
        }
        if self.is_sparse && fields.iter().skip(next).any(|field| !field.name().starts_with('_')) {
            return Err(Error::new(ErrorKind::Internal, "cannot write an event: its columns are not in order"));
        }
        for (name, below) in branch.iter().flat_map(|branch| &branch.below) {
            if object.index_of(name).is_none() {
                separate(name, out);
                out.push_str(below.value.filter(|_| below.below.is_empty()).ok_or_else(damaged)?);
            }
        }
        out.push_str(if out.len() == start { "{}" } else { "}" });
        Ok(())
    }

    /// Appends the value of `column` in `row`, or what `branch` has in its stead or below it.
    fn write_value(
        &self,
        kind: &Kind,
        column: &ArrayRef,
        row: usize,
        branch: Option<&Branch<'_>>,
        out: &mut String,
    ) -> Result<()> {
        if let Some(branch) = branch {
            // Either a value is here, and then none in the column, or places below do, and then in a column that has
            // places.
            let has_places = matches!(column.data_type(), DataType::Struct(_) | DataType::List(_));
            return match branch.value {
                Some(value) if branch.below.is_empty() && column.is_null(row) => {
                    out.push_str(value);
                    Ok(())
                }
                None if has_places && column.is_valid(row) => self.write_nested(kind, column, row, Some(branch), out),
                _ => Err(damaged()),
            };
        }
        if column.is_null(row) {
            out.push_str("null");
            return Ok(());
        }
        match (column.data_type(), kind) {
            (DataType::Struct(_) | DataType::List(_), _) => self.write_nested(kind, column, row, None, out)?,
            (_, Kind::Text) => write_string(text(column, row)?, out),
            (_, Kind::Json) => out.push_str(text(column, row)?),
            (DataType::Int64, _) => out.push_str(&column.as_primitive::<Int64Type>().value(row).to_string()),
            (DataType::Float64, _) => write_double(column.as_primitive::<Float64Type>().value(row), out)?,
            (DataType::Boolean, _) => out.push_str(if column.as_boolean().value(row) { "true" } else { "false" }),
            (DataType::Timestamp(_, _), _) => write_time(column, row, out)?,
            (other, _) => return Err(wrong_type(other)),
        }
        Ok(())
    }

    fn write_nested(
        &self,
        kind: &Kind,
        column: &ArrayRef,
        row: usize,
        branch: Option<&Branch<'_>>,
        out: &mut String,
    ) -> Result<()> {
        match (column.data_type(), kind) {
            (DataType::Struct(fields), Kind::Object(object)) => {
                let array: &StructArray = column.as_struct();
                self.write_object(object, fields, array.columns(), row, branch, out)
            }
            (DataType::List(_), _) => {
                let list = column.as_list::<i32>();
                let (offsets, elements) = (list.value_offsets(), list.values());
                let (first, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                let mut used = 0;
                out.push('[');
                for element in first..end {
                    if element > first {
                        out.push(',');
                    }
                    let below = branch.and_then(|branch| branch.below.get(&(element - first).to_string()));
                    used += usize::from(below.is_some());
                    self.write_value(kind, elements, element, below, out)?;
                }
                out.push(']');
                // An index beyond the end would be lost without a word.
                if branch.is_some_and(|branch| branch.below.len() != used) {
                    return Err(damaged());
                }
                Ok(())
            }
            (other, _) => Err(wrong_type(other)),
        }
    }

    /// The column called `name`, which nearly always is the one at `next`.
    fn column<'a>(
        &self,
        fields: &Fields,
        columns: &'a [ArrayRef],
        next: &mut usize,
        name: &str,
    ) -> Result<Option<&'a ArrayRef>> {
        if fields.get(*next).is_some_and(|field| field.name() == name) {
            *next += 1;
            return Ok(columns.get(*next - 1));
        }
        // Looking for each of two hundred absent columns would cost more than writing the others.
        if self.is_sparse {
            return Ok(None);
        }
        let at = fields.iter().position(|field| field.name() == name).ok_or_else(|| missing_column(name))?;
        *next = at + 1;
        Ok(columns.get(at))
    }
}

/// The shortest digits that give the same double again.
fn write_double(value: f64, out: &mut String) -> Result<()> {
    if !value.is_finite() {
        return Err(Error::input("cannot write a number that is infinite or none as JSON"));
    }
    out.push_str(&format!("{value:?}"));
    Ok(())
}

/// Microseconds back to the milliseconds of OCSF; digits below that are from elsewhere, and kept.
fn write_time(column: &ArrayRef, row: usize, out: &mut String) -> Result<()> {
    let array = column.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong_type(column.data_type()))?;
    let us = array.value(row);
    if us % 1000 == 0 {
        out.push_str(&(us / 1000).to_string());
    } else {
        let sign = if us < 0 { "-" } else { "" };
        out.push_str(&format!("{sign}{}.{:03}", (us / 1000).unsigned_abs(), (us % 1000).unsigned_abs()));
    }
    Ok(())
}

fn text(column: &ArrayRef, row: usize) -> Result<&str> {
    match column.data_type() {
        DataType::Utf8 => Ok(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Ok(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Ok(column.as_string_view().value(row)),
        other => Err(wrong_type(other)),
    }
}

fn missing_column(name: &str) -> Error {
    Error::new(ErrorKind::Input, format!("cannot write an event without its column `{name}`"))
        .hint("all columns of the class are needed: `select *`")
}

fn wrong_type(found: &DataType) -> Error {
    Error::new(ErrorKind::Input, format!("cannot write a column of type {found} as part of an event"))
}
