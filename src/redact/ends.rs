//! Where names and values begin and end in text: before a delimiter, in quotes, in a query, as a word.

/// How a value was met, which decides what it may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A JSON value, a quoted value, a column: nothing but the value.
    Whole,
    /// The same, but its end is missing.
    Open,
    /// After `=`.
    Assigned,
    /// A parameter in a URL: percent-encoded.
    Query,
    /// After `:`, which sentences have as well.
    Prose,
}

/// The name before a delimiter.
pub(super) struct Left<'a> {
    pub name: &'a str,
    pub start: usize,
    /// Whether a quote is right before it.
    pub is_quoted: bool,
}

/// Where a value is.
pub(super) struct Right {
    pub start: usize,
    pub end: usize,
    pub manner: Manner,
}

/// Whether a code such as `%3D` or `\n` is right before `at`: its letters and digits are none of the name after them.
pub(super) fn is_behind_code(bytes: &[u8], at: usize) -> bool {
    at >= 3 && bytes[at - 3] == b'%' && bytes[at - 2..at].iter().all(u8::is_ascii_hexdigit)
        || at >= 2 && bytes[at - 2] == b'\\' && b"nrtbf".contains(&bytes[at - 1])
}

pub(super) fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"_-.$".contains(byte)
}

/// The name that ends before the delimiter at `at`, which quotes, escapes and blanks may separate from it.
pub(super) fn name_before(text: &str, at: usize) -> Option<Left<'_>> {
    let bytes = text.as_bytes();
    let back = |from: usize, most: usize, set: &[u8]| {
        from - bytes[..from].iter().rev().take(most).take_while(|byte| set.contains(byte)).count()
    };
    let end = back(back(at, 3, b" \t"), 16, b"\"'\\]");
    let mut start = end - bytes[..end].iter().rev().take(128).take_while(|byte| is_name(byte)).count();
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let is_quoted = start > 0 && matches!(bytes[start - 1], b'"' | b'\'');
    (start < end).then(|| Left { name: &text[start..end], start, is_quoted })
}

/// A value in quotes, which may be escaped as often as the quotes of the text it was taken from.
pub(super) fn quoted(bytes: &[u8], start: usize) -> Option<Right> {
    if let Some(mark @ (b"\"\"\"" | b"'''")) = bytes.get(start..start + 3) {
        let inner = start + 3;
        let end = memchr::memmem::find(&bytes[inner..], mark).map(|length| inner + length);
        let manner = if end.is_some() { Manner::Whole } else { Manner::Open };
        return Some(Right { start: inner, end: end.unwrap_or(bytes.len()), manner });
    }
    let escapes = bytes[start.min(bytes.len())..].iter().take(64).take_while(|byte| **byte == b'\\').count();
    let quote = *bytes.get(start + escapes)?;
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    let inner = start + escapes + 1;
    // With n backslashes before the opening quote, those of the closing one are n, or n after pairs of n + 1.
    let mut run = 0;
    for (offset, &byte) in bytes[inner..].iter().enumerate() {
        match byte {
            b'\\' => run += 1,
            _ if byte == quote && run % (2 * (escapes + 1)) == escapes => {
                return Some(Right { start: inner, end: inner + offset - escapes, manner: Manner::Whole });
            }
            _ => run = 0,
        }
    }
    Some(Right { start: inner, end: bytes.len(), manner: Manner::Open })
}

pub(super) fn query_end(bytes: &[u8], start: usize) -> usize {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"&#\"'<>\\`".contains(byte);
    let end = bytes[start..].iter().position(is_end).map_or(bytes.len(), |length| start + length);
    without_punctuation(bytes, start, end)
}

/// The end of an unquoted value: white space, a quote, `&`, or a comma or semicolon with another name after it.
pub(super) fn word_end(bytes: &[u8], start: usize) -> usize {
    let is_end = |at: usize| match bytes[at] {
        b'&' | b'"' | b'\'' | b'<' | b'>' | b'|' | b'\\' | b'`' => true,
        b',' | b';' => {
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-. ".contains(byte);
            let name = bytes[at + 1..].iter().take(64).take_while(is_name).count();
            let after = bytes.get(at + 1 + name);
            name > 0 && matches!(after, Some(b'=' | b':')) || bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace)
        }
        byte => byte.is_ascii_whitespace(),
    };
    let end = (start..bytes.len()).find(|&at| is_end(at)).unwrap_or(bytes.len());
    without_punctuation(bytes, start, end)
}

/// Leaves the punctuation of the sentence around a value alone, unless it belongs to a placeholder or closes what the
/// value opens.
fn without_punctuation(bytes: &[u8], start: usize, end: usize) -> usize {
    let mut end = end;
    while end > start {
        let open = match bytes[end - 1] {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            b'.' | b',' | b';' | b'!' => 0,
            _ => return end,
        };
        // Far enough back for a placeholder or a variable.
        if open != 0 && bytes[start.max(end.saturating_sub(96))..end].contains(&open) {
            return end;
        }
        end -= 1;
    }
    end
}
