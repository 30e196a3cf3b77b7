//! The files of `queries/conventions`: each is one view, `defaults.toml` holds the values that they share.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use include_dir::{Dir, include_dir};
use toml::Table;

use super::super::bind::{duration, list, map};
use super::super::dialect;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::parse_duration;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries/conventions");

const DEFAULTS: &str = "defaults.toml";

/// All convention views by name, and the default values of parameters.
#[derive(Debug, Default)]
pub struct Conventions {
    views: BTreeMap<String, View>,
    defaults: BTreeMap<String, ScalarValue>,
    shared: Table,
}

/// One view of the catalogue.
#[derive(Debug)]
pub struct View {
    pub name: String,
    /// The meaning of a row, for people.
    pub purpose: String,
    /// The whole file.
    pub text: String,
    pub statement: Sql,
    pub planning: Planning,
    /// Set when the view stands for a table that a session may be given; it says which columns that table has.
    pub input: Option<Input>,
    /// The columns of such a table, and what cannot be said without it. Empty where only the program gives it.
    pub columns: Vec<InputColumn>,
    pub without: String,
    /// Whether it is instantiated for each event class: `from event_class` is the class's table.
    pub is_over_classes: bool,
}

/// The way in which a view becomes part of the plans that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planning {
    /// Its plan is copied to each place that names it.
    Inlined,
    /// It is planned by itself, for the columns and filters that each place asks for: for large plans that many
    /// statements name.
    Apart,
    /// Its rows are kept: for small results of a pass over all events.
    Once,
}

/// The visible rows of a table that a session is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    All,
    /// Rows whose time in this column is within the horizon.
    By(String),
}

/// A column of a table that a session may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputColumn {
    pub name: String,
    pub ty: InputType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputType {
    String,
    Timestamp,
    Double,
    Bigint,
}

impl InputColumn {
    pub fn field(&self) -> Field {
        let ty = match self.ty {
            InputType::String => DataType::Utf8,
            InputType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            InputType::Double => DataType::Float64,
            InputType::Bigint => DataType::Int64,
        };
        Field::new(&self.name, ty, true)
    }
}

/// Reads `email string, left_time timestamp`.
fn columns(list: &str) -> std::result::Result<Vec<InputColumn>, String> {
    let column = |text: &str| {
        let (name, ty) = text.trim().split_once(' ').ok_or_else(|| format!("`{text}` is not `name type`"))?;
        let ty = match ty {
            "string" => InputType::String,
            "timestamp" => InputType::Timestamp,
            "double" => InputType::Double,
            "bigint" => InputType::Bigint,
            other => return Err(format!("`{other}` is no type of a column of an input")),
        };
        Ok(InputColumn { name: name.to_string(), ty })
    };
    list.split(',').map(column).collect()
}

impl Conventions {
    /// Reads the files inside the program.
    pub fn load() -> Result<Conventions> {
        let text = |file: &include_dir::File<'_>| {
            let path = file.path().display().to_string();
            match file.contents_utf8() {
                Some(text) => Ok((path, text.to_string())),
                None => Err(Error::new(Kind::Internal, format!("cannot read queries/conventions/{path}: not UTF-8"))),
            }
        };
        Conventions::parse(&EMBEDDED.files().map(text).collect::<Result<Vec<_>>>()?)
    }

    /// Reads `files`, each a name below `queries/conventions` and a text.
    pub fn parse(files: &[(String, String)]) -> Result<Conventions> {
        let mut read = Conventions::default();
        for (path, text) in files {
            let cannot = || format!("cannot read queries/conventions/{path}");
            if path == DEFAULTS {
                read.shared = text.parse().context(Kind::Internal, cannot)?;
            } else if let Some(stem) = path.strip_suffix(".sql") {
                let view = View::parse(stem, text)
                    .map_err(|message| Error::new(Kind::Internal, format!("{}: {message}", cannot())))?;
                read.views.insert(view.name.clone(), view);
            }
        }
        for (name, value) in &read.shared {
            let value = scalar(value)
                .ok_or_else(|| Error::new(Kind::Internal, format!("cannot use the default of `{name}`")))?;
            read.defaults.insert(name.clone(), value);
        }
        Ok(read)
    }

    pub fn list(&self) -> impl Iterator<Item = &View> {
        self.views.values()
    }

    pub fn view(&self, name: &str) -> Option<&View> {
        self.views.get(name)
    }

    /// Returns whether a session may be given a table of this name.
    pub fn is_input(&self, name: &str) -> bool {
        self.view(name).is_some_and(|view| view.input.is_some())
    }

    /// Returns whether a statement names a view, or a view that names it. A mere lookup for each event does not count.
    pub fn stands_on(&self, sql: &str, name: &str) -> bool {
        let mut open = vec![sql];
        let mut seen: Vec<&str> = Vec::new();
        while let Some(text) = open.pop() {
            // A name in quotes belongs to a lookup.
            let code = text.lines().filter(|line| !line.trim_start().starts_with("--"));
            let plain: Vec<&str> = code.flat_map(|line| line.split('\'').step_by(2)).collect();
            let words = plain.iter().flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
            for view in words.filter_map(|word| self.view(word)) {
                if view.name == name {
                    return true;
                }
                if !seen.contains(&view.name.as_str()) {
                    seen.push(&view.name);
                    open.push(&view.text);
                }
            }
        }
        false
    }

    /// Returns the default value of a parameter.
    pub fn value(&self, name: &str) -> Option<&ScalarValue> {
        self.defaults.get(name)
    }

    /// Returns the shared values as their file has them; the default `"@name"` of a report's parameter means one of them.
    pub fn shared(&self) -> &Table {
        &self.shared
    }
}

