//! Words of the catalogue for parameters and types, and values in the form that `--param` takes.

use std::fmt;

use chrono::{DateTime, SecondsFormat};

use super::header::{ColumnType, ParameterType};
use super::params::Value;

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ColumnType::Timestamp => "timestamp",
            ColumnType::Int => "int",
            ColumnType::Bigint => "bigint",
            ColumnType::Double => "double",
            ColumnType::Boolean => "boolean",
            ColumnType::String => "string",
            ColumnType::Date => "date",
            ColumnType::Strings => "list<string>",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Timestamp(time_ms) => match DateTime::from_timestamp_millis(*time_ms) {
                Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                None => write!(f, "{time_ms} ms"),
            },
            Value::Duration(ms) if ms % 1000 == 0 => write!(f, "PT{}S", ms / 1000),
            Value::Duration(ms) => write!(f, "PT{}.{:03}S", ms / 1000, ms % 1000),
            Value::Int(value) => write!(f, "{value}"),
            Value::Double(value) => write!(f, "{value}"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
            Value::Strings(values) => f.write_str(&values.join(",")),
            Value::Map(entries) => {
                let entries: serde_json::Map<_, _> =
                    entries.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
                f.write_str(&serde_json::Value::Object(entries).to_string())
            }
        }
    }
}
