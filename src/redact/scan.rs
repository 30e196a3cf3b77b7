//! Secrets that a name announces in free text: `password=x`, `"token": "x"`, `Cookie: a=b`, `?code=x`.
//!
//! A `Scan` goes over one text; the other passes over it are in the files beside this one. No pass looks at a byte
//! more often than a few times: a value that was taken is left behind, and one that is refused is short, or was
//! refused by its first word.

use super::ends::{Left, Manner, Right, is_name, name_before, query_end, quoted, word_end};
use super::engine::{Engine, Vocabulary};
use super::layer;
use super::mask::marks_end;
use super::names::{Known, Meaning};
use super::pair::is_name_of_name;
use super::rules::Worth;
use super::span::Span;
use super::value::{Look, look};

/// A longer line is not a phrase that people choose.
const PHRASE: usize = 128;

/// One text that is looked into, and what was found in it.
pub(super) struct Scan<'a, 'o> {
    pub engine: &'a Engine,
    pub text: &'a str,
    pub bytes: &'a [u8],
    pub depth: usize,
    pub out: &'o mut Vec<Span>,
}

impl<'a, 'o> Scan<'a, 'o> {
    pub fn new(engine: &'a Engine, text: &'a str, depth: usize, out: &'o mut Vec<Span>) -> Scan<'a, 'o> {
        Scan { engine, text, bytes: text.as_bytes(), depth, out }
    }

