//! Text as JSON strings hold it.

use std::fmt::Write;

use crate::typed::{is_hostile, json_escape};

/// Appends `text` as a JSON string with its quotes. Hostile characters are escaped even where JSON allows them.
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
            c => json_escape(c, out),
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
    fn json_strings_parse_back() {
        let text = "\"quoted\" \\ \0\u{7f}\u{85}\u{2028}\u{202e}\u{200b}\u{e0041}\r\n é😀";
        let mut out = String::new();
        json_string(text, &mut out);
        assert!(out.contains("\\u202e") && out.contains("\\u007f") && !out.contains('\u{2028}'));
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }
}
