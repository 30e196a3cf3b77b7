//! Needles that are only where a token begins: tokens of vendors, segments of paths.
//!
//! There are hundreds of them, too many for a search of every byte. But tokens begin rarely: which bytes are letters
//! or digits is found out for a block at a time, without a branch, and only where a run of them begins, or a word inside
//! of it, three letters are looked up in a table of bits that stays in the cache. Options of command lines begin behind
//! a dash.

use super::needle::{Candidate, Test};
use super::needles::Needle;
use std::ops::Range;

/// Bits of the table: five of each of three letters.
const PLACES: usize = 1 << 15;
/// The folded form of eight bytes at once.
const FOLD: u64 = 0x2020_2020_2020_2020;

pub(super) struct Starts {
    bits: Vec<u64>,
    /// For each place of the table, where its needles begin in `quick`.
    first: Vec<u16>,
    /// Sorted by place; the place of the last one is none.
    quick: Vec<Quick>,
    needles: Vec<Needle>,
    /// Options without their dashes.
    flags: Vec<Vec<u8>>,
    /// The letters with which flags begin.
    flag_letters: [bool; 256],
}

/// The first bytes of a needle, so that most places are refused without looking at the needle itself.
struct Quick {
    place: u16,
    folded: u64,
    mask: u64,
}

/// Bytes that are classed at once.
const CLASSED: usize = 64;

/// Where three bytes are in the table, whatever their case.
fn place(bytes: &[u8]) -> usize {
    usize::from(bytes[0] & 0x1f) << 10 | usize::from(bytes[1] & 0x1f) << 5 | usize::from(bytes[2] & 0x1f)
}

/// The first eight bytes, or as many as there are.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let length = bytes.len().min(8);
    word[..length].copy_from_slice(&bytes[..length]);
    u64::from_le_bytes(word)
}

impl Starts {
    pub fn new(mut needles: Vec<Needle>, flags: &[&str]) -> Starts {
        needles.sort_by_key(|needle| place(&needle.folded));
        let (mut bits, mut first) = (vec![0; PLACES / 64], vec![0; PLACES]);
        let mut quick = Vec::with_capacity(needles.len() + 1);
        for (index, needle) in needles.iter().enumerate() {
            let place = place(&needle.folded);
            if bits[place / 64] >> (place % 64) & 1 == 0 {
                bits[place / 64] |= 1 << (place % 64);
                first[place] = index as u16;
            }
            let mask = word(&vec![0xff; needle.folded.len()]);
            quick.push(Quick { place: place as u16, folded: word(&needle.folded), mask });
        }
        quick.push(Quick { place: u16::MAX, folded: 0, mask: 0 });
        let flags: Vec<Vec<u8>> =
            flags.iter().map(|flag| flag.trim_start_matches(['-', '/']).as_bytes().to_vec()).collect();
        let mut flag_letters = [false; 256];
        flags.iter().for_each(|flag| flag_letters[usize::from(flag[0])] = true);
        Starts { bits, first, quick, needles, flags, flag_letters }
    }

    /// Tells `hit` what may count at `at`; its answer, where to continue, if something does.
    #[inline]
    pub fn at(&self, bytes: &[u8], at: usize, hit: &mut dyn FnMut(Candidate) -> Option<usize>) -> Option<usize> {
        let place = place(bytes.get(at..at + 3)?);
        if self.bits[place / 64] >> (place % 64) & 1 == 0 {
            return None;
        }
        self.needle_at(bytes, at, place, hit)
    }

    fn needle_at(
        &self,
        bytes: &[u8],
        at: usize,
        place: usize,
        hit: &mut dyn FnMut(Candidate) -> Option<usize>,
    ) -> Option<usize> {
        let here = match bytes.get(at..at + 8) {
            Some(eight) => u64::from_le_bytes(eight.try_into().unwrap_or_default()),
            None => word(&bytes[at..]),
        } | FOLD;
        let first = usize::from(self.first[place]);
        let mine = self.quick[first..].iter().take_while(|quick| usize::from(quick.place) == place);
        let mut fitting = mine.zip(&self.needles[first..]).filter(|(quick, _)| here & quick.mask == quick.folded);
        fitting.find_map(|(_, needle)| needle.candidate(bytes, at).and_then(&mut *hit))
    }

    /// Tells `hit` of an option whose name begins at `at`, behind a dash, or a slash as Windows has it.
    fn flag(&self, bytes: &[u8], at: usize, hit: &mut dyn FnMut(Candidate) -> Option<usize>) -> Option<usize> {
        if !self.flag_letters[usize::from(bytes[at])] {
            return None;
        }
        let is_here = |flag: &&Vec<u8>| {
            bytes[at..].starts_with(flag)
                && bytes.get(at + flag.len()).is_some_and(|byte| b" \t\"'\\%=&".contains(byte))
        };
        let flag = self.flags.iter().find(is_here)?;
        hit(Candidate { at: at - 1, end: at + flag.len(), test: Test::Always })
    }

