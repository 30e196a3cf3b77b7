//! One cell: a column is looked at once per batch, then gives any row as text or as JSON.
//!
//! Numbers are plain (floats the shortest text that reads back the same), timestamps RFC 3339 in the zone that they were
//! asked in, lengths of time `89 days 23:27:20`, binary lower-case hex, decimals text that keeps all digits, structs,
//! lists and maps JSON. A union, such as a JSON value of any type, is the value that it holds. The remaining types are
//! Arrow's own text.

use std::ops::Range;

use arrow::array::cast::AsArray;
use arrow::array::{Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::*;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;

use super::escape::{json_string, write_to};
use super::span;
use super::zone::Zone;
use crate::error::{Context, Kind as ErrorKind, Result};

/// A typed view of an array.
pub(super) struct Column<'a> {
    /// Also of values that are null through their dictionary or run.
    nulls: Option<NullBuffer>,
    value: Value<'a>,
}

type Print<'a> = Box<dyn Fn(usize, &mut String) + 'a>;
type PrintFloat<'a> = Box<dyn Fn(usize, &mut String) -> bool + 'a>;
/// A row's timestamp as it is stored, and how to read it.
type Ticks<'a> = Box<dyn Fn(usize) -> i64 + 'a>;
type Instant = fn(i64) -> Option<DateTime<chrono::Utc>>;

enum Value<'a> {
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// The same in JSON: integers and booleans.
    Plain(Print<'a>),
    /// Returns whether JSON has this number; it has no NaN and no infinity.
    Float(PrintFloat<'a>),
    /// Needs nothing but quotes in JSON.
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
    key: String,
    /// Whether it may be the id of an enumeration.
    pub is_whole_number: bool,
    pub column: Column<'a>,
}

/// What a column consists of, for those who show its parts on lines of their own.
pub(super) enum Parts<'c, 'a> {
    /// One value.
    Whole,
    Members(&'c [Member<'a>]),
    /// Items of the row, when they are structs.
    Items(Range<usize>, &'c Column<'a>),
}

/// The columns of a batch.
pub(super) fn columns(batch: &RecordBatch) -> Result<Vec<Column<'_>>> {
    batch.columns().iter().map(|array| Column::new(array.as_ref())).collect()
}

/// The values of one row as plain text, NULL as `None`.
pub fn row_texts(batch: &RecordBatch, row: usize) -> Result<Vec<Option<String>>> {
    let text = |column: Column<'_>| {
        let mut text = String::new();
        column.write_text(row, &mut text).then_some(text)
    };
    Ok(columns(batch)?.into_iter().map(text).collect())
}

/// Whether values of the type are set to the right in tables.
pub(super) fn is_number(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => is_number(value),
        kind => kind.is_numeric(),
    }
}

/// Whether values of the type are numbers without a fraction, as the ids of an enumeration are.
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

    /// The parts of the value of `row`, which is not null.
    pub(super) fn parts(&self, row: usize) -> Parts<'_, 'a> {
        match &self.value {
            Value::Struct(members) => Parts::Members(members),
            Value::List(range, items) if matches!(items.value, Value::Struct(_)) => Parts::Items(range(row), items),
            Value::Indirect(index, column) => column.parts(index(row)),
            _ => Parts::Whole,
        }
    }

    /// The members of a struct; none for other columns.
    pub(super) fn members(&self) -> &[Member<'a>] {
        match &self.value {
            Value::Struct(members) => members,
            _ => &[],
        }
    }

    /// Appends the value of `row` as plain text, unescaped; false and nothing for NULL.
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

/// Prints the values of a primitive array with `Display`.
macro_rules! display {
    ($array:expr, $kind:ty) => {{
        let array = $array.as_primitive::<$kind>();
        Value::Plain(Box::new(move |row, out| write_to(out, format_args!("{}", array.value(row)))))
    }};
}

/// `Debug` prints the shortest text that reads back the same, with an exponent where zeros would pile up.
macro_rules! float {
    ($array:expr, $kind:ty, $convert:expr) => {{
        let array = $array.as_primitive::<$kind>();
        Value::Float(Box::new(move |row, out| {
            let number = $convert(array.value(row));
            write_to(out, format_args!("{number:?}"));
            number.is_finite()
        }))
    }};
}