    pub fn words(&self) -> &'a Vocabulary {
        &self.engine.vocabulary
    }

    pub fn push(&mut self, rule: usize, start: usize, end: usize) -> bool {
        self.engine.push(rule, self.text, start, end, &self.text[start..end], self.out)
    }

    pub fn assignments(&mut self) {
        let bytes = self.bytes;
        let has_space = memchr::memchr3(b' ', b'\n', b'\t', bytes).is_some();
        let (mut taken, mut tag) = (0, 0);
        for at in memchr::memchr3_iter(b'=', b':', b'>', bytes) {
            if at < taken {
                continue;
            }
            let end = if bytes[at] == b'>' && bytes.get(at.wrapping_sub(1)) != Some(&b'=') {
                let end = self.element(tag, at);
                tag = at + 1;
                end
            } else {
                name_before(self.text, at).and_then(|left| self.assigned(at, &left, has_space))
            };
            taken = end.unwrap_or(taken);
        }
    }

    /// Takes the value after the delimiter at `at`; returns where it ended.
    fn assigned(&mut self, at: usize, left: &Left<'a>, has_space: bool) -> Option<usize> {
        let bytes = self.bytes;
        let before = left.start.checked_sub(1).map(|index| bytes[index]);
        let is_query = bytes[at] == b'='
            && left.start + left.name.len() == at
            && match before {
                Some(byte) => b"?&#;".contains(&byte),
                // A query string that was cut out of its URL.
                None => !has_space,
            };
        let names = &self.engine.names;
        let meaning = if is_query { names.in_query(left.name) } else { names.meaning(left.name) };
        let (known, manner) = match meaning {
            Meaning::Secret(known) => match bytes[at] {
                b'=' if is_query => (known, Manner::Query),
                // An address with a tag: `ann+password=x@corp.example`.
                b'=' if before == Some(b'+') && self.is_address(left.start, at) => return None,
                b'=' => (known, Manner::Assigned),
                b'>' => (known, Manner::Assigned),
                // A path with colons, such as an ARN: `arn:aws:secretsmanager:eu-west-1:1:secret:name`.
                _ if before == Some(b':') || self.is_colon_list(at) => return None,
                _ => (known, Manner::Prose),
            },
            // `api key: x`: one space may be in a name of two words.
            _ => match self.two_words(at, left) {
                Some(known) => (known, Manner::Prose),
                None if is_name_of_name(left.name) => return self.named(at),
                None => return None,
            },
        };
        if let Some(end) = self.container(at, known).or_else(|| self.mapping(at, known)) {
            return Some(end);
        }
        let right = self.right(at, known, manner)?;
        // What was not taken may have other names in it: `cookie: changed, password=x`.
        let is_taken = self.take(known, &right);
        is_taken.then(|| self.after_arrow(known, right.end))
    }

    /// Takes the new value after an old one: `password: x -> y`. Returns where that ends, or `end`.
    fn after_arrow(&mut self, known: Known, end: usize) -> usize {
        let rest = self.text[end..].trim_start_matches(['"', '\'']);
        let rest = rest.trim_start_matches(' ');
        let Some(after) = ["->", "=>", "→", "to "].iter().find_map(|arrow| rest.strip_prefix(arrow)) else {
            return end;
        };
        let start = self.text.len() - after.trim_start_matches(' ').len();
        let right = quoted(self.bytes, start).unwrap_or(Right {
            start,
            end: word_end(self.bytes, start),
            manner: Manner::Assigned,
        });
        let is_value = Worth::Token.accepts(&self.text[right.start..right.end], self.words());
        if is_value && self.take(known, &right) { right.end } else { end }
    }

    /// Looks into JSON that is in the text as the value of a name.
    fn container(&mut self, at: usize, known: Known) -> Option<usize> {
        let start = at + 1 + self.bytes[at + 1..].iter().take(8).take_while(|byte| b" \t=>".contains(byte)).count();
        let is_open = |byte: &u8| matches!(byte, b'{' | b'[');
        if self.depth == 0 || !self.bytes.get(start).is_some_and(is_open) || marks_end(self.text, start) > start {
            return None;
        }
        let inner = self.bytes[start + 1..].iter().take(64).find(|byte| !byte.is_ascii_whitespace())?;
        matches!(inner, b'"' | b'{' | b'[')
            .then(|| self.engine.json_one(self.text, start, Some(known), self.depth - 1, self.out))
    }

    fn two_words(&self, at: usize, left: &Left) -> Option<Known> {
        let is_spaced = left.start > 1 && self.bytes[left.start - 1] == b' ' && !left.is_quoted;
        if !is_spaced || self.bytes[at] == b'>' {
            return None;
        }
        let before = &self.bytes[..left.start - 1];
        let first = before.iter().rev().take(48).take_while(|byte| is_name(byte)).count();
        // A long word may be cut within a character.
        let words = self.text.get(left.start - 1 - first..left.start + left.name.len()).filter(|_| first > 0);
        self.engine.rule_of(words?)
    }

    /// Whether the name from `start` and what follows the delimiter at `at` are parts of an e-mail address.
    fn is_address(&self, start: usize, at: usize) -> bool {
        let is_local = start > 1 && self.bytes[start - 2].is_ascii_alphanumeric();
        let length = self.bytes[at + 1..]
            .iter()
            .take(64)
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"@.-_".contains(byte))
            .count();
        is_local && look(&self.text[at + 1..at + 1 + length], self.words()) == Look::Address
    }

    /// Whether the colon at `at` is one of several in a list of words: `okta_password:password:aut1abc2def3ghi4`.
    fn is_colon_list(&self, at: usize) -> bool {
        let rest = &self.bytes[at + 1..];
        let word = rest.iter().take(64).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
        word > 0 && rest.get(word) == Some(&b':') && rest.get(word + 1).is_some_and(u8::is_ascii_alphanumeric)
    }

    /// Finds the value after the delimiter at `at`.
    pub fn right(&self, at: usize, known: Known, manner: Manner) -> Option<Right> {
        let bytes = self.bytes;
        let blanks = bytes[at + 1..].iter().take_while(|byte| b" \t".contains(byte)).count();
        let below = bytes.get(at + 1 + blanks).filter(|_| bytes[at] == b':');
        if below.is_some_and(|first| matches!(first, b'|' | b'>' | b'\n' | b'\r'))
            && let Some(block) = self.block(at + 1 + blanks, at)
        {
            return Some(block);
        }
        // `userPassword:: x` of LDIF.
        let is_double = bytes[at] == b':' && matches!(bytes.get(at + 1..at + 3), Some(b": "));
        let at = at + usize::from(is_double);
        let blanks = bytes[at + 1..].iter().take_while(|byte| b" \t=>".contains(byte)).count();
        let start = at + 1 + blanks;
        let first = *bytes.get(start)?;
        // `b"x"`, `r'x'`, `N'x'`: a letter before the quote.
        let is_marked = first.is_ascii_alphabetic() && matches!(bytes.get(start + 1), Some(b'"' | b'\''));
        if let Some(quoted) = quoted(bytes, start + usize::from(is_marked)) {
            return Some(quoted);
        }
        let past = marks_end(self.text, start);
        let worth = self.engine.label(known.rule).worth;
        let end = match worth {
            Worth::Cookie if manner != Manner::Query => self.cookie_end(past, self.text.len(), at),
            Worth::Authorization if manner != Manner::Query => self.credentials_end(past, at),
            _ if manner == Manner::Query => query_end(bytes, self.after_scheme(past)),
            _ => word_end(bytes, self.after_scheme(past)),
        };
        let end = if matches!(worth, Worth::Any | Worth::Answer) && manner == Manner::Prose {
            self.phrase_end(start).unwrap_or(end)
        } else {
            end
        };
        Some(Right { start, end: end.max(past), manner })
    }

    /// The end of `correct horse battery staple`: three or more words to the end of the line, and no sentence.
    fn phrase_end(&self, start: usize) -> Option<usize> {
        let rest = &self.bytes[start..];
        let is_end = |byte: &u8| b"\n\r,;\"'.<\\".contains(byte);
        let length = rest.iter().take(PHRASE + 1).position(is_end).unwrap_or(rest.len());
        let line = self.text.get(start..start + length).filter(|line| line.len() <= PHRASE)?.trim_end();
        let words: Vec<&str> = line.split(' ').collect();
        let is_part = |word: &&str| {
            (2..=16).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_lowercase())
                && !self.words().is_prose(word)
                && !word.ends_with("ed")
                && !word.ends_with("ing")
        };
        ((3..=24).contains(&words.len()) && words.iter().all(is_part)).then_some(start + line.len())
    }

    /// Takes all of the text as the value of a name.
    pub fn take_whole(&mut self, known: Known) -> bool {
        self.take(known, &Right { start: 0, end: self.text.len(), manner: Manner::Whole })
    }

    /// Takes the value of a secret name, unless it is none; says whether it took it.
    pub fn take(&mut self, known: Known, right: &Right) -> bool {
        let label = self.engine.label(known.rule);
        let worth = match label.worth {
            _ if !known.is_sure => Worth::Random,
            // A sentence says other things about an answer.
            Worth::Answer if !matches!(right.manner, Manner::Whole | Manner::Open) => Worth::Any,
            worth => worth,
        };
        let value = &self.text[right.start..right.end];
        let end = right.start + value.trim_end().len();
        let mut start = (right.start + value.len() - value.trim_start().len()).min(end);
        let behind = marks_end(self.text, start).min(end);
        if behind > start && behind < end && self.bytes[behind].is_ascii_alphanumeric() {
            // Somebody redacted, or pretended to, and went on.
            return end - behind >= 4 && self.push(known.rule, behind, end);
        }
        if worth == Worth::Cookie && self.text[start..end].contains('=') {
            let ends = self.cookie_end(start, end, right.start);
            return ends >= start + 8 && self.push(known.rule, start, ends);
        }
        if matches!(worth, Worth::Authorization | Worth::Token | Worth::Session) {
            let after = self.after_scheme(start).min(end);
            if after > start && after < end {
                return self.take_credentials(known, after, end, right.manner);
            }
            start = after;
        }
        let value = &self.text[start..end];
        if worth == Worth::Link && value.contains("://") {
            return self.take_link(known, start, end);
        }
        let decoded = (right.manner == Manner::Query).then(|| layer::percent(value)).flatten();
        let secret = decoded.as_ref().map_or(value, |layer| layer.text.as_str());
        let is_accepted = match right.manner {
            Manner::Open => known.is_sure && (worth.accepts(secret, self.words()) || self.is_cut_secret(secret)),
            Manner::Prose => {
                !value.starts_with("//") && self.is_no_sentence(secret, end) && worth.accepts(secret, self.words())
            }
            _ => worth.accepts(secret, self.words()),
        };
        is_accepted && self.engine.push(known.rule, self.text, start, end, secret, self.out)
    }

    /// Takes what follows a scheme such as `Bearer`, which makes nearly anything a secret.
    fn take_credentials(&mut self, known: Known, start: usize, end: usize, manner: Manner) -> bool {
        let value = &self.text[start..end];
        let first = value.split_ascii_whitespace().next().unwrap_or("");
        let behind = marks_end(self.text, start);
        if behind > start {
            return behind + 4 <= end
                && self.bytes[behind].is_ascii_alphanumeric()
                && self.push(known.rule, behind, end);
        }
        let is_plain = match look(first, self.words()) {
            Look::Nothing => true,
            Look::Word | Look::Words => {
                manner != Manner::Open && (first.len() < value.len() || self.words().is_prose(first) || first.len() < 8)
            }
            Look::Number(digits) => digits < 4,
            _ => false,
        };
        !is_plain && self.push(known.rule, start, end)
    }

    /// Takes the path and the parameters of a URL.
    fn take_link(&mut self, known: Known, start: usize, end: usize) -> bool {
        let value = &self.text[start..end];
        let Some(host) = value.find("://").map(|at| at + 3) else { return false };
        let Some(path) = value[host..].find(['/', '?', '#']).map(|at| start + host + at + 1) else { return false };
        if path >= end || marks_end(self.text, path) == end {
            return false;
        }
        let is_plain = super::value::is_words(&self.text[path..end]);
        !is_plain && self.push(known.rule, path, end)
    }

    /// Whether a value that was cut off may be the beginning of a secret.
    fn is_cut_secret(&self, value: &str) -> bool {
        !matches!(look(value, self.words()), Look::Nothing | Look::Number(0..=3) | Look::Known)
            && !self.words().is_prose(value)
    }

    /// Whether a word after `name:` is alone, as a secret is, and is not the beginning of a sentence.
    fn is_no_sentence(&self, value: &str, end: usize) -> bool {
        let first = value.split(|c: char| c.is_whitespace() || ",;.:!?)".contains(c)).next().unwrap_or("");
        if self.words().is_prose(first) {
            return false;
        }
        if !matches!(look(value, self.words()), Look::Word | Look::Words | Look::Path) {
            return true;
        }
        let rest = &self.bytes[end..];
        let blanks = rest.iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        blanks == 0 || !rest.get(blanks).is_some_and(u8::is_ascii_alphabetic)
    }

    /// Where the credentials begin in `Bearer abc`; `start` if there is no scheme.
    pub fn after_scheme(&self, start: usize) -> usize {
        let rest = &self.bytes[start.min(self.bytes.len())..];
        let word = rest.iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        let blanks = rest[word..].iter().take(8).take_while(|byte| b" \t+".contains(byte)).count();
        let is_scheme = word > 0 && blanks > 0 && self.words().is_scheme(&self.text[start..start + word]);
        if is_scheme && rest.len() > word + blanks { start + word + blanks } else { start }
    }
}
