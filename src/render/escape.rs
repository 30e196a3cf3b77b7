//! What must not reach a reader as it is: terminal control, text that turns its direction, JSON's specials.

use std::fmt::Write;

/// Whether `c` would steer a terminal or reorder the text around it, instead of being seen.
///
/// The C0 and C1 controls, the marks and overrides of Unicode's bidirectional algorithm, and the two line separators,
/// which some terminals and editors break lines at.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends `text` for a person: hostile characters as `\n`, `\r`, `\t` or `\u{202e}`.
///
/// A backslash stays as it is: `CORP\alice` is far more common than a value that pretends to hold an escape.
pub fn visible(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_hostile(*c)) {
        out.push_str(&rest[..at]);
        visible_char(c, out);
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
}

/// As [`visible`], but lines and tabs stay: for cells that may hold several lines.
pub(super) fn hostile_but_lines(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c => visible_char(c, out),
        }
    }
}

/// Appends one character as [`visible`] does.
pub(super) fn visible_char(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hostile(c) => write_to(out, format_args!("\\u{{{:x}}}", c as u32)),
        c => out.push(c),
    }
}

/// Appends `text` as a JSON string with its quotes. Hostile characters are escaped even where JSON lets them stand.
pub(super) fn json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| matches!(c, '"' | '\\') || is_hostile(*c)) {
        out.push_str(&rest[..at]);
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // All hostile characters are in the basic plane: four digits hold them.
            c => write_to(out, format_args!("\\u{:04x}", c as u32)),
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends formatted text.
pub(super) fn write_to(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_seen_not_obeyed() {
        let mut out = String::new();
        visible("a\u{1b}[31m\u{202e}b\n\t\u{9b}c \u{200d}é😀 CORP\\alice", &mut out);
        assert_eq!(out, "a\\u{1b}[31m\\u{202e}b\\n\\t\\u{9b}c \u{200d}é😀 CORP\\alice");
    }

    #[test]
    fn json_strings_parse_back() {
        let text = "\"quoted\" \\ \0\u{7f}\u{85}\u{2028}\u{202e}\r\n é😀";
        let mut out = String::new();
        json_string(text, &mut out);
        assert!(out.contains("\\u202e") && out.contains("\\u007f") && !out.contains('\u{2028}'));
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }
}
