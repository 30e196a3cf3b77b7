//! Comments on columns: the name that OCSF gives an attribute, its meaning, and the meanings of its ids.
//!
//! They follow from `dictionary.json` and from the class file, and stand in the Delta tables, where notebooks and
//! catalogues show them. Our Parquet files do not repeat them: Parquet has no place for a comment but a copy of the
//! Arrow schema, which would more than double a small file (`lake-format.md`, section 4).

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use hashbrown::HashMap;

use super::file::DictionaryFile;
use super::paths::with_metadata;
use super::{Attribute, Kind, Object};

/// The metadata key that Delta Lake, Spark and most readers of Arrow know comments by.
pub const COMMENT: &str = "comment";

/// The columns that every table has beside its class's own.
const OWN: [(&str, &str); 5] = [
    ("_event_uid", "Event identifier. The identifier by which reports and the shell name the event."),
    ("_batch", "Batch. The number of the ledger entry that added the row."),
    ("_source", "Source. The file, stream or API that the row was read from."),
    ("_digest", "Digest. A keyed hash of the event as it came, by which a duplicate is known."),
    ("_extra", "Extra members. The JSON text of the members of the event that have no column."),
];

/// Captions and descriptions of attributes, by name.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    by_name: HashMap<String, (String, String)>,
}

impl Dictionary {
    /// Adds the attributes of one file; they replace those of the same name.
    pub fn add(&mut self, file: DictionaryFile) {
        self.by_name.extend(file.attributes.0);
    }
}

/// The comments on a table's columns, and on the members of structs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comments {
    /// By path; the member of an item of a list is `list[].member`.
    by_path: HashMap<String, String>,
}

impl Comments {
    /// Makes the comments of a table of ours, whose columns have no members.
    pub fn of_columns(columns: &[(&str, &str)]) -> Comments {
        Comments { by_path: columns.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect() }
    }

    pub(super) fn of_class(root: &Object, dictionary: &Dictionary) -> Comments {
        let mut comments = Comments::of_columns(&OWN);
        comments.take_in(root, "", dictionary);
        comments
    }

    fn take_in(&mut self, object: &Object, prefix: &str, dictionary: &Dictionary) {
        for attribute in &object.attributes {
            let path = format!("{prefix}{}", attribute.name);
            if let Kind::Object(inner) = &attribute.kind {
                let items = if attribute.is_list { "[]" } else { "" };
                self.take_in(inner, &format!("{path}{items}."), dictionary);
            }
            let text = comment(attribute, dictionary);
            if !text.is_empty() {
                self.by_path.insert(path, text);
            }
        }
    }

    pub fn get(&self, path: &str) -> Option<&str> {
        self.by_path.get(path).map(String::as_str)
    }

    /// Returns the schema with the comments in it.
    pub fn in_schema(&self, schema: &Schema) -> SchemaRef {
        Arc::new(with_metadata(schema, COMMENT, &|path| self.get(path).map(str::to_string)))
    }
}

/// Describes an attribute in sentences; the text is empty when nothing is known of it.
fn comment(attribute: &Attribute, dictionary: &Dictionary) -> String {
    let mut sentences = Vec::new();
    if let Some((caption, description)) = dictionary.by_name.get(&attribute.name) {
        sentences.push(format!("{caption}."));
        sentences.push(description.clone());
    }
    if let Some(captions) = &attribute.captions {
        let each: Vec<String> = captions.entries().iter().map(|(id, caption)| format!("{id} {caption}")).collect();
        sentences.push(format!("Values: {}.", each.join(", ")));
    }
    if matches!(attribute.kind, Kind::Json) {
        sentences.push("Stored as JSON text.".to_string());
    }
    if attribute.is_deprecated {
        sentences.push("OCSF has deprecated it.".to_string());
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::super::Ocsf;
    use super::*;

    fn without(field: &Field, path: &str, into: &mut Vec<String>) {
        if !field.metadata().contains_key(COMMENT) && !path.ends_with("[]") {
            into.push(path.to_string());
        }
        match field.data_type() {
            DataType::Struct(members) => {
                members.iter().for_each(|member| without(member, &format!("{path}.{}", member.name()), into));
            }
            DataType::List(item) => without(item, &format!("{path}[]"), into),
            _ => {}
        }
    }

    #[test]
    fn every_column_and_member_has_a_comment() {
        for class in Ocsf::load(None).unwrap().classes() {
            let mut lacking = Vec::new();
            let schema = class.comments.in_schema(&class.arrow);
            schema.fields().iter().for_each(|field| without(field, field.name(), &mut lacking));
            assert_eq!(lacking, [""; 0], "{}", class.name);
        }
    }

    #[test]
    fn a_comment_says_name_meaning_and_values() {
        let ocsf = Ocsf::load(None).unwrap();
        let comments = &ocsf.by_name("authentication").unwrap().comments;
        assert_eq!(
            comments.get("status_id"),
            Some("Status ID. Whether it succeeded. Values: 0 Unknown, 1 Success, 2 Failure, 99 Other.")
        );
        assert_eq!(comments.get("actor.user.uid"), Some("Unique ID. The identifier of the object."));
        assert_eq!(comments.get("actor.process"), Some("Process. The process. Stored as JSON text."));
        assert!(comments.get("_batch").unwrap().contains("ledger entry"));
        assert!(comments.by_path.keys().any(|path| path.contains("[].")), "members of lists have comments, too");
    }
}
