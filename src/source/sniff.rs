//! Which form a stream has, told from its first bytes.

use memchr::memchr;

use super::lines::Lines;
use super::values::{Step, Values};

/// So much of the stream is looked at, less when it is shorter. Fixed, so that a file has one form in every run.
pub(super) const SNIFF_BYTES: usize = 256 << 10;

/// The byte order mark that some tools put before UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// A form, and how far its framing is.
#[derive(Debug)]
pub(super) enum Form {
    Lines(Lines),
    Values(Values),
    /// Not our business: half of its bytes are NUL, and its newlines are two bytes.
    Utf16,
}

impl Form {
    /// The form of the stream that begins with `bytes`; a byte order mark of UTF-8 is gone, and they begin at `base`.
    pub fn of(bytes: &[u8], base: u64, max_line_bytes: usize) -> Form {
        if is_utf16(bytes) {
            return Form::Utf16;
        }
        let lines = |is_enveloped| Form::Lines(Lines::new(base, is_enveloped));
        let Some(start) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else { return lines(false) };
        let rest = &bytes[start..];
        match rest[0] {
            // Many text logs begin with `[` and a date or a level.
            b'[' => match rest[1..].trim_ascii_start().first() {
                None | Some(b'{' | b']') => Form::Values(Values::new(base, max_line_bytes)),
                _ => lines(false),
            },
            b'{' => match object(rest, max_line_bytes) {
                Object::OnOneLine { is_envelope } => lines(is_envelope),
                Object::OnManyLines => Form::Values(Values::new(base, max_line_bytes)),
            },
            _ => lines(false),
        }
    }
}

fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, b, c, d, ..] => {
            [*a, *b, *c, *d].map(|byte| byte == 0) == [false, true, false, true] || {
                [*a, *b, *c, *d].map(|byte| byte == 0) == [true, false, true, false]
            }
        }
        _ => false,
    }
}

enum Object {
    OnOneLine { is_envelope: bool },
    OnManyLines,
}

/// Looks at the object that `bytes` begin with.
fn object(bytes: &[u8], max_line_bytes: usize) -> Object {
    let newline = memchr(b'\n', bytes).unwrap_or(bytes.len());
    let mut values = Values::new(0, max_line_bytes);
    let mut is_envelope = false;
    let end = loop {
        match values.step(bytes, 0) {
            Step::Item { whole, line } => {
                if !values.is_page() {
                    is_envelope |= whole != line;
                    break Some(whole.end as usize);
                }
            }
            Step::Closed { end } => {
                is_envelope = true;
                break Some(end as usize);
            }
            Step::Broken { .. } => break None,
            Step::More => {
                is_envelope |= values.is_cloud_event();
                break None;
            }
        }
    };
    let next = bytes[newline..].trim_ascii_start().first();
    match end {
        Some(end) if end <= newline => {
            // Objects may also follow one another without a newline.
            let follows = bytes[end..newline].trim_ascii_start().first();
            if follows == Some(&b'{') { Object::OnManyLines } else { Object::OnOneLine { is_envelope } }
        }
        _ if values.is_page() || end.is_some() && is_envelope => Object::OnManyLines,
        // An event over many lines, unless it is a line that was cut off before the next one.
        _ if matches!(next, Some(b'"' | b'}' | b']' | b',')) => Object::OnManyLines,
        Some(_) if matches!(bytes[..newline].trim_ascii_end().last(), Some(b'{' | b'[' | b':' | b',')) => {
            Object::OnManyLines
        }
        None if bytes.trim_ascii() == b"{" => Object::OnManyLines,
        _ => Object::OnOneLine { is_envelope },
    }
}
