//! Secrets that a name announces in free text: `password=x`, `"token": "x"`, `Cookie: x`, `?code=x`, `<secret>x<`.

use super::engine::{Engine, Manner};
use super::names::Meaning;
use super::span::Span;
use super::value::placeholder_at;

/// The parts of `name = value` that were found around a delimiter.
struct Left<'a> {
    name: &'a str,
    start: usize,
    /// The quote right before the name, if there is one.
    quote: Option<u8>,
}

/// Where a value stands, and where to go on.
struct Right {
    start: usize,
    end: usize,
    is_quoted: bool,
}

impl Engine {
    pub(super) fn assignments(&self, text: &str, depth: usize, out: &mut Vec<Span>) {
        let bytes = text.as_bytes();
        let has_space = memchr::memchr3(b' ', b'\n', b'\t', bytes).is_some();
        let mut taken_to = 0;
        for at in memchr::memchr3_iter(b'=', b':', b'>', bytes) {
            if at < taken_to {
                continue;
            }
            let Some(left) = name_before(text, at) else { continue };
            let before = left.start.checked_sub(1).map(|index| bytes[index]);
            let is_query = bytes[at] == b'='
                && left.start + left.name.len() == at
                && match before {
                    Some(byte) => b"?&#;".contains(&byte),
                    // A query string that was cut out of its URL.
                    None => !has_space,
                };
            let meaning = if is_query { self.names.in_query(left.name) } else { self.names.meaning(left.name) };
            let Meaning::Secret(rule) = meaning else {
                // `api key: x`: one space may stand in a name of two words.
                let Some(Meaning::Secret(rule)) = self.two_words(text, left.start, at, &left) else { continue };
                taken_to = self.value(text, at, rule, Manner::Prose, &left, depth, out).unwrap_or(taken_to);
                continue;
            };
            let manner = match bytes[at] {
                b'>' if before != Some(b'<') => continue,
                b'>' => Manner::Whole,
                b'=' if is_query => Manner::Query,
                b'=' => Manner::Assigned,
                // A path with colons, such as an ARN: `arn:aws:secretsmanager:eu-west-1:1:secret:name`.
                _ if before == Some(b':') => continue,
                _ => Manner::Prose,
            };
            taken_to = self.value(text, at, rule, manner, &left, depth, out).unwrap_or(taken_to);
        }
    }

    fn two_words(&self, text: &str, start: usize, at: usize, left: &Left) -> Option<Meaning> {
        let is_spaced = start > 1 && text.as_bytes()[start - 1] == b' ' && left.quote.is_none();
        if !is_spaced || text.as_bytes()[at] == b'>' {
            return None;
        }
        let first = text[..start - 1].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        (first > 0).then(|| self.names.meaning(&text[start - 1 - first..start + left.name.len()]))
    }

