//! Text into tables, one table over another, and the whole into options; what is wrong is told with file and line.

use toml::{Table, Value};

use super::Config;
use crate::error::{Error, Result};

pub(super) fn parse(text: &str, origin: &str) -> Result<Table> {
    text.parse::<Table>().map_err(|error| refuse(origin, text, error))
}

pub(super) fn check(table: Table, origin: &str, text: &str) -> Result<Config> {
    Value::Table(table).try_into::<Config>().map_err(|error| refuse(origin, text, error))
}

/// An error with file and line. What is wrong only after merging has no place; then the key or the value that it names is
/// looked for.
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
        .hint("`auditlake --help` names the default file; only keys of that file are known")
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
