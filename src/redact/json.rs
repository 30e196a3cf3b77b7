//! Secrets in JSON text, also in text that was going to be JSON and broke.
//!
//! One pass over the bytes with a stack of its own, so that no nesting can exhaust the thread's. Strings are looked
//! into where they are; nothing is parsed into a tree and nothing but the secrets is written anew.

use super::ends::{Manner, Right};
use super::engine::{Engine, Scope};
use super::layer;
use super::names::{Known, Meaning};
use super::pair::{Role, is_person, role};
use super::rules::Worth;
use super::scan::Scan;
use super::span::Span;

/// Values that may be before the name of their record.
const EARLY: usize = 4;
/// Members of a JSON Web Key that only its owner has, and the shortest of them.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];
const PRIVATE_BYTES: usize = 16;

/// An object or array that is open.
#[derive(Default)]
struct Frame {
    is_object: bool,
    is_person: bool,
    /// The secret name above: all strings here are secret.
    forced: Option<Known>,
    /// The key that waits for its value.
    key: Option<Key>,
    /// `"name": "Authorization"` was met: `value` is secret; and whether the key said that it is a field's name.
    pair: Option<(Known, bool)>,
    /// Values that were met before the name.
    early: Vec<usize>,
    /// The announcement of the previous string in this array.
    before: Option<Announced>,
    /// The option `-p` of the program that this array runs takes its value without a blank.
    is_glued: bool,
    /// Whether a private key began in this array and did not end yet.
    is_in_key: bool,
    /// A JSON Web Key: whether it is one, and its private members.
    is_web_key: bool,
    private: Vec<(usize, usize)>,
}

#[derive(Clone, Copy)]
enum Announced {
    /// A name: what follows is its value if it looks like one.
    Name(Known),
    /// An option of a command line; `name:password` follows if it is a pair.
    Option(Known, bool),
}

#[derive(Clone, Copy)]
struct Key {
    forced: Option<Known>,
    role: Role,
    is_person: bool,
    is_private: bool,
}

impl Frame {
    /// The meaning that the next value has, whatever it looks like.
    fn next_forced(&self) -> Option<Known> {
        match (self.key, self.pair) {
            (Some(Key { role: Role::Value, .. }), Some((known, _))) => Some(known),
            (Some(Key { role: Role::Content, .. }), Some((known, true))) => Some(known),
            (Some(key), _) => key.forced,
            (None, _) => self.forced,
        }
    }

    fn note_value(&mut self, at: usize) {
        let is_value = self.key.is_some_and(|key| matches!(key.role, Role::Value | Role::Content));
        if is_value && self.pair.is_none() && self.early.len() < EARLY {
            self.early.push(at);
        }
    }
}

impl Engine {
    /// Looks into JSON; `forced` when all of it is under a secret name. With depth 0 strings are not looked into.
    pub(super) fn json(&self, text: &str, forced: Option<Known>, depth: usize, out: &mut Vec<Span>) {
        Walk::new(self, text, depth, out).run(0, forced, false);
    }

    /// Looks into the first value from `start` on; returns where it ended.
    pub(super) fn json_one(
        &self,
        text: &str,
        start: usize,
        forced: Option<Known>,
        depth: usize,
        out: &mut Vec<Span>,
    ) -> usize {
        Walk::new(self, text, depth, out).run(start, forced, true)
    }
}

struct Walk<'a, 'o> {
    engine: &'a Engine,
    text: &'a str,
    bytes: &'a [u8],
    depth: usize,
    /// Whether values that are before their names are looked at again; not the second time.
    is_first: bool,
    out: &'o mut Vec<Span>,
}

impl<'a, 'o> Walk<'a, 'o> {
    fn new(engine: &'a Engine, text: &'a str, depth: usize, out: &'o mut Vec<Span>) -> Walk<'a, 'o> {
        Walk { engine, text, bytes: text.as_bytes(), depth, is_first: true, out }
    }

    fn run(&mut self, start: usize, forced: Option<Known>, is_one: bool) -> usize {
        let bytes = self.bytes;
        let mut stack: Vec<Frame> = Vec::new();
        let mut root = Frame { forced, ..Frame::default() };
        let mut at = start;
        while at < bytes.len() {
            let frame = stack.last_mut().unwrap_or(&mut root);
            match bytes[at] {
                open @ (b'{' | b'[') => {
                    frame.note_value(at);
                    let forced = frame.next_forced();
                    let is_person = frame.key.is_some_and(|key| key.is_person);
                    stack.push(Frame { is_object: open == b'{', is_person, forced, ..Frame::default() });
                    at += 1;
                }
                b'}' | b']' => {
                    let closed = stack.pop().unwrap_or_default();
                    self.close(&closed, at);
                    at += 1;
                    if is_one && stack.is_empty() {
                        return at;
                    }
                }
                b'"' => {
                    let (end, next) = string_end(bytes, at + 1);
                    if frame.is_object && frame.key.is_none() && next_byte(bytes, next) == Some(b':') {
                        self.key(at + 1, end, frame);
                    } else {
                        frame.note_value(at);
                        self.string(at + 1, end, end == next, frame);
                    }
                    at = next;
                    if is_one && stack.is_empty() {
                        return at;
                    }
                }
                b',' => {
                    frame.key = None;
                    at += 1;
                }
                byte if byte.is_ascii_alphanumeric() || byte == b'-' => {
                    let is_scalar = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                    let end = at + bytes[at..].iter().take_while(is_scalar).count();
                    frame.note_value(at);
                    frame.before = None;
                    if let Some(known) = frame.next_forced() {
                        self.number(known, at, end);
                    }
                    at = end;
                    if is_one && stack.is_empty() {
                        return at;
                    }
                }
                _ => at += 1,
            }
        }
        at
    }

