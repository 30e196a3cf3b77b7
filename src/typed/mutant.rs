//! Inputs for tests that must hold for any text: good ones, broken.
//!
//! Text of random characters is refused at its first one. A good text in which a piece is missing, repeated a thousand
//! times, or taken from another one, gets further, and finds the faults there.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Texts that mean something to some parser: brackets, quotes, comments, signs, and characters that are hard to see.
const BITS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "`",
    "$",
    "$$",
    "\\",
    "/*",
    "*/",
    "--",
    "---",
    "\n",
    "\r",
    "\t",
    "\0",
    " ",
    ";",
    ":",
    "::",
    ",",
    ".",
    "..",
    "=",
    "<",
    ">",
    "-",
    "+",
    "*",
    "%",
    "&",
    "@",
    "#",
    "~",
    "é",
    "😀",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{fffe}",
    "\u{1b}[",
    "0",
    "9223372036854775808",
    "-1e999",
    "null",
    "not ",
    "select ",
];

/// One change: its kind, its place, and the other text.
type Change = (u8, Index, Index, usize, String);

/// A case that is as large as a program's input may be.
const MAX_BYTES: usize = 64 << 10;

/// Returns how long this thread has worked, where the system reports it; a busy machine does not count.
pub fn worked() -> std::time::Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default();
    std::time::Duration::from_nanos(nanos)
}

/// Returns a configuration for such tests: as many cases as `PROPTEST_CASES` says, for hours by hand, else 256.
pub fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// Returns any of `seeds` after up to eight changes.
pub fn mutants(seeds: Vec<String>) -> impl Strategy<Value = String> {
    let bits = BITS.iter().map(|bit| bit.to_string());
    let pieces: Vec<String> = bits.chain(seeds.iter().cloned()).collect();
    let change = (0..7_u8, any::<Index>(), any::<Index>(), 1..2_000_usize, select(pieces));
    (select(seeds), vec(change, 0..8)).prop_map(|(seed, changes)| changes.into_iter().fold(seed, changed))
}

fn changed(text: String, (what, from, to, times, piece): Change) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let (a, b) = (from.index(places.len()), to.index(places.len()));
    let (start, end) = (places[a.min(b)], places[a.max(b)]);
    let (before, middle, after) = (&text[..start], &text[start..end], &text[end..]);
    // A word or so, rather than half of the text.
    let word = &middle[..middle.char_indices().nth(12).map_or(middle.len(), |(at, _)| at)];
    let new = match what {
        0 => format!("{before}{after}"),
        1 => format!("{before}{}{}{after}", word.repeat(times), &middle[word.len()..]),
        2 => format!("{before}{piece}{after}"),
        3 => format!("{before}{}{middle}{after}", piece.repeat(times)),
        4 => format!("{before}({middle}){after}"),
        5 => middle.to_string(),
        _ => format!("{before}{piece}{middle}{piece}{after}"),
    };
    if new.len() > MAX_BYTES { text } else { new }
}
