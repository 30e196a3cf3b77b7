//! Turns an Arrow array into values: one arm for each type.

use arrow::array::Array;
use arrow::array::cast::AsArray;
use arrow::datatypes::*;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;

use super::escape::{json_string, write_to};
use super::span;
use super::value::{Column, Member, Value, is_whole_number};
use super::zone::Zone;
use crate::error::{Context, Kind as ErrorKind, Result};

/// A row's timestamp as it is stored, and how to read it.
type Ticks<'a> = Box<dyn Fn(usize) -> i64 + 'a>;
type Instant = fn(i64) -> Option<DateTime<chrono::Utc>>;

/// Prints the values of a primitive array with `Display`.
macro_rules! display {
    ($array:expr, $kind:ty) => {{
        let array = $array.as_primitive::<$kind>();
        Value::Plain(Box::new(move |row, out| write_to(out, format_args!("{}", array.value(row)))))
    }};
}

/// Prints floats with `Debug`, the shortest text that reads back the same, with an exponent where zeros would pile up.
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

/// Inspects an array once, so that its rows can be read without asking for its type again.
pub(super) fn value<'a>(array: &'a dyn Array) -> Result<Value<'a>> {
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

/// Writes a time with as many digits as it has: none, three, six or nine. A time without a zone is not an instant and
/// gets no `Z`.
fn write_time(ticks: i64, instant: fn(i64) -> Option<DateTime<chrono::Utc>>, zone: Option<Zone>, out: &mut String) {
    match instant(ticks) {
        Some(time) => match zone {
            Some(zone) => zone.write(time, out),
            None => Zone::write_naive(time, out),
        },
        // Seconds that were sent in a finer unit end up beyond the calendar; at least the number is a fact.
        None => write_to(out, format_args!("{ticks}")),
    }
}