impl View {
    fn parse(stem: &str, text: &str) -> std::result::Result<View, String> {
        let statement = dialect::view(text).map_err(|error| error.to_string())?;
        let mut view = View {
            name: String::new(),
            purpose: String::new(),
            text: text.to_string(),
            statement,
            planning: Planning::Inlined,
            input: None,
            columns: Vec::new(),
            without: String::new(),
            is_over_classes: false,
        };
        for line in text.lines().map_while(|line| line.strip_prefix("-- ")) {
            match line.split_once(": ") {
                Some(("view", name)) => view.name = name.trim().to_string(),
                Some(("evaluate", "once")) => view.planning = Planning::Once,
                Some(("plan", "apart")) => view.planning = Planning::Apart,
                Some(("over", "classes")) => view.is_over_classes = true,
                Some(("purpose", purpose)) => view.purpose = purpose.trim().to_string(),
                Some(("input", "all")) => view.input = Some(Input::All),
                Some(("input", column)) => view.input = Some(Input::By(column.trim().to_string())),
                Some(("columns", list)) => view.columns = columns(list)?,
                Some(("without", text)) => view.without = text.trim().to_string(),
                Some(("convention", _)) => {}
                _ => {
                    return Err(format!(
                        "`{line}` is not `view: `, `convention: `, `purpose: `, `input: `, `columns: `, `without: `, `over: classes`, \
                         `plan: apart` or `evaluate: once`"
                    ));
                }
            }
        }
        let is_asked_for = !view.columns.is_empty();
        if is_asked_for == view.without.is_empty() || (is_asked_for && view.input.is_none()) {
            return Err("`columns: ` and `without: ` stand together, and only with `input: `".to_string());
        }
        if view.name != stem {
            return Err("the file's name is not the view's".to_string());
        }
        // A template is rewritten when it is made into the query of a class.
        if !view.is_over_classes {
            dialect::rewrite_view(&mut view.statement).map_err(|error| error.to_string())?;
        }
        Ok(view)
    }
}

/// Reads a shared value; one whose type its text does not show is `{ type = "duration", value = "PT24H" }`.
fn scalar(value: &toml::Value) -> Option<ScalarValue> {
    let strings = |values: &[toml::Value]| -> Option<Vec<String>> {
        values.iter().map(|value| value.as_str().map(str::to_string)).collect()
    };
    Some(match value {
        toml::Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        toml::Value::Integer(number) => ScalarValue::Int64(Some(*number)),
        toml::Value::Float(number) => ScalarValue::Float64(Some(*number)),
        toml::Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
        toml::Value::Array(values) => list(&strings(values)?),
        toml::Value::Table(table) => match (table.get("type")?.as_str()?, table.get("value")?) {
            ("duration", toml::Value::String(text)) => {
                duration(parse_duration(text).ok()?.as_millis().try_into().ok()?)
            }
            ("map<string,regex>", toml::Value::Table(entries)) => {
                let text = |(name, value): (&String, &toml::Value)| Some((name.clone(), value.as_str()?.to_string()));
                map(&entries.iter().map(text).collect::<Option<Vec<_>>>()?)
            }
            _ => return None,
        },
        toml::Value::Datetime(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_a_view_is_an_error_that_names_it() {
        let parse = |name: &str, text: &str| {
            Conventions::parse(&[(name.to_string(), text.to_string())]).unwrap_err().message().to_string()
        };
        assert!(parse("a.sql", "-- view: b\nselect 1").contains("queries/conventions/a.sql: the file's name"));
        assert!(parse("a.sql", "-- view: a\n-- colour: red\nselect 1").contains("`colour: red` is not"));
        assert!(parse("a.sql", "-- view: a\nselect 1; select 2").contains("it is not one query"));
        assert!(parse("defaults.toml", "a = 1979-05-27").contains("the default of `a`"));
        assert!(Conventions::load().unwrap().list().all(|view| !view.purpose.is_empty()));
    }
}
