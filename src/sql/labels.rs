//! Names of result columns as the user asked for them.
//!
//! The outermost `select` has named most of them (`dialect::labels`). The remaining ones are columns of wildcards, and
//! paths of statements that came another way: the engine calls `actor.user.uid` `authentication.actor[user][uid]`. Two
//! columns may have one name, as in psql and DuckDB.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::dialect::unmarked;

/// Returns the schema with the names that people see.
pub fn relabel(schema: &SchemaRef) -> SchemaRef {
    let named = |field: &Field| field.clone().with_name(path(unmarked(field.name())));
    let fields: Vec<Field> = schema.fields().iter().map(|field| named(field)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Rewrites `table.column[member][member]` as `column.member.member`.
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
        assert_eq!(labels(&["a.device[ip]", "b.device[ip]"]), ["device.ip", "device.ip"]);
        assert_eq!(labels(&["count(*)", "count(*)\u{e000}1"]), ["count(*)", "count(*)"]);
    }
}
