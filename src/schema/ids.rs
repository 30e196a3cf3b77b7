//! The ids of columns: numbers that Parquet files carry beside the names.
//!
//! A reader that knows a column by its id (Iceberg's do) finds it after it was renamed or moved. Ids cannot be put into
//! existing files, so each column, and each struct and list around one, has its id from the first file on. They are
//! data, in the class files; `schemas/make --number` assigns them. The columns that every table has get theirs here.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use hashbrown::{HashMap, HashSet};

use super::file::ClassFile;
use super::load::Source;
use super::{Kind, Object};
use crate::error::Result;

/// The metadata key from which Parquet's writer takes a field's id.
const FIELD_ID: &str = "PARQUET:field_id";

/// The first id of classes.
const FIRST: i32 = 100;

/// The columns that every table has beside its class's own. An id is never given a second time.
const OWN: [(&str, i32); 5] = [("_event_uid", 1), ("_batch", 2), ("_source", 3), ("_digest", 4), ("_extra", 5)];

/// The ids of a table's columns; of members of structs and items of lists too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldIds {
    /// Ids by path; an item of a list is `list[]`, its member `list[].member`.
    by_path: HashMap<String, i32>,
}

impl FieldIds {
    /// Returns the ids of a table of ours, whose columns have no members.
    pub fn of_columns(columns: &[(&str, i32)]) -> FieldIds {
        FieldIds { by_path: columns.iter().map(|(name, id)| (name.to_string(), *id)).collect() }
    }

    /// Returns the ids that a class file gives; empty when it gives none.
    pub(super) fn of_class(source: &Source, file: &ClassFile, root: &Object) -> Result<FieldIds> {
        let mut by_path = HashMap::new();
        let mut seen = HashSet::new();
        for (parent, ids) in &file.ids.0 {
            for (name, id) in &ids.0 {
                let path = match (parent.is_empty(), name.as_str()) {
                    (true, name) => name.to_string(),
                    (false, "[]") => format!("{parent}[]"),
                    (false, name) => format!("{parent}.{name}"),
                };
                let at = ["ids", parent.as_str(), name.as_str()];
                if *id < FIRST {
                    return Err(source
                        .error(&at, format!("the id {id} of `{path}` is reserved; ids of a class begin at {FIRST}")));
                }
                if !seen.insert(*id) {
                    return Err(source.error(&at, format!("the id {id} of `{path}` is used twice")));
                }
                by_path.insert(path, *id);
            }
        }
        if by_path.is_empty() {
            return Ok(FieldIds::default());
        }
        let mut without = Vec::new();
        lacking(root, "", &by_path, &mut without);
        if let Some(path) = without.first() {
            let error = source.error(&["ids"], format!("`{path}` and {} other columns have no id", without.len() - 1));
            return Err(error.hint(format!("`schemas/make --number {}` gives them", source.name())));
        }
        by_path.extend(OWN.map(|(name, id)| (name.to_string(), id)));
        Ok(FieldIds { by_path })
    }

    /// Returns the schema with the ids in it, as Parquet's writer takes them.
    pub fn in_schema(&self, schema: &Schema) -> SchemaRef {
        let fields: Fields = schema.fields().iter().map(|field| self.in_field(field, field.name())).collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }

    fn in_field(&self, field: &FieldRef, path: &str) -> FieldRef {
        let member = |member: &FieldRef| self.in_field(member, &format!("{path}.{}", member.name()));
        let data_type = match field.data_type() {
            DataType::Struct(members) => DataType::Struct(members.iter().map(member).collect()),
            DataType::List(item) => DataType::List(self.in_field(item, &format!("{path}[]"))),
            other => other.clone(),
        };
        let made: Field = field.as_ref().clone().with_data_type(data_type);
        let id = self.by_path.get(path).map(|id| (FIELD_ID.to_string(), id.to_string()));
        Arc::new(made.with_metadata(id.into_iter().collect()))
    }
}

/// Collects the paths below `object` that have no id.
fn lacking(object: &Object, prefix: &str, ids: &HashMap<String, i32>, into: &mut Vec<String>) {
    for attribute in &object.attributes {
        let mut path = format!("{prefix}{}", attribute.name);
        if !ids.contains_key(&path) {
            into.push(path.clone());
        }
        if attribute.is_list {
            path.push_str("[]");
            if !ids.contains_key(&path) {
                into.push(path.clone());
            }
        }
        if let Kind::Object(inner) = &attribute.kind {
            lacking(inner, &format!("{path}."), ids, into);
        }
    }
}