    /// Takes the value after the delimiter at `at`; returns where it ended.
    #[expect(clippy::too_many_arguments, reason = "all of them are parts of one assignment")]
    fn value(
        &self,
        text: &str,
        at: usize,
        rule: usize,
        manner: Manner,
        left: &Left,
        depth: usize,
        out: &mut Vec<Span>,
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        let blanks = bytes[at + 1..].iter().take_while(|byte| b" \t=>".contains(byte)).count();
        let start = at + 1 + if manner == Manner::Whole { 0 } else { blanks };
        let first = *bytes.get(start)?;
        let past = placeholder_at(text, start);
        if matches!(first, b'{' | b'[') && past.is_none() {
            let inner = bytes[start + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
            if matches!(inner, Some(b'"' | b'{' | b'[')) && depth > 0 {
                return Some(self.json(text, start, Some(rule), true, depth - 1, out));
            }
        }
        let label = self.label(rule);
        let right = if let Some(quoted) = quoted(bytes, start) {
            quoted
        } else if manner == Manner::Whole {
            let end = start + memchr::memchr(b'<', &bytes[start..]).unwrap_or(bytes.len() - start);
            Right { start, end, is_quoted: true }
        } else if label.is_line && bytes[at] == b':' {
            Right { start, end: line_end(bytes, past.unwrap_or(start), left.quote), is_quoted: false }
        } else {
            let from = past.unwrap_or_else(|| self.after_scheme(text, start));
            let end = if manner == Manner::Query { query_end(bytes, from) } else { word_end(bytes, from) };
            Right { start, end, is_quoted: false }
        };
        let manner = if right.is_quoted { Manner::Whole } else { manner };
        // What was not taken may have other names in it: `cookie: changed, password=x`.
        self.secret(rule, text, right.start, right.end, manner, out).then_some(right.end)
    }

    /// Where the credentials begin in `Bearer abc`; `start` if there is no scheme.
    fn after_scheme(&self, text: &str, start: usize) -> usize {
        let word = text[start..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-').count();
        let blanks = text[start + word..].bytes().take_while(|byte| b" \t+".contains(byte)).count();
        if word > 0 && blanks > 0 && self.is_scheme(&text[start..start + word]) { start + word + blanks } else { start }
    }
}

/// The name that ends before the delimiter at `at`, which quotes, escapes and blanks may separate from it.
fn name_before(text: &str, at: usize) -> Option<Left<'_>> {
    let bytes = text.as_bytes();
    let back = |from: usize, most: usize, set: &[u8]| {
        from - bytes[..from].iter().rev().take(most).take_while(|byte| set.contains(byte)).count()
    };
    let end = back(back(at, 3, b" \t"), 16, b"\"'\\]");
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.$".contains(byte);
    let start = end - bytes[..end].iter().rev().take(128).take_while(is_name).count();
    let quote = start.checked_sub(1).map(|index| bytes[index]).filter(|byte| matches!(byte, b'"' | b'\''));
    (start < end).then(|| Left { name: &text[start..end], start, quote })
}

/// A value in quotes, which may be escaped as often as the quotes of the text it was taken from.
fn quoted(bytes: &[u8], start: usize) -> Option<Right> {
    let escapes = bytes[start..].iter().take(64).take_while(|byte| **byte == b'\\').count();
    let quote = *bytes.get(start + escapes)?;
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    let inner = start + escapes + 1;
    // With n backslashes before the opening quote, those of the closing one are n, or n after pairs of n + 1.
    let mut run = 0;
    for (offset, &byte) in bytes[inner..].iter().enumerate() {
        match byte {
            b'\\' => run += 1,
            _ if byte == quote && run % (2 * (escapes + 1)) == escapes => {
                return Some(Right { start: inner, end: inner + offset - escapes, is_quoted: true });
            }
            _ => run = 0,
        }
    }
    Some(Right { start: inner, end: bytes.len(), is_quoted: true })
}

/// The end of a header line, or of the quotes that the whole header stands in.
fn line_end(bytes: &[u8], start: usize, quote: Option<u8>) -> usize {
    let is_end = |at: usize| match bytes[at] {
        b'\r' | b'\n' => true,
        b'\\' => matches!(bytes.get(at + 1), Some(b'r' | b'n' | b'"')),
        byte => Some(byte) == quote,
    };
    (start..bytes.len()).find(|&at| is_end(at)).unwrap_or(bytes.len())
}

fn query_end(bytes: &[u8], start: usize) -> usize {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"&#\"'<>\\`".contains(byte);
    without_punctuation(
        bytes,
        start,
        bytes[start..].iter().position(is_end).map_or(bytes.len(), |length| start + length),
    )
}

/// The end of an unquoted value: white space, a quote, `&`, or a comma or semicolon with another name after it.
fn word_end(bytes: &[u8], start: usize) -> usize {
    let is_end = |at: usize| match bytes[at] {
        b'&' | b'"' | b'\'' | b'<' | b'>' | b'|' | b'\\' | b'`' => true,
        b',' | b';' => {
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
            let name = bytes[at + 1..].iter().take(64).take_while(is_name).count();
            let after = bytes.get(at + 1 + name);
            name > 0 && matches!(after, Some(b'=' | b':')) || name == 0 && after.is_none_or(u8::is_ascii_whitespace)
        }
        byte => byte.is_ascii_whitespace(),
    };
    let end = (start..bytes.len()).find(|&at| is_end(at)).unwrap_or(bytes.len());
    without_punctuation(bytes, start, end)
}

/// Leaves the punctuation of the sentence around a value alone.
fn without_punctuation(bytes: &[u8], start: usize, end: usize) -> usize {
    end - bytes[start..end].iter().rev().take_while(|byte| b")]}.,;!".contains(byte)).count()
}
