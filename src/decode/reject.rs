//! Rejects: lines that are not rows, and the reasons.
//!
//! The parser's own errors do not tell a lone surrogate from bad bytes, nor a huge number from a syntax error, so the
//! line is looked at a second time. That is slow and happens to rejects only. Nothing here repeats what the line says.

use serde::de::IgnoredAny;
use simd_json::ErrorType;

pub(super) const SYNTAX: &str = "syntax";
pub(super) const NOT_AN_OBJECT: &str = "not-an-object";
pub(super) const INVALID_UTF8: &str = "invalid-utf8";
pub(super) const LONE_SURROGATE: &str = "lone-surrogate";
pub(super) const DUPLICATE_KEY: &str = "duplicate-key";
pub(super) const LINE_TOO_LONG: &str = "line-too-long";
pub(super) const TOO_DEEP: &str = "too-deep";
pub(super) const NUMBER_OUT_OF_RANGE: &str = "number-out-of-range";
pub(super) const MISSING_CLASS_UID: &str = "missing-class-uid";
pub(super) const BAD_CLASS_UID: &str = "bad-class-uid";
pub(super) const MISSING_TIME: &str = "missing-time";
pub(super) const BAD_TIME: &str = "bad-time";

/// A line that is not a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// A stable code, for counting: `syntax`, `not-an-object`, `invalid-utf8`, `lone-surrogate`, `duplicate-key`,
    /// `line-too-long`, `too-deep`, `number-out-of-range`, `missing-class-uid`, `bad-class-uid`, `missing-time`, `bad-time`.
    pub reason: &'static str,
    /// For a reader; never holds text of the line.
    pub detail: String,
}

impl Reject {
    pub(super) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Reject { reason, detail: detail.into() }
    }

    /// Names what the parser did not like about `line`.
    pub(super) fn of_parser(line: &[u8], error: &simd_json::Error, max_depth: usize) -> Self {
        if let Err(utf8) = std::str::from_utf8(line) {
            return Reject::new(INVALID_UTF8, format!("not UTF-8 at byte {}", utf8.valid_up_to()));
        }
        if matches!(error.error(), ErrorType::DepthLimitExceeded) {
            return Reject::new(TOO_DEEP, format!("nested deeper than {max_depth} levels"));
        }
        if let Some(at) = lone_surrogate(line) {
            return Reject::new(LONE_SURROGATE, format!("half of a surrogate pair at byte {at}"));
        }
        // The grammar is fine, so what the parser refused is a number that it cannot represent.
        if serde_json::from_slice::<IgnoredAny>(line).is_ok() {
            return Reject::new(NUMBER_OUT_OF_RANGE, format!("number out of range at byte {}", error.index()));
        }
        Reject::new(SYNTAX, format!("not JSON at byte {}", error.index()))
    }
}

/// The position of the first `\u` escape that is half of a surrogate pair.
fn lone_surrogate(line: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', line.get(at..)?) {
        at += found;
        match unit(line, at) {
            Some(0xd800..=0xdbff) => match unit(line, at + 6) {
                Some(0xdc00..=0xdfff) => at += 12,
                _ => return Some(at),
            },
            Some(0xdc00..=0xdfff) => return Some(at),
            // Any other escape is two bytes at least; a backslash after a backslash starts none.
            _ => at += 2,
        }
    }
    None
}

/// The code unit of the `\uXXXX` escape at `at`, if there is one.
fn unit(line: &[u8], at: usize) -> Option<u16> {
    let digits = line.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}
