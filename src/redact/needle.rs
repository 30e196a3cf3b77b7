//! The prefilter: which rows of a column may hold a secret.
//!
//! Clean data is nearly all of the data, so it is looked at once and fast. A column's bytes are folded to one case,
//! a block at a time, and searched for a few hundred needles with vector instructions; a needle counts when what is
//! around it could make it a secret (`token=`, not `token_count=`). Rows with a needle that counts go to the exact
//! rules. It may say yes too often, never too seldom.

use super::engine::{Engine, Scope};
use super::fold::Folded;
use super::needles::{self, Needle};
use super::option::GLUED;
use super::place::random_parts;
use super::prose::REACH;
use super::rules::Rules;
use crate::error::{Error, Kind, Result};
use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, Span};

/// Small enough to stay in the first-level cache between folding and searching.
const BLOCK: usize = 8 * 1024;
/// Needles per searcher: with more of them the vector search stops for too many false candidates.
const GROUP: usize = 48;
/// A name that is looked at around a needle, to either side.
const NAME: usize = 64;
/// The shortest part of a URL that may be random.
const LONG: usize = 32;

/// What must be around a needle for it to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    /// A name that is secret, and what separates it from a value.
    Name,
    /// The name of a parameter of a URL, with `=` after it.
    Parameter,
    /// So many characters of a token after it.
    Shape(usize),
    /// A segment of a path that announces a secret.
    Segment,
    /// An escaped ASCII character, `\u0070`.
    Escape,
    /// A URL with an `@` in its authority, or with a long random part.
    Url,
    /// A program whose option `-p` follows.
    Tool,
    /// Text behind a mark.
    Behind,
    Always,
}

struct Group {
    searcher: Search,
    /// The needles that begin with each key of the searcher.
    keys: Vec<Vec<Needle>>,
}

enum Search {
    Vector(Searcher),
    /// On machines without the instructions.
    Table(AhoCorasick),
}

pub(super) struct Prefilter {
    groups: Vec<Group>,
    /// Bytes that two blocks share, so that no key falls between them.
    overlap: usize,
}

/// A place that may count: the bytes of the needle there, and what must be around it.
struct Candidate {
    at: usize,
    end: usize,
    test: Test,
}

impl Prefilter {
    pub fn new(rules: &Rules) -> Result<Prefilter> {
        // The vector search looks at as many bytes as the shortest key of its group has, up to four.
        let keys = needles::keys(needles::of(rules)?);
        let (short, long): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.0.len() < needles::KEY);
        let overlap = short.iter().chain(&long).map(|(key, _)| key.len()).max().unwrap_or(needles::KEY);
        let groups = short.chunks(GROUP).chain(long.chunks(GROUP)).map(Group::new).collect::<Result<_>>()?;
        Ok(Prefilter { groups, overlap })
    }

    /// Tells `hit` each place that may count; it answers where to go on.
    fn scan(&self, bytes: &[u8], hit: &mut dyn FnMut(Candidate) -> Option<usize>) {
        let mut folded = [0u8; BLOCK];
        let mut resume = vec![0usize; self.groups.len() + 1];
        let mut start = 0;
        while start < bytes.len() {
            let end = bytes.len().min(start + BLOCK);
            let block = &bytes[start..end];
            for (to, from) in folded.iter_mut().zip(block) {
                *to = from | 0x20;
            }
            for (group, resume) in self.groups.iter().zip(&mut resume) {
                while let Some((at, key)) = group.find(&folded[..block.len()], resume.saturating_sub(start)) {
                    let at = start + at;
                    *resume = at + 1;
                    let candidates = group.keys[key].iter().filter(|(needle, test)| is_here(bytes, at, needle) && test.may_pass(bytes, at + needle.len()));
                    for (needle, test) in candidates {
                        if let Some(next) = hit(Candidate { at, end: at + needle.len(), test: *test }) {
                            *resume = next;
                            break;
                        }
                    }
                }
            }
            let resume = &mut resume[self.groups.len()];
            for at in memchr::memchr3_iter(b'%', b'=', b'&', block).map(|at| start + at) {
                if at >= *resume && hides(bytes, at) {
                    *resume = hit(Candidate { at, end: at + 1, test: Test::Always }).unwrap_or(at + 1);
                }
            }
            if !block.is_ascii() {
                for at in (start..end).filter(|at| !bytes[*at].is_ascii()) {
                    if at >= *resume {
                        *resume = hit(Candidate { at, end: at + 1, test: Test::Always }).unwrap_or(at + 1);
                    }
                }
            }
            if end == bytes.len() {
                return;
            }
            start = end - self.overlap;
        }
    }
}

