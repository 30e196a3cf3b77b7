//! Secrets that their place in a URL gives away: passwords before the host, and random path segments after
//! `/reset/`, `/invite/` and the like.

use super::engine::Engine;
use super::layer;
use super::span::Span;
use super::value::{is_mixed, placeholder_at};

impl Engine {
    pub(super) fn places(&self, text: &str, out: &mut Vec<Span>) {
        if let Some(rule) = self.userinfo {
            for at in memchr::memmem::find_iter(text.as_bytes(), "://") {
                self.userinfo(rule, text, at + 3, out);
            }
        }
        for at in memchr::memchr_iter(b'/', text.as_bytes()) {
            if let Some(rule) = self.announced(text, at) {
                self.segments_after(rule, text, at + 1, out);
            }
        }
    }

    fn userinfo(&self, rule: usize, text: &str, start: usize, out: &mut Vec<Span>) {
        let rest = &text[start..];
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>\\`".contains(c)).unwrap_or(rest.len());
        // Of several the last: a password may have an `@`, a host has none.
        let Some(length) = rest[..end].rfind('@') else { return };
        let end = start + length;
        let user_end =
            placeholder_at(text, start).unwrap_or_else(|| start + text[start..end].find(':').unwrap_or(length));
        let user = &text[start..user_end];
        if is_random(user) {
            self.push(rule, text, start, user_end, &decoded(user), out);
        }
        if text[user_end..end].starts_with(':') && placeholder_at(text, user_end + 1) != Some(end) {
            let password = &text[user_end + 1..end];
            if !password.is_empty() && !password.bytes().all(|byte| byte == b'*') {
                self.push(rule, text, user_end + 1, end, &decoded(password), out);
            }
        }
    }

    /// The rule of the path segment that ends at the slash at `at`.
    fn announced(&self, text: &str, at: usize) -> Option<usize> {
        let is_word = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
        let length = text.as_bytes()[..at].iter().rev().take(32).take_while(|byte| is_word(byte)).count();
        let start = at - length;
        let is_segment = start == 0 || b"/#!=\"' ".contains(&text.as_bytes()[start - 1]);
        if length < 3 || !is_segment {
            return None;
        }
        self.segments.get(&fold(&text[start..at])).copied()
    }

    /// Takes what looks random in the next two segments: some put a user's number before the token.
    fn segments_after(&self, rule: usize, text: &str, start: usize, out: &mut Vec<Span>) {
        let mut start = start;
        for _ in 0..2 {
            let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~=%+,@!$".contains(byte);
            let length = text.as_bytes()[start..].iter().take_while(|byte| is_inner(byte)).count();
            let end = start + length;
            if is_random(&text[start..end]) {
                self.push(rule, text, start, end, &decoded(&text[start..end]), out);
            }
            if text.as_bytes().get(end) != Some(&b'/') {
                return;
            }
            start = end + 1;
        }
    }
}

/// Folds the spellings of a segment: `magic-link`, `magic_link`.
pub(super) fn fold(word: &str) -> String {
    word.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase() as char).collect()
}

/// Long, or long and of letters and digits; placeholders are not, for their brackets.
fn is_random(value: &str) -> bool {
    let is_token = value.bytes().all(|byte| byte.is_ascii_graphic() && !b"[]<>*".contains(&byte));
    is_token && (value.len() >= 24 || value.len() >= 16 && is_mixed(value))
}

fn decoded(value: &str) -> String {
    layer::percent(value).map_or_else(|| value.to_owned(), |layer| layer.text)
}
