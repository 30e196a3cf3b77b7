//! Secrets that their place in a URL gives away: passwords before the host, random path segments after `/reset/`,
//! `/invite/` and the like, and long random values anywhere in a URL that are not identifiers.

use super::engine::{Engine, Scope};
use super::layer;
use super::mask::placeholder_at;
use super::scan::Scan;
use super::value::{Look, is_mixed, is_scrambled, is_words, look};

/// From this length on a scrambled part of a URL is no identifier that we know of.
const LONG: usize = 32;
/// Segments after the word that announces a token: some put a user's number before it.
const SEGMENTS: usize = 3;

impl Scan<'_, '_> {
    pub(super) fn places(&mut self, scope: Scope) {
        let (text, bytes) = (self.text, self.bytes);
        for at in memchr::memmem::find_iter(bytes, "://") {
            if let Some(rule) = self.engine.userinfo {
                self.userinfo(rule, at + 3);
            }
            self.random_parts(at + 3);
        }
        if scope == Scope::Url && !text.contains("://") {
            self.random_parts(0);
        }
        let mut taken = 0;
        for at in memchr::memchr_iter(b'/', bytes) {
            if at >= taken
                && let Some((rule, is_weak)) = self.announced(at)
            {
                taken = self.segments_after(rule, is_weak, at + 1);
            }
        }
    }

    fn userinfo(&mut self, rule: usize, start: usize) {
        let text = self.text;
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>\\`".contains(byte);
        let length = self.bytes[start..].iter().position(is_end).unwrap_or(self.bytes.len() - start);
        // Of several the last: a password may have an `@`, a host has none.
        let Some(length) = memchr::memrchr(b'@', &self.bytes[start..start + length]) else { return };
        let end = start + length;
        let user_end =
            placeholder_at(text, start).unwrap_or_else(|| start + text[start..end].find(':').unwrap_or(length));
        let user = &text[start..user_end];
        if user.len() >= 16 && is_mixed(user) && !user.contains(['[', ']', '<', '>', '@']) {
            self.push_decoded(rule, start, user_end);
        }
        if text[user_end..end].starts_with(':') && placeholder_at(text, user_end + 1) != Some(end) {
            let password = &text[user_end + 1..end];
            if !matches!(look(password, self.words()), Look::Nothing) {
                self.push_decoded(rule, user_end + 1, end);
            }
        }
    }

    fn push_decoded(&mut self, rule: usize, start: usize, end: usize) {
        let value = &self.text[start..end];
        let decoded = layer::percent(value);
        let secret = decoded.as_ref().map_or(value, |layer| layer.text.as_str());
        self.engine.push(rule, self.text, start, end, secret, self.out);
    }

    /// The rule of the path segment that ends at the slash at `at`.
    fn announced(&self, at: usize) -> Option<(usize, bool)> {
        let is_word = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
        let length = self.bytes[..at].iter().rev().take(32).take_while(|byte| is_word(byte)).count();
        let start = at - length;
        let is_segment = start == 0 || b"/#!=\"' ".contains(&self.bytes[start - 1]);
        if length < 3 || !is_segment {
            return None;
        }
        self.engine.announced_by(&self.text[start..at])
    }

    /// Takes what looks random in the next segments, until one names a collection; returns where it stopped.
    fn segments_after(&mut self, rule: usize, is_weak: bool, start: usize) -> usize {
        let mut start = start;
        for _ in 0..SEGMENTS {
            let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~=%+,@!$:".contains(byte);
            let length = self.bytes[start..].iter().take_while(|byte| is_inner(byte)).count();
            let end = start + length;
            if self.is_token(&self.text[start..end], is_weak) {
                self.push_decoded(rule, start, end);
            } else if is_collection(&self.text[start..end]) || self.announced(end).is_some() {
                return start;
            }
            if self.bytes.get(end) != Some(&b'/') {
                return start;
            }
            start = end + 1;
        }
        start
    }

    /// Whether a segment that was announced is a token.
    fn is_token(&self, value: &str, is_weak: bool) -> bool {
        match look(value, self.words()) {
            Look::Random => !is_weak || is_mixed(value),
            Look::Hash => true,
            Look::Uuid | Look::Id => !is_weak,
            Look::Chosen => value.len() >= 8 && is_mixed(value) && !value.contains(['.', ':', '@', ',']),
            _ => false,
        }
    }

    /// Takes the long random segments and parameters of the URL whose authority, or path, begins at `start`.
    fn random_parts(&mut self, start: usize) {
        let Some(rule) = self.engine.parameters else { return };
        for (from, to) in random_parts(self.text, start) {
            if !matches!(look(&self.text[from..to], self.words()), Look::Hash | Look::Uuid | Look::Id | Look::Known) {
                self.push(rule, from, to);
            }
        }
    }
}

impl Engine {
    /// The rule of a path segment, and whether ids after it are left alone. Of several words one is enough to announce
    /// something random: `shared-links`, `verify-your-email`; but not in the name of a collection.
    pub(super) fn announced_by(&self, segment: &str) -> Option<(usize, bool)> {
        if let Some(found) = self.segments.get(&fold(segment)) {
            return Some(*found);
        }
        let mut words: Vec<String> = segment.split(['-', '_']).filter(|word| !word.is_empty()).map(fold).collect();
        let last = words.last_mut().filter(|_| segment.contains(['-', '_']))?;
        if is_collection(last) {
            last.pop();
            if !["link", "invite", "invitation", "share"].contains(&last.as_str()) {
                return None;
            }
        }
        words.iter().find_map(|word| self.segments.get(word)).map(|(rule, _)| (*rule, true))
    }
}

/// The parts of a URL that are long and random; up to its end, or to the next URL inside of it.
pub(super) fn random_parts(text: &str, start: usize) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let mut from = start;
    let mut before = "";
    for at in start..=bytes.len() {
        let byte = bytes.get(at).copied().unwrap_or(b' ');
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            continue;
        }
        let part = &text[from..at];
        let is_parameter = from > start && bytes[from - 1] == b'=';
        if part.len() >= LONG && is_scrambled(part) && !is_words(part) && !is_identified(before, is_parameter) {
            parts.push((from, at));
        }
        let is_over = !byte.is_ascii() || byte.is_ascii_whitespace() || b"\"'<>\\`{}[]|".contains(&byte);
        if is_over || byte == b':' && bytes[at..].starts_with(b"://") {
            return parts;
        }
        (before, from) = (part, at + 1);
    }
    parts
}

