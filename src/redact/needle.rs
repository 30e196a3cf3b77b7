//! The prefilter: which rows of a column may hold a secret.
//!
//! Clean data is nearly all of the data, so it is looked at once and fast. A column's bytes are folded to one case,
//! a block at a time, and searched for a few dozen needles with vector instructions; a needle counts when what
//! follows it could make it a secret (`token=`, not `token was created`). Rows with a needle that counts go to the
//! exact rules. It may say yes too often, never too seldom.

use super::rules::{How, Rules};
use crate::error::{Error, Kind, Result};
use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, Span};
use memchr::memchr_iter;

/// Small enough to stay in the first-level cache between folding and searching.
const BLOCK: usize = 8 * 1024;
/// Needles per searcher: with more of them the vector search stops for too many false candidates.
const GROUP: usize = 48;
/// The bytes that the vector search compares.
const KEY: usize = 4;

/// What must follow a needle for it to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    /// The end of a name and a delimiter; `is_stem` when the name may go on with letters.
    Name { is_stem: bool },
    /// So many characters of a token.
    Shape(usize),
    /// The end of a path segment.
    Segment,
    /// An escaped ASCII character, `\u0070`.
    Escape,
    /// The authority of a URL with an `@` in it.
    Authority,
}

/// Bytes to look for, folded, and what must follow them.
type Needle = (Vec<u8>, Test);

/// What the searcher looks for, and the needles that begin with it.
type Key = (Vec<u8>, Vec<Needle>);

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

impl Prefilter {
    pub fn new(rules: &Rules) -> Result<Prefilter> {
        let mut needles: Vec<Needle> = vec![(fold("\\u00"), Test::Escape)];
        for (_, how) in rules.effective()? {
            match how {
                How::Name(named) if named.is_query_only => {
                    let encoded =
                        ["=", "%"].iter().flat_map(|end| named.names.iter().map(move |name| format!("{name}{end}")));
                    needles.extend(encoded.map(|needle| (fold(&needle), Test::Shape(0))));
                }
                How::Name(named) => {
                    let spellings = named.names.iter().flat_map(|name| spellings(name));
                    needles.extend(spellings.map(|needle| (fold(&needle), Test::Name { is_stem: needle.len() > 3 })));
                }
                How::Shape { needles: own, after, .. } => {
                    needles.extend(own.iter().map(|needle| (fold(needle), Test::Shape(*after))));
                }
                How::Segment(words) => {
                    let spellings = words.iter().flat_map(|word| spellings(word));
                    needles.extend(spellings.map(|needle| (fold(&needle), Test::Segment)));
                }
                How::Userinfo => needles.extend(["://", ":\\/"].map(|needle| (fold(needle), Test::Authority))),
            }
        }
        // The vector search looks at as many bytes as the shortest key of its group has, up to four.
        let (short, long): (Vec<_>, Vec<_>) = keys(needles).into_iter().partition(|key| key.0.len() < KEY);
        let overlap = long.iter().map(|(key, _)| key.len()).max().unwrap_or(KEY);
        let groups = short.chunks(GROUP).chain(long.chunks(GROUP)).map(Group::new).collect::<Result<_>>()?;
        Ok(Prefilter { groups, overlap })
    }

    pub fn may_hold_secret(&self, text: &[u8]) -> bool {
        let mut is_hit = false;
        self.scan(text, &mut |_| {
            is_hit = true;
            text.len()
        });
        is_hit
    }

