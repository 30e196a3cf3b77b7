//! The needles of the prefilter: the shortest texts that occur in every secret of the rules.

use super::ends::is_behind_code;
use super::fold::Folded;
use super::needle::{Candidate, Test};
use super::option::GLUED;
use super::packed::{BEGINNINGS, SHORTEST};
use super::prose::POSITIONAL;
use super::rules::{Alphabet, How, Rules};
use super::value::RANDOM;
use crate::error::Result;

/// Signs that needles begin with, so rare that each is looked at.
pub(super) const SIGNS: [u8; 3] = [b'$', b'{', b'\\'];

/// A word of no more letters counts as a whole word only.
const SHORT: usize = 4;

/// The bytes that the vector search compares.
pub(super) const KEY: usize = 4;

/// Where a needle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where a run of letters and digits begins.
    Start,
    Anywhere,
}

/// Bytes to look for, and what must be around them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Needle {
    pub folded: Vec<u8>,
    pub test: Test,
    pub place: Place,
    /// The bytes as they are, when their case matters.
    exact: Option<Vec<u8>>,
}

/// A text that the searcher finds, and the needles that begin with it.
pub(super) type Key = (Vec<u8>, Vec<Needle>);

impl Needle {
    /// A needle that may be anywhere, in any case.
    fn new(text: &str, test: Test) -> Needle {
        let folded = text.bytes().map(|byte| byte | 0x20).collect();
        Needle { folded, test, place: Place::Anywhere, exact: None }
    }

    /// The same where a token begins, or one of the signs that `Starts` is asked about.
    fn at_start(text: &str, test: Test) -> Needle {
        let is_start =
            text.len() >= 3 && (text.as_bytes()[0].is_ascii_alphanumeric() || SIGNS.contains(&text.as_bytes()[0]));
        Needle { place: if is_start { Place::Start } else { Place::Anywhere }, ..Needle::new(text, test) }
    }

    fn exactly(self, text: &str) -> Needle {
        Needle { exact: Some(text.as_bytes().to_vec()), ..self }
    }

    /// The candidate, if this needle is at `at` and may count there.
    pub fn candidate(&self, bytes: &[u8], at: usize) -> Option<Candidate> {
        let end = at + self.folded.len();
        let found = bytes.get(at..end)?;
        let is_here = match &self.exact {
            Some(exact) => found == exact,
            // The fold turns `_` into DEL and the like, which costs a false candidate now and then.
            None => found.iter().zip(&self.folded).all(|(a, b)| a | 0x20 == *b),
        };
        let is_word = || self.test != Test::Word || is_word(bytes, at, end);
        (is_here && is_word() && self.test.may_pass(bytes, end)).then_some(Candidate { at, end, test: self.test })
    }
}

/// Whether the bytes are a word of a name, as capitals, digits and separators make them.
fn is_word(bytes: &[u8], at: usize, end: usize) -> bool {
    let is_upper = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_uppercase);
    let is_lower = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_lowercase);
    let begins = at == 0
        || !bytes[at - 1].is_ascii_alphabetic()
        || is_upper(at) && (is_lower(at - 1) || is_lower(at + 1))
        || is_behind_code(bytes, at);
    begins && !is_lower(end)
}

/// The needles of all rules.
pub(super) fn of(rules: &Rules) -> Result<Vec<Needle>> {
    let mut needles = vec![Needle::at_start("\\u00", Test::Escape)];
    // Letters of other alphabets, and what cannot be seen, escaped.
    needles.extend(
        ["\\u04", "\\u03", "\\u01", "\\uff", "\\u20", "\\ud835"].map(|escape| Needle::at_start(escape, Test::Always)),
    );
    needles.extend(
        ["identified by", "identified with", "securestring", "chpasswd", "passwd --stdin"]
            .map(|cue| Needle::at_start(cue, Test::Always)),
    );
    needles.extend(POSITIONAL.map(|(command, _)| Needle::at_start(command, Test::Always)));
    needles.extend(
        rules
            .words
            .spoken
            .iter()
            .filter(|word| !word.is_ascii())
            .flat_map(|word| [word.clone(), word.to_lowercase()].map(|word| Needle::at_start(&word, Test::Always))),
    );
    let mut names: Vec<(&str, bool)> = Vec::new();
    for (_, how) in rules.effective()? {
        match how {
            How::Name(named) if named.is_query_only => {
                let spellings =
                    named.names.iter().flat_map(|name| ["", "_", "-"].map(|separator| name.replace('_', separator)));
                needles.extend(spellings.map(|name| Needle::at_start(&name, Test::Parameter)));
            }
            How::Name(named) => names.extend(named.names.iter().map(|name| (name.as_str(), named.is_ending))),
            How::Shape(shape) => needles.extend(shape.needles.iter().map(|text| {
                // What is before a token begins no other: `-----BEGIN`, `+ASt`, `.atlasv1.`.
                let token = text.trim_start_matches(['-', ' ', '+', '.', '_', '<']);
                let token = if token.len() < 3 { text } else { token };
                let needle = match shape.back {
                    1.. if token.len() == text.len() => Needle::new(text, Test::Shape(shape.after)),
                    _ => Needle::at_start(token, Test::Shape(shape.after)),
                };
                if token.bytes().any(|byte| byte.is_ascii_uppercase()) { needle.exactly(token) } else { needle }
            })),
            How::Begins(begins) => {
                let after = if matches!(begins.of, Alphabet::Vault | Alphabet::Dollar) { 0 } else { begins.min };
                needles.extend(
                    begins.begins.iter().map(|begin| Needle::at_start(begin, Test::Shape(after)).exactly(begin)),
                );
            }
            How::Segment { words, .. } => {
                let spellings =
                    words.iter().flat_map(|word| ["", "_", "-"].map(|separator| word.replace('_', separator)));
                needles.extend(spellings.map(|word| Needle::at_start(&word, Test::Segment)));
            }
            // Options themselves begin with a dash, which `Starts` looks at.
            How::Flag { .. } => needles.extend(GLUED.map(|tool| Needle::at_start(tool, Test::Tool))),
            How::Userinfo | How::Parameters => {
                needles.extend(["://", ":\\/"].map(|needle| Needle::new(needle, Test::Url)))
            }
            How::Behind => {
                needles.extend(["redacted", "masked", "filtered"].map(|mark| Needle::at_start(mark, Test::Behind)));
                needles.push(Needle::new("***", Test::Shape(RANDOM)));
            }
            How::Packed => {
                needles
                    .extend(BEGINNINGS.map(|begin| Needle::at_start(begin, Test::Shape(SHORTEST - 4)).exactly(begin)));
            }
            How::Member => {
                needles.extend(["kty\"", "kty\\", "private key-"].map(|needle| Needle::at_start(needle, Test::Always)))
            }
        }
    }
    needles.extend(stems(&names));
    needles.sort();
    needles.dedup();
    Ok(needles)
}

