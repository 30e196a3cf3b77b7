//! Marks on the fields of a schema, each by the path that leads to it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};

/// Returns the schema with one entry of metadata on each field whose path has a value, and none on the others. An item of
/// a list is `list[]`, its member `list[].member`.
pub fn with_metadata(schema: &Schema, key: &str, value: &dyn Fn(&str) -> Option<String>) -> Schema {
    let fields: Fields = schema.fields().iter().map(|field| marked(field, field.name(), key, value)).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

fn marked(field: &FieldRef, path: &str, key: &str, value: &dyn Fn(&str) -> Option<String>) -> FieldRef {
    let member = |member: &FieldRef| marked(member, &format!("{path}.{}", member.name()), key, value);
    let data_type = match field.data_type() {
        DataType::Struct(members) => DataType::Struct(members.iter().map(member).collect()),
        DataType::List(item) => DataType::List(marked(item, &format!("{path}[]"), key, value)),
        other => other.clone(),
    };
    let made: Field = field.as_ref().clone().with_data_type(data_type);
    let mark = value(path).map(|value| (key.to_string(), value));
    Arc::new(made.with_metadata(mark.into_iter().collect()))
}
