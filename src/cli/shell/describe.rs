//! The tables, columns and functions that a statement can name.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::super::terminal::rows;
use super::super::{App, schema, status};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{self, Lake};
use crate::repl::Listing;
use crate::schema::Ocsf;
use crate::sql::{FunctionInfo, Session, TableInfo, column_purpose, type_name};
use crate::typed::nearest;

/// The order in which tables are listed.
const GROUPS: [&str; 4] = ["view", "class", "report view", "ledger"];

/// Lists the tables that the user asked for, group by group.
pub fn tables(session: &Session, listing: &Listing, is_brief: bool) -> Result<RecordBatch> {
    let mut tables = session.tables();
    tables.retain(|table| !listing.is_views || table.kind.ends_with("view"));
    if let Some(pattern) = &listing.pattern {
        // There is one schema: `public.event` and `*.*` mean what is after the dot.
        let pattern = Pattern::new(pattern.rsplit('.').next().unwrap_or_default());
        tables.retain(|table| pattern.matches(&table.name));
    }
    tables.sort_by_key(|table| GROUPS.iter().position(|group| *group == table.kind));
    let text =
        |of: &dyn Fn(&TableInfo) -> String| rows::Column::Text(tables.iter().map(|table| Some(of(table))).collect());
    if !listing.is_verbose {
        return rows::batch(vec![
            ("table", text(&|table| table.name.clone())),
            ("kind", text(&|table| table.kind.to_string())),
            ("rows", rows::Column::Number(tables.iter().map(|table| table.rows).collect())),
            ("what it is", text(&|table| table.purpose.clone())),
        ]);
    }
    if !is_brief {
        return status::table(&tables);
    }
    // On a screen the names must be whole, and milliseconds do not matter.
    let seconds = |time: Option<i64>| time.map(|time| time.div_euclid(1_000_000) * 1_000_000);
    for table in &mut tables {
        (table.min_time_us, table.max_time_us) = (seconds(table.min_time_us), seconds(table.max_time_us));
    }
    let whole = status::table(&tables)?;
    let wanted: Vec<usize> =
        (0..whole.num_columns()).filter(|at| whole.schema().field(*at).name() != "last_batch").collect();
    whole.project(&wanted).context(Kind::Internal, || "cannot list the tables")
}

/// A part of a name, or a pattern: `%` and `*` stand for any text, `?` for a character, and so does `_` beside one of them.
struct Pattern {
    text: Vec<char>,
    is_whole: bool,
}

impl Pattern {
    fn new(text: &str) -> Pattern {
        Pattern { text: text.to_lowercase().chars().collect(), is_whole: text.contains(['%', '*', '?']) }
    }

    fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.to_lowercase().chars().collect();
        if self.is_whole {
            return is_like(&name, &self.text);
        }
        name.windows(self.text.len().max(1)).any(|part| is_like(part, &self.text)) || self.text.is_empty()
    }
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

/// The description of a table.
pub struct Described {
    pub columns: RecordBatch,
    /// Whether the columns are already cut to the width.
    pub is_cut: bool,
    /// The SQL of a view.
    pub definition: Option<String>,
}

/// Returns the columns of a table as dotted paths; for a view with its definition.
pub fn columns(
    app: &App,
    lake: &Lake,
    session: &Arc<Session>,
    (name, is_verbose): (&str, bool),
    width: Option<usize>,
) -> Result<Described> {
    let files = session.state().tables.get(name).map(|table| table.files.clone()).unwrap_or_default();
    let count = files.iter().map(|file| file.rows).sum();
    let store = lake.store();
    let filled =
        if files.is_empty() { BTreeMap::new() } else { app.wait(async move { lake::filled(&store, &files).await })? };
    if let Some(class) = lake.ocsf().by_name(name) {
        let columns = if is_verbose {
            schema::whole_columns(class, &filled, count)?
        } else {
            schema::brief_columns(class, width, &filled, count)?
        };
        return Ok(Described { columns, is_cut: !is_verbose, definition: None });
    }
    let (asked, table) = (session.clone(), name.to_string());
    let columns = app.wait(async move { asked.columns(&table).await })?;
    let mut shown = vec![
        ("column", rows::Column::Text(columns.iter().map(|column| Some(column.path.clone())).collect())),
        ("type", rows::Column::Text(columns.iter().map(|column| Some(column.data_type.clone())).collect())),
    ];
    // For a view or the ledger nobody knows without reading all of it.
    if count > 0 {
        let share = |path: &String| schema::share(filled.get(path), count);
        shown.push(("filled", rows::Column::Text(columns.iter().map(|column| share(&column.path)).collect())));
    }
    let meaning = |path: &str| column_purpose(name, path).map(str::to_string).or_else(|| of_ocsf(lake.ocsf(), path));
    let meanings: Vec<Option<String>> = columns.iter().map(|column| meaning(&column.path)).collect();
    if meanings.iter().any(Option::is_some) {
        shown.push(("what it is", rows::Column::Text(meanings)));
    }
    Ok(Described { columns: rows::batch(shown)?, is_cut: false, definition: session.definition(name) })
}

