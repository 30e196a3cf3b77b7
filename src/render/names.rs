//! Column names for formats that need them to be unique.

use std::collections::HashSet;

use arrow::datatypes::Schema;

/// Returns unique names. A join may give two columns one name; a JSON object or a Parquet file cannot have that, so the
/// second becomes `name_1`, as in DuckDB.
pub(super) fn unique(schema: &Schema) -> Vec<String> {
    let mut taken: HashSet<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut seen = HashSet::new();
    let mut name = |name: &String| {
        if seen.insert(name.clone()) {
            return name.clone();
        }
        let free = (1..).map(|n| format!("{name}_{n}")).find(|name| taken.insert(name.clone()));
        free.expect("the numbers do not end")
    };
    schema.fields().iter().map(|field| name(field.name())).collect()
}

/// Returns the schema with unique names.
pub(super) fn with_unique_names(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().zip(unique(schema));
    let fields: Vec<_> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}
