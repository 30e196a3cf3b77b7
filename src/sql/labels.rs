//! Names of result columns as they were asked for.
//!
//! The engine calls `select actor.user.uid from authentication` `authentication.actor[user][uid]`; in a CSV header or as
//! a JSON key that is of no use. Paths get their dots back; all other names stay.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

/// The schema with paths as names; as it is when two columns would then have one name.
pub fn relabel(schema: &SchemaRef) -> SchemaRef {
    let names: Vec<String> = schema.fields().iter().map(|field| path(field.name())).collect();
    if names.iter().collect::<HashSet<_>>().len() < names.len() {
        return schema.clone();
    }
    let fields = schema.fields().iter().zip(names);
    let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// `table.column[member][member]` is `column.member.member`.
fn path(name: &str) -> String {
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let Some((column, members)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) else {
        return name.to_string();
    };
    let mut words: Vec<&str> = column.split('.').collect();
    let members: Vec<&str> = members.split("][").collect();
    if words.len() > 2 || !words.iter().chain(&members).all(|word| is_word(word)) {
        return name.to_string();
    }
    words.drain(..words.len() - 1);
    words.extend(members);
    words.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::DataType;

    fn labels(names: &[&str]) -> Vec<String> {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        relabel(&Arc::new(Schema::new(fields))).fields().iter().map(|field| field.name().clone()).collect()
    }

    #[test]
    fn paths_get_their_dots_back_and_nothing_else_changes() {
        assert_eq!(labels(&["authentication.actor[user][uid]", "a.device[ip]"]), ["actor.user.uid", "device.ip"]);
        let others = ["count(*)", "a", "lower(a.actor[user][uid])", "a.privileges[Int64(1)]", "x[y z]"];
        assert_eq!(labels(&others), others);
        assert_eq!(labels(&["a.device[ip]", "b.device[ip]"]), ["a.device[ip]", "b.device[ip]"]);
    }
}
