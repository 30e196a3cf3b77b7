//! The SQL functions that are ours; each has a file of its own. DataFusion's and the JSON functions are there too.

mod ago;
mod bare_address;
mod capped;
mod cidr_match;
mod event_json;
mod finding_key;
pub mod lookup;
mod names;
mod ocsf_caption;
mod redacted;
mod smallest;
mod somebody;

use std::sync::Arc;

use datafusion::prelude::SessionContext;

pub use finding_key::numbered;

use super::documentation::{FunctionInfo, functions};
use crate::schema::Ocsf;

/// What comes without documentation of its own: the JSON functions and their operators.
const JSON: [(&str, &str, &str, &str); 10] = [
    ("->", "json -> key", "The value under a key, or at a place in a list, as JSON.", "unmapped->'trace'"),
    ("->>", "json ->> key", "The value under a key, or at a place in a list, as text.", "unmapped->>'region'"),
    ("?", "json ? key", "Whether there is such a key.", "unmapped ? 'region'"),
    ("json_get", "json_get(json, key, ...)", "The value at a path.", "json_get(unmapped, 'trace', 'id')"),
    ("json_get_str", "json_get_str(json, key, ...)", "The text at a path.", "json_get_str(unmapped, 'region')"),
    ("json_get_int", "json_get_int(json, key, ...)", "The whole number at a path.", "json_get_int(unmapped, 'usage')"),
    ("json_get_float", "json_get_float(json, key, ...)", "The number at a path.", "json_get_float(unmapped, 'ratio')"),
    ("json_get_bool", "json_get_bool(json, key, ...)", "The true or false at a path.", "json_get_bool(unmapped, 'ok')"),
    (
        "json_contains",
        "json_contains(json, key, ...)",
        "Whether there is something at a path.",
        "json_contains(unmapped, 'error')",
    ),
    ("json_length", "json_length(json, key, ...)", "How many members or items are at a path.", "json_length(unmapped)"),
];

/// Makes the functions known to a session.
pub fn register(context: &SessionContext, ocsf: &Arc<Ocsf>) {
    context.register_udf(ago::function());
    context.register_udf(bare_address::function());
    context.register_udf(cidr_match::function());
    context.register_udf(event_json::function(ocsf.clone()));
    context.register_udf(finding_key::function());
    context.register_udf(names::function());
    context.register_udf(names::function_or());
    context.register_udf(ocsf_caption::function(ocsf.clone()));
    context.register_udf(redacted::function());
    context.register_udf(somebody::function());
    context.register_udaf(smallest::function());
    capped::register(context);
}

/// Every function of a session by name, the JSON operators first.
pub fn catalogue(context: &SessionContext) -> Vec<FunctionInfo> {
    let json = JSON.map(|(name, syntax, description, example)| FunctionInfo {
        name: name.to_string(),
        kind: if name.starts_with("json") { "scalar" } else { "operator" },
        syntax: syntax.to_string(),
        description: description.to_string(),
        example: Some(format!("select {example} from event")),
        ..FunctionInfo::default()
    });
    let mut all: Vec<FunctionInfo> = json.into();
    // Those of kept views are no functions to be called by name.
    let is_named = |function: &FunctionInfo| !function.name.contains(' ');
    let others = functions(context).into_iter().filter(is_named);
    all.extend(others.filter(|function| JSON.iter().all(|(name, ..)| *name != function.name)));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_ours_is_documented_and_there() {
        let mut context = SessionContext::new();
        datafusion_functions_json::register_all(&mut context).unwrap();
        register(&context, &Arc::new(Ocsf::load(None).unwrap()));
        let all = catalogue(&context);
        let names = JSON.iter().map(|(name, ..)| *name).chain([
            "ago",
            "bare_address",
            "cidr_match",
            "finding_key",
            "names",
            "names_or",
            "ocsf_caption",
            "redacted",
            "smallest",
            "somebody",
        ]);
        for name in names {
            let found: Vec<&FunctionInfo> = all.iter().filter(|function| function.name == name).collect();
            let [function] = found.as_slice() else { panic!("{name} is there {} times", found.len()) };
            assert!(!function.description.is_empty() && function.syntax.contains(name), "{function:?}");
            let state = context.state();
            let is_there =
                state.scalar_functions().contains_key(name) || state.aggregate_functions().contains_key(name);
            assert!(is_there || function.kind == "operator", "{name}");
            assert!(function.example.is_some() || function.arguments.len() > 1, "{name} has no example");
        }
    }
}
