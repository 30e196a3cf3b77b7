//! The tokens of a line as the fast way reads them: strings and numbers, found without being copied.
//!
//! Everything here works on a line that was looked over before ([`plain`]): valid UTF-8 without control characters.

/// Whether a line is UTF-8 without control characters, so that a string in it ends at the next quote and nothing else
/// has to be looked for.
pub(super) fn plain(line: &[u8]) -> Option<&str> {
    // Folding without an exit runs many bytes at a time.
    let control = line.iter().fold(false, |found, byte| found | (*byte < 0x20));
    if control { None } else { simdutf8::basic::from_utf8(line).ok() }
}

/// Where the string that begins behind a quote ends, and whether it holds a backslash.
///
/// Eight bytes at a time: strings of audit logs are short, so a call to a searcher would cost more than the search.
#[inline]
pub(super) fn string_end(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    let mut at = from;
    let mut is_escaped = false;
    loop {
        let hit = match bytes.get(at..at + 8).and_then(<[u8]>::first_chunk) {
            Some(chunk) => {
                let word = u64::from_le_bytes(*chunk);
                let found = zeros(word ^ each(b'"')) | zeros(word ^ each(b'\\'));
                if found == 0 {
                    at += 8;
                    continue;
                }
                at + (found.trailing_zeros() / 8) as usize
            }
            None => at + bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?,
        };
        if bytes[hit] == b'"' {
            return Some((hit, is_escaped));
        }
        is_escaped = true;
        at = hit + 2;
    }
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the lowest byte that is zero with its highest bit; bytes above it may be marked wrongly.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}

/// A number as far as the fast way takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    /// With a fraction, no exponent, and few enough digits to be exactly what this double prints as.
    Double(f64),
}

/// Digits that always fit an `i64`.
const MAX_DIGITS: usize = 18;
/// A decimal of this many digits survives the way to a double and back.
const EXACT_DIGITS: usize = 15;

/// The number at `from`, and where it ends; none when it is not of the plain kind.
#[inline]
pub(super) fn number(text: &str, from: usize) -> Option<(Number, usize)> {
    let bytes = text.as_bytes();
    let is_negative = bytes.get(from) == Some(&b'-');
    let start = from + usize::from(is_negative);
    let mut at = start;
    let mut value = 0_i64;
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        if at - start == MAX_DIGITS {
            return None;
        }
        value = value * 10 + i64::from(digit);
        at += 1;
    }
    let has_leading_zero = at - start > 1 && bytes[start] == b'0';
    // Minus zero is not an integer that prints as it was read.
    if at == start || has_leading_zero || (is_negative && value == 0) {
        return None;
    }
    match bytes.get(at) {
        Some(b'.') => {
            let fraction = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let end = at + 1 + fraction;
            if fraction == 0 || end - start - 1 > EXACT_DIGITS || matches!(bytes.get(end), Some(b'e' | b'E')) {
                return None;
            }
            let value: f64 = text[from..end].parse().ok()?;
            Some((Number::Double(value), end))
        }
        Some(b'e' | b'E') => None,
        _ => Some((Number::Integer(if is_negative { -value } else { value }), at)),
    }
}

/// Appends what a string with escapes means; none for an escape that is wrong or needs a closer look.
pub(super) fn unescape(text: &str, out: &mut String) -> Option<()> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        let (character, length) = match escape {
            b'"' | b'\\' | b'/' => (char::from(escape), 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => {
                let digits = rest.get(at + 2..at + 6)?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                // Halves of surrogate pairs are not characters.
                (char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 6)
            }
            _ => return None,
        };
        out.push(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(())
}

/// Appends JSON text without the blanks between its tokens.
pub(super) fn compact(json: &str, out: &mut String) {
    let mut rest = json;
    // Strings are copied whole; outside of them blanks are dropped.
    while let Some(quote) = memchr::memchr(b'"', rest.as_bytes()) {
        out.extend(rest[..quote].split(' '));
        let end = string_end(rest.as_bytes(), quote + 1).map_or(rest.len(), |(end, _)| end + 1);
        out.push_str(&rest[quote..end]);
        rest = &rest[end..];
    }
    out.extend(rest.split(' '));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_the_first_quote_that_is_not_escaped() {
        for padding in 0..20 {
            let text = |middle: &str| format!("{}{middle}\"tail of more than eight bytes", "x".repeat(padding));
            assert_eq!(string_end(text("").as_bytes(), 0), Some((padding, false)));
            assert_eq!(string_end(text("\\\"").as_bytes(), 0), Some((padding + 2, true)));
            assert_eq!(string_end(text("\\\\").as_bytes(), 0), Some((padding + 2, true)));
            assert_eq!(string_end(text("#]").as_bytes(), 0), Some((padding + 2, false)));
        }
        assert_eq!(string_end(b"no end", 0), None);
        assert_eq!(string_end(b"abcdefg\\", 0), None);
        assert_eq!(string_end(b"abcdef\\\"", 0), None);
    }

    #[test]
    fn numbers_of_the_plain_kind_are_taken() {
        let integer = |text: &str| match number(text, 0) {
            Some((Number::Integer(value), end)) => Some((value, end)),
            _ => None,
        };
        assert_eq!(integer("0,"), Some((0, 1)));
        assert_eq!(integer("-12}"), Some((-12, 3)));
        assert_eq!(integer("999999999999999999"), Some((999_999_999_999_999_999, 18)));
        assert_eq!(number("52.5]", 0), Some((Number::Double(52.5), 4)));
        assert_eq!(number("-0.25", 0), None);
        for other in
            ["1000000000000000000", "-0", "01", "-", "1.", "1e3", "1.5e3", "0.1234567890123456", "+1", ".5", ""]
        {
            assert_eq!(number(other, 0), None, "{other}");
        }
    }

    #[test]
    fn blanks_go_outside_of_strings_only() {
        let mut out = String::new();
        compact(r#"{ "a b" : [ 1 , "c  d" , { } ] , "e" : null }"#, &mut out);
        assert_eq!(out, r#"{"a b":[1,"c  d",{}],"e":null}"#);
    }

    #[test]
    fn escapes_mean_what_json_says() {
        let mut out = String::new();
        assert!(unescape(r#"a\"\\\/\b\f\n\r\té\u00e9z"#, &mut out).is_some());
        assert_eq!(out, "a\"\\/\u{8}\u{c}\n\r\téézé".trim_end_matches('é'));
        for wrong in [r"\", r"\x", r"\u12", r"\ud800", r"\ud83d\ude00", r"\u+123"] {
            assert!(unescape(wrong, &mut String::new()).is_none(), "{wrong}");
        }
    }
}