impl Group {
    fn new(keys: &[needles::Key]) -> Result<Group> {
        let patterns = || keys.iter().map(|(key, _)| key);
        let vector = packed::Config::new().heuristic_pattern_limits(false).builder().extend(patterns()).build();
        let searcher = match vector {
            Some(searcher) => Search::Vector(searcher),
            None => Search::Table(AhoCorasick::new(patterns()).map_err(|error| {
                Error::new(Kind::Usage, "cannot search for the needles of the redaction rules").caused_by(error)
            })?),
        };
        Ok(Group { searcher, keys: keys.iter().map(|(_, needles)| needles.clone()).collect() })
    }

    /// The next key at or after `from`, and which one.
    fn find(&self, folded: &[u8], from: usize) -> Option<(usize, usize)> {
        if from >= folded.len() {
            return None;
        }
        let span = Span { start: from, end: folded.len() };
        let found = match &self.searcher {
            Search::Vector(searcher) => searcher.find_in(folded, span),
            Search::Table(table) => table.find(aho_corasick::Input::new(folded).span(span)),
        }?;
        Some((found.start(), found.pattern().as_usize()))
    }
}

fn is_here(bytes: &[u8], at: usize, needle: &[u8]) -> bool {
    bytes.get(at..at + needle.len()).is_some_and(|found| found.iter().zip(needle).all(|(a, b)| a | 0x20 == *b))
}

impl Test {
    /// The cheap part of a test, which need not know where the row ends: bytes of the next row only add candidates.
    fn may_pass(self, bytes: &[u8], at: usize) -> bool {
        let rest = &bytes[at.min(bytes.len())..];
        match self {
            Test::Parameter => matches!(rest.first(), Some(b'=' | b'%' | b'\\' | b'&')),
            Test::Shape(after) => {
                // `Bearer x`, `Basic+x`.
                let rest = &rest[rest.iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count()..];
                rest.iter().take(after).take_while(|byte| is_token(byte)).count() == after
            }
            Test::Segment => {
                let word = rest.iter().take(32).take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')).count();
                matches!(rest.get(word), Some(b'/' | b'%' | b'\\' | b'&'))
            }
            Test::Escape => matches!(rest.first(), Some(b'2'..=b'7')),
            Test::Tool => memchr::memmem::find(&rest[..rest.len().min(512)], b"-p").is_some(),
            Test::Name | Test::Url | Test::Behind | Test::Always => true,
        }
    }
}

fn is_token(byte: &&u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'%' | b'\\' | b'~' | b'&' | b'#' | b';')
}

/// Whether something is encoded here that rules look for, or base64 ends here.
///
/// `%XX` counts when it stands for a letter or digit, a separator in a name, a percent sign, or the colon of a nested
/// URL.
fn hides(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'&' => bytes.get(at + 1) == Some(&b'#'),
        b'=' => ends_base64(bytes, at),
        _ => {
            let Some(&[high, low]) = bytes.get(at + 1..at + 3) else { return false };
            match high {
                b'4' => low != b'0',
                b'5' => low != b'b' && low != b'B' && low != b'd' && low != b'D',
                b'6' => true,
                b'7' => !matches!(low | 0x20, b'b'..=b'f'),
                b'2' => matches!(low, b'5' | b'd' | b'D' | b'e' | b'E'),
                b'3' => match low {
                    b'0'..=b'9' => true,
                    // A nested URL, or the needle `:AA`.
                    b'a' | b'A' => matches!(&bytes[at + 3..], [b'%' | b'/', ..] | [b'A', b'A', ..]),
                    b'd' | b'D' => ends_base64(bytes, at),
                    _ => false,
                },
                // What is not ASCII may be a letter that looks like one.
                b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F' => true,
                _ => false,
            }
        }
    }
}

/// Whether so much base64 stands before `at` that it may hold something.
fn ends_base64(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rev().take(super::packed::SHORTEST);
    before.take_while(|byte| super::packed::is_base64(**byte)).count() == super::packed::SHORTEST
        && !bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
}

impl Engine {
    pub fn may_hold_secret(&self, text: &str, scope: Scope) -> bool {
        !self.suspects(text.as_bytes(), 1, |row| row * text.len(), scope).is_empty()
    }

