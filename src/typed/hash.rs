//! Bytes as hexadecimal digits, and hashes of 32 bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Result};

/// Writes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads exactly `N` bytes of hexadecimal digits. Errors with [`Kind::Integrity`]: only programs write them.
pub fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N]> {
    let wrong = || Error::new(Kind::Integrity, format!("`{}` is not {} hexadecimal digits", shortened(text), 2 * N));
    if text.len() != 2 * N {
        return Err(wrong());
    }
    let half = |digit: u8| char::from(digit).to_digit(16).map(|half| half as u8);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = half(pair[0]).zip(half(pair[1])).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?;
    }
    Ok(bytes)
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

/// A hash of 32 bytes; text, JSON and configuration have its 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash32(pub [u8; 32]);

impl Hash32 {
    /// Computes SHA-256 of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Hash32 {
        Hash32(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash32 {
    type Err = Error;

    fn from_str(text: &str) -> Result<Hash32> {
        parse_hex(text).map(Hash32)
    }
}

impl Serialize for Hash32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hash32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash32, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_64_digits_in_json() {
        let hash = Hash32::sha256(b"abc");
        let text = "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
        assert_eq!(serde_json::to_string(&hash).unwrap(), text);
        assert_eq!(serde_json::from_str::<Hash32>(text).unwrap(), hash);
        assert_eq!(serde_json::from_str::<Hash32>(&text.to_uppercase()).unwrap(), hash);
    }

    #[test]
    fn damaged_digits_are_an_error_and_not_zeros() {
        for wrong in ["", "0", "0g", "000", "ü0", "+0", "0 "] {
            assert_eq!(parse_hex::<1>(wrong).unwrap_err().kind(), Kind::Integrity, "{wrong}");
        }
        assert_eq!(parse_hex::<2>("0aF1").unwrap(), [0x0a, 0xf1]);
        assert_eq!(hex(&[0, 0x0a, 0xf1]), "000af1");
    }
}
