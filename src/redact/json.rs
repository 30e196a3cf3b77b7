//! Secrets in JSON text, also in text that was going to be JSON and broke.
//!
//! One pass over the bytes with a stack of its own, so that no nesting can exhaust the thread's. Strings are looked
//! into where they stand; nothing is parsed into a tree and nothing but the secrets is written anew.

use super::engine::{Engine, Manner};
use super::layer;
use super::names::Meaning;
use super::span::Span;

/// An object or array that is open.
#[derive(Default)]
struct Frame {
    is_object: bool,
    /// The rule of the secret name above: all strings here are secret.
    forced: Option<usize>,
    /// The key that waits for its value.
    key: Option<Key>,
    /// `"name": "Authorization"` was met: `value` is secret.
    pair: Option<usize>,
    /// `value` was met before `name`.
    early_value: Option<usize>,
}

#[derive(Clone, Copy)]
struct Key {
    forced: Option<usize>,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Name,
    Value,
    Other,
}

impl Frame {
    /// What forces the value that comes next.
    fn next_forced(&self) -> Option<usize> {
        match self.key {
            Some(key) if key.role == Role::Value => self.pair.or(key.forced),
            Some(key) => key.forced,
            None => self.forced,
        }
    }
}

impl Engine {
    /// Looks into JSON from `start` on; `forced` when it stands under a secret name. Returns where it ended: after
    /// the first value if `is_one`, else at the end of the text.
    pub(super) fn json(
        &self,
        text: &str,
        start: usize,
        forced: Option<usize>,
        is_one: bool,
        depth: usize,
        out: &mut Vec<Span>,
    ) -> usize {
        let bytes = text.as_bytes();
        let mut stack: Vec<Frame> = Vec::new();
        let mut root = Frame { forced, ..Frame::default() };
        let mut at = start;
        while at < bytes.len() {
            let frame = stack.last_mut().unwrap_or(&mut root);
            match bytes[at] {
                open @ (b'{' | b'[') => {
                    note_value(frame, at);
                    let forced = frame.next_forced();
                    stack.push(Frame { is_object: open == b'{', forced, ..Frame::default() });
                    at += 1;
                }
                b'}' | b']' => {
                    let closed = stack.pop().unwrap_or_default();
                    at += 1;
                    if let (Some(rule), Some(value)) = (closed.pair, closed.early_value)
                        && depth > 0
                    {
                        self.json(&text[..at - 1], value, Some(rule), true, depth - 1, out);
                    }
                    if is_one && stack.is_empty() {
                        return at;
                    }
                }
                b'"' => {
                    let (end, next) = string_end(bytes, at + 1);
                    if frame.is_object && frame.key.is_none() && next_byte(bytes, next) == Some(b':') {
                        self.key(text, at + 1, end, frame, depth, out);
                    } else {
                        note_value(frame, at);
                        self.string(text, at + 1, end, frame, depth, out);
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
                    note_value(frame, at);
                    if let Some(rule) = frame.next_forced() {
                        self.secret_number(rule, text, at, end, out);
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

    fn key(&self, text: &str, start: usize, end: usize, frame: &mut Frame, depth: usize, out: &mut Vec<Span>) {
        let content = &text[start..end];
        let decoded = layer::unescape(content);
        let name = decoded.as_ref().map_or(content, |layer| layer.text.as_str());
        let forced = match self.names.meaning(name) {
            Meaning::Secret(rule) => Some(rule),
            Meaning::Plain => None,
            // The words `id`, `type` and so on keep their values; all else below a secret name is secret.
            Meaning::Unknown => frame.forced,
        };
        let role = match name.to_ascii_lowercase().as_str() {
            "name" | "key" | "header" | "parameter" => Role::Name,
            "value" | "values" => Role::Value,
            _ => Role::Other,
        };
        frame.key = Some(Key { forced, role });
        self.inside(text, start, end, depth, out);
    }

    fn string(&self, text: &str, start: usize, end: usize, frame: &mut Frame, depth: usize, out: &mut Vec<Span>) {
        let content = &text[start..end];
        if frame.key.is_some_and(|key| key.role == Role::Name) {
            let decoded = layer::unescape(content);
            frame.pair = self.rule_of(decoded.as_ref().map_or(content, |layer| layer.text.as_str()));
        }
        let Some(rule) = frame.next_forced() else { return self.inside(text, start, end, depth, out) };
        let is_taken = match layer::unescape(content) {
            None => self.secret(rule, text, start, end, Manner::Whole, out),
            Some(layer) => {
                let first = out.len();
                let is_taken = self.secret(rule, &layer.text, 0, layer.text.len(), Manner::Whole, out);
                for span in &mut out[first..] {
                    let (from, to) = layer.outer(span.start, span.end);
                    (span.start, span.end) = (start + from, start + to);
                }
                is_taken
            }
        };
        if !is_taken {
            self.inside(text, start, end, depth, out);
        }
    }

    /// Looks into the content of a string as a text of its own.
    fn inside(&self, text: &str, start: usize, end: usize, depth: usize, out: &mut Vec<Span>) {
        let content = &text[start..end];
        // Most strings are ids and words: nothing in them can be a secret.
        if !self.prefilter.may_hold_secret(content.as_bytes()) {
            return;
        }
        match layer::unescape(content) {
            Some(layer) => {
                let first = out.len();
                self.find_in_layer(&layer, start, depth, out);
                out[first..].iter_mut().for_each(Span::escape);
            }
            None => {
                let first = out.len();
                self.find(content, depth.saturating_sub(1), out);
                for span in &mut out[first..] {
                    (span.start, span.end) = (span.start + start, span.end + start);
                }
            }
        }
    }
}

fn note_value(frame: &mut Frame, at: usize) {
    if frame.key.is_some_and(|key| key.role == Role::Value) && frame.pair.is_none() {
        frame.early_value.get_or_insert(at);
    }
}

/// Where the content of a string ends, and where the text goes on; both the end if the string is not closed.
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