    /// Takes what only the end of an object or array decides.
    fn close(&mut self, closed: &Frame, at: usize) {
        if let Some((known, is_field)) = closed.pair
            && self.is_first
        {
            for value in &closed.early {
                let is_value = is_field || self.is_after_value_key(*value);
                if is_value {
                    let mut walk =
                        Walk { is_first: false, ..Walk::new(self.engine, &self.text[..at], self.depth, self.out) };
                    walk.run(*value, Some(known), true);
                }
            }
        }
        if let Some(rule) = self.engine.member.filter(|_| closed.is_web_key) {
            for (start, end) in &closed.private {
                self.engine.push(rule, self.text, *start, *end, &self.text[*start..*end], self.out);
            }
        }
    }

    /// Whether the key right before a value is one of `value` and its like.
    fn is_after_value_key(&self, value: usize) -> bool {
        let before = self.text[..value].trim_end().trim_end_matches(':').trim_end().trim_end_matches('"');
        let from = before.len() - before.bytes().rev().take(48).take_while(|byte| *byte != b'"').count();
        before.get(from..).is_some_and(|key| role(key) == Role::Value)
    }

    fn key(&mut self, start: usize, end: usize, frame: &mut Frame) {
        let content = &self.text[start..end];
        let decoded = layer::unescape(content);
        let name = decoded.as_ref().map_or(content, |layer| layer.text.as_str());
        let forced = match self.engine.names.meaning(name) {
            Meaning::Secret(known) => Some(known),
            Meaning::Plain => None,
            // The words `id`, `type` and so on keep their values; all else below a secret name is secret.
            Meaning::Unknown => frame.forced,
        };
        let is_person = self.engine.names.is_of_people(name) || is_person(name) || frame.is_person && name == "name";
        let is_private = PRIVATE.contains(&name);
        frame.is_web_key |= name == "kty";
        frame.key = Some(Key { forced, role: role(name), is_person, is_private });
        self.inside(start, end, Scope::Text);
    }

    fn string(&mut self, start: usize, end: usize, is_open: bool, frame: &mut Frame) {
        let content = &self.text[start..end];
        let before = frame.before.take();
        if let Some(key) = frame.key {
            if key.role == Role::Name {
                let decoded = layer::unescape(content);
                let known = self.engine.rule_of(decoded.as_ref().map_or(content, |layer| layer.text.as_str()));
                frame.pair = known.map(|known| (known, self.is_field(start)));
            }
            if key.is_private && end - start >= PRIVATE_BYTES && frame.private.len() < PRIVATE.len() {
                frame.private.push((start, end));
            }
        } else if !frame.is_object {
            if self.key_part(start, end, frame) {
                return;
            }
            frame.before = self.announced(content);
            frame.is_glued |= Scan::is_glued_tool(content);
            if frame.is_glued
                && content.starts_with("-p")
                && content.len() >= 6
                && frame.before.is_none()
                && self.glued(start + 2, end)
            {
                return;
            }
        }
        let manner = if is_open { Manner::Open } else { Manner::Whole };
        let is_taken = match (frame.next_forced(), before) {
            (Some(known), _) => self.forced(known, start, end, manner),
            (None, Some(announced)) => self.neighbour(announced, start, end),
            (None, None) => false,
        };
        if is_taken {
            frame.before = None;
        } else {
            let is_person = frame.key.is_some_and(|key| key.is_person);
            self.inside(start, end, if is_person { Scope::Person } else { Scope::Text });
        }
    }

    /// Takes the value of `-p` that is without a blank.
    fn glued(&mut self, start: usize, end: usize) -> bool {
        let mut none = Vec::new();
        let option = Scan::new(self.engine, "", 0, &mut none).option_of("-p");
        option.is_some_and(|(known, _)| {
            self.engine.push(known.rule, self.text, start, end, &self.text[start..end], self.out)
        })
    }

