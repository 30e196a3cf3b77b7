//! What a value looks like: redacted before, no value at all, or random.

/// What every placeholder of ours begins with.
const OPEN: &str = "[REDACTED:";

/// The end of the placeholder of ours that begins at `at`.
pub(super) fn placeholder_at(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?.strip_prefix(OPEN.as_bytes())?;
    let kind =
        rest.iter().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || **byte == b'-').count();
    let rest = rest[kind..].strip_prefix(b":")?;
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let is_closed = rest.len() >= 9 && rest[..8].iter().all(is_hex) && rest[8] == b']';
    (kind > 0 && is_closed).then_some(at + OPEN.len() + kind + 1 + 9)
}

/// The placeholder that has `at` inside: after its first byte, before its end.
pub(super) fn placeholder_around(text: &str, at: usize) -> Option<(usize, usize)> {
    // Longer than a kind may sensibly be; a placeholder further left cannot reach here.
    let floor = at.saturating_sub(128);
    let window = &text.as_bytes()[floor..at.min(text.len())];
    let open = floor + memchr::memrchr(b'[', window)?;
    let close = placeholder_at(text, open)?;
    (at < close).then_some((open, close))
}

/// Whether somebody has redacted this value before.
pub(super) fn is_masked(value: &str) -> bool {
    if placeholder_at(value, 0) == Some(value.len()) || value.bytes().all(|byte| b"*xX.#-_".contains(&byte)) {
        return true;
    }
    let inner = value.trim_matches(|c: char| "<>[](){}*#\"'".contains(c));
    let begins = inner.as_bytes().get(..8).is_some_and(|word| word.eq_ignore_ascii_case(b"redacted"));
    let is_marked = begins && inner.len() < value.len() && !inner.contains(char::is_whitespace);
    is_marked
        || ["redacted", "masked", "hidden", "filtered", "removed", "hidden_due_to_security_reasons"]
            .iter()
            .any(|word| inner.eq_ignore_ascii_case(word))
}

/// Words that say that there is no value, or only whether there is one.
pub(super) fn is_no_value(value: &str) -> bool {
    ["true", "false", "null", "none", "nil", "undefined", "yes", "no", "n/a"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word))
}

/// Letters and digits, or a capital inside a word: no word of a language.
pub(super) fn is_mixed(value: &str) -> bool {
    let has = |test: fn(&u8) -> bool| value.as_bytes().iter().any(test);
    let has_inner_capital =
        value.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    has_inner_capital || (has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic))
}
