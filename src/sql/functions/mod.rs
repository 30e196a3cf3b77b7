//! The SQL functions: ours, each in a file of its own, and the engine's, each behind a check (`wrapped`).

mod ago;
mod bare_address;
mod checked;
mod cidr_match;
mod event_json;
mod finding_key;
mod frequent;
mod ipv6_network;
mod json;
mod kind;
mod lookup;
mod names;
mod ocsf_caption;
mod patterns;
mod redacted;
mod sizes;
mod smallest;
mod somebody;
mod texts;
mod times;
mod whole;
mod wrapped;

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

use super::dialect::REWRITTEN;
use super::documentation::{FunctionInfo, functions};
use crate::schema::Ocsf;

pub use checked::{arithmetic, concatenation};
pub use finding_key::numbered;
pub use frequent::frequent;
pub use lookup::{LookupRows, LookupSource, fill_lookups, keys_of, lookup};
pub use times::{Zone, is_length, scaled};
pub use whole::{has_fraction, whole};
pub use wrapped::behind_door;

/// Documentation for functions that have none of their own: the JSON functions and their operators.
const JSON: [(&str, &str, &str, &str); 11] = [
    ("->", "json -> key", "The value under a key, or at a place in a list, as JSON.", "unmapped->'trace'"),
    ("->>", "json ->> key", "The value under a key, or at a place in a list, as text.", "unmapped->>'region'"),
    ("?", "json ? key", "Whether there is such a key.", "unmapped ? 'region'"),
    ("json_get", "json_get(json, key, ...)", "The value at a path, as JSON.", "json_get(unmapped, 'trace', 'id')"),
    (
        "json_as_text",
        "json_as_text(json, key, ...)",
        "The value at a path, as text.",
        "json_as_text(unmapped, 'region')",
    ),
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

/// Aliases by which people know functions of the engine.
const NAMES: [(&str, &[&str]); 28] = [
    ("array_agg", &["list", "array_collect"]),
    ("string_agg", &["group_concat", "listagg"]),
    ("approx_distinct", &["approx_count_distinct"]),
    ("bool_and", &["every", "logical_and"]),
    ("bool_or", &["logical_or"]),
    ("stddev", &["std"]),
    ("regexp_like", &["regexp_matches"]),
    ("string_to_array", &["split", "str_split", "string_split"]),
    ("strpos", &["instr"]),
    ("lower", &["lcase"]),
    ("upper", &["ucase"]),
    ("array_length", &["array_size", "list_size"]),
    ("make_array", &["list_value", "list_pack"]),
    ("array_to_string", &["list_aggr_string"]),
    ("generate_series", &["sequence"]),
    ("current_date", &["today"]),
    ("starts_with", &["prefix", "startswith"]),
    ("ends_with", &["suffix", "endswith"]),
    ("ceil", &["ceiling"]),
    ("signum", &["sign"]),
    ("uuid", &["gen_random_uuid"]),
    ("var", &["variance"]),
    ("levenshtein", &["levenshtein_distance", "editdist3"]),
    ("octet_length", &["strlen"]),
    ("ascii", &["ord", "unicode"]),
    ("array_min", &["list_min"]),
    ("list_avg", &["array_average"]),
    ("json_length", &["json_array_length", "jsonb_array_length"]),
];

/// Registers the functions with a session.
pub fn register(context: &SessionContext, ocsf: &Arc<Ocsf>) {
    context.register_udf(ago::function());
    context.register_udf(bare_address::function());
    context.register_udf(ipv6_network::function());
    context.register_udf(cidr_match::function());
    context.register_udf(event_json::function(ocsf.clone()));
    context.register_udf(finding_key::function());
    context.register_udf(names::function());
    context.register_udf(names::function_or());
    context.register_udf(ocsf_caption::function(ocsf.clone()));
    context.register_udf(redacted::function());
    context.register_udf(somebody::function());
    context.register_udaf(smallest::function());
    context.register_udf(kind::function());
    let own = times::functions().into_iter().chain(json::functions()).chain(patterns::functions());
    for function in own.chain(texts::functions(context.udf("contains").ok())) {
        context.register_udf(function);
    }
    if let Ok(engines) = context.udf("date_part") {
        context.register_udf(times::date_part(engines));
    }
    for name in ["range", "generate_series"] {
        if let Ok(engines) = context.udf(name) {
            context.register_udf(times::series(engines));
        }
    }
    context.register_udaf(checked::sum());
    context.register_udaf(frequent::mode());
    context.register_udaf(frequent::histogram());
    for (name, others) in NAMES {
        if let Ok(function) = context.udf(name) {
            context.register_udf(function.as_ref().clone().with_aliases(others.iter().copied()));
        } else if let Ok(function) = context.udaf(name) {
            context.register_udaf(function.as_ref().clone().with_aliases(others.iter().copied()));
        }
    }
    // This comes last: the functions that exist by then are wrapped.
    wrapped::register(context, &[("date_trunc", times::date_trunc)]);
}

/// Returns every function of a session by name, the JSON operators first.
pub fn catalogue(context: &SessionContext) -> Vec<FunctionInfo> {
    let json = JSON.map(|(name, syntax, description, example)| FunctionInfo {
        name: name.to_string(),
        kind: if name.starts_with("json") { "scalar" } else { "operator" },
        syntax: syntax.to_string(),
        description: description.to_string(),
        example: Some(format!("select {example} from event")),
        ..FunctionInfo::default()
    });
    let rewritten = REWRITTEN.iter().map(|function| FunctionInfo {
        name: function.name.to_string(),
        aliases: function.aliases.iter().map(|alias| alias.to_string()).collect(),
        kind: function.kind,
        syntax: function.syntax.to_string(),
        description: function.description.to_string(),
        example: Some(format!("select {} from event", function.example)),
        ..FunctionInfo::default()
    });
    let mut all: Vec<FunctionInfo> = json.into_iter().chain(rewritten).collect();
    let is_new = |function: &FunctionInfo| {
        // The lookups of kept views are not called by name.
        !function.name.contains(' ')
            && JSON.iter().all(|(name, ..)| *name != function.name)
            && REWRITTEN.iter().all(|other| other.name != function.name)
    };
    all.extend(functions(context).into_iter().filter(is_new));
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
            "ipv6_network",
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