/// Returns the meaning of an attribute, by its path in an event, or in an item of one of an event's lists.
fn of_ocsf(ocsf: &Ocsf, path: &str) -> Option<String> {
    let path = path.trim_end_matches("[]");
    // The view of `policies` calls an item `policy`.
    let in_list = path.split_once('.').map(|(item, rest)| {
        let list = item.strip_suffix('y').map_or_else(|| format!("{item}s"), |stem| format!("{stem}ies"));
        format!("{list}[].{rest}")
    });
    let comment = |path: &str| ocsf.classes().iter().find_map(|class| class.comments.get(path));
    let comment = comment(path).or_else(|| comment(&in_list?))?;
    // The values of an enumeration are too many for a line; `schema` lists them.
    let end = [" Values:", " Stored as"].iter().filter_map(|after| comment.find(after)).min();
    Some(comment[..end.unwrap_or(comment.len())].to_string())
}

/// Returns the columns of a query's result.
pub fn result_columns(schema: &Schema) -> Result<RecordBatch> {
    let fields = schema.fields();
    rows::batch(vec![
        ("column", rows::Column::Text(fields.iter().map(|field| Some(field.name().clone())).collect())),
        ("type", rows::Column::Text(fields.iter().map(|field| Some(type_name(field.data_type()))).collect())),
    ])
}

/// Returns the SQL that defines a view.
pub fn definition(session: &Session, name: &str) -> Result<String> {
    if let Some(sql) = session.definition(name) {
        return Ok(sql);
    }
    let tables = session.tables();
    if tables.iter().any(|table| table.name == name) {
        return Err(
            Error::input(format!("`{name}` is a table, not a view")).hint(format!("`\\d {name}` lists its columns"))
        );
    }
    let views = tables.iter().filter(|table| table.kind.ends_with("view")).map(|table| table.name.as_str());
    let error = Error::input(format!("no view `{name}`"));
    Err(match nearest(name, views) {
        Some(known) => error.hint(format!("did you mean `{known}`?")),
        None => error.hint("`\\dv` lists the views"),
    })
}

/// The answer to `\h`.
pub enum Functions {
    /// The description of one function.
    One(String),
    Many(RecordBatch),
}

/// Returns all functions, the one with this name, or those whose name is like the text.
pub fn functions(session: &Session, name: Option<&str>) -> Result<Functions> {
    let mut functions = session.functions();
    // A view of the reports is also a function of a time: it returns the state at that time.
    let views = session.tables().into_iter().filter(|table| table.kind == "report view");
    functions.extend(views.map(|view| FunctionInfo {
        kind: "table",
        syntax: format!("{}(time)", view.name),
        description: format!("{}. Events after the time that it is given do not count.", first_upper(&view.purpose)),
        arguments: vec![("time".to_string(), "'2026-01-31' or '2026-01-31T12:00:00Z', UTC".to_string())],
        example: Some(format!("select * from {}('2026-01-31') limit 10", view.name)),
        name: view.name,
        ..FunctionInfo::default()
    }));
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(name) = name.map(|name| name.trim_end_matches("()").to_lowercase()) {
        let is_named = |function: &&FunctionInfo| function.name == name || function.aliases.contains(&name);
        if let Some(function) = functions.iter().find(is_named) {
            return Ok(Functions::One(explain(function)));
        }
        let names: Vec<String> = functions.iter().map(|function| function.name.clone()).collect();
        let pattern = Pattern::new(&name);
        functions.retain(|function| pattern.matches(&function.name));
        if functions.is_empty() {
            let error = Error::input(format!("no function `{name}`"));
            return Err(match nearest(&name, names.iter().map(String::as_str)) {
                Some(known) => error.hint(format!("did you mean `{known}`?")),
                None => error.hint("`\\h` lists them"),
            });
        }
    }
    // The first sentence gives the purpose; the rest is for users who ask.
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

fn first_upper(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_like_and_of_the_shell() {
        let like = |text: &str, pattern: &str| Pattern::new(pattern).matches(text);
        assert!(like("user_access", "user%") && like("user_access", "*access") && like("event", "e_ent"));
        assert!(!like("user_access", "access%") && like("é", "?") && like("", "%") && !like("", "?"));
        assert!(like("user_access", "ser_acc") && !like("user_access", "ser-acc") && like("event", ""));
    }
}
