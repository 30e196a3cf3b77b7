//! Hostile text: characters that steer a terminal, reverse the text around them, or are invisible.
//!
//! They are shown as `\u{202e}` instead. Stored text keeps them; only what a person looks at is changed.

use std::fmt::Write;
use std::io;

/// Characters that join letters of some scripts, and pictures: visible by their effect on their neighbours, and
/// invisible beside ASCII.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Returns whether `c` must not be shown as it is, whatever is beside it.
///
/// The C0 and C1 controls; the marks and overrides of Unicode's bidirectional algorithm; the two line separators, at
/// which some terminals break lines; every character without width and trace, with which two names look the same:
/// `admin` and `admin<ZERO WIDTH SPACE>`.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether `c` may be shown as it is after `before`. A joiner may after a letter or picture that it can join.
pub fn is_shown(c: char, before: Option<char>) -> bool {
    if JOINERS.contains(&c) {
        before.is_some_and(|before| !before.is_ascii() && !is_hostile(before) && !JOINERS.contains(&before))
    } else {
        !is_hostile(c)
    }
}

/// Appends `text` for a person: hostile characters as `\n`, `\r`, `\t` or `\u{202e}`.
///
/// A backslash stays as it is: `CORP\alice` is far more common than a value that pretends to hold an escape.
pub fn visible(text: &str, out: &mut String) {
    each(text, |c, is_shown| if is_shown { out.push(c) } else { visible_char(c, out) });
}

/// Does the same as [`visible`], but keeps lines and tabs: for text that may have several lines.
pub fn visible_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    each(text, |c, is_shown| match c {
        '\n' | '\t' => out.push(c),
        c if is_shown => out.push(c),
        c => visible_char(c, &mut out),
    });
    out
}

/// Escapes hostile characters of JSON text in JSON's way: they can only be in strings. Its lines stay.
pub fn visible_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    each(text, |c, is_shown| match c {
        '\n' => out.push(c),
        c if is_shown => out.push(c),
        c => json_escape(c, &mut out),
    });
    out
}

/// Appends `\u202e`, or two such escapes for a character beyond the basic plane.
pub fn json_escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("a String takes everything");
    }
}

/// Appends one character, escaped like [`visible`] where it may not be shown.
pub fn visible_char(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !is_hostile(c) && !JOINERS.contains(&c) => out.push(c),
        c => write!(out, "\\u{{{:x}}}", c as u32).expect("a String takes everything"),
    }
}

/// A writer that makes hostile characters visible, as [`visible_lines`] does.
#[derive(Debug)]
pub struct Visible<W>(W);

impl<W: io::Write> Visible<W> {
    pub fn new(out: W) -> Visible<W> {
        Visible(out)
    }
}

impl<W: io::Write> io::Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(visible_lines(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn each(text: &str, mut take: impl FnMut(char, bool)) {
    let mut before = None;
    for c in text.chars() {
        take(c, is_shown(c, before));
        before = Some(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = String::new();
        visible(text, &mut out);
        out
    }

    #[test]
    fn hostile_text_is_seen_not_obeyed() {
        let text = "a\u{1b}[31m\u{202e}b\n\t\u{9b}c é😀 CORP\\alice";
        assert_eq!(shown(text), "a\\u{1b}[31m\\u{202e}b\\n\\t\\u{9b}c é😀 CORP\\alice");
        assert_eq!(visible_lines("a\r\n\tb\u{7}"), "a\\r\n\tb\\u{7}");
    }

    #[test]
    fn what_cannot_be_seen_is_seen() {
        for c in
            ['\u{200b}', '\u{ad}', '\u{2060}', '\u{3164}', '\u{feff}', '\u{e0041}', '\u{180e}', '\u{ffa0}', '\u{200d}']
        {
            assert_eq!(shown(&format!("admin{c}")), format!("admin\\u{{{:x}}}", c as u32));
        }
        // Pictures and scripts made of several characters are shown as intended.
        for text in ["👩\u{200d}💻", "क्\u{200d}ष", "می\u{200c}خواهم", "❤\u{fe0f}"] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("💻\u{200d}\u{200d}"), "💻\u{200d}\\u{200d}");
    }

    #[test]
    fn json_text_keeps_its_value() {
        let value = serde_json::json!({ "name": "admin\u{200b}\u{e0041}\u{7f}\u{feff}é" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let seen = visible_json(&text);
        assert!(!seen.contains('\u{200b}') && seen.contains("\\udb40\\udc41") && seen.contains('é'), "{seen}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&seen).unwrap(), value);
    }
}
