//! Whether a needle of the prefilter counts in its row: what is around it could make it a secret.

use super::ends::{is_behind_code, is_name};
use super::engine::Engine;
use super::names::Known;
use super::needle::{Candidate, Test, has_random_part};
use super::option::GLUED;
use super::prose::REACH;
use super::rules::Worth;
use super::value::is_mixed;

/// A name that is looked at around a needle, to either side.
const NAME: usize = 64;

impl Engine {
    /// Whether a candidate counts in its row, which began at `base`.
    pub(super) fn counts(&self, row: &[u8], candidate: &Candidate, base: usize) -> bool {
        let (at, end) = (candidate.at - base, candidate.end - base);
        match candidate.test {
            Test::Name | Test::Word => self.counts_as_name(row, at, end),
            Test::Shape(_) => candidate.test.may_pass(row, end),
            Test::Segment => self.counts_as_segment(row, at, end),
            Test::Url => {
                let rest = row[end..].strip_prefix(b"\\/").unwrap_or(&row[end..]);
                let is_end = |byte: &&u8| {
                    matches!(byte, b'@' | b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b' ' | b'\n' | b'\\')
                };
                let is_escaped = row[at..].starts_with(b":\\/");
                rest.iter().find(is_end) == Some(&b'@') || is_escaped || has_random_part(row, end)
            }
            Test::Tool => GLUED.iter().any(|tool| row[at..end].eq_ignore_ascii_case(tool.as_bytes())),
            Test::Behind => {
                let close = row[end..].iter().take(48).position(|byte| matches!(byte, b']' | b'>' | b')' | b'}'));
                let is_behind = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'\\' | b'%' | b'&');
                close.is_some_and(|close| row.get(end + close + 1).is_some_and(is_behind))
            }
            Test::Alike => self.counts_as_alike(row, at),
            Test::Parameter | Test::Escape | Test::Always => true,
        }
    }

    /// Whether the segment around a needle announces a secret, and one of the next could be one.
    fn counts_as_segment(&self, row: &[u8], at: usize, end: usize) -> bool {
        let is_word = |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
        let from = at - row[..at].iter().rev().take(32).take_while(is_word).count();
        let to = end + row[end..].iter().take(32).take_while(is_word).count();
        // `%2Freset`: the letter of an encoded slash belongs to it.
        let words = [&row[from..to], &row[at..to]];
        let is_announced =
            words.iter().any(|word| std::str::from_utf8(word).is_ok_and(|word| self.announced_by(word).is_some()));
        if !is_announced || to >= row.len() {
            return false;
        }
        if row[to] != b'/' {
            return true;
        }
        let is_inner = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.~=%+,@!$:/&\\".contains(byte);
        let length = row[to..].iter().take_while(is_inner).count();
        let rest = &row[to..to + length];
        rest.split(|byte| *byte == b'/').any(|part| {
            part.len() >= 8
                && (part.iter().any(|byte| byte.is_ascii_digit() || *byte == b'%')
                    || std::str::from_utf8(part).is_ok_and(is_mixed))
                || part.len() >= 16
        })
    }

    /// Whether the name around a letter of another alphabet is secret.
    fn counts_as_alike(&self, row: &[u8], at: usize) -> bool {
        let to = at + row[at..].iter().take(NAME).take_while(|byte| is_name(byte)).count();
        // A delimiter in full width, which the letters around it hide.
        let wide = (at..to).find(|at| row[*at] == 0xef && matches!(super::layer::wide(row, *at), Some(b':' | b'=')));
        if let Some(wide) = wide {
            let from = wide - row[..wide].iter().rev().take(NAME).take_while(|byte| is_name(byte)).count();
            return self.rule_of(&String::from_utf8_lossy(&row[from..wide])).is_some();
        }
        let mut next = row[to..].iter().take(NAME).skip_while(|byte| matches!(byte, b' ' | b'\t'));
        let from = at - row[..at].iter().rev().take(NAME).take_while(|byte| is_name(byte)).count();
        // A sentence with such letters has needles of its own.
        if row[from] != b'-' && next.next().is_none_or(u8::is_ascii_alphanumeric) {
            return false;
        }
        let left =
            from - row[..from].iter().rev().take(NAME).take_while(|byte| is_name(byte) || **byte == b' ').count();
        [from, left].iter().any(|from| self.rule_of(&String::from_utf8_lossy(&row[*from..to])).is_some())
    }

    /// Whether the name around a needle is secret and has something after it that separates it from a value.
    fn counts_as_name(&self, row: &[u8], at: usize, end: usize) -> bool {
        let is_tight = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$');
        let is_wide = |byte: &&u8| {
            is_tight(byte)
                || matches!(
                    byte,
                    b' ' | b'\t' | b'/' | b'[' | b']' | b'(' | b')' | b'?' | b'!' | b'#' | b'~' | b'*' | b'@' | b'^'
                )
        };
        let left =
            |test: &dyn Fn(&&u8) -> bool| at - row[..at].iter().rev().take(NAME).take_while(|byte| test(byte)).count();
        let right =
            |test: &dyn Fn(&&u8) -> bool| end + row[end..].iter().take(NAME).take_while(|byte| test(byte)).count();
        let to = right(&is_tight);
        // The text may end with the name.
        let Some(next) = row.get(to) else { return false };
        let near = if is_behind_code(row, at) { at } else { left(&is_tight) };
        let far = left(&is_wide).min(near);
        // An escape right before a name is no part of it: `\nsecret`, `%3Dapi key`.
        let starts = [near, behind_escape(row, near), far, behind_escape(row, far)];
        // ASCII as it is: names with other letters are candidates by these.
        let known = |to: usize| {
            let names = starts.iter().filter_map(|from| std::str::from_utf8(row.get(*from..to)?).ok());
            names.filter(|name| !name.is_empty()).find_map(|name| self.rule_of(name))
        };
        match next {
            b' ' | b'\t' if row[near] == b'-' && known(to).is_some() => return true,
            b' ' | b'\t' | b'(' => {
                if known(to).is_some_and(|known| self.is_told(row, to, known)) {
                    return true;
                }
            }
            // A path or a sentence continues.
            b'/' | b'?' | b'!' | b'#' | b'~' | b'*' | b'@' | b'^' | b'[' | b']' | b')' => {}
            _ => return known(to).is_some_and(|known| known.is_sure || may_be_key(row, to)),
        }
        // A key of several words, a pointer into JSON.
        let wide = right(&is_wide);
        let ends = |byte: &u8| b"\"':=>\\%&<,;|{}+`".contains(byte) || byte.is_ascii_control() || !byte.is_ascii();
        let is_over = row.get(wide).is_some_and(ends);
        let is_parameter = row.get(wide) == Some(&b'=') && row[to..wide].contains(&b'?');
        wide > to && is_over && !is_parameter && known(wide).is_some()
    }

    /// Whether the words after a name could tell its value, as sentences do.
    fn is_told(&self, row: &[u8], to: usize, known: Known) -> bool {
        let rest = &row[to..row.len().min(to + REACH)];
        // What sentences tell is long, or has a digit, a sign or quotes.
        let has_value = rest.iter().any(|byte| byte.is_ascii_digit() || b"'\"`!@#$%^&*+=\\".contains(byte))
            || rest.split(u8::is_ascii_whitespace).any(|word| word.len() >= 12);
        let worth = self.label(known.rule).worth;
        let is_direct = matches!(worth, Worth::Any | Worth::Code | Worth::Pin)
            || row[..to].iter().rev().take(NAME).take_while(|byte| is_name(byte)).any(|byte| *byte == b'_');
        let mut words = rest.split(u8::is_ascii_whitespace).filter_map(|word| std::str::from_utf8(word).ok());
        // `SECRET 'x'`, `token a => b`.
        let is_quoted = rest.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"\"'`".contains(byte));
        has_value
            && (is_direct
                || rest[0] == b'('
                || is_quoted
                || words.any(|word| self.vocabulary.links.contains(word) || self.vocabulary.changes.contains(word)))
    }

    /// Whether a string of a list may say what the next one is.
    pub(super) fn may_announce(&self, item: &str) -> bool {
        item.starts_with('-') || item.len() <= 48 && self.rule_of(item).is_some()
    }
}

/// Where a name begins that seems to begin at `from`, but for an escape of which these letters are the end.
fn behind_escape(row: &[u8], from: usize) -> usize {
    let hex = |count: usize| row.get(from..from + count).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
    match (from.checked_sub(1).map(|before| row[before]), row.get(from)) {
        (Some(b'%'), _) if hex(2) => from + 2,
        (Some(b'\\'), Some(b'n' | b'r' | b't' | b'b' | b'f')) => from + 1,
        (Some(b'\\'), Some(b'u')) if row.len() >= from + 5 => from + 5,
        _ => from,
    }
}

/// Whether a name that ends at `to` may be a key, or the name in a record that has its value elsewhere.
fn may_be_key(row: &[u8], to: usize) -> bool {
    if !matches!(row[to], b'"' | b'\\') {
        return true;
    }
    let next = row[to..].iter().find(|byte| !matches!(byte, b'"' | b'\\' | b' ' | b'\t' | b'\n'));
    matches!(next, Some(b':' | b'='))
        || ["alue", "new", "old", "after", "New", "Old", "After"]
            .iter()
            .any(|part| memchr::memmem::find(row, part.as_bytes()).is_some())
}
