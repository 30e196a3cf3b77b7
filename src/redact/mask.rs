//! Earlier redactions: our placeholders, and the marks of other programs.

/// The beginning of all our placeholders.
pub(super) const OPEN: &str = "[REDACTED:";
/// Longer than a mark of others, such as `<hidden_due_to_security_reasons>`.
const LONGEST_MARK: usize = 48;

const MARKS: [&str; 9] = [
    "redacted",
    "masked",
    "hidden",
    "filtered",
    "removed",
    "hidden_due_to_security_reasons",
    "omitted",
    "scrubbed",
    "sensitive",
];

/// The end of the placeholder of ours that begins at `at`.
pub(super) fn placeholder_at(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?.strip_prefix(OPEN.as_bytes())?;
    let is_kind = |byte: &&u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || **byte == b'-';
    let kind = rest.iter().take(64).take_while(is_kind).count();
    let rest = rest[kind..].strip_prefix(b":")?;
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let is_closed = rest.len() >= 9 && rest[..8].iter().all(is_hex) && rest[8] == b']';
    (kind > 0 && is_closed).then_some(at + OPEN.len() + kind + 1 + 9)
}

/// The placeholder that has `at` inside: after its first byte, before its end.
pub(super) fn placeholder_around(text: &str, at: usize) -> Option<(usize, usize)> {
    // Longer than a kind may be; a placeholder further left cannot reach here.
    let floor = at.saturating_sub(96);
    let window = &text.as_bytes()[floor..at.min(text.len())];
    let open = floor + memchr::memrchr(b'[', window)?;
    let close = placeholder_at(text, open)?;
    (at < close).then_some((open, close))
}

/// The end of a placeholder, or of a mark in brackets that others put: `<redacted>`, `[FILTERED]`, `[redacted by x]`.
pub(super) fn mark_at(text: &str, at: usize) -> Option<usize> {
    if let Some(end) = placeholder_at(text, at) {
        return Some(end);
    }
    let bytes = &text.as_bytes()[at.min(text.len())..];
    let close = match bytes.first()? {
        b'<' => b'>',
        b'[' => b']',
        b'(' => b')',
        b'{' => b'}',
        _ => return None,
    };
    let length = memchr::memchr(close, &bytes[..bytes.len().min(LONGEST_MARK)])?;
    is_mark(text.get(at + 1..at + length)?).then_some(at + length + 1)
}

/// The end of all marks, one behind the other, that begin at `start`.
pub(super) fn marks_end(text: &str, start: usize) -> usize {
    let mut at = start;
    while let Some(end) = mark_at(text, at) {
        at = end;
    }
    at
}

/// Whether somebody has redacted all of this value before.
pub(super) fn is_masked(value: &str) -> bool {
    if !value.is_empty()
        && (marks_end(value, 0) == value.len() || value.bytes().all(|byte| b"*xX.#-_\x95".contains(&byte)))
    {
        return true;
    }
    value.chars().all(|character| matches!(character, '•' | '●' | '∙' | '*' | '█'))
        || is_mark(value.trim_matches(['*', '#', '-', '_']))
}

fn is_mark(inner: &str) -> bool {
    let word = inner.split([':', ' ', '_', '-', ',']).next().unwrap_or("");
    let is_word = |text: &str| MARKS.iter().any(|mark| text.eq_ignore_ascii_case(mark));
    is_word(inner) || is_word(word) && inner.bytes().all(|byte| byte.is_ascii_alphabetic() || b" _-:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_known_and_hide_nothing_behind_them() {
        for masked in [
            "***",
            "[REDACTED:token:0123abcd]",
            "<redacted>",
            "[FILTERED]",
            "redacted",
            "**redacted**",
            "XXXX",
            "••••",
            "[REDACTED:a:0123abcd][REDACTED:b:0123abcd]",
            "HIDDEN_DUE_TO_SECURITY_REASONS",
        ] {
            assert!(is_masked(masked), "{masked}");
        }
        for secret in [
            "[REDACTED:token:0123abcd]hunter2",
            "<redacted>hunter2",
            "***hunter2",
            "redacted-hunter2",
            "[redacted:hunter2]",
            "",
        ] {
            assert!(!is_masked(secret) || secret.is_empty(), "{secret}");
        }
        assert_eq!(marks_end("<redacted>[REDACTED:a:0123abcd]x", 0), 31);
    }
}
