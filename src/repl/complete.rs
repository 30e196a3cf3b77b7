//! What TAB offers: commands and their arguments here, names of the lake from the backend.

use std::cell::RefCell;
use std::rc::Rc;

use clap::ValueEnum;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context as Cursor, Helper};

use super::highlight::highlight;
use super::{Backend, Candidate, Wanted, help};
use crate::render::Format;

/// The line editor's helper.
pub(super) struct Words<'a> {
    pub backend: Rc<RefCell<&'a mut dyn Backend>>,
    pub files: FilenameCompleter,
    /// The lines of the statement before the one that is typed.
    pub begun: String,
}

/// What stands in the place of a command's argument.
enum Argument {
    File,
    Table,
    Function,
    Word(&'static [&'static str]),
    Format,
    Setting,
    Program,
}

const SETTINGS: &[&str] =
    &["columns", "csv_fieldsep", "expanded", "fieldsep", "footer", "format", "null", "pager", "tuples_only"];

fn argument(typed: &str) -> Option<Argument> {
    let (command, rest) = typed.trim_start().split_once(char::is_whitespace)?;
    Some(match command {
        "\\i" | "\\ir" | "\\o" | "\\g" | "\\gx" | "\\G" | "\\e" | ".read" | ".output" | ".once" | ".edit" => {
            Argument::File
        }
        "\\d" | "\\d+" | "\\dt" | "\\dt+" | ".schema" | ".inspect" | ".describe" | ".tables" => Argument::Table,
        "\\h" | "\\df" | ".functions" => Argument::Function,
        "\\x" => Argument::Word(&["auto", "off", "on"]),
        "\\timing" | ".timer" | "\\t" | ".headers" => Argument::Word(&["off", "on"]),
        ".pager" => Argument::Word(&["always", "off", "on"]),
        ".parameter" | ".param" => Argument::Word(&["clear", "list", "set", "unset"]),
        ".mode" => Argument::Format,
        "\\pset" => match rest.split_once(char::is_whitespace) {
            None => Argument::Setting,
            Some(("format", _)) => Argument::Format,
            Some(("expanded", _)) => Argument::Word(&["auto", "off", "on"]),
            Some(("pager", _)) => Argument::Word(&["always", "off", "on"]),
            Some(("footer" | "tuples_only", _)) => Argument::Word(&["off", "on"]),
            Some(_) => Argument::Word(&[]),
        },
        command if command.starts_with('.') && !help::names().any(|name| name == command) => Argument::Program,
        command if command.starts_with(['\\', '.']) => Argument::Word(&[]),
        _ => return None,
    })
}

impl Completer for Words<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, cursor: &Cursor<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (typed, after) = line.split_at(position);
        let start = word_start(typed);
        let word = &typed[start..];
        let backend = self.backend.borrow();
        if self.begun.is_empty() && typed.trim_start().starts_with(['\\', '.']) {
            let Some(argument) = argument(typed) else {
                let programs = backend.commands().into_iter().map(|program| format!(".{program}"));
                let names = help::names().map(str::to_owned).chain(programs).map(Candidate::plain).collect();
                let start = typed.len() - typed.trim_start().len();
                return Ok((start, pairs(matching(names, &typed[start..]))));
            };
            let plain = |words: &[&str]| matching(words.iter().map(|word| Candidate::plain(*word)).collect(), word);
            let candidates = match argument {
                Argument::File => return self.files.complete(line, position, cursor),
                Argument::Table => backend.complete(Wanted::Table, word, after),
                Argument::Function => backend.complete(Wanted::Function, word, after),
                Argument::Word(words) => plain(words),
                Argument::Setting => plain(SETTINGS),
                Argument::Format => {
                    matching(Format::value_variants().iter().map(|f| Candidate::plain(f.to_string())).collect(), word)
                }
                Argument::Program => {
                    let candidates = backend.complete(Wanted::Program, &typed.trim_start()[1..], after);
                    if candidates.is_empty() {
                        return self.files.complete(line, position, cursor);
                    }
                    candidates
                }
            };
            return Ok((start, pairs(candidates)));
        }
        let before = format!("{}{typed}", self.begun);
        Ok((start, pairs(backend.complete(Wanted::Sql, &before, after))))
    }
}

/// Where the word under the cursor begins; a dotted path is one word, and so is `--option`.
fn word_start(typed: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let start = typed.char_indices().rev().take_while(|(_, c)| is_word(*c)).last().map_or(typed.len(), |(at, _)| at);
    let before = typed[..start].trim_end_matches(|c: char| c == '-' || c.is_alphanumeric());
    let is_option = typed[before.len()..].starts_with("--") && before.ends_with(char::is_whitespace);
    if is_option { before.len() } else { start }
}

fn matching(mut candidates: Vec<Candidate>, word: &str) -> Vec<Candidate> {
    let begins = |candidate: &Candidate| {
        candidate.text.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
    };
    candidates.retain(begins);
    candidates.sort();
    candidates.dedup();
    candidates
}

fn pairs(candidates: Vec<Candidate>) -> Vec<Pair> {
    candidates.into_iter().map(|candidate| Pair { display: candidate.shown, replacement: candidate.text }).collect()
}

impl Highlighter for Words<'_> {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> std::borrow::Cow<'l, str> {
        highlight(&self.begun, line).into()
    }

    /// Any key may change the colour of all that follows it; a mere movement changes none.
    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

impl Hinter for Words<'_> {
    type Hint = String;
}
impl Validator for Words<'_> {}
impl Helper for Words<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_where_they_stand() {
        assert_eq!(word_start("select actor.us"), 7);
        assert_eq!(word_start("select "), 7);
        assert_eq!(word_start("select é.ü"), 7);
        assert_eq!(word_start(".report run --per"), 12);
        assert_eq!(word_start("select a--b"), 10);
        let candidates = ["user", "User_access", "é", "user"].map(Candidate::plain).to_vec();
        let texts: Vec<String> = matching(candidates, "us").into_iter().map(|candidate| candidate.text).collect();
        assert_eq!(texts, ["User_access", "user"]);
    }

    #[test]
    fn each_command_knows_what_follows_it() {
        let is_file = |typed| matches!(argument(typed), Some(Argument::File));
        assert!(is_file("\\i rep") && is_file(".read ") && is_file("\\g ") && !is_file("\\i") && !is_file("\\d x"));
        assert!(matches!(argument(".ingest x"), Some(Argument::Program)));
        assert!(matches!(argument("\\d us"), Some(Argument::Table)));
        assert!(matches!(argument("\\pset fo"), Some(Argument::Setting)));
        assert!(matches!(argument("\\pset format c"), Some(Argument::Format)));
        assert!(argument("select x").is_none());
    }

    #[test]
    fn settings_are_those_that_there_are() {
        for name in SETTINGS {
            let known = super::super::meta::parse(&format!("\\pset {name}"), &[], &Default::default());
            assert!(known.is_ok(), "{name}");
        }
    }
}
