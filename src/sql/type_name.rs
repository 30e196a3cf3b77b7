//! The spelling of types in the shell and the documentation: one name for each, whatever Arrow stores it in.

use arrow::datatypes::{DataType, IntervalUnit};

/// Returns the name of a type; lists have `[]` after it, structs name their members.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_string(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => "int".to_string(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".to_string(),
        DataType::Float16 | DataType::Float32 => "real".to_string(),
        DataType::Float64 => "double".to_string(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Boolean => "boolean".to_string(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".to_string(),
        DataType::Timestamp(_, None) => "timestamp".to_string(),
        DataType::Date32 | DataType::Date64 => "date".to_string(),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_string(),
        DataType::Duration(_) => "interval".to_string(),
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano) => {
            "interval".to_string()
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytea".to_string()
        }
        DataType::Null => "null".to_string(),
        DataType::Dictionary(_, value) => type_name(value),
        DataType::RunEndEncoded(_, values) => type_name(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => format!("{}[]", type_name(item.data_type())),
        DataType::Struct(members) => {
            let members = members.iter().map(|member| format!("{} {}", member.name(), type_name(member.data_type())));
            format!("struct({})", members.collect::<Vec<_>>().join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(members) if members.len() == 2 => {
                format!("map({}, {})", type_name(members[0].data_type()), type_name(members[1].data_type()))
            }
            _ => "map".to_string(),
        },
        // The only unions are JSON values.
        DataType::Union(..) => "json".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, Fields, TimeUnit};
    use std::sync::Arc;

    #[test]
    fn a_type_has_one_name_whatever_it_is_stored_in() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8View));
        for text in [DataType::Utf8, DataType::Utf8View, DataType::LargeUtf8, dictionary] {
            assert_eq!(type_name(&text), "text");
        }
        let item = |data_type| Arc::new(Field::new("element", data_type, true));
        assert_eq!(type_name(&DataType::List(item(DataType::Utf8View))), "text[]");
        let members: Fields = vec![Field::new("uid", DataType::Utf8View, true)].into();
        assert_eq!(type_name(&DataType::List(item(DataType::Struct(members)))), "struct(uid text)[]");
        assert_eq!(type_name(&DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))), "timestamptz");
        assert_eq!(type_name(&DataType::Duration(TimeUnit::Microsecond)), "interval");
    }
}
