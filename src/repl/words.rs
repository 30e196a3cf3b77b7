//! The words of a command line, and what a command makes of them.

use std::path::PathBuf;

use super::meta::Command;
use super::variables::Variables;
use crate::error::{Error, Result};

/// Splits at blanks outside of quotes; outside of quotes variables stand for their values. A backslash is a character
/// like another: paths of Windows hold them.
pub(super) fn words(line: &str, variables: &Variables) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        if quote.is_none()
            && c == ':'
            && let Some((length, value)) = variables.at(&line[at..])?
        {
            word.get_or_insert_default().push_str(&value);
            at += length;
            continue;
        }
        at += c.len_utf8();
        match quote {
            Some(open) if c == open && line[at..].starts_with(open) => {
                // A doubled quote stands for itself.
                word.get_or_insert_default().push(c);
                at += c.len_utf8();
            }
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        return Err(Error::usage(format!("a closing {quote} is missing")));
    }
    words.extend(word);
    Ok(words)
}

/// What follows the name of a command.
pub(super) struct Arguments<'a> {
    pub name: &'a str,
    pub words: &'a [String],
}

impl<'a> Arguments<'a> {
    pub fn text(&self) -> Result<Option<String>> {
        match self.words {
            [] => Ok(None),
            [word] => Ok(Some(word.clone())),
            _ => {
                Err(Error::usage(format!("`{}` takes one argument", self.name))
                    .hint("quote an argument that holds blanks"))
            }
        }
    }

    pub fn required(&self, what: &str) -> Result<String> {
        self.text()?.ok_or_else(|| self.missing(what))
    }

    pub fn missing(&self, what: &str) -> Error {
        Error::usage(format!("`{}` needs {what}", self.name))
    }

    pub fn optional<T>(&self, read: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        self.text()?.map(|word| read(&word)).transpose()
    }

    pub fn none(&self, command: Command) -> Result<Command> {
        match self.words {
            [] => Ok(command),
            _ => Err(Error::usage(format!("`{}` takes no argument", self.name))),
        }
    }

    /// A file that results go to. psql pipes into `|command`, sqlite3 opens programs with `-e` and `-x`: we do neither.
    pub fn path(&self) -> Result<Option<PathBuf>> {
        match self.words.first() {
            Some(word) if word.starts_with(['|', '-']) => Err(Error::usage(format!("cannot send results to `{word}`"))
                .hint("name a file, such as result.csv or result.xlsx")),
            _ => Ok(self.text()?.map(PathBuf::from)),
        }
    }
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::usage(format!("`{text}` is not a number that fits here")))
}
