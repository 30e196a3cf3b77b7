//! The prefilter: which rows of a column may hold a secret.
//!
//! Clean data is nearly all of the data, so it is looked at once and fast. A column's bytes are folded to one case, a
//! block at a time, and searched for the stems of names with vector instructions; where a token begins, a table of
//! three letters says whether a needle may begin there too (`starts.rs`). A needle counts when what is around it could
//! make it a secret (`token=`, not `token_count=`). Rows with a needle that counts go to the exact rules. It may say
//! yes too often, never too seldom.

use super::ends::is_name;
use super::engine::{Engine, Scope};
use super::needles::{self, Needle, Place};
use super::rules::{How, Rules};
use super::starts::Starts;
use crate::error::{Error, Kind, Result};
use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, Span};

/// Small enough to stay in the first-level cache between folding and searching.
const BLOCK: usize = 8 * 1024;
/// A block for strings of JSON, most of which are shorter.
const SMALL: usize = 256;
/// Needles per searcher: with more of them the vector search stops for too many false candidates.
const GROUP: usize = 48;

/// A condition on the text around a needle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    /// A name that is secret, and what separates it from a value.
    Name,
    /// The same, by a short word of the name.
    Word,
    /// The name of a parameter of a URL, with `=` after it.
    Parameter,
    /// At least this many characters of a token follow it.
    Shape(usize),
    /// A segment of a path that announces a secret, and something like one after it.
    Segment,
    /// An escaped ASCII character, `\u0070`.
    Escape,
    /// A URL with an `@` in its authority, or with a long random part.
    Url,
    /// A program whose option `-p` follows.
    Tool,
    /// Text after a mark.
    Behind,
    /// A letter that is not ASCII, in a name.
    Alike,
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
    starts: Starts,
    /// Bytes that two blocks share, so that no key falls between them.
    overlap: usize,
}

/// A place that may count: the bytes of the needle there, and what must be around it.
pub(super) struct Candidate {
    pub at: usize,
    pub end: usize,
    pub test: Test,
}

