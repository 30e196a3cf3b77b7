//! Parses text into tables, lays one table over another, and checks the result; errors name file and line.

use toml::{Table, Value};

use super::Config;
use crate::error::{Error, Result};

pub(super) fn parse(text: &str, origin: &str) -> Result<Table> {
    text.parse::<Table>().map_err(|error| refuse(origin, text, error))
}

pub(super) fn check(table: Table, origin: &str, text: &str) -> Result<Config> {
    Value::Table(table).try_into::<Config>().map_err(|error| refuse(origin, text, error))
}

/// Makes an error with file and line. A mistake that shows only after merging has no place; then the key or the value
/// that it names is looked up.
fn refuse(origin: &str, text: &str, error: toml::de::Error) -> Error {
    let message = error.message().to_string();
    let offset = error.span().map(|span| span.start).or_else(|| {
        let word = message.split('`').nth(1)?;
        let names = |line: &str| line.trim_start().trim_start_matches('[').starts_with(word);
        let holds = |line: &str| line.contains(&format!("\"{word}\""));
        let line = text.lines().position(names).or_else(|| text.lines().position(holds))?;
        Some(text.lines().take(line).map(|line| line.len() + 1).sum())
    });
    let place = match offset {
        Some(offset) => format!("{origin}:{}", text[..offset.min(text.len())].matches('\n').count() + 1),
        None => origin.to_string(),
    };
    Error::usage(format!("cannot use the configuration {place}: {message}"))
        .hint("`auditlake config default` prints every key with its default; other keys are not known")
}

/// One key that a file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The dotted key: `ingest.batch`.
    pub key: String,
    /// The value as TOML; for a list of tables, their number.
    pub value: String,
    /// The default in the same form; empty when there is none.
    pub default: String,
}

/// Returns the keys of a table by name, those of tables within it by their paths.
pub(super) fn settings(table: &Table, defaults: &Table) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (key, value) in table {
        let default = defaults.get(key);
        if let Value::Table(table) = value {
            let empty = Table::new();
            let below = self::settings(table, default.and_then(Value::as_table).unwrap_or(&empty));
            settings
                .extend(below.into_iter().map(|setting| Setting { key: format!("{key}.{}", setting.key), ..setting }));
        } else {
            settings.push(Setting {
                key: key.clone(),
                value: said(value),
                default: default.map(said).unwrap_or_default(),
            });
        }
    }
    settings
}

fn said(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(is_on) => is_on.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(items) if items.is_empty() => "none".to_string(),
        Value::Array(items) if items.iter().any(Value::is_table) => match items.len() {
            1 => "1 entry".to_string(),
            number => format!("{number} entries"),
        },
        Value::Array(items) => format!("[{}]", items.iter().map(said).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => format!("{} keys", table.len()),
    }
}

pub(super) fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