/// Words that are in many clean texts too: a name is looked for by its other words, or as a whole.
const COMMON: [&str; 26] = [
    "api", "acces", "request", "data", "profile", "webhook", "user", "server", "client", "admin", "link", "url",
    "access", "service", "device", "login", "account", "reset", "value", "search", "query", "write", "read", "host",
    "response", "path",
];

/// The texts that occur in every spelling of the names: a word of it where a word may begin, and anywhere what compounds end with.
fn stems(names: &[(&str, bool)]) -> Vec<Needle> {
    let mut folded: Vec<(Folded, bool)> =
        names.iter().map(|(name, is_ending)| (Folded::new(name), *is_ending)).collect();
    folded.sort_by_key(|(name, _)| (name.words.len(), name.joined.len()));
    let mut needles = Vec::new();
    let mut endings: Vec<&str> = Vec::new();
    for (name, _) in folded.iter().filter(|(name, is_ending)| *is_ending && name.joined.len() > SHORT) {
        if !endings.iter().any(|ending| name.joined.contains(ending)) {
            endings.push(&name.joined);
            needles.push(Needle::new(&name.joined, Test::Name));
        }
    }
    let mut stems: Vec<&str> = Vec::new();
    for (name, _) in &folded {
        let words: Vec<&str> = (0..name.words.len()).map(|index| name.word(index)).collect();
        let is_known = |word: &&str| {
            stems.iter().any(|stem| if stem.len() > SHORT { word.starts_with(stem) } else { stem == word })
                || endings.iter().any(|ending| word.contains(ending))
        };
        if words.iter().any(is_known) {
            continue;
        }
        let rare = words.iter().rev().copied().filter(|word| !COMMON.contains(word));
        match rare.max_by_key(|word| (*word == "key" || word.len() > SHORT, word.len())) {
            Some(stem) if stem.len() > 2 => {
                stems.push(stem);
                needles.push(Needle::at_start(stem, if stem.len() > SHORT { Test::Name } else { Test::Word }));
            }
            Some(short) if words.len() == 1 => {
                // Two letters are in too many words. They may head a column of separated values.
                needles.extend(
                    ["=", ":", "\"", "'", "\\", "%", ",", ";", "|", "\t", "\r", "\n"]
                        .map(|end| Needle::at_start(&format!("{short}{end}"), Test::Always)),
                );
            }
            _ => {
                let spellings = ["", "_", "-", " ", "."].map(|separator| words.join(separator));
                needles.extend(spellings.map(|name| Needle::at_start(&name, Test::Name)));
            }
        }
    }
    needles
}

/// Needles by what they begin with: those that share four bytes, or all of a shorter one, make one key.
pub(super) fn keys(mut needles: Vec<Needle>) -> Vec<Key> {
    needles.sort();
    let mut keys: Vec<Key> = Vec::new();
    for needle in needles {
        match keys.last_mut().filter(|(key, _)| needle.folded.starts_with(&key[..key.len().min(KEY)])) {
            Some((key, needles)) => {
                let shared = key.iter().zip(&needle.folded).take_while(|(a, b)| a == b).count();
                key.truncate(shared);
                needles.push(needle);
            }
            None => keys.push((needle.folded.clone(), vec![needle])),
        }
    }
    keys
}