impl Prefilter {
    pub fn new(rules: &Rules) -> Result<Prefilter> {
        let (starts, anywhere): (Vec<_>, Vec<_>) =
            needles::of(rules)?.into_iter().partition(|needle| needle.place == Place::Start);
        let effective = rules.effective()?;
        let flags = effective.iter().filter_map(|(_, how)| match how {
            How::Flag { flags, .. } => Some(flags),
            _ => None,
        });
        let flags: Vec<&str> = flags.flatten().map(String::as_str).collect();
        // The vector search looks at as many bytes as the shortest key of its group has, up to four.
        let keys = needles::keys(anywhere);
        let (short, long): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.0.len() < needles::KEY);
        let overlap = short.iter().chain(&long).map(|(key, _)| key.len()).max().unwrap_or(needles::KEY);
        let groups = short.chunks(GROUP).chain(long.chunks(GROUP)).map(Group::new).collect::<Result<_>>()?;
        Ok(Prefilter { groups, starts: Starts::new(starts, &flags), overlap })
    }

    /// Tells `hit` each place that may count; it answers where to continue.
    fn scan(&self, bytes: &[u8], hit: &mut dyn FnMut(Candidate) -> Option<usize>) {
        match bytes.len() {
            0 => {}
            1..=SMALL => self.scan_blocks::<SMALL>(bytes, hit),
            _ => self.scan_blocks::<BLOCK>(bytes, hit),
        }
    }

    fn scan_blocks<const N: usize>(&self, bytes: &[u8], hit: &mut dyn FnMut(Candidate) -> Option<usize>) {
        let mut folded = [0u8; N];
        let mut resume = vec![0usize; self.groups.len() + 3];
        let mut of_starts = [0; 2];
        let mut start = 0;
        while start < bytes.len() {
            let end = bytes.len().min(start + N);
            let block = &bytes[start..end];
            for (to, from) in folded.iter_mut().zip(block) {
                *to = from | 0x20;
            }
            for (group, resume) in self.groups.iter().zip(&mut resume) {
                while let Some((at, key)) = group.find(&folded[..block.len()], resume.saturating_sub(start)) {
                    let at = start + at;
                    *resume = at + 1;
                    for needle in &group.keys[key] {
                        if let Some(next) = needle.candidate(bytes, at).and_then(&mut *hit) {
                            *resume = next;
                            break;
                        }
                    }
                }
            }
            let resume = &mut resume[self.groups.len()..];
            self.starts.scan(bytes, start..end, &mut of_starts, hit);
            self.encoded(bytes, start, end, &mut resume[0], hit);
            self.signs(bytes, start, end, &mut resume[2], hit);
            if !block.is_ascii() {
                for at in (start..end).filter(|at| !bytes[*at].is_ascii()) {
                    if at >= resume[1] {
                        // The rest of the name says nothing else.
                        let name = bytes[at..].iter().take_while(|byte| is_name(byte)).count();
                        resume[1] = hit(Candidate { at, end: at + 1, test: Test::Alike }).unwrap_or(at + name.max(1));
                    }
                }
            }
            if end == bytes.len() {
                return;
            }
            start = end - self.overlap;
        }
    }

    /// Encoded text, and the token that begins after it.
    fn encoded(
        &self,
        bytes: &[u8],
        start: usize,
        end: usize,
        resume: &mut usize,
        hit: &mut dyn FnMut(Candidate) -> Option<usize>,
    ) {
        let block = &bytes[start..end];
        for at in memchr::memchr3_iter(b'%', b'=', b'&', block).map(|at| start + at) {
            if at < *resume {
                continue;
            }
            if hides(bytes, at) {
                *resume = hit(Candidate { at, end: at + 1, test: Test::Always }).unwrap_or(at + 1);
            } else if bytes[at] == b'%'
                && let Some(next) = self.starts.at(bytes, at + 3, hit)
            {
                *resume = next;
            }
        }
    }

    /// A token that begins with a sign. It continues on its own: an encoding further right says nothing about this place.
    fn signs(
        &self,
        bytes: &[u8],
        start: usize,
        end: usize,
        resume: &mut usize,
        hit: &mut dyn FnMut(Candidate) -> Option<usize>,
    ) {
        let block = &bytes[start..end];
        let [first, second, third] = needles::SIGNS;
        for at in memchr::memchr3_iter(first, second, third, block).map(|at| start + at) {
            if at < *resume {
                continue;
            }
            // What is escaped begins behind the backslash and its letter.
            let escaped = if bytes[at] == b'\\' { self.starts.at(bytes, at + 2, hit) } else { None };
            if let Some(next) = escaped.or_else(|| self.starts.at(bytes, at, hit)) {
                *resume = next;
            }
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

impl Test {
    /// The cheap part of a test, which need not know where the row ends: bytes of the next row only add candidates.
    pub(super) fn may_pass(self, bytes: &[u8], at: usize) -> bool {
        let rest = &bytes[at.min(bytes.len())..];
        match self {
            Test::Parameter => matches!(rest.first(), Some(b'=' | b'%' | b'\\' | b'&')),
            Test::Shape(after) => {
                // `Bearer x`, `Basic+x`.
                let rest = &rest[rest.iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count()..];
                rest.iter().take(after).take_while(is_token).count() == after
            }
            Test::Segment => {
                let word = rest
                    .iter()
                    .take(32)
                    .take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
                    .count();
                matches!(rest.get(word), Some(b'/' | b'%' | b'\\' | b'&'))
            }
            Test::Escape => matches!(rest.first(), Some(b'2'..=b'7')),
            Test::Tool => memchr::memmem::find(&rest[..rest.len().min(512)], b"-p").is_some(),
            Test::Name | Test::Word | Test::Url | Test::Behind | Test::Alike | Test::Always => true,
        }
    }
}

fn is_token(byte: &&u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'%' | b'\\' | b'~' | b'&' | b'#' | b';')
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
                b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F' => low.is_ascii_hexdigit(),
                _ => false,
            }
        }
    }
}

/// Whether there is enough base64 before `at` to hold something.
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
        let counts = |candidate: &Candidate, start: usize, end: usize| {
            candidate.end <= end && self.counts(&bytes[start..end], candidate, start)
        };
        // Where a row begins a token does, whatever ends the row before.
        for row in 0..rows {
            let (start, end) = (offset(row), offset(row + 1));
            let row_bytes = &bytes[start..];
            let mut check = |Candidate { at, end: past, test }: Candidate| {
                counts(&Candidate { at: start + at, end: start + past, test }, start, end).then_some(end)
            };
            if self.prefilter.starts.at(row_bytes, 0, &mut check).is_some()
                || scope == Scope::Url && has_random_part(&bytes[start..end], 0)
            {
                found.push(row);
            }
        }
        let first = found.len();
        self.prefilter.scan(&bytes[..offset(rows)], &mut |candidate| {
            // The last row that begins at or before the candidate.
            let (mut low, mut high) = (0, rows);
            while low < high {
                let middle = low + (high - low) / 2;
                if offset(middle + 1) <= candidate.at { low = middle + 1 } else { high = middle }
            }
            let (start, end) = (offset(low), offset(low + 1));
            if found[first..].last() == Some(&low) {
                return Some(end);
            }
            counts(&candidate, start, end).then(|| {
                found.push(low);
                end
            })
        });
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Whether a URL has a part that is long and random.
pub(super) fn has_random_part(row: &[u8], from: usize) -> bool {
    /// The shortest such part.
    const LONG: usize = 32;
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    // From the end of where a part may be back to what parts it: most bytes are not looked at.
    let mut end = from + LONG;
    while end <= row.len() {
        let length = row[end - LONG..end].iter().rev().take_while(|byte| is_inner(byte)).count();
        if length == LONG {
            return std::str::from_utf8(row).is_ok_and(|row| !super::place::random_parts(row, from).is_empty());
        }
        end += LONG - length;
    }
    false
}
