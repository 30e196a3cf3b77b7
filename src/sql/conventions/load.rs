//! The files of `queries/conventions`: each is one view, `defaults.toml` holds the values that they share.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use include_dir::{Dir, include_dir};
use toml::Table;

use super::super::bind::{duration, list, map};
use super::super::guard;
use crate::error::{Context, Error, Kind, Result};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries/conventions");

const DEFAULTS: &str = "defaults.toml";

/// All convention views by name, and the values of the parameters that nobody sets.
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
    /// What a row is, for people.
    pub purpose: String,
    /// The whole file.
    pub text: String,
    pub statement: Sql,
    pub planning: Planning,
    /// Set when the view stands for a table that a session may be given; it says what columns that table has.
    pub input: Option<Input>,
    /// Instantiated for each event class: `from event_class` is the class's table.
    pub is_over_classes: bool,
}

/// How a view becomes part of the plans that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planning {
    /// Its plan is copied to each place that names it.
    Inlined,
    /// It is planned by itself, for the columns and filters that each place asks for: for large plans that many name.
    Apart,
    /// Its rows are kept: for small results of a pass over all events.
    Once,
}

/// Which rows of a table that a session is given are visible.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    All,
    /// Those whose time in this column is within the horizon.
    By(String),
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

    /// Whether a session may be given a table of this name.
    pub fn is_input(&self, name: &str) -> bool {
        self.view(name).is_some_and(|view| view.input.is_some())
    }

    /// The value of a parameter that nobody sets.
    pub fn value(&self, name: &str) -> Option<&ScalarValue> {
        self.defaults.get(name)
    }

    /// The shared values as their file has them; the default `"@name"` of a report's parameter means one of them.
    pub fn shared(&self) -> &Table {
        &self.shared
    }
}

impl View {
    fn parse(stem: &str, text: &str) -> std::result::Result<View, String> {
        let mut parsed = guard::parse(text).map_err(|error| error.to_string())?;
        let (Some(Statement::Statement(statement)), None) = (parsed.pop_front(), parsed.pop_front()) else {
            return Err("it is not one query".to_string());
        };
        let mut view = View {
            name: String::new(),
            purpose: String::new(),
            text: text.to_string(),
            statement: *statement,
            planning: Planning::Inlined,
            input: None,
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
                Some(("convention", _)) => {}
                _ => {
                    return Err(format!(
                        "`{line}` is not `view: `, `convention: `, `purpose: `, `input: `, `over: classes`, \
                         `plan: apart` or `evaluate: once`"
                    ));
                }
            }
        }
        match view.name == stem {
            true => Ok(view),
            false => Err("the file's name is not the view's".to_string()),
        }
    }
}

/// A shared value; one whose type its text does not show is `{ type = "duration", value = "PT24H" }`.
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
            ("duration", toml::Value::String(text)) => duration(iso_duration(text)?),
            ("map<string,regex>", toml::Value::Table(entries)) => {
                let text = |(name, value): (&String, &toml::Value)| Some((name.clone(), value.as_str()?.to_string()));
                map(&entries.iter().map(text).collect::<Option<Vec<_>>>()?)
            }
            _ => return None,
        },
        toml::Value::Datetime(_) => return None,
    })
}

const DAY_MS: i64 = 86_400_000;

/// Milliseconds of an ISO 8601 duration without years and months, whose length depends on when: `P2W`, `P1DT12H30M`,
/// `PT0.5S`.
pub fn iso_duration(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = components(date, &[('W', 7 * DAY_MS), ('D', DAY_MS)])?;
    days.checked_add(components(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?)
}

fn components(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0i64;
    for &(unit, unit_ms) in units {
        let Some((number, rest)) = text.split_once(unit) else { continue };
        text = rest;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        // Only seconds have a fraction, of at most three digits: milliseconds are the finest we know.
        if !digits(whole) || !digits(fraction) || fraction.len() > 3 || (number.contains('.') && unit != 'S') {
            return None;
        }
        let fraction_ms: i64 = format!("{fraction:0<3}").parse().ok()?;
        let fraction_ms = if unit == 'S' { fraction_ms } else { 0 };
        total = total.checked_add(whole.parse::<i64>().ok()?.checked_mul(unit_ms)?)?.checked_add(fraction_ms)?;
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let half = DAY_MS + 3_600_500;
        for (text, ms) in [("P1D", DAY_MS), ("PT15M", 900_000), ("P1W", 7 * DAY_MS), ("P1DT1H0.5S", half)] {
            assert_eq!(iso_duration(text), Some(ms), "{text}");
        }
        for wrong in ["", "P", "PT", "P1DT", "P1M", "P1Y", "PT1.5H", "15M", "P-1D", "PT1S1M", "PT0.0001S"] {
            assert_eq!(iso_duration(wrong), None, "{wrong}");
        }
    }

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
