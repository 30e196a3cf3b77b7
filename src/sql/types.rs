//! Names of types as people know them.

use arrow::datatypes::DataType;

/// What a type is called in help and summaries.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_string(),
        DataType::Int64 => "bigint".to_string(),
        DataType::Int32 => "integer".to_string(),
        DataType::Int16 => "smallint".to_string(),
        DataType::Float64 => "double".to_string(),
        DataType::Float32 => "real".to_string(),
        DataType::Boolean => "boolean".to_string(),
        DataType::Date32 | DataType::Date64 => "date".to_string(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_string(),
        DataType::Timestamp(_, None) => "timestamp".to_string(),
        DataType::Duration(_) | DataType::Interval(_) => "interval".to_string(),
        DataType::Decimal128(digits, scale) => format!("decimal({digits}, {scale})"),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("{}[]", type_name(item.data_type()))
        }
        DataType::Struct(_) => "struct".to_string(),
        other => other.to_string().to_lowercase(),
    }
}