    /// The rows that may hold a secret, in order; row n is the bytes from `offset(n)` to `offset(n + 1)`.
    pub fn suspects(&self, bytes: &[u8], rows: usize, offset: impl Fn(usize) -> usize, scope: Scope) -> Vec<usize> {
        let mut found = Vec::new();
        self.prefilter.scan(&bytes[..offset(rows)], &mut |candidate| {
            if scope == Scope::Person && !matches!(candidate.test, Test::Shape(_)) {
                return None;
            }
            // The last row that begins at or before the candidate.
            let (mut low, mut high) = (0, rows);
            while low < high {
                let middle = low + (high - low) / 2;
                if offset(middle + 1) <= candidate.at { low = middle + 1 } else { high = middle }
            }
            let (start, end) = (offset(low), offset(low + 1));
            if found.last() == Some(&low) {
                return Some(end);
            }
            if candidate.end > end || !self.counts(&bytes[start..end], &candidate, start) {
                return None;
            }
            found.push(low);
            Some(end)
        });
        if scope == Scope::Url {
            found.extend((0..rows).filter(|&row| {
                let row = &bytes[offset(row)..offset(row + 1)];
                row.len() >= LONG && std::str::from_utf8(row).is_ok_and(|text| !random_parts(text, 0).is_empty())
            }));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether a candidate counts in its row, which began at `base`.
    fn counts(&self, row: &[u8], candidate: &Candidate, base: usize) -> bool {
        let (at, end) = (candidate.at - base, candidate.end - base);
        match candidate.test {
            Test::Name => self.counts_as_name(row, at, end),
            Test::Shape(_) => candidate.test.may_pass(row, end),
            Test::Segment => {
                let is_word = |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
                let from = at - row[..at].iter().rev().take(32).take_while(is_word).count();
                let to = end + row[end..].iter().take(32).take_while(is_word).count();
                let word = std::str::from_utf8(&row[from..to]).unwrap_or("");
                to < row.len() && self.segments.contains_key(&super::place::fold(word))
            }
            Test::Url => {
                let rest = row[end..].strip_prefix(b"\\/").unwrap_or(&row[end..]);
                let is_end = |byte: &&u8| {
                    matches!(byte, b'@' | b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b' ' | b'\n' | b'\\')
                };
                let is_escaped = row[at..].starts_with(b":\\/");
                rest.iter().find(is_end) == Some(&b'@')
                    || is_escaped
                    || rest.len() >= LONG && std::str::from_utf8(row).is_ok_and(|row| !random_parts(row, end).is_empty())
            }
            Test::Tool => GLUED.iter().any(|tool| row[at..end].eq_ignore_ascii_case(tool.as_bytes())),
            Test::Behind => {
                let close = row[end..].iter().take(48).position(|byte| matches!(byte, b']' | b'>' | b')' | b'}'));
                close.is_some_and(|close| row.get(end + close + 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'\\' | b'%' | b'&')))
            }
            // Without an `=`, `:` or blank, letters of other alphabets are no names of anything.
            Test::Always if !row[at].is_ascii() => memchr::memchr3(b'=', b':', b' ', row).is_some() || memchr::memchr2(b'"', b'>', row).is_some(),
            Test::Parameter | Test::Escape | Test::Always => true,
        }
    }

    /// Whether the name around a needle is secret and has something after it that separates it from a value.
    fn counts_as_name(&self, row: &[u8], at: usize, end: usize) -> bool {
        let is_tight = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$');
        let is_wide = |byte: &&u8| is_tight(byte) || matches!(byte, b' ' | b'\t' | b'/' | b'[' | b']' | b'(' | b')');
        let left = |test: &dyn Fn(&&u8) -> bool| at - row[..at].iter().rev().take(NAME).take_while(|byte| test(byte)).count();
        let right = |test: &dyn Fn(&&u8) -> bool| end + row[end..].iter().take(NAME).take_while(|byte| test(byte)).count();
        let (lefts, rights) = ([left(&is_tight), left(&is_wide)], [right(&is_tight), right(&is_wide)]);
        let is_secret = |from: usize, to: usize| {
            // ASCII as it is: other letters make the row a suspect anyway.
            std::str::from_utf8(&row[from..to]).is_ok_and(|name| self.rule_of(name).is_some())
        };
        let mut last = None;
        for to in rights.into_iter().filter(|to| last.replace(*to) != Some(*to)) {
            match row.get(to) {
                // The text ends with the name.
                None => {}
                Some(b' ' | b'\t') if row[lefts[0]] == b'-' => return is_secret(lefts[0], to),
                Some(b' ' | b'\t' | b'(') => {
                    // A sentence tells a secret that is long, or has a digit, a sign or quotes.
                    let rest = &row[to..row.len().min(to + REACH)];
                    let is_told = rest.iter().any(|byte| byte.is_ascii_digit() || b"'\"`!@#$%^&*+=\\".contains(byte))
                        || rest.split(u8::is_ascii_whitespace).any(|word| word.len() >= 12);
                    if is_told && (is_secret(lefts[0], to) || is_secret(lefts[1], to)) {
                        return true;
                    }
                }
                Some(b'/') => {}
                Some(_) => {
                    if is_secret(lefts[0], to) || is_secret(lefts[1], to) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Whether a string of a list may say what the next one is.
    pub fn may_announce(&self, item: &str) -> bool {
        item.starts_with('-') || item.len() <= 48 && !Folded::new(item).words.is_empty() && self.rule_of(item).is_some()
    }
}
