//! What there is to ask: tables, columns, functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::super::{App, rows, schema, status};
use super::words::{Column, Table, Words};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{self, Lake};
use crate::sql::{FunctionInfo, Session};
use crate::typed::nearest;

/// The tables whose name is like `pattern`: `%` and `*` stand for any text, `_` and `?` for a character; without them
/// a part of the name will do.
pub fn tables(session: &Session, pattern: Option<&str>, is_verbose: bool, is_brief: bool) -> Result<RecordBatch> {
    let mut tables = session.tables();
    if let Some(pattern) = pattern {
        let has_wildcards = pattern.contains(['%', '*', '?']);
        let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
        let is_meant = |name: &str| {
            let name: Vec<char> = name.to_lowercase().chars().collect();
            match has_wildcards {
                true => is_like(&name, &pattern),
                false => name.windows(pattern.len().max(1)).any(|part| is_like(part, &pattern)),
            }
        };
        tables.retain(|table| is_meant(&table.name));
    }
    if is_verbose && is_brief {
        // On a screen the names must be whole, and milliseconds do not matter.
        let seconds = |time: Option<i64>| time.map(|time| time.div_euclid(1_000_000) * 1_000_000);
        for table in &mut tables {
            (table.min_time_us, table.max_time_us) = (seconds(table.min_time_us), seconds(table.max_time_us));
        }
        let whole = status::table(&tables)?;
        let wanted: Vec<usize> =
            (0..whole.num_columns()).filter(|at| whole.schema().field(*at).name() != "last_batch").collect();
        return whole.project(&wanted).context(Kind::Internal, || "cannot list the tables");
    }
    if is_verbose {
        return status::table(&tables);
    }
    rows::batch(vec![
        ("table", rows::Column::Text(tables.iter().map(|table| Some(table.name.clone())).collect())),
        ("kind", rows::Column::Text(tables.iter().map(|table| Some(table.kind.to_string())).collect())),
    ])
}

fn is_like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%' | '*', rest)) => (0..=text.len()).any(|skipped| is_like(&text[skipped..], rest)),
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(c, others)| (matches!(wanted, '_' | '?') || wanted == c) && is_like(others, rest)),
    }
}

/// The columns of a table as dotted paths, and whether they are already cut to the width.
pub fn columns(
    app: &App,
    lake: &Lake,
    session: &Arc<Session>,
    name: &str,
    width: Option<usize>,
) -> Result<(RecordBatch, bool)> {
    let files = session.state().tables.get(name).map(|table| table.files.clone()).unwrap_or_default();
    let count = files.iter().map(|file| file.rows).sum();
    let store = lake.store();
    let filled = match files.is_empty() {
        true => BTreeMap::new(),
        false => app.wait(async move { lake::filled(&store, &files).await })?,
    };
    if let Some(class) = lake.ocsf().by_name(name) {
        return Ok((schema::brief_columns(class, width, &filled, count)?, true));
    }
    let (session, table) = (session.clone(), name.to_string());
    let columns = app.wait(async move { session.columns(&table).await })?;
    let mut shown = vec![
        ("column", rows::Column::Text(columns.iter().map(|column| Some(column.path.clone())).collect())),
        ("type", rows::Column::Text(columns.iter().map(|column| Some(column.data_type.clone())).collect())),
    ];
    // Of a view or of the ledger nobody knows without reading all of it.
    if count > 0 {
        let share = |path: &String| schema::share(filled.get(path), count);
        shown.push(("filled", rows::Column::Text(columns.iter().map(|column| share(&column.path)).collect())));
    }
    Ok((rows::batch(shown)?, false))
}

/// The answer to `\h`.
pub enum Functions {
    /// What one function does.
    One(String),
    Many(RecordBatch),
}

/// All functions, the one with this name, or those whose name holds the text.
pub fn functions(session: &Session, name: Option<&str>) -> Result<Functions> {
    let mut functions = session.functions();
    if let Some(name) = name.map(|name| name.trim_end_matches("()").to_lowercase()) {
        let is_named = |function: &&FunctionInfo| function.name == name || function.aliases.contains(&name);
        if let Some(function) = functions.iter().find(is_named) {
            return Ok(Functions::One(explain(function)));
        }
        let names: Vec<String> = functions.iter().map(|function| function.name.clone()).collect();
        functions.retain(|function| function.name.contains(&name));
        if functions.is_empty() {
            let error = Error::input(format!("no function `{name}`"));
            return Err(match nearest(&name, names.iter().map(String::as_str)) {
                Some(known) => error.hint(format!("did you mean `{known}`?")),
                None => error.hint("`\\h` lists them"),
            });
        }
    }
    // The first sentence says what it is for; the rest is for who asks.
    let brief = |function: &FunctionInfo| {
        let line = function.description.lines().next().unwrap_or_default();
        Some(line.split_once(". ").map_or(line, |(sentence, _)| sentence).trim_end_matches('.').to_string())
    };
    let text =
        |value: &dyn Fn(&FunctionInfo) -> Option<String>| rows::Column::Text(functions.iter().map(value).collect());
    Ok(Functions::Many(rows::batch(vec![
        ("function", text(&|function| Some(function.name.clone()))),
        ("kind", text(&|function| Some(function.kind.to_string()))),
        ("description", text(&brief)),
    ])?))
}

fn explain(function: &FunctionInfo) -> String {
    let mut text = format!("{}  ({} function)\n", function.syntax, function.kind);
    if !function.description.is_empty() {
        text.push_str(&format!("\n{}\n", function.description));
    }
    if !function.arguments.is_empty() {
        text.push_str("\narguments\n");
        for (name, meaning) in &function.arguments {
            text.push_str(&format!("  {name:<16} {}\n", meaning.trim()));
        }
    }
    if !function.aliases.is_empty() {
        text.push_str(&format!("\nalso {}\n", function.aliases.join(", ")));
    }
    if let Some(example) = &function.example {
        let lines = example.lines().filter(|line| !line.trim_start().starts_with("```"));
        text.push_str(&format!(
            "\nexample\n{}\n",
            lines.map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        ));
    }
    text
}

/// Everything that may be typed in a statement.
pub fn words(app: &App, session: &Arc<Session>) -> Words {
    let classes = session.ocsf().classes().iter().map(|class| {
        let leaves = class.describe().into_iter().filter(|field| field.is_leaf);
        let columns = leaves.map(|field| Column { path: field.path, captions: field.captions });
        Table { name: class.name.clone(), columns: columns.collect() }
    });
    let mut tables: Vec<Table> = classes.collect();
    for table in session.tables() {
        if tables.iter().any(|known| known.name == table.name) {
            continue;
        }
        let (session, name) = (session.clone(), table.name.clone());
        // A view that cannot be planned is named all the same; asking for it will tell why.
        let columns = app.wait(async move { session.columns(&name).await }).unwrap_or_default();
        let columns = columns.into_iter().map(|column| Column { path: column.path, captions: None }).collect();
        tables.push(Table { name: table.name, columns });
    }
    Words { tables, functions: session.functions().into_iter().map(|function| function.name).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_like_and_of_the_shell() {
        let like = |text: &str, pattern: &str| {
            is_like(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
        };
        assert!(like("user_access", "user%") && like("user_access", "*access") && like("event", "e_ent"));
        assert!(!like("user_access", "access%") && like("é", "?") && like("", "%") && !like("", "?"));
    }
}
