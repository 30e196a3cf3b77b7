//! Makes `timestamp` microseconds, like the lake's columns.
//!
//! The engine's is nanoseconds, which reach from 1677 to 2262 only: `timestamp '9999-12-31'` was an error, and so was any
//! comparison of such a column with one.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};

/// Replaces types of SQL that the engine maps to other types than we do.
#[derive(Debug)]
pub struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let zone = match sql_type {
            SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) | SqlType::Datetime(_) => None,
            SqlType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => Some(Arc::from("UTC")),
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", DataType::Timestamp(TimeUnit::Microsecond, zone), true))))
    }
}