    /// Whether the key before the string says that it names a field: then `from`, `to`, `text` hold its value too.
    fn is_field(&self, start: usize) -> bool {
        let before = &self.text[..start - 1];
        let before = before.trim_end().trim_end_matches(':').trim_end().trim_end_matches('"');
        ["field", "property", "attribute", "parameter", "column", "setting", "variable", "header", "label"].iter().any(
            |word| {
                before.len() >= word.len()
                    && before.as_bytes()[before.len() - word.len()..].eq_ignore_ascii_case(word.as_bytes())
            },
        )
    }

    /// The announcement that a string of a list makes about the next one.
    fn announced(&self, content: &str) -> Option<Announced> {
        if content.len() > 64 || content.is_empty() {
            return None;
        }
        let mut none = Vec::new();
        let scan = Scan::new(self.engine, content, 0, &mut none);
        if let Some((known, is_pair)) = scan.option_of(content) {
            return Some(Announced::Option(known, is_pair));
        }
        let is_name = content.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_. :".contains(&byte));
        let known = self.engine.rule_of(content).filter(|known| is_name && known.is_sure)?;
        Some(Announced::Name(known))
    }

    /// Takes the string that the one before announced.
    fn neighbour(&mut self, announced: Announced, start: usize, end: usize) -> bool {
        let content = &self.text[start..end];
        match announced {
            Announced::Option(known, true) => match content.find(':') {
                Some(colon) if colon > 0 && colon + 1 < content.len() => {
                    self.forced(known, start + colon + 1, end, Manner::Assigned)
                }
                _ => false,
            },
            Announced::Option(known, false) => {
                !content.starts_with('-') && self.forced(known, start, end, Manner::Assigned)
            }
            Announced::Name(known) => {
                let worth = self.engine.label(known.rule).worth;
                let is_grammar = matches!(worth, Worth::Cookie | Worth::Authorization);
                (is_grammar || Worth::Token.accepts(content, &self.engine.vocabulary))
                    && self.forced(known, start, end, Manner::Whole)
            }
        }
    }

    /// Takes a line of a private key whose lines are the strings of a list.
    fn key_part(&mut self, start: usize, end: usize, frame: &mut Frame) -> bool {
        let content = &self.text[start..end];
        let Some(rule) = self.engine.member else { return false };
        if frame.is_in_key {
            let is_end = content.contains("-END ") || content.contains("- END ");
            frame.is_in_key = !is_end;
            return is_end || start < end && self.engine.push(rule, self.text, start, end, content, self.out);
        }
        frame.is_in_key = content.len() < 256
            && content.contains("BEGIN ")
            && content.contains("PRIVATE KEY")
            && !content.contains("END ")
            && content.trim_end().ends_with('-');
        false
    }

    /// Takes a string under a secret name.
    fn forced(&mut self, known: Known, start: usize, end: usize, manner: Manner) -> bool {
        match layer::unescape(&self.text[start..end]) {
            None => Scan::new(self.engine, self.text, self.depth, self.out).take(known, &Right { start, end, manner }),
            Some(layer) => {
                let first = self.out.len();
                let right = Right { start: 0, end: layer.text.len(), manner };
                let is_taken = Scan::new(self.engine, &layer.text, self.depth, self.out).take(known, &right);
                for span in &mut self.out[first..] {
                    let (from, to) = layer.outer(span.start, span.end);
                    (span.start, span.end) = (start + from, start + to);
                }
                is_taken
            }
        }
    }

    /// Takes a number under a secret name.
    fn number(&mut self, known: Known, start: usize, end: usize) {
        let number = &self.text[start..end];
        let worth = self.engine.label(known.rule).worth;
        let is_whole = number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_secret = known.is_sure && is_whole && worth.accepts(number, &self.engine.vocabulary);
        if is_secret && self.engine.push(known.rule, self.text, start, end, number, self.out) {
            self.out.iter_mut().rev().take(1).for_each(|span| span.number = Some(0));
        }
    }

    /// Looks into the content of a string as a text of its own.
    fn inside(&mut self, start: usize, end: usize, scope: Scope) {
        let content = &self.text[start..end];
        // Most strings are ids and words: nothing in them can be a secret.
        if self.depth == 0 || !self.engine.may_hold_secret(content, scope) {
            return;
        }
        let first = self.out.len();
        match layer::unescape(content) {
            Some(layer) => {
                self.engine.find_in_layer(&layer, start, scope, self.depth - 1, self.out);
                self.out[first..].iter_mut().for_each(Span::escape);
            }
            None => {
                self.engine.find(content, scope, self.depth - 1, self.out);
                for span in &mut self.out[first..] {
                    (span.start, span.end) = (span.start + start, span.end + start);
                }
            }
        }
    }
}

/// Where the content of a string ends, and where the text continues; both the end if the string is not closed.
fn string_end(bytes: &[u8], start: usize) -> (usize, usize) {
    let mut at = start;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found;
        if bytes[at] == b'"' {
            return (at, at + 1);
        }
        at += 2;
    }
    (bytes.len(), bytes.len())
}

fn next_byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes[at..].iter().copied().find(|byte| !byte.is_ascii_whitespace())
}
