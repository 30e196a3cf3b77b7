//! Completion with TAB: commands and their arguments here, names of the lake from the backend.

use std::cell::RefCell;
use std::rc::Rc;

use clap::ValueEnum;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::Validator;
use rustyline::{Changeset, Context as Cursor, Helper};

use super::commands;
use super::highlight::highlight;
use super::setting::SETTINGS;
use super::spec::Kind;
use super::split::skip;
use super::{Backend, Candidate, Typed, Wanted};
use crate::render::Format;

/// Statements above this size are not examined at every key.
const MAX_BYTES: usize = 16 * 1024;

/// The line editor's helper.
pub(super) struct Completion<'a> {
    pub backend: Rc<RefCell<&'a mut dyn Backend>>,
    pub files: FilenameCompleter,
    /// The lines of the statement before the one that is typed.
    pub begun: String,
    /// Names of variables and parameters that are set.
    pub variables: Vec<String>,
    pub parameters: Vec<String>,
}

/// The place of the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a word of the statement that begins here.
    Statement(usize),
    /// In a string that opens here, of the statement that begins there.
    Text { statement: usize, quote: usize },
    /// In a shell command that begins here.
    Command(usize),
    /// In a comment or a quoted name.
    Nowhere,
}

/// Finds the cursor at the end of a text that begins with a statement or a command.
fn place(text: &str) -> Place {
    let start = text.len() - text.trim_start().len();
    if is_command(&text[start..]) {
        return Place::Command(start);
    }
    let (mut at, mut statement) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        match skip(text, at) {
            Some((_, false)) if c == '\'' => return Place::Text { statement, quote: at },
            Some((_, false)) => return Place::Nowhere,
            // The end of a line comment is not part of it: at the end of the text the cursor is still in it.
            Some((length, true)) if c == '-' && at + length == text.len() => return Place::Nowhere,
            Some((length, true)) => at += length,
            None if c == '\\' => return Place::Command(at),
            None => {
                at += c.len_utf8();
                if c == ';' {
                    statement = at;
                }
            }
        }
    }
    Place::Statement(statement)
}

/// Returns whether a text begins with a command: `\` and `.` begin one, a plain name must be whole.
fn is_command(text: &str) -> bool {
    let mut characters = text.chars();
    match characters.next() {
        Some('\\') => true,
        Some('.') => characters.next().is_none_or(|c| c.is_ascii_alphabetic()),
        _ => text.split_once(char::is_whitespace).is_some_and(|(name, _)| commands::find(name).is_some()),
    }
}

impl Completer for Completion<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, cursor: &Cursor<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (typed, after) = line.split_at(position);
        let text = format!("{}{typed}", self.begun);
        // Positions in the text include the lines before; positions in the line do not.
        let in_line = |at: usize| at.checked_sub(self.begun.len());
        let (start, candidates) = match place(&text) {
            Place::Nowhere => return Ok((position, Vec::new())),
            Place::Command(at) => {
                let Some(begin) = in_line(at) else { return Ok((position, Vec::new())) };
                match self.command(&typed[begin..], after) {
                    Some((start, candidates)) => (begin + start, candidates),
                    None => return self.files.complete(line, position, cursor),
                }
            }
            Place::Text { statement, quote } => {
                let Some(start) = in_line(quote + 1) else { return Ok((position, Vec::new())) };
                let typed = Typed { before: &text[statement..quote], word: &text[quote + 1..], after };
                (start, self.backend.borrow().complete(Wanted::Text, &typed))
            }
            Place::Statement(at) => {
                let start = word_start(typed);
                let word = self.begun.len() + start;
                let typed = Typed { before: &text[at.min(word)..word], word: &text[word..], after };
                (start, self.backend.borrow().complete(Wanted::Sql, &typed))
            }
        };
        let pair = |candidate: Candidate| Pair { display: candidate.shown, replacement: candidate.text };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }

    /// Replaces the word; in the middle of a word its rest is replaced, too: the candidate is a whole word.
    fn update(&self, line: &mut LineBuffer, start: usize, elected: &str, changes: &mut Changeset) {
        let position = line.pos();
        let text = line.as_str();
        let is_statement = !is_command(text.trim_start());
        let rest = &text[position..];
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let end = if is_statement && start < position { position + end } else { position };
        line.replace(start..end, elected, changes);
    }
}

impl Completion<'_> {
    /// Returns the start of the word at the end of a command line, and its candidates; `None` where a file may follow.
    fn command(&self, typed: &str, after: &str) -> Option<(usize, Vec<Candidate>)> {
        let backend = self.backend.borrow();
        let Some((name, rest)) = typed.split_once(char::is_whitespace) else {
            let programs = backend.commands().into_iter().map(|program| format!(".{program}"));
            let names = commands::names().map(str::to_owned).chain(programs);
            return Some((0, starting(names.map(Candidate::plain), typed)));
        };
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &typed[start..];
        let names = |names: &mut dyn Iterator<Item = String>| starting(names.map(Candidate::plain), word);
        let wanted = |wanted| backend.complete(wanted, &Typed { before: "", word, after });
        let before = rest[..rest.len() - word.len()].split_whitespace().collect::<Vec<_>>();
        let candidates = match kind(name, &before) {
            None => {
                let before = &typed[1..start];
                let candidates = backend.complete(Wanted::Program, &Typed { before, word, after });
                if candidates.is_empty() && !word.starts_with('-') {
                    return None;
                }
                candidates
            }
            Some(Kind::File) => return None,
            Some(Kind::Text) => Vec::new(),
            Some(Kind::Table) => wanted(Wanted::Table),
            Some(Kind::View) => wanted(Wanted::View),
            Some(Kind::Function) => wanted(Wanted::Function),
            Some(Kind::Command) => names(&mut commands::names().map(str::to_owned)),
            Some(Kind::Setting) => names(&mut SETTINGS.iter().map(|setting| setting.names[0].to_owned())),
            Some(Kind::Format) => names(&mut Format::value_variants().iter().map(ToString::to_string)),
            Some(Kind::Variable) => names(&mut self.variables.iter().cloned()),
            Some(Kind::Parameter) => names(&mut self.parameters.iter().cloned()),
            Some(Kind::OneOf(words)) => names(&mut words.iter().map(|word| (*word).to_owned())),
            Some(Kind::Zone) => zones(word),
        };
        Some((start, candidates))
    }
}

