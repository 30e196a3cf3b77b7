//! The words that a head may use: kinds of reports, what a run is expected to give, types of parameters and columns.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde::Deserialize;

/// The kinds of reports that the catalogue distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ReportKind {
    #[serde(rename = "evidence listing")]
    Listing,
    #[serde(rename = "periodic summary")]
    Summary,
    #[serde(rename = "detection")]
    Detection,
    #[serde(rename = "data quality")]
    DataQuality,
}

/// The rows that a run without trouble returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Expectation {
    /// Rows are evidence, not trouble.
    #[serde(rename = "any")]
    Any,
    /// Every row is a finding.
    #[serde(rename = "no rows")]
    NoRows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    Timestamp,
    Duration,
    Int,
    Double,
    Boolean,
    String,
    #[serde(rename = "list<string>")]
    Strings,
    Regex,
    /// An IANA name: `Europe/Berlin`.
    Timezone,
    /// A wall clock time: `08:00`.
    Time,
    #[serde(rename = "list<date>")]
    Dates,
    /// A map from names to patterns.
    #[serde(rename = "map<string,regex>")]
    Patterns,
    /// A calendar month in the zone of the parameter `tz`; it also sets `$from`, `$to` and `$previous_from`.
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    Timestamp,
    Int,
    Bigint,
    Double,
    Boolean,
    String,
    /// A calendar day in local time.
    Date,
    #[serde(rename = "list<string>")]
    Strings,
}

impl ColumnType {
    /// Returns the Arrow type of a result column; `int` and `bigint` are both Int64.
    pub fn arrow(self) -> DataType {
        match self {
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ColumnType::Int | ColumnType::Bigint => DataType::Int64,
            ColumnType::Double => DataType::Float64,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::String => DataType::Utf8,
            ColumnType::Date => DataType::Date32,
            ColumnType::Strings => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
        }
    }
}

impl ReportKind {
    pub fn name(self) -> &'static str {
        match self {
            ReportKind::Listing => "evidence listing",
            ReportKind::Summary => "periodic summary",
            ReportKind::Detection => "detection",
            ReportKind::DataQuality => "data quality",
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ParameterType {
    pub fn name(self) -> &'static str {
        match self {
            ParameterType::Timestamp => "timestamp",
            ParameterType::Duration => "duration",
            ParameterType::Int => "int",
            ParameterType::Double => "double",
            ParameterType::Boolean => "boolean",
            ParameterType::String => "string",
            ParameterType::Strings => "list<string>",
            ParameterType::Regex => "regex",
            ParameterType::Timezone => "timezone",
            ParameterType::Time => "time",
            ParameterType::Dates => "list<date>",
            ParameterType::Patterns => "map<string,regex>",
            ParameterType::Month => "month",
        }
    }
}
