//! What the prefilter looks for: the shortest texts that are in every secret of the rules.

use super::fold::Folded;
use super::needle::Test;
use super::option::GLUED;
use super::packed::BEGINNINGS;
use super::rules::{Alphabet, How, Rules};
use crate::error::Result;

/// The bytes that the vector search compares.
pub(super) const KEY: usize = 4;

/// Bytes to look for, folded, and what must be around them.
pub(super) type Needle = (Vec<u8>, Test);

/// What the searcher looks for, and the needles that begin with it.
pub(super) type Key = (Vec<u8>, Vec<Needle>);

/// The needles of all rules.
pub(super) fn of(rules: &Rules) -> Result<Vec<Needle>> {
    let mut needles: Vec<Needle> = vec![(fold("\\u00"), Test::Escape), (fold("\\u04"), Test::Always), (fold("\\u03"), Test::Always), (fold("\\uff"), Test::Always), (fold("\\u20"), Test::Always), (fold("\\u01"), Test::Always)];
    let mut names: Vec<&str> = Vec::new();
    for (_, how) in rules.effective()? {
        match how {
            How::Name(named) if named.is_query_only => {
                needles.extend(named.names.iter().map(|name| (fold(&name.replace('_', "")), Test::Parameter)));
                needles.extend(named.names.iter().filter(|name| name.contains('_')).flat_map(|name| {
                    [name.clone(), name.replace('_', "-")].map(|name| (fold(&name), Test::Parameter))
                }));
            }
            How::Name(named) => names.extend(named.names.iter().map(String::as_str)),
            How::Shape(shape) => needles.extend(shape.needles.iter().map(|needle| (fold(needle), Test::Shape(shape.after)))),
            How::Begins(begins) => {
                let after = if matches!(begins.of, Alphabet::Vault | Alphabet::Dollar) { 0 } else { begins.min };
                needles.extend(begins.begins.iter().map(|begin| (fold(begin), Test::Shape(after))));
            }
            How::Segment { words, .. } => {
                let spellings = words.iter().flat_map(|word| ["", "_", "-"].map(|separator| word.replace('_', separator)));
                needles.extend(spellings.map(|word| (fold(&word), Test::Segment)));
            }
            How::Flag { flags, .. } => {
                let ends = |flag: &String| [" ", "\"", "'", "\\", "%", "=", "&"].map(|end| (fold(&format!("{flag}{end}")), Test::Always));
                needles.extend(flags.iter().flat_map(ends));
                needles.extend(GLUED.map(|tool| (fold(tool), Test::Tool)));
            }
            How::Userinfo | How::Parameters => needles.extend(["://", ":\\/"].map(|needle| (fold(needle), Test::Url))),
            How::Behind => {
                let marks = ["redacted", "masked]", "masked>", "filtered]", "filtered>"];
                needles.extend(marks.map(|mark| (fold(mark.trim_end_matches([']', '>'])), Test::Behind)));
            }
            How::Packed => needles.extend(BEGINNINGS.map(|beginning| (fold(beginning), Test::Shape(super::packed::SHORTEST - 4)))),
            How::Member => needles.extend(["\"kty\"", "kty\\", "private key-"].map(|needle| (fold(needle), Test::Always))),
        }
    }
    needles.push((fold("identified by"), Test::Always));
    needles.push((fold("identified with"), Test::Always));
    needles.extend(["securestring", "net user ", "chpasswd", "passwd --stdin"].map(|cue| (fold(cue), Test::Always)));
    needles.extend(stems(&names));
    Ok(needles)
}

/// The words that every spelling of the names has in it: `key` is enough for all names that end with it.
fn stems(names: &[&str]) -> Vec<Needle> {
    let mut folded: Vec<Folded> = names.iter().map(|name| Folded::new(name)).collect();
    folded.sort_by_key(|name| (name.words.len(), name.joined.len()));
    let mut stems: Vec<String> = Vec::new();
    let mut needles = Vec::new();
    for name in &folded {
        let words: Vec<&str> = (0..name.words.len()).map(|index| name.word(index)).collect();
        if words.iter().any(|word| stems.iter().any(|stem| word.contains(stem.as_str()))) {
            continue;
        }
        let last = words.last().copied().filter(|word| word.len() >= 3);
        let longest = words.iter().copied().max_by_key(|word| word.len());
        match last.or(longest) {
            Some(stem) if stem.len() >= 3 => {
                stems.push(stem.to_owned());
                needles.push((fold(stem), Test::Name));
            }
            Some(short) => {
                // Two letters are in too many words.
                let ends = ["=", ":", "\"", "'", "\\", "%", " "].map(|end| (fold(&format!("{short}{end}")), Test::Name));
                needles.extend(ends.map(|(needle, _)| (needle, Test::Always)));
            }
            None => {}
        }
    }
    needles
}

/// One case for letters. It also turns `_` into DEL and the like, which costs a false hit now and then.
fn fold(needle: &str) -> Vec<u8> {
    needle.bytes().map(|byte| byte | 0x20).collect()
}

/// Needles by what they begin with: those that share four bytes, or all of a shorter one, make one key.
pub(super) fn keys(needles: Vec<Needle>) -> Vec<Key> {
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
            // The test looks at the whole segment around the needle.
            (Test::Segment, Test::Segment) => memchr::memmem::find(&needle, other).is_some(),
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
