//! Rows of Arrow columns as JSON objects, one per line.

use std::collections::HashSet;
use std::io::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Fields, Int64Type, TimeUnit, UInt64Type};
use arrow::error::ArrowError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

/// Attributes whose name ends so hold the text of a time (`datetime_t`), others its milliseconds.
const TEXT_OF_TIME: &str = "_dt";

/// The rows of one batch.
pub(super) struct Rows {
    count: usize,
    columns: Vec<Member>,
}

/// A member of an object, or the elements of a list.
struct Member {
    /// With its quotes and the colon.
    key: Vec<u8>,
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Null,
    Boolean(BooleanArray),
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Single(Float32Array),
    Double(Float64Array),
    Text(StringArray),
    /// Written as it is.
    Verbatim(StringArray),
    Bytes(BinaryArray),
    Object(Vec<Member>),
    List(OffsetBuffer<i32>, Box<Member>),
    Map(OffsetBuffer<i32>, StringArray, Box<Member>),
}

impl Rows {
    /// `json` has the paths of the leaves that hold JSON text.
    pub fn new(batch: &RecordBatch, json: &HashSet<Vec<String>>) -> Result<Rows, ArrowError> {
        let columns = members(batch.schema().fields(), batch.columns(), json, &mut Vec::new())?;
        Ok(Rows { count: batch.num_rows(), columns })
    }

    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        for row in 0..self.count {
            object(&self.columns, row, out)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

impl Member {
    fn new(
        name: &str,
        column: &ArrayRef,
        json: &HashSet<Vec<String>>,
        path: &mut Vec<String>,
    ) -> Result<Member, ArrowError> {
        let mut key = Vec::new();
        text(name, &mut key)?;
        key.push(b':');
        path.push(name.to_string());
        let values = Values::new(name, column, json, path);
        path.pop();
        Ok(Member { key, nulls: column.logical_nulls(), values: values? })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &self.values {
            Values::Null => out.extend_from_slice(b"null"),
            Values::Boolean(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            Values::Signed(array) => json_of(&array.value(row), out)?,
            Values::Unsigned(array) => json_of(&array.value(row), out)?,
            // The shortest digits that give the same number again; what is not a number is a text.
            Values::Single(array) => match array.value(row) {
                value if value.is_finite() => write!(out, "{value:?}")?,
                value => write!(out, "\"{value}\"")?,
            },
            Values::Double(array) => match array.value(row) {
                value if value.is_finite() => write!(out, "{value:?}")?,
                value => write!(out, "\"{value}\"")?,
            },
            Values::Text(array) => text(array.value(row), out)?,
            Values::Verbatim(array) => out.extend_from_slice(array.value(row).as_bytes()),
            // Texts of writers that know only bytes.
            Values::Bytes(array) => match std::str::from_utf8(array.value(row)) {
                Ok(value) => text(value, out)?,
                Err(_) => text(&BASE64_STANDARD.encode(array.value(row)), out)?,
            },
            Values::Object(members) => object(members, row, out)?,
            Values::List(offsets, elements) => {
                out.push(b'[');
                for element in offsets[row]..offsets[row + 1] {
                    if element > offsets[row] {
                        out.push(b',');
                    }
                    elements.write(element as usize, out)?;
                }
                out.push(b']');
            }
            Values::Map(offsets, keys, values) => {
                let start = out.len();
                for entry in (offsets[row]..offsets[row + 1]).map(|entry| entry as usize) {
                    if !values.is_null(entry) {
                        out.push(if out.len() == start { b'{' } else { b',' });
                        text(keys.value(entry), out)?;
                        out.push(b':');
                        values.write(entry, out)?;
                    }
                }
                out.extend_from_slice(if out.len() == start { b"{}" } else { b"}" });
            }
        }
        Ok(())
    }
}

impl Values {
    fn new(
        name: &str,
        column: &ArrayRef,
        json: &HashSet<Vec<String>>,
        path: &mut Vec<String>,
    ) -> Result<Values, ArrowError> {
        let text_of =
            |column: &ArrayRef| Ok::<_, ArrowError>(cast(column, &DataType::Utf8)?.as_string::<i32>().clone());
        Ok(match column.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Boolean(column.as_boolean().clone()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Values::Signed(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Values::Unsigned(cast(column, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
            }
            DataType::Float32 => Values::Single(column.as_primitive().clone()),
            DataType::Float16 | DataType::Float64 => {
                Values::Double(cast(column, &DataType::Float64)?.as_primitive().clone())
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let texts = text_of(column)?;
                if json.contains(path) { Values::Verbatim(texts) } else { Values::Text(texts) }
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                Values::Bytes(cast(column, &DataType::Binary)?.as_binary::<i32>().clone())
            }
            DataType::FixedSizeBinary(16) => Values::Text(uuids(column)),
            DataType::FixedSizeBinary(_) => Values::Bytes(cast(column, &DataType::Binary)?.as_binary::<i32>().clone()),
            DataType::Timestamp(unit, zone) if name.ends_with(TEXT_OF_TIME) => {
                // An instant of UTC, unless the writer remembered an offset.
                let is_offset = |zone: &str| zone.starts_with(['+', '-']);
                let zone = zone.clone().filter(|zone| is_offset(zone)).unwrap_or_else(|| "UTC".into());
                Values::Text(text_of(&cast(column, &DataType::Timestamp(*unit, Some(zone)))?)?)
            }
            // Writers of Arrow remember how they held what they wrote.
            DataType::Dictionary(_, values) => return Values::new(name, &cast(column, values)?, json, path),
            DataType::RunEndEncoded(_, values) => {
                return Values::new(name, &cast(column, values.data_type())?, json, path);
            }
            DataType::LargeList(field)
            | DataType::FixedSizeList(field, _)
            | DataType::ListView(field)
            | DataType::LargeListView(field) => {
                return Values::new(name, &cast(column, &DataType::List(field.clone()))?, json, path);
            }
            DataType::Timestamp(unit, _) => Values::Signed(milliseconds(column, *unit)?),
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                Values::Verbatim(text_of(column)?)
            }
            DataType::Struct(fields) => Values::Object(members(fields, column.as_struct().columns(), json, path)?),
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                Values::List(list.offsets().clone(), Box::new(Member::new(name, list.values(), json, &mut Vec::new())?))
            }
            DataType::Map(_, _) => {
                let map = column.as_map();
                let values = Member::new(name, map.values(), json, &mut Vec::new())?;
                Values::Map(map.offsets().clone(), text_of(map.keys())?, Box::new(values))
            }
            // Dates, times of day, durations: as Arrow writes them.
            _ => Values::Text(text_of(column)?),
        })
    }
}

/// The members of an object that have a value in any row: of the many attributes of an event few are used.
fn members(
    fields: &Fields,
    columns: &[ArrayRef],
    json: &HashSet<Vec<String>>,
    path: &mut Vec<String>,
) -> Result<Vec<Member>, ArrowError> {
    let used = fields.iter().zip(columns).filter(|(_, column)| column.logical_null_count() < column.len());
    used.map(|(field, column)| Member::new(field.name(), column, json, path)).collect()
}

fn object(members: &[Member], row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let start = out.len();
    for member in members {
        if !member.is_null(row) {
            out.push(if out.len() == start { b'{' } else { b',' });
            out.extend_from_slice(&member.key);
            member.write(row, out)?;
        }
    }
    out.extend_from_slice(if out.len() == start { b"{}" } else { b"}" });
    Ok(())
}

/// OCSF's times are milliseconds; what is finer is cut, towards the past.
fn milliseconds(column: &ArrayRef, unit: TimeUnit) -> Result<Int64Array, ArrowError> {
    let numbers = cast(column, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    match unit {
        TimeUnit::Second => numbers.try_unary(|value| {
            value.checked_mul(1000).ok_or_else(|| ArrowError::ComputeError(format!("{value} seconds are out of range")))
        }),
        TimeUnit::Millisecond => Ok(numbers.clone()),
        TimeUnit::Microsecond => Ok(numbers.unary(|value| value.div_euclid(1000))),
        TimeUnit::Nanosecond => Ok(numbers.unary(|value| value.div_euclid(1_000_000))),
    }
}

fn uuids(column: &ArrayRef) -> StringArray {
    let uuid = |bytes: &[u8]| {
        let hex = crate::typed::hex(bytes);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    };
    column.as_fixed_size_binary().iter().map(|bytes| bytes.map(uuid)).collect()
}

fn text(value: &str, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    json_of(value, out)
}

fn json_of<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    serde_json::to_writer(out, value).map_err(|error| ArrowError::ExternalError(Box::new(error)))
}
