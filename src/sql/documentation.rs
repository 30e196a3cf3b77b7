//! The functions of a session, as `\h` explains them.

use std::collections::BTreeMap;

use datafusion::logical_expr::Documentation;
use datafusion::prelude::SessionContext;

/// One function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionInfo {
    pub name: String,
    /// Other names of the same function.
    pub aliases: Vec<String>,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    /// How it is called; the name with parentheses when it is not documented.
    pub syntax: String,
    /// What it does, in Markdown; empty when it is not documented.
    pub description: String,
    pub arguments: Vec<(String, String)>,
    pub example: Option<String>,
}

/// Every function by name; an aggregate that is a window function too is listed once.
pub fn functions(context: &SessionContext) -> Vec<FunctionInfo> {
    let state = context.state();
    let mut found = BTreeMap::new();
    let mut add = |name: &str, aliases: &[String], kind, documentation: Option<&Documentation>| {
        found.entry(name.to_string()).or_insert_with(|| info(name, aliases, kind, documentation));
    };
    for function in state.scalar_functions().values() {
        add(function.name(), function.aliases(), "scalar", function.documentation());
    }
    for function in state.aggregate_functions().values() {
        add(function.name(), function.aliases(), "aggregate", function.documentation());
    }
    for function in state.window_functions().values() {
        add(function.name(), function.aliases(), "window", function.documentation());
    }
    for name in state.table_functions().keys() {
        add(name, &[], "table", None);
    }
    found.into_values().collect()
}

fn info(name: &str, aliases: &[String], kind: &'static str, documentation: Option<&Documentation>) -> FunctionInfo {
    let mut info = FunctionInfo {
        name: name.to_string(),
        aliases: aliases.iter().filter(|alias| *alias != name).cloned().collect(),
        kind,
        syntax: format!("{name}(...)"),
        ..FunctionInfo::default()
    };
    if let Some(documentation) = documentation {
        info.syntax = documentation.syntax_example.clone();
        info.description = documentation.description.trim().to_string();
        info.arguments = documentation.arguments.clone().unwrap_or_default();
        info.example = documentation.sql_example.clone();
    }
    info
}