/// Whether the parameter's name, or the segment before, says that an identifier follows: `/voices/`, `documentId=`.
fn is_identified(before: &str, is_parameter: bool) -> bool {
    let lower = before.to_ascii_lowercase();
    if !is_parameter {
        return is_collection(before)
            || matches!(lower.as_str(), "a" | "d" | "id" | "u" | "e" | "folder" | "file" | "document" | "user");
    }
    let names = [
        "cursor",
        "after",
        "before",
        "page_token",
        "pagetoken",
        "next",
        "nexttoken",
        "next_token",
        "continuation",
        "continuationtoken",
        "starting_after",
        "client_id",
        "clientid",
        "code_challenge",
        "digest",
        "hash",
        "etag",
        "v",
        "ver",
        "version",
        "rev",
        "revision",
        "state_id",
        "trace",
        "gclid",
        "fbclid",
        "msclkid",
        "utm_content",
    ];
    names.contains(&lower.as_str())
        || lower.ends_with("id")
        || lower.ends_with("ids")
        || lower.ends_with("uid")
        || lower.ends_with("hash")
}

/// A plural: what follows it is one of many things.
fn is_collection(segment: &str) -> bool {
    segment.len() > 3
        && segment.ends_with('s')
        && !segment.ends_with("ss")
        && segment.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
}

/// Where a secret from `start` to `end` ends at the latest: in a query string at the next `&`, whatever is in the value.
/// Else who writes a parameter could hide those after it.
pub(super) fn parameter_end(text: &str, start: usize, end: usize) -> usize {
    /// Longer than a parameter's name and what is before a secret in its value.
    const BEFORE: usize = 256;
    let bytes = text.as_bytes();
    let mut separators = memchr::memchr_iter(b'&', &bytes[start..end]).map(|at| start + at);
    let Some(separator) = separators.find(|at| !layer::is_entity(&bytes[*at..])) else { return end };
    let mut has_name = false;
    for byte in bytes[..start].iter().rev().take(BEFORE) {
        match byte {
            b'?' | b'&' => return separator,
            b'"' | b'\'' | b'<' | b'>' | b'\\' => return end,
            byte if byte.is_ascii_whitespace() => return end,
            _ => has_name |= *byte == b'=',
        }
    }
    // A query string that was cut out of its URL.
    if has_name && start <= BEFORE { separator } else { end }
}

/// Folds the spellings of a segment: `magic-link`, `magic_link`.
pub(super) fn fold(word: &str) -> String {
    word.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase() as char).collect()
}
