//! The columns of a table, for somebody who has its Parquet files and nothing else.

use std::collections::BTreeMap;

use arrow::datatypes::Schema;
use serde::Serialize;

use super::super::super::{Lake, own_tables};
use crate::error::{Context, Kind, Result};
use crate::schema::EventClass;

#[derive(Serialize)]
struct Table<'a> {
    table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    class_uid: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
    ocsf_version: &'a str,
    columns: Vec<Column>,
}

#[derive(Serialize)]
struct Column {
    /// The dotted path, lists marked: `policies[].name`.
    column: String,
    r#type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    ocsf_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    requirement: Option<&'static str>,
    /// The captions of an enumeration's ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    captions: BTreeMap<String, String>,
}

impl Lake {
    /// Returns the member of an archive that describes the columns of a table.
    pub(super) fn described(&self, table: &str) -> Result<Vec<u8>> {
        let ocsf_version = self.state().lake.ocsf_version.as_str();
        let own = own_tables().into_iter().find(|(name, _)| *name == table).map(|(_, schema)| schema);
        let class;
        let described = match own {
            Some(schema) => Table { table, class_uid: None, caption: None, ocsf_version, columns: of_schema(&schema) },
            None => {
                class = self.class_of(table)?;
                let (class_uid, caption) = (class.uid, Some(class.caption.as_str()));
                Table { table, class_uid, caption, ocsf_version, columns: of_class(&class) }
            }
        };
        let mut bytes =
            serde_json::to_vec_pretty(&described).context(Kind::Internal, || "cannot encode the columns of a table")?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn of_schema(schema: &Schema) -> Vec<Column> {
    let column = |field: &arrow::datatypes::FieldRef| Column {
        column: field.name().clone(),
        r#type: field.data_type().to_string(),
        ocsf_type: String::new(),
        requirement: None,
        captions: BTreeMap::new(),
    };
    schema.fields().iter().map(column).collect()
}

fn of_class(class: &EventClass) -> Vec<Column> {
    let fields = class.describe().into_iter().filter(|field| field.is_leaf);
    let column = |field: crate::schema::FieldInfo| Column {
        requirement: (!field.ocsf_type.is_empty()).then(|| field.requirement.as_str()),
        column: field.path,
        r#type: field.arrow_type,
        ocsf_type: field.ocsf_type,
        captions: field.captions.map(|captions| captions.entries().iter().cloned().collect()).unwrap_or_default(),
    };
    fields.map(column).collect()
}
