//! A row of the table of commands, and how the rest of a line becomes its command.

use std::time::Duration;

use super::command::{Branch, Command, Go, Parameter};
use super::setting::Setting;
use super::words::{Arguments, number};
use crate::error::{Error, Result};

/// The pause that psql uses.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// One command.
pub(super) struct Spec {
    /// All its spellings, the most common first.
    pub names: &'static [&'static str],
    /// The arguments after the name, as help shows them.
    pub usage: &'static str,
    /// The kinds of its arguments in order; the last one repeats.
    pub arguments: &'static [Kind],
    pub purpose: &'static str,
    pub line: Line,
    pub make: Make,
    /// An example line. The text before the command is a statement that it runs.
    pub example: &'static str,
}

/// The kind of an argument, for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text without suggestions.
    Text,
    File,
    Table,
    View,
    Function,
    Format,
    /// A setting of `\pset`, followed by its value.
    Setting,
    Variable,
    Parameter,
    Command,
    Zone,
    OneOf(&'static [&'static str]),
}

/// How the rest of a line is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// In words, up to a semicolon at the end.
    Words,
    /// In words, of which the last may be a semicolon.
    Text,
    /// In a word that names a file, or `|` and a command line.
    Target,
    /// Not at all.
    Raw,
}

#[derive(Clone, Copy)]
pub(super) enum Make {
    Command(fn(&Arguments<'_>) -> Result<Command>),
    Branch(Branch),
}

pub(super) const SWITCH: Kind = Kind::OneOf(&["off", "on"]);
pub(super) const EXPANDED: Kind = Kind::OneOf(&["auto", "off", "on"]);
pub(super) const PAGER: Kind = Kind::OneOf(&["always", "off", "on"]);

/// Builds a row of the table.
pub(super) const fn row(
    names: &'static [&'static str],
    usage: &'static str,
    arguments: &'static [Kind],
    purpose: &'static str,
    example: &'static str,
    make: fn(&Arguments<'_>) -> Result<Command>,
) -> Spec {
    Spec { names, usage, arguments, purpose, line: Line::Words, make: Make::Command(make), example }
}

/// Builds a command whose arguments are split in another way.
pub(super) const fn with_line(line: Line, spec: Spec) -> Spec {
    Spec { line, ..spec }
}

/// Builds a part of a condition.
pub(super) const fn condition(
    name: &'static [&'static str],
    usage: &'static str,
    purpose: &'static str,
    example: &'static str,
    branch: Branch,
) -> Spec {
    Spec {
        names: name,
        usage,
        arguments: &[Kind::Text],
        purpose,
        line: Line::Words,
        make: Make::Branch(branch),
        example,
    }
}

pub(super) fn show(arguments: &Arguments<'_>, is_expanded: bool) -> Result<Command> {
    Ok(Command::Go(Go::Show { is_expanded, target: arguments.target()? }))
}

/// Parses `\watch 5`, `\watch i=5 c=3`.
pub(super) fn watch(arguments: &Arguments<'_>) -> Result<Command> {
    let (mut pause, mut times) = (PAUSE, None);
    for word in arguments.words {
        if let Some(count) = word.strip_prefix("c=") {
            times = Some(number(count)?);
            continue;
        }
        let seconds: f64 = number(word.strip_prefix("i=").unwrap_or(word))?;
        pause = Duration::try_from_secs_f64(seconds)
            .map_err(|_| Error::usage(format!("`{word}` is not a pause in seconds")))?;
    }
    Ok(Command::Go(Go::Watch { pause, times }))
}

pub(super) fn parameter(arguments: &Arguments<'_>) -> Result<Command> {
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    // sqlite3 binds `:name`, `$name` and `@name`.
    let plain = |name: &str| name.trim_start_matches([':', '$', '@']).to_owned();
    let change = match words.as_slice() {
        [] | ["list"] => Parameter::List,
        ["clear" | "init"] => Parameter::Clear,
        ["set", name, value] => Parameter::Set(plain(name), (*value).to_owned()),
        ["unset", name] => Parameter::Unset(plain(name)),
        _ => {
            return Err(Error::usage(format!("cannot understand `{} {}`", arguments.name, words.join(" ")))
                .hint("`.parameter set name value`, `unset name`, `clear` or `list`"));
        }
    };
    Ok(Command::Parameter(change))
}

pub(super) fn max_rows(rows: Option<usize>) -> Setting {
    Setting::MaxRows(rows.map(|rows| Some(rows).filter(|rows| *rows > 0)))
}