/// Returns the kind of the argument that follows `before`; `None` for a command of the program.
fn kind(name: &str, before: &[&str]) -> Option<Kind> {
    let spec = commands::find(name)?;
    let kind = spec.arguments.get(before.len()).or(spec.arguments.last()).copied().unwrap_or(Kind::Text);
    Some(match (kind, before) {
        (Kind::Setting, [setting, ..]) => {
            let setting = SETTINGS.iter().find(|known| known.names.contains(setting));
            setting.map_or(Kind::Text, |setting| setting.values)
        }
        (kind, _) => kind,
    })
}

/// Returns zones by the beginning of their name, or of the city in it.
fn zones(word: &str) -> Vec<Candidate> {
    let lower = word.to_lowercase();
    let is_meant = |name: &&str| {
        let name = name.to_lowercase();
        name.starts_with(&lower) || name.rsplit('/').next().is_some_and(|city| city.starts_with(&lower))
    };
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).filter(is_meant).map(Candidate::plain).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// Returns where the word at the end of a statement begins; a dotted path is one word.
fn word_start(text: &str) -> usize {
    text.char_indices().rev().take_while(|(_, c)| is_word(*c)).last().map_or(text.len(), |(at, _)| at)
}

/// Returns the candidates that begin with a word, whatever its case, in order.
pub fn starting(candidates: impl IntoIterator<Item = Candidate>, word: &str) -> Vec<Candidate> {
    let begins = |text: &str| text.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word));
    let mut found: Vec<Candidate> = candidates.into_iter().filter(|candidate| begins(&candidate.text)).collect();
    found.sort();
    found.dedup();
    found
}

impl Highlighter for Completion<'_> {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> std::borrow::Cow<'l, str> {
        highlight(&self.begun, line).into()
    }

    /// Returns whether a key may change the colours: any key may for everything after it, a mere movement does not.
    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

impl Hinter for Completion<'_> {
    type Hint = String;

    /// Offers nothing by itself, but is called at every key: a table that is named is looked up before TAB is pressed.
    fn hint(&self, line: &str, _: usize, _: &Cursor<'_>) -> Option<String> {
        if self.begun.len() + line.len() <= MAX_BYTES && !(self.begun.is_empty() && is_command(line.trim_start())) {
            self.backend.borrow().prepare(&format!("{}{line}", self.begun));
        }
        None
    }
}
impl Validator for Completion<'_> {}
impl Helper for Completion<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_where_they_stand() {
        assert_eq!(word_start("select actor.us"), 7);
        assert_eq!(word_start("select "), 7);
        assert_eq!(word_start("select é.ü"), 7);
        assert_eq!(word_start("select a--b"), 10);
        let candidates = ["user", "User_access", "é", "user"].map(Candidate::plain);
        let texts: Vec<String> = starting(candidates, "us").into_iter().map(|candidate| candidate.text).collect();
        assert_eq!(texts, ["User_access", "user"]);
    }

    #[test]
    fn the_cursor_is_found_in_strings_comments_and_commands() {
        assert_eq!(place("select a; select b"), Place::Statement(9));
        assert_eq!(place("where x = 'su"), Place::Text { statement: 0, quote: 10 });
        assert_eq!(place("where x = 'it''s' and"), Place::Statement(0));
        assert_eq!(place("select 1; select '"), Place::Text { statement: 9, quote: 17 });
        assert_eq!(place("select -- wh"), Place::Nowhere);
        assert_eq!(place("select -- wh\nx"), Place::Statement(0));
        assert_eq!(place("select \"wh"), Place::Nowhere);
        assert_eq!(place("  \\d wh"), Place::Command(2));
        assert_eq!(place("select 1 \\g wh"), Place::Command(9));
        assert_eq!(place("help ti"), Place::Command(0));
        assert_eq!(place("."), Place::Command(0));
        assert_eq!(place("hel"), Place::Statement(0));
    }

    #[test]
    fn each_argument_has_its_kind() {
        assert_eq!(kind("\\i", &[]), Some(Kind::File));
        assert_eq!(kind("\\d", &[]), Some(Kind::Table));
        assert_eq!(kind("\\pset", &[]), Some(Kind::Setting));
        assert_eq!(kind("\\pset", &["format"]), Some(Kind::Format));
        assert_eq!(kind("\\pset", &["tz"]), Some(Kind::Zone));
        assert_eq!(kind("\\unset", &[]), Some(Kind::Variable));
        assert_eq!(kind(".ingest", &[]), None);
        assert_eq!(zones("berl")[0].text, "Europe/Berlin");
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_place(text in "[a'\"$:;\\\\. \n/*é-]{0,30}") {
            match place(&text) {
                Place::Statement(at) | Place::Command(at) => proptest::prop_assert!(text.is_char_boundary(at)),
                Place::Text { statement, quote } => proptest::prop_assert!(text[statement..quote + 1].ends_with('\'')),
                Place::Nowhere => {}
            }
        }
    }
}
