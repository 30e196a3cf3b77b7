//! Secrets of a command line: `--password x`, `-p x`, `-u name:x`, `mysql -px`.

use super::ends::{Manner, Right, quoted, word_end};
use super::names::{Known, Meaning};
use super::rules::Worth;
use super::scan::Scan;
use super::value::{Look, look};
use hashbrown::HashSet;
use std::sync::Arc;

/// How far before an option its program is looked for.
const LINE: usize = 256;

/// Options that take a secret, beside those whose name says so.
#[derive(Default)]
pub(super) struct Options {
    flags: Vec<Flag>,
}

struct Flag {
    name: String,
    rule: usize,
    is_pair: bool,
    tools: Arc<HashSet<String>>,
}

impl Options {
    pub fn add(&mut self, rule: usize, flags: &[String], tools: &[String], is_pair: bool) {
        let tools: Arc<HashSet<String>> = Arc::new(tools.iter().cloned().collect());
        let flag = |name: &String| Flag { name: name.clone(), rule, is_pair, tools: tools.clone() };
        self.flags.extend(flags.iter().map(flag));
    }

    fn get(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.name == name)
    }
}

impl Scan<'_, '_> {
    pub(super) fn options(&mut self) {
        let bytes = self.bytes;
        let mut taken = 0;
        for at in memchr::memchr2_iter(b'-', b'/', bytes) {
            let is_start = at == 0 || bytes[at - 1].is_ascii_whitespace() || b"\"'`([{,=|".contains(&bytes[at - 1]);
            if at < taken || !is_start {
                continue;
            }
            let dashes = if bytes.get(at + 1) == Some(&b'-') { 2 } else { 1 };
            let is_inner = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            let length = bytes[(at + dashes).min(bytes.len())..].iter().take(64).take_while(is_inner).count();
            let end = at + dashes + length;
            let blanks = bytes[end.min(bytes.len())..]
                .iter()
                .take(8)
                .take_while(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\''))
                .count();
            let is_spaced = bytes[end.min(bytes.len())..].iter().take(blanks).any(|byte| matches!(byte, b' ' | b'\t'));
            if length == 0 || end >= bytes.len() && dashes == 2 {
                continue;
            }
            taken = self.option(at, end, is_spaced.then_some(blanks)).unwrap_or(taken);
        }
    }

    /// Takes the value of the option from `at` to `end`, after so many blanks.
    fn option(&mut self, at: usize, end: usize, blanks: Option<usize>) -> Option<usize> {
        let name = &self.text[at..end];
        let bytes = self.bytes;
        let Some(blanks) = blanks else {
            if let Some(flag) =
                self.engine.options.get(name).filter(|flag| flag.is_pair && bytes.get(end) == Some(&b'='))
            {
                return self.login(flag.rule, end + 1);
            }
            return if name.starts_with('/') { None } else { self.glued(at, end) };
        };
        // A quote that closes the option itself: `"-p" "x"` of a list that became text.
        let from = end + bytes[end..end + blanks].iter().take_while(|byte| !matches!(byte, b' ' | b'\t')).count();
        let start = from + bytes[from..end + blanks].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if let Some(flag) = self.engine.options.get(name) {
            let (rule, is_pair) = (flag.rule, flag.is_pair);
            return if is_pair { self.login(rule, start) } else { self.argument(rule, at, start) };
        }
        if name.starts_with('/') {
            return None;
        }
        if let Some(taken) = self.glued(at, end) {
            return Some(taken);
        }
        let is_long = name.starts_with("--") || name.len() > 4;
        let Meaning::Secret(known) = self.engine.names.meaning(name) else { return None };
        let worth = self.engine.label(known.rule).worth;
        if !is_long || !known.is_sure || matches!(worth, Worth::Link) {
            return None;
        }
        let right = self.word(start)?;
        let is_flag = self.text[right.start..right.end].starts_with(['-', '(', '$']) && right.manner != Manner::Whole;
        let next = right.end;
        (!is_flag && self.take(known, &right)).then_some(next)
    }

    /// The quoted or bare word at `start`.
    fn word(&self, start: usize) -> Option<Right> {
        if let Some(quoted) = quoted(self.bytes, start) {
            return Some(quoted);
        }
        let end = word_end(self.bytes, self.after_scheme(super::mask::marks_end(self.text, start)));
        (start < end).then_some(Right { start, end, manner: Manner::Assigned })
    }

    /// `-u name:password`.
    fn login(&mut self, rule: usize, start: usize) -> Option<usize> {
        let right = self.word(start)?;
        let value = &self.text[right.start..right.end];
        let colon = value.find(':')?;
        let (user, password) = (&value[..colon], &value[colon + 1..]);
        // `-u 1000:1000` is a user and a group, `-u https://..` no user.
        let is_login = !user.is_empty() && !user.contains(['/', ' ']) && !password.starts_with("//");
        let is_secret = match look(password, self.words()) {
            Look::Nothing | Look::Known => false,
            Look::Number(_) => !user.bytes().all(|byte| byte.is_ascii_digit()),
            _ => true,
        };
        let (from, to) = (right.start + colon + 1, right.end);
        (is_login && is_secret && self.push(rule, from, to)).then_some(to)
    }

    /// The argument of `-p` and the like: what looks like a password, or anything when the program is known.
    fn argument(&mut self, rule: usize, at: usize, start: usize) -> Option<usize> {
        let right = self.word(start)?;
        let value = &self.text[right.start..right.end];
        if value.starts_with('-') && right.manner != Manner::Whole {
            return None;
        }
        let is_accepted = match look(value, self.words()) {
            Look::Random | Look::Chosen => !value.contains(['/', ':']) || self.has_tool(at, rule),
            Look::Word | Look::Words | Look::Short | Look::Phrase => self.has_tool(at, rule),
            Look::Number(digits) => digits > 5 && !value.contains(':') && self.has_tool(at, rule),
            _ => false,
        };
        let (from, to) = (right.start, right.end);
        (is_accepted && self.push(rule, from, to)).then_some(to)
    }

    /// `mysql -px`: the value without a blank, for the programs that demand it.
    fn glued(&mut self, at: usize, end: usize) -> Option<usize> {
        let flag = self.engine.options.get(self.text.get(at..at + 2)?).filter(|flag| !flag.is_pair)?;
        let rule = flag.rule;
        let end = word_end(self.bytes, end);
        let value = self.text.get(at + 2..end)?;
        let is_name =
            matches!(look(value, self.words()), Look::Nothing | Look::Number(0..=5) | Look::Path | Look::Known);
        let is_glued = self.text[at..].starts_with("-p") && value.len() >= 4 && !is_name;
        (is_glued && self.has_glued_tool(at) && self.push(rule, at + 2, end)).then_some(end)
    }

    fn line_before(&self, at: usize) -> &[u8] {
        let floor = at.saturating_sub(LINE);
        let line = &self.bytes[floor..at];
        let start = line.iter().rposition(|byte| matches!(byte, b'\n' | b'|' | b';')).map_or(0, |found| found + 1);
        &line[start..]
    }

    fn has_tool(&self, at: usize, rule: usize) -> bool {
        let line = self.line_before(at);
        let words = line.split(|byte| !(byte.is_ascii_alphanumeric() || b"-_.".contains(byte)));
        let Some(flag) = self.engine.options.flags.iter().find(|flag| flag.rule == rule) else { return false };
        let words = words.filter(|word| word.len() > 1).filter_map(|word| std::str::from_utf8(word).ok());
        words.map(|word| word.strip_suffix(".exe").unwrap_or(word)).any(|word| flag.tools.contains(word))
    }

    fn has_glued_tool(&self, at: usize) -> bool {
        let line = self.line_before(at);
        GLUED.iter().any(|tool| memchr::memmem::find(line, tool.as_bytes()).is_some())
    }

    /// Whether an item of a list is a program whose `-p` takes its value without a blank.
    pub(super) fn is_glued_tool(item: &str) -> bool {
        GLUED.iter().any(|tool| item.rsplit('/').next().is_some_and(|name| name.starts_with(tool)))
    }

    /// Whether the next word of a list belongs to this option: `["--password", "x"]`.
    pub(super) fn option_of(&self, item: &str) -> Option<(Known, bool)> {
        if !item.starts_with('-') || item.len() > 64 || item.contains([' ', '=']) {
            return None;
        }
        if let Some(flag) = self.engine.options.get(item) {
            return Some((Known { rule: flag.rule, is_sure: true }, flag.is_pair));
        }
        let known = self.engine.rule_of(item).filter(|known| known.is_sure)?;
        (item.len() > 4).then_some((known, false))
    }
}

/// Programs whose `-p` takes its value without a blank.
pub(super) const GLUED: [&str; 3] = ["mysql", "mariadb", "sshpass"];
