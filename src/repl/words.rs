//! The words of a command line, and how a command reads them.

use super::command::Command;
use super::settings::Target;
use super::variables::Variables;
use crate::error::{Error, Result};

/// Splits at blanks outside of quotes; outside of quotes variables stand for their values. A backslash is an ordinary
/// character: Windows paths contain them.
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

/// The arguments after the name of a command.
pub(super) struct Arguments<'a> {
    /// The command as the user typed it.
    pub name: &'a str,
    pub words: &'a [String],
    /// The rest of the line as it is.
    pub rest: &'a str,
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

    /// Returns the file or program that results go to.
    pub fn target(&self) -> Result<Option<Target>> {
        if let [word] = self.words
            && let Some(program) = word.strip_prefix('|')
        {
            let program = program.trim().trim_end_matches(';').to_owned();
            return if program.is_empty() {
                Err(self.missing("a program"))
            } else {
                Ok(Some(Target::Program(program)))
            };
        }
        Ok(self.text()?.map(|path| Target::File(path.into())))
    }
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::usage(format!("`{text}` is not a number, or it is out of range")))
}