    /// Looks at the tokens and words that begin in a part of the bytes; `resume` says for tokens and for options how far
    /// they need not be looked for.
    pub fn scan(
        &self,
        bytes: &[u8],
        part: Range<usize>,
        resume: &mut [usize; 2],
        hit: &mut dyn FnMut(Candidate) -> Option<usize>,
    ) {
        let [of_tokens, of_flags] = resume;
        for start in part.clone().step_by(CLASSED) {
            let end = part.end.min(start + CLASSED);
            let classes = classes(bytes, start);
            // One mask for a whole block: a loop for each eight bytes would be as short as it is unpredictable.
            let (mut begins, mut behind_dash) = (0, 0);
            for chunk in (0..end - start).step_by(8) {
                let (of_word, of_flag) = self::begins(&classes, chunk);
                begins |= u64::from(bits(of_word)) << chunk;
                behind_dash |= u64::from(bits(of_flag)) << chunk;
            }
            let inside = u64::MAX >> (CLASSED - (end - start));
            each(begins & inside, |place| {
                let at = start + place;
                if let Some(next) = (at >= *of_tokens).then(|| self.at(bytes, at, hit)).flatten() {
                    *of_tokens = next;
                }
            });
            each(behind_dash & inside, |place| {
                let at = start + place;
                if let Some(next) = (at >= *of_flags).then(|| self.flag(bytes, at, hit)).flatten() {
                    *of_flags = next;
                }
            });
        }
    }
}

/// The places of the bits that are set.
#[inline]
fn each(mut mask: u64, mut tell: impl FnMut(usize)) {
    while mask != 0 {
        tell(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

/// The lowest bits of eight bytes, which are all that they have, beside one another.
fn bits(bytes: u64) -> u8 {
    (bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Classifies each byte from `start` on, and the one before and after: bit 0 for a capital, 1 for a small letter, 2 for a
/// digit, 3 for a byte with which options begin.
fn classes(bytes: &[u8], start: usize) -> [u8; CLASSED + 16] {
    let mut classes = [0; CLASSED + 16];
    let block = &bytes[start..bytes.len().min(start + CLASSED)];
    match block.first_chunk::<CLASSED>() {
        Some(block) => classes[1..=CLASSED].copy_from_slice(&classed(block)),
        None => {
            let mut padded = [0; CLASSED];
            padded[..block.len()].copy_from_slice(block);
            classes[1..=CLASSED].copy_from_slice(&classed(&padded));
        }
    }
    classes[0] = start.checked_sub(1).map_or(0, |before| class(bytes[before]));
    classes[CLASSED + 1] = bytes.get(start + CLASSED).map_or(0, |next| class(*next));
    classes
}

fn class(byte: u8) -> u8 {
    u8::from(byte.wrapping_sub(b'A') < 26)
        | u8::from(byte.wrapping_sub(b'a') < 26) << 1
        | u8::from(byte.wrapping_sub(b'0') < 10) << 2
        | u8::from(byte == b'-' || byte == b'/') << 3
}

/// Without a branch, so that the compiler makes vector instructions of it.
fn classed(block: &[u8; CLASSED]) -> [u8; CLASSED] {
    block.map(class)
}

/// Marks the bytes, of eight, at which a token or a word begins: after a byte that is neither letter nor digit, a capital
/// after a small letter or before one, a letter after a digit; and those of them that begin after a dash or a slash.
fn begins(classes: &[u8; CLASSED + 16], chunk: usize) -> (u64, u64) {
    const ONE: u64 = 0x0101_0101_0101_0101;
    let eight = |from: usize| u64::from_le_bytes(classes[from..from + 8].try_into().unwrap_or_default());
    let split = |word: u64| (word & ONE, word >> 1 & ONE, word >> 2 & ONE);
    let (upper, lower, digit) = split(eight(chunk + 1));
    let (upper_before, lower_before, digit_before) = split(eight(chunk));
    let (_, lower_after, _) = split(eight(chunk + 2));
    let is_first = (upper | lower | digit) & !(upper_before | lower_before | digit_before);
    let in_word = upper & lower_before | upper & upper_before & lower_after | (upper | lower) & digit_before;
    (is_first | in_word, is_first & eight(chunk) >> 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_where_names_are_taken_apart() {
        let text = b"apiKey x_y XMLHttp2go ~a";
        let mut found = Vec::new();
        for chunk in (0..text.len()).step_by(8) {
            each(u64::from(bits(begins(&classes(text, 0), chunk).0)), |place| found.push(chunk + place));
        }
        // api Key x y XML Http 2 go a; a digit begins no word of a name.
        assert_eq!(found, [0, 3, 7, 9, 11, 14, 19, 23]);
    }
}
