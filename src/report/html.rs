//! Text becomes HTML: it is escaped, and characters that would mislead the reader's eye are made visible.

use crate::typed::visible;

/// Appends `text` so that it can stand in an element or in a quoted attribute, of HTML and of SVG.
pub fn text(text: &str, out: &mut String) {
    let mut shown = String::with_capacity(text.len());
    visible(text, &mut shown);
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

pub fn escaped(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    text(given, &mut out);
    out
}

/// Writes a text as a quoted CSS string: every character that is not a plain letter, digit or sign is written by its
/// number, so that nothing ends the text or the element around it.
pub fn css_string(given: &str) -> String {
    let mut shown = String::with_capacity(given.len());
    visible(given, &mut shown);
    let mut out = "\"".to_string();
    for c in shown.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ',' | ':' | '/' | '(' | ')') => {
                out.push(c)
            }
            c => out.push_str(&format!("\\{:06x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Returns the hash of an inline script or style, as a content security policy names it.
pub fn policy_hash(content: &str) -> String {
    use sha2::{Digest, Sha256};
    format!("'sha256-{}'", base64(&Sha256::digest(content.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(char::from(DIGITS[(group >> (18 - 6 * place)) as usize & 63]))
            } else {
                out.push('=')
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_element_or_an_attribute() {
        let shown = escaped("</td><script>x('\"&\u{202e}\u{1b}");
        assert_eq!(shown, "&lt;/td&gt;&lt;script&gt;x(&#39;&quot;&amp;\\u{202e}\\u{1b}");
    }

    #[test]
    fn nothing_ends_a_text_in_a_style() {
        assert_eq!(css_string("a-1 </style>\"\\{}"), "\"a-1 \\00003c/style\\00003e\\000022\\00005c\\00007b\\00007d\"");
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