macro_rules! hex {
    ($array:expr) => {{
        let array = $array;
        Value::Quoted(Box::new(move |row, out| {
            for byte in array.value(row) {
                write_to(out, format_args!("{byte:02x}"));
            }
        }))
    }};
}

macro_rules! list {
    ($array:expr) => {{
        let array = $array;
        let offsets = array.value_offsets();
        let range = move |row: usize| offsets[row] as usize..offsets[row + 1] as usize;
        Value::List(Box::new(range), Box::new(Column::new(array.values().as_ref())?))
    }};
}

fn value<'a>(array: &'a dyn Array) -> Result<Value<'a>> {
    Ok(match array.data_type() {
        DataType::Utf8 => text(array.as_string::<i32>()),
        DataType::LargeUtf8 => text(array.as_string::<i64>()),
        DataType::Utf8View => {
            let array = array.as_string_view();
            Value::Text(Box::new(move |row| array.value(row)))
        }
        DataType::Boolean => {
            let array = array.as_boolean();
            Value::Plain(Box::new(move |row, out| out.push_str(if array.value(row) { "true" } else { "false" })))
        }
        DataType::Int8 => display!(array, Int8Type),
        DataType::Int16 => display!(array, Int16Type),
        DataType::Int32 => display!(array, Int32Type),
        DataType::Int64 => display!(array, Int64Type),
        DataType::UInt8 => display!(array, UInt8Type),
        DataType::UInt16 => display!(array, UInt16Type),
        DataType::UInt32 => display!(array, UInt32Type),
        DataType::UInt64 => display!(array, UInt64Type),
        DataType::Float16 => float!(array, Float16Type, f32::from),
        DataType::Float32 => float!(array, Float32Type, f32::from),
        DataType::Float64 => float!(array, Float64Type, f64::from),
        DataType::Timestamp(unit, zone) => {
            let zone = zone.as_deref().map(Zone::read);
            let (ticks, instant): (Ticks<'a>, Instant) = match unit {
                TimeUnit::Second => {
                    let array = array.as_primitive::<TimestampSecondType>();
                    (Box::new(move |row| array.value(row)), |ticks| DateTime::from_timestamp(ticks, 0))
                }
                TimeUnit::Millisecond => {
                    let array = array.as_primitive::<TimestampMillisecondType>();
                    (Box::new(move |row| array.value(row)), DateTime::from_timestamp_millis)
                }
                TimeUnit::Microsecond => {
                    let array = array.as_primitive::<TimestampMicrosecondType>();
                    (Box::new(move |row| array.value(row)), DateTime::from_timestamp_micros)
                }
                TimeUnit::Nanosecond => {
                    let array = array.as_primitive::<TimestampNanosecondType>();
                    (Box::new(move |row| array.value(row)), |ticks| Some(DateTime::from_timestamp_nanos(ticks)))
                }
            };
            Value::Quoted(Box::new(move |row, out| write_time(ticks(row), instant, zone, out)))
        }
        DataType::Binary => hex!(array.as_binary::<i32>()),
        DataType::LargeBinary => hex!(array.as_binary::<i64>()),
        DataType::BinaryView => hex!(array.as_binary_view()),
        DataType::FixedSizeBinary(_) => hex!(array.as_fixed_size_binary()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            if dictionary.values().is_empty() {
                // Every row is null, and normalized_keys would panic.
                return Ok(Value::Plain(Box::new(|_, _| ())));
            }
            let keys = dictionary.normalized_keys();
            Value::Indirect(Box::new(move |row| keys[row]), Box::new(Column::new(dictionary.values().as_ref())?))
        }
        DataType::Struct(fields) => {
            let members = fields.iter().zip(array.as_struct().columns()).map(|(field, column)| {
                let mut key = String::new();
                json_string(field.name(), &mut key);
                key.push(':');
                Ok(Member {
                    name: field.name().clone(),
                    key,
                    is_whole_number: is_whole_number(field.data_type()),
                    column: Column::new(column.as_ref())?,
                })
            });
            Value::Struct(members.collect::<Result<_>>()?)
        }
        DataType::List(_) => list!(array.as_list::<i32>()),
        DataType::LargeList(_) => list!(array.as_list::<i64>()),
        DataType::FixedSizeList(..) => {
            let array = array.as_fixed_size_list();
            let length = array.value_length() as usize;
            let range = move |row| {
                let start = array.value_offset(row) as usize;
                start..start + length
            };
            Value::List(Box::new(range), Box::new(Column::new(array.values().as_ref())?))
        }
        DataType::Map(..) => {
            let array = array.as_map();
            let offsets = array.value_offsets();
            let range = move |row: usize| offsets[row] as usize..offsets[row + 1] as usize;
            let keys = Column::new(array.keys().as_ref())?;
            Value::Map(Box::new(range), Box::new(keys), Box::new(Column::new(array.values().as_ref())?))
        }
        DataType::Duration(unit) => {
            let ticks: Ticks<'a> = match unit {
                TimeUnit::Second => {
                    let array = array.as_primitive::<DurationSecondType>();
                    Box::new(move |row| array.value(row))
                }
                TimeUnit::Millisecond => {
                    let array = array.as_primitive::<DurationMillisecondType>();
                    Box::new(move |row| array.value(row))
                }
                TimeUnit::Microsecond => {
                    let array = array.as_primitive::<DurationMicrosecondType>();
                    Box::new(move |row| array.value(row))
                }
                TimeUnit::Nanosecond => {
                    let array = array.as_primitive::<DurationNanosecondType>();
                    Box::new(move |row| array.value(row))
                }
            };
            let unit = *unit;
            Value::Quoted(Box::new(move |row, out| span::write_duration(ticks(row), unit, out)))
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            let array = array.as_primitive::<IntervalYearMonthType>();
            Value::Quoted(Box::new(move |row, out| span::write_interval(array.value(row), 0, 0, out)))
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let array = array.as_primitive::<IntervalDayTimeType>();
            Value::Quoted(Box::new(move |row, out| {
                let value = array.value(row);
                span::write_interval(0, value.days, i64::from(value.milliseconds) * 1_000_000, out);
            }))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let array = array.as_primitive::<IntervalMonthDayNanoType>();
            Value::Quoted(Box::new(move |row, out| {
                let value = array.value(row);
                span::write_interval(value.months, value.days, value.nanoseconds, out);
            }))
        }
        DataType::Union(fields, _) => {
            let array = array.as_union();
            let ids: Vec<i8> = fields.iter().map(|(id, _)| id).collect();
            let columns = fields.iter().map(|(id, field)| {
                let child: &'a dyn Array = array.child(id).as_ref();
                let mut column = Column::new(child)?;
                let is_json = field.metadata().get("ARROW:extension:name").is_some_and(|name| name == "arrow.json");
                if is_json && let Value::Text(text) = column.value {
                    column.value = Value::Json(text);
                }
                Ok(column)
            });
            let columns = columns.collect::<Result<_>>()?;
            let place = move |row: usize| {
                let id = array.type_id(row);
                (ids.iter().position(|known| *known == id).unwrap_or(ids.len()), array.value_offset(row))
            };
            Value::Union(Box::new(place), columns)
        }
        kind => {
            let formatter = ArrayFormatter::try_new(array, &FormatOptions::new());
            Value::Formatted(formatter.context(ErrorKind::Internal, || format!("cannot print values of type {kind}"))?)
        }
    })
}

fn text<O: arrow::array::OffsetSizeTrait>(array: &arrow::array::GenericStringArray<O>) -> Value<'_> {
    Value::Text(Box::new(move |row| array.value(row)))
}

/// As many digits as there are: none, three, six or nine. A time without a zone is no instant and gets no `Z`.
fn write_time(ticks: i64, instant: fn(i64) -> Option<DateTime<chrono::Utc>>, zone: Option<Zone>, out: &mut String) {
    match instant(ticks) {
        Some(time) => match zone {
            Some(zone) => zone.write(time, out),
            None => Zone::write_naive(time, out),
        },
        // Seconds that were sent as something finer end up beyond the calendar; the number at least is a fact.
        None => write_to(out, format_args!("{ticks}")),
    }
}
