//! Names that are not there, and the nearest one that is.

use datafusion::common::Column;

use super::Known;
use crate::error::Error;

/// Begins the names that the engine gives to subqueries.
const MADE: &str = "__correlated_sq";

impl Known {
    /// The path that was meant by a name of which the engine says only one member.
    fn meant(&self, wrong: &str) -> String {
        let (tail, within) = (format!(".{wrong}"), format!(".{wrong}."));
        let mut words = self.sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
        words.find(|word| word.ends_with(&tail) || word.contains(&within)).unwrap_or(wrong).to_string()
    }

    /// A column path of any table that is close to `wrong`, and not the same.
    pub fn nearest_path(&self, wrong: &str) -> Option<String> {
        let meant = self.meant(wrong);
        let sql = self.sql.to_lowercase();
        // Of the tables that the statement names: a path of another one is not there either.
        let is_named = |name: &str| sql.contains(name);
        let is_about_all = !self.ocsf.classes().iter().any(|class| is_named(&class.name)) && is_named("event");
        let classes = self.ocsf.classes().iter().filter(|class| is_about_all || is_named(&class.name));
        classes.filter(|_| wrong.chars().count() > 2).find_map(|class| {
            // The name of a table may stand before the path.
            let path = meant.split_once('.').filter(|(first, _)| class.attribute(first).is_none());
            let path = path.map_or(meant.as_str(), |(_, path)| path);
            class.nearest_path(path).filter(|near| *near != path && *near != meant)
        })
    }

    /// The classes that have a path, when the name is right and only stands in the wrong place.
    fn tables_with(&self, path: &str) -> Vec<String> {
        let has = |path: &str| {
            let classes = self.ocsf.classes().iter().filter(|class| class.attribute(path).is_some());
            classes.map(|class| class.name.clone()).collect::<Vec<_>>()
        };
        let found = has(path);
        match (found.is_empty(), path.split_once('.')) {
            (true, Some((_, rest))) => has(rest),
            _ => found,
        }
    }
}

/// Units that other engines take without quotes.
const UNITS: [&str; 8] = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];

/// A column that a statement names and its tables do not have.
pub fn no_column(field: &Column, valid: &[Column], known: &Known) -> Error {
    // A name that the engine gives to a subquery while it makes a join of it.
    let is_made = |column: &Column| column.relation.as_ref().is_some_and(|table| table.table().starts_with(MADE));
    if valid.iter().any(is_made) || is_made(field) {
        return super::engine::unplanned("", known);
    }
    let wrong = field.flat_name();
    let error = known.at(&wrong, &format!("no column `{wrong}`"));
    let near: Vec<String> = valid.iter().map(|column| column.name.clone()).filter(|name| *name != field.name).collect();
    if valid.iter().any(|column| column.name == field.name) {
        // It is there, of another table or under another name of the table.
        let whose: Vec<String> = valid
            .iter()
            .filter(|column| column.name == field.name)
            .filter_map(|column| column.relation.as_ref().map(|table| format!("{}.{}", table.table(), column.name)))
            .collect();
        return match whose.first() {
            Some(name) => error.hint(format!("write `{name}`")),
            None => error.hint(format!("write `{}`", field.name)),
        };
    }
    if ["current_user", "session_user", "user", "current_role"].contains(&wrong.to_lowercase().as_str()) {
        return error.hint("a lake has no users of its own; who did something is `actor_uid` of `event`");
    }
    if UNITS.contains(&wrong.to_lowercase().as_str()) {
        return error.hint(format!("a unit of time is written as text: date_diff('{wrong}', a, b)"));
    }
    if known.is_quoted(&field.name) {
        return error.hint("double quotes are for names; text stands in single quotes: 'text'");
    }
    if known.is_given(&field.name) {
        return error.hint(
            "a name that `select` gives is known in `where` and to what follows it, not before it, in `on` or in a subquery: repeat the expression",
        );
    }
    let near = nearest(&field.name, &near);
    let others = known.tables_with(&wrong);
    match (near, others.as_slice()) {
        (Some(name), _) if strsim::jaro_winkler(&name, &field.name) > 0.9 => {
            error.hint(format!("did you mean `{name}`?"))
        }
        (near, [_, ..]) => {
            let shown = others.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
            let more = if others.len() > 4 { ", ..." } else { "" };
            match near {
                Some(near) => error.hint(format!("did you mean `{near}`? `{wrong}` is in {shown}{more}")),
                None => error.hint(format!("`{wrong}` is in {shown}{more}")),
            }
        }
        (Some(name), []) => error.hint(format!("did you mean `{name}`?")),
        (None, []) => match known.nearest_path(&wrong) {
            Some(path) => error.hint(format!("did you mean `{path}`?")),
            None => error.hint("`\\d TABLE` lists the columns"),
        },
    }
}

/// A member that a struct does not have.
pub fn no_member(wrong: &str, known: &Known) -> Error {
    let error = known.at(wrong, &format!("no field `{wrong}`"));
    match known.nearest_path(wrong) {
        Some(path) => error.hint(format!("did you mean `{path}`?")),
        None => error.hint("`\\d TABLE` lists the columns"),
    }
}

pub fn no_table(wrong: &str, known: &Known) -> Error {
    if known.unknown.iter().any(|unknown| unknown == wrong) {
        return known
            .at(wrong, &format!("the lake has a table `{wrong}`, but no schema of that name is loaded"))
            .hint("name the folder with its class file: --schemas DIR");
    }
    let error = known.at(wrong, &format!("no table `{wrong}`"));
    let others: Vec<String> = known.tables.iter().filter(|name| *name != wrong).cloned().collect();
    with_nearest(error, nearest(wrong, &others), "`\\d` lists the tables")
}

pub fn no_function(wrong: &str, known: &Known) -> Error {
    if known.context.state().window_functions().contains_key(wrong) {
        return known
            .at(wrong, &format!("`{wrong}` is a function of windows"))
            .hint(format!("write {wrong}(...) over (partition by ... order by ...)"));
    }
    if known.functions().iter().any(|function| is_called(function, wrong)) {
        return super::engine::wrong_call(wrong, known);
    }
    let functions = known.functions().into_iter();
    let names: Vec<String> =
        functions.flat_map(|function| function.aliases.into_iter().chain([function.name])).collect();
    let error = known.at(wrong, &format!("no function `{wrong}`"));
    with_nearest(error, nearest(wrong, &names), "`\\h` lists the functions")
}

/// Whether a function goes by a name.
pub fn is_called(function: &crate::sql::FunctionInfo, name: &str) -> bool {
    function.name == name || function.aliases.iter().any(|alias| alias == name)
}

/// The one of `names` that was meant.
pub fn nearest(wrong: &str, names: &[String]) -> Option<String> {
    crate::typed::nearest(wrong, names.iter().map(String::as_str)).map(str::to_string)
}

fn with_nearest(error: Error, nearest: Option<String>, otherwise: &str) -> Error {
    match nearest {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint(otherwise),
    }
}
