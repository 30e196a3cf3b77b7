//! Which form a stream has, told from its first bytes.

use memchr::memchr;

use super::inner_events;
use super::lines::Lines;
use super::magic::Foreign;
use super::values::{Step, Values};

/// The part of the stream that is examined, less when the stream is shorter. Fixed, so that a file has one form in every run.
pub(super) const SNIFF_BYTES: usize = 256 << 10;

/// The number of lines that are searched for envelopes: a stream that begins with a greeting is recognized, too.
const FIRST_LINES: usize = 64;

/// The byte order mark that some tools put before UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// A form, and how far its framing is.
#[derive(Debug)]
pub(super) enum Form {
    Lines(Box<Lines>),
    Values(Values),
    /// Not JSON, and not read.
    Foreign(Foreign),
}

impl Form {
    /// The form of the stream that begins with `bytes`; a byte order mark of UTF-8 is gone, and they begin at `base`.
    pub fn of(bytes: &[u8], base: u64, max_line_bytes: usize) -> Form {
        if let Some(foreign) = Foreign::of(bytes) {
            return Form::Foreign(foreign);
        }
        let lines = || Form::Lines(Box::new(Lines::new(base, has_envelopes(bytes))));
        let values = |has_pages| Form::Values(Values::new(base, max_line_bytes, has_pages));
        let Some(start) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else { return lines() };
        let rest = &bytes[start..];
        match rest[0] {
            // Many text logs begin with `[` and a date or a level.
            b'[' => match rest[1..].trim_ascii_start().first() {
                None | Some(b'{' | b']') => values(true),
                _ => lines(),
            },
            b'{' => match object(rest, max_line_bytes) {
                Object::OnOneLine => lines(),
                Object::OnManyLines { is_event } => values(!is_event),
            },
            _ => lines(),
        }
    }
}

/// Whether one of the first lines is an envelope.
fn has_envelopes(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').take(FIRST_LINES).any(|line| inner_events(line).is_some())
}

enum Object {
    OnOneLine,
    OnManyLines { is_event: bool },
}

/// Looks at the object that `bytes` begin with.
fn object(bytes: &[u8], max_line_bytes: usize) -> Object {
    let newline = memchr(b'\n', bytes).unwrap_or(bytes.len());
    let mut values = Values::new(0, max_line_bytes, true);
    let mut is_page = false;
    let end = loop {
        match values.step(bytes, 0) {
            Step::Item(range) => {
                if !values.is_page() {
                    break Some(range.end as usize);
                }
            }
            Step::Closed { end } => {
                is_page = true;
                break Some(end as usize);
            }
            Step::Broken { .. } | Step::More => break None,
        }
    };
    let on_many_lines = Object::OnManyLines { is_event: !is_page && !values.is_page() && values.is_event() };
    let next = bytes[newline..].trim_ascii_start().first();
    match end {
        Some(end) if end <= newline => {
            // Objects may also follow one another without a newline.
            let follows = bytes[end..newline].trim_ascii_start().first();
            if follows == Some(&b'{') { on_many_lines } else { Object::OnOneLine }
        }
        _ if values.is_page() || is_page => on_many_lines,
        // An event over many lines, unless it is a line that was cut off before the next one.
        _ if matches!(next, Some(b'"' | b'}' | b']' | b',')) => on_many_lines,
        Some(_) if matches!(bytes[..newline].trim_ascii_end().last(), Some(b'{' | b'[' | b':' | b',')) => on_many_lines,
        None if bytes.trim_ascii() == b"{" => on_many_lines,
        _ => Object::OnOneLine,
    }
}
