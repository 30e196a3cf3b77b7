//! The SQL functions that are ours; each has a file of its own. DataFusion's and the JSON functions are there too.

mod ago;
mod capped;
mod cidr_match;
mod ocsf_caption;
mod redacted;

use std::sync::Arc;

use datafusion::logical_expr::Documentation;
use datafusion::prelude::SessionContext;

use crate::schema::Ocsf;

/// A function, an operator or a function of tables as `\h` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInfo {
    pub name: String,
    pub kind: &'static str,
    pub signature: String,
    /// One line.
    pub description: String,
    pub example: Option<String>,
    /// Not the engine's own.
    pub is_ours: bool,
}

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
    context.register_udf(cidr_match::function());
    context.register_udf(ocsf_caption::function(ocsf.clone()));
    context.register_udf(redacted::function());
    capped::register(context);
}

/// Every function of a session by name, each once.
pub fn catalogue(context: &SessionContext) -> Vec<FunctionInfo> {
    let ours = ["ago", "cidr_match", "ocsf_caption", "redacted"];
    let info = |name: &str, kind, documentation: Option<&Documentation>| {
        let line = |text: &str| text.trim().lines().next().unwrap_or_default().trim().to_string();
        FunctionInfo {
            name: name.to_string(),
            kind,
            signature: documentation.map_or(format!("{name}(...)"), |known| line(&known.syntax_example)),
            description: documentation.map(|known| line(&known.description)).unwrap_or_default(),
            example: documentation.and_then(|known| known.sql_example.clone()).map(|text| text.trim().to_string()),
            is_ours: ours.contains(&name),
        }
    };
    let state = context.state();
    let mut all: Vec<FunctionInfo> = JSON
        .iter()
        .map(|(name, signature, description, example)| FunctionInfo {
            name: name.to_string(),
            kind: if name.starts_with("json") { "scalar" } else { "operator" },
            signature: signature.to_string(),
            description: description.to_string(),
            example: Some(example.to_string()),
            is_ours: true,
        })
        .collect();
    all.extend(state.scalar_functions().iter().map(|(name, function)| info(name, "scalar", function.documentation())));
    all.extend(
        state.aggregate_functions().iter().map(|(name, function)| info(name, "aggregate", function.documentation())),
    );
    all.extend(state.window_functions().iter().map(|(name, function)| info(name, "window", function.documentation())));
    // The first of a name is the one with the most to say.
    all.sort_by(|a, b| (&a.name, !a.is_ours, a.kind).cmp(&(&b.name, !b.is_ours, b.kind)));
    all.dedup_by(|a, b| a.name == b.name);
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
        let ours: Vec<&FunctionInfo> = all.iter().filter(|function| function.is_ours).collect();
        assert_eq!(ours.len(), 4 + JSON.len());
        for function in &ours {
            assert!(!function.description.is_empty() && function.signature.contains(&function.name), "{function:?}");
            let is_there = context.state().scalar_functions().contains_key(&function.name);
            assert!(is_there || function.kind == "operator", "{}", function.name);
        }
        assert!(all.iter().any(|function| function.name == "count" && function.kind == "aggregate"));
        assert!(all.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
