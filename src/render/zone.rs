//! The zone in which a time is shown: that of the query, or the one that the user has chosen for all times.

use arrow::array::{Array, ArrayData, RecordBatch, make_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use chrono_tz::Tz;

use std::sync::Arc;

use crate::error::{Context, Kind, Result};

/// The way to write a time of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    Fixed(FixedOffset),
    Named(Tz),
}

impl Zone {
    /// Reads the zone of an Arrow type: `UTC`, `+02:00`, `Europe/Berlin`. An instant in an unknown zone is still an
    /// instant, and is shown in UTC.
    pub(super) fn read(text: &str) -> Zone {
        if is_utc(text) {
            return Zone::Utc;
        }
        match (text.parse::<FixedOffset>(), text.parse::<Tz>()) {
            (Ok(offset), _) if offset.local_minus_utc() == 0 => Zone::Utc,
            (Ok(offset), _) => Zone::Fixed(offset),
            (_, Ok(zone)) => Zone::Named(zone),
            _ => Zone::Utc,
        }
    }

    pub(super) fn write(self, time: DateTime<Utc>, out: &mut String) {
        out.push_str(&match self {
            Zone::Utc => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Zone::Fixed(offset) => time.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::AutoSi, false),
            Zone::Named(zone) => time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false),
        });
    }

    /// Writes a time on a clock that has no zone.
    pub(super) fn write_naive(time: DateTime<Utc>, out: &mut String) {
        out.push_str(time.to_rfc3339_opts(SecondsFormat::AutoSi, true).trim_end_matches('Z'));
    }
}

fn is_utc(zone: &str) -> bool {
    ["UTC", "Z", "+00:00", "-00:00", "Etc/UTC"].iter().any(|utc| utc.eq_ignore_ascii_case(zone))
}

/// Returns the schema whose times in UTC, at any depth, are shown in `zone`; a time that was queried in another zone
/// keeps it.
pub(super) fn schema_in(schema: &Schema, zone: Tz) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(|field| field_in(field, zone)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Returns the batch with the schema of [`schema_in`]; the values stay as they are.
pub(super) fn batch_in(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let cannot = || "cannot show times in another zone";
    let arrays = batch.columns().iter().zip(schema.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() {
            return Ok(array.clone());
        }
        retyped(array.to_data(), field.data_type()).map(make_array)
    });
    let arrays = arrays.collect::<Result<Vec<_>, _>>().context(Kind::Internal, cannot)?;
    RecordBatch::try_new(schema.clone(), arrays).context(Kind::Internal, cannot)
}

fn field_in(field: &FieldRef, zone: Tz) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(type_in(field.data_type(), zone)))
}

fn type_in(data_type: &DataType, zone: Tz) -> DataType {
    match data_type {
        DataType::Timestamp(unit, Some(known)) if is_utc(known) => DataType::Timestamp(*unit, Some(zone.name().into())),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| field_in(field, zone)).collect()),
        DataType::List(item) => DataType::List(field_in(item, zone)),
        DataType::LargeList(item) => DataType::LargeList(field_in(item, zone)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(field_in(item, zone), *length),
        DataType::Dictionary(key, value) => DataType::Dictionary(key.clone(), Box::new(type_in(value, zone))),
        other => other.clone(),
    }
}

/// Returns the data under another type that differs in zones only.
fn retyped(data: ArrayData, data_type: &DataType) -> Result<ArrayData, arrow::error::ArrowError> {
    let children: Vec<&DataType> = match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => vec![item.data_type()],
        DataType::Dictionary(_, value) => vec![value.as_ref()],
        _ => Vec::new(),
    };
    let children = data.child_data().iter().cloned().zip(children);
    let children = children.map(|(child, wanted)| retyped(child, wanted)).collect::<Result<Vec<_>, _>>()?;
    data.into_builder().data_type(data_type.clone()).child_data(children).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(zone: &str, millis: i64) -> String {
        let mut out = String::new();
        Zone::read(zone).write(DateTime::from_timestamp_millis(millis).unwrap(), &mut out);
        out
    }

    #[test]
    fn times_are_shown_in_the_zone_that_they_were_asked_in() {
        let summer = 1_783_000_000_123;
        assert_eq!(shown("UTC", summer), "2026-07-02T13:46:40.123Z");
        assert_eq!(shown("+00:00", summer), "2026-07-02T13:46:40.123Z");
        assert_eq!(shown("Europe/Berlin", summer), "2026-07-02T15:46:40.123+02:00");
        assert_eq!(shown("-03:30", summer), "2026-07-02T10:16:40.123-03:30");
        // Before the zone had standard time, its offset had seconds; RFC 3339 rounds them to minutes.
        assert_eq!(shown("Europe/Berlin", -11_644_473_600_000), "1601-01-01T00:53:28+00:53");
    }
}
