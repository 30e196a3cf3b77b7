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
    /// The syntax; the name with parentheses when it is not documented.
    pub syntax: String,
    /// The description in Markdown; empty when it is not documented.
    pub description: String,
    pub arguments: Vec<(String, String)>,
    pub example: Option<String>,
}

/// Returns every function by name; an aggregate that is also a window function is listed once.
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
        info.example = documentation.sql_example.as_deref().and_then(example);
    }
    info
}

/// Returns the statement of an example, which the engine's documentation shows with its prompt and result.
///
/// Returns `None` for one that reads a table that exists only in that documentation.
fn example(text: &str) -> Option<String> {
    let prompted: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.trim_start().to_lowercase().starts_with("> select"))
        .map(|line| line.trim_start().trim_start_matches("> "))
        .collect();
    let statement = if prompted.is_empty() {
        text.trim().to_string()
    } else {
        prompted.join("\n").split(';').next().unwrap_or_default().trim().to_string()
    };
    let lower = statement.to_lowercase();
    let mut words = lower.split(|c: char| c.is_whitespace() || matches!(c, ')' | ',' | ';'));
    let mut is_ours = lower.starts_with("select") || lower.starts_with("with");
    while let Some(word) = words.next() {
        if word == "from" && !lower.contains("extract(") {
            let table = words.next().unwrap_or_default();
            is_ours &=
                table.starts_with('(') || table.is_empty() || ["authentication", "event", "values"].contains(&table);
        }
    }
    is_ours.then_some(statement)
}
