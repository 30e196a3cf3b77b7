//! The object tree as an Arrow schema.
//!
//! Every field is nullable, whatever OCSF requires: half of real events break a requirement. List items are named
//! `element`, like Delta Lake's.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use super::{Attribute, Kind, OWN_COLUMNS, Object};

/// Builds the schema of a class's table: its attributes, then our columns.
pub fn schema(root: &Object) -> SchemaRef {
    let mut fields: Vec<Field> = root.attributes.iter().map(field).collect();
    fields.extend(OWN_COLUMNS.map(|name| Field::new(name, own_type(name), true)));
    Arc::new(Schema::new(fields))
}

fn own_type(name: &str) -> DataType {
    match name {
        "_batch" => DataType::Int64,
        "_digest" => DataType::Binary,
        _ => DataType::Utf8,
    }
}

pub fn field(attribute: &Attribute) -> Field {
    let item = data_type(&attribute.kind);
    let stored = if attribute.is_list { DataType::List(Arc::new(Field::new("element", item, true))) } else { item };
    Field::new(&attribute.name, stored, true)
}

fn data_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Json => DataType::Utf8,
        Kind::Long => DataType::Int64,
        Kind::Double => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Object(object) => DataType::Struct(object.attributes.iter().map(field).collect::<Fields>()),
    }
}

/// Counts the leaf columns of an object.
pub fn leaves(object: &Object) -> usize {
    let of = |attribute: &Attribute| match &attribute.kind {
        Kind::Object(inner) => leaves(inner),
        _ => 1,
    };
    object.attributes.iter().map(of).sum()
}

/// Writes a type as people read it: "Utf8", "List<Struct>", "Timestamp(us, UTC)".
pub fn type_text(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(_) => "Struct".to_owned(),
        DataType::List(item) => format!("List<{}>", type_text(item.data_type())),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => format!("Timestamp(us, {zone})"),
        other => other.to_string(),
    }
}