    /// The rows that may hold a secret, in order; row n is the bytes from `offset(n)` to `offset(n + 1)`.
    pub fn rows(&self, bytes: &[u8], rows: usize, offset: impl Fn(usize) -> usize) -> Vec<usize> {
        let mut found = Vec::new();
        self.scan(&bytes[..offset(rows)], &mut |at| {
            // The last row that begins at or before the hit.
            let (mut low, mut high) = (0, rows);
            while low < high {
                let middle = low + (high - low) / 2;
                if offset(middle + 1) <= at { low = middle + 1 } else { high = middle }
            }
            found.push(low);
            offset(low + 1)
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Tells `hit` each position that counts; it answers where to go on.
    fn scan(&self, bytes: &[u8], hit: &mut dyn FnMut(usize) -> usize) {
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
                while let Some((at, pattern)) = group.find(&folded[..block.len()], resume.saturating_sub(start)) {
                    let at = start + at;
                    *resume = if group.counts(pattern, bytes, at) { hit(at) } else { at + 1 };
                }
            }
            let resume = &mut resume[self.groups.len()];
            for at in memchr_iter(b'%', block).map(|at| start + at) {
                if at >= *resume && hides(bytes, at) {
                    *resume = hit(at);
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
    fn new(keys: &[Key]) -> Result<Group> {
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

    /// Whether a needle of this key stands at `at` and counts.
    fn counts(&self, key: usize, bytes: &[u8], at: usize) -> bool {
        self.keys[key].iter().any(|(needle, test)| {
            let is_here = bytes
                .get(at..at + needle.len())
                .is_some_and(|found| found.iter().zip(needle).all(|(a, b)| a | 0x20 == *b));
            is_here && test.passes(bytes, at + needle.len())
        })
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
    /// Whether the needle that ends before `at` counts. Bytes of the next row may follow; they only add hits, since
    /// what counts inside a row counts whatever comes after the row.
    fn passes(self, bytes: &[u8], at: usize) -> bool {
        let rest = &bytes[at.min(bytes.len())..];
        let skip = |test: fn(&u8) -> bool| &rest[rest.iter().take_while(|byte| test(byte)).count()..];
        match self {
            Test::Name { is_stem } => {
                let rest = if is_stem { skip(u8::is_ascii_alphabetic) } else { rest };
                // Another word follows: a longer name (`token_count`), or prose (`token was created`).
                let is_between = |byte: &&u8| matches!(byte, b'_' | b'-' | b'.' | b'$' | b' ' | b'\t');
                rest.iter().find(|byte| !is_between(byte)).is_some_and(|byte| !byte.is_ascii_alphanumeric())
            }
            Test::Shape(after) => {
                // `Bearer x`, `Basic+x`.
                let rest = &rest[rest.iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count()..];
                let is_token = |byte: &&u8| {
                    byte.is_ascii_alphanumeric()
                        || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'%' | b'\\' | b'~')
                };
                rest.iter().take(after).take_while(is_token).count() == after
            }
            Test::Segment => {
                let rest = skip(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
                matches!(rest.first(), Some(b'/' | b'%' | b'\\'))
            }
            Test::Escape => matches!(rest.first(), Some(b'2'..=b'7')),
            Test::Authority => {
                let rest = rest.strip_prefix(b"\\/").unwrap_or(rest);
                // Each URL of clean data comes here; `matches!` becomes one test of a bit.
                let is_end = |byte: &&u8| {
                    matches!(byte, b'@' | b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b' ' | b'\n')
                };
                rest.iter().find(is_end) == Some(&b'@')
            }
        }
    }
}

/// Whether `%XX` encodes a letter or digit, a separator in a name, a percent sign, or the colon of a nested URL.
fn hides(bytes: &[u8], at: usize) -> bool {
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
            _ => false,
        },
        _ => false,
    }
}

/// One case for letters. It also turns `_` into DEL and the like, which costs a false hit now and then.
fn fold(needle: &str) -> Vec<u8> {
    needle.bytes().map(|byte| byte | 0x20).collect()
}

/// The ways to write a name of several words.
fn spellings(name: &str) -> Vec<String> {
    if !name.contains('_') {
        return vec![name.to_owned()];
    }
    ["", "_", "-", " "].iter().map(|separator| name.replace('_', separator)).collect()
}

/// Needles by what they begin with: those that share four bytes, or all of a shorter one, make one key.
fn keys(needles: Vec<Needle>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for (needle, test) in smallest(needles) {
        match keys.last_mut().filter(|(key, _)| needle.starts_with(&key[..key.len().min(KEY)])) {
            Some((key, needles)) => {
                let shared = key.iter().zip(&needle).take_while(|(a, b)| a == b).count();
                key.truncate(shared);
                needles.push((needle, test));
            }
            None => keys.push((needle.clone(), vec![(needle, test)])),
        }
    }
    keys
}

/// Drops needles that have another one in them that counts at least as often.
fn smallest(mut needles: Vec<Needle>) -> Vec<Needle> {
    needles.sort_by(|a, b| (a.0.len(), &a.0, a.1).cmp(&(b.0.len(), &b.0, b.1)));
    let mut kept: Vec<Needle> = Vec::new();
    for (needle, test) in needles {
        let is_covered = kept.iter().any(|(other, own)| match (own, test) {
            (Test::Name { .. }, Test::Name { .. }) | (Test::Segment, Test::Segment) => {
                memchr::memmem::find(&needle, other).is_some_and(|at| {
                    // What follows the shorter one in the longer one must be what its test skips.
                    let rest = &needle[at + other.len()..];
                    let is_skipped = |byte: &u8| match own {
                        Test::Segment => byte.is_ascii_lowercase() || matches!(byte, b'-' | 0x7f),
                        own => byte.is_ascii_lowercase() && *own == Test::Name { is_stem: true },
                    };
                    rest.iter().all(is_skipped)
                })
            }
            (Test::Shape(few), Test::Shape(many)) => needle == *other && *few <= many,
            _ => needle == *other && *own == test,
        });
        if !is_covered {
            kept.push((needle, test));
        }
    }
    kept.sort();
    kept
}
