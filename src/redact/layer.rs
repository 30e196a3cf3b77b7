//! Encoded text inside text: JSON string escapes, entities of HTML and percent encoding, decoded with a way back.
//!
//! A secret is looked for in the decoded text but replaced in the text as it came, so that nothing but the secret
//! changes. Placeholders need no escaping in either encoding.

/// Decoded text, and where each of its bytes came from.
pub(super) struct Layer {
    pub text: String,
    /// Offset in the outer text per byte of `text`, and one more for its end.
    map: Vec<u32>,
}

impl Layer {
    /// The outer range of a range of `text`.
    pub fn outer(&self, start: usize, end: usize) -> (usize, usize) {
        (self.map[start] as usize, self.map[end] as usize)
    }

    /// Puts a lossy text together; `map` has the start of each decoded byte's source.
    fn new(bytes: Vec<u8>, mut map: Vec<u32>, outer: usize) -> Layer {
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let bytes = error.into_bytes();
                let (mut text, mut lossy_map, mut at) = (String::new(), Vec::with_capacity(map.len()), 0);
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    lossy_map.extend_from_slice(&map[at..at + chunk.valid().len()]);
                    at += chunk.valid().len();
                    if !chunk.invalid().is_empty() {
                        text.push(char::REPLACEMENT_CHARACTER);
                        lossy_map.extend([map[at]; char::REPLACEMENT_CHARACTER.len_utf8()]);
                        at += chunk.invalid().len();
                    }
                }
                map = lossy_map;
                text
            }
        };
        map.push(outer as u32);
        Layer { text, map }
    }
}

/// Decodes `%XX`; None when there is none.
pub(super) fn percent(text: &str) -> Option<Layer> {
    decode(text, |source, at| match source[at] {
        b'%' => hex_pair(source, at).map(|byte| Decoded::byte(byte, 3)),
        _ => None,
    })
}

/// Decodes all that free text may hold, one level of each: `%XX`, `&quot;`, `&#61;`, `\n`, `\u0070`, `＝`.
pub(super) fn decoded(text: &str) -> Option<Layer> {
    decode(text, |source, at| match source[at] {
        b'%' => hex_pair(source, at).map(|byte| Decoded::byte(byte, 3)),
        b'&' => entity(&source[at..]),
        b'\\' => escape(source, at),
        WIDE => wide(source, at).map(|byte| Decoded::byte(byte, 3)),
        _ => None,
    })
}

/// The first byte of ASCII in full width.
const WIDE: u8 = 0xef;

/// The ASCII character that is in full width at `at`.
pub(super) fn wide(source: &[u8], at: usize) -> Option<u8> {
    match source.get(at + 1..at + 3)? {
        [0xbc, low @ 0x81..=0xbf] => Some(low - 0x60),
        [0xbd, low @ 0x80..=0x9e] => Some(low - 0x20),
        _ => None,
    }
}

/// The decoded text of an encoding, and its length.
struct Decoded {
    bytes: [u8; 4],
    count: usize,
    length: usize,
}

impl Decoded {
    fn byte(byte: u8, length: usize) -> Decoded {
        Decoded { bytes: [byte, 0, 0, 0], count: 1, length }
    }

    fn character(character: char, length: usize) -> Decoded {
        let mut bytes = [0; 4];
        let count = character.encode_utf8(&mut bytes).len();
        Decoded { bytes, count, length }
    }
}

/// Decodes where `at` finds something encoded; None when it never does.
fn decode(text: &str, at_place: impl Fn(&[u8], usize) -> Option<Decoded>) -> Option<Layer> {
    let source = text.as_bytes();
    let first = (0..source.len())
        .find(|&at| matches!(source[at], b'%' | b'&' | b'\\' | WIDE) && at_place(source, at).is_some())?;
    let mut bytes = Vec::with_capacity(source.len());
    let mut map = Vec::with_capacity(source.len() + 1);
    bytes.extend_from_slice(&source[..first]);
    map.extend(0..first as u32);
    let mut at = first;
    while at < source.len() {
        match at_place(source, at) {
            Some(decoded) => {
                bytes.extend_from_slice(&decoded.bytes[..decoded.count]);
                map.extend(std::iter::repeat_n(at as u32, decoded.count));
                at += decoded.length;
            }
            None => {
                map.push(at as u32);
                bytes.push(source[at]);
                at += 1;
            }
        }
    }
    Some(Layer::new(bytes, map, source.len()))
}

/// Whether an entity of HTML or XML begins the text.
pub(super) fn is_entity(source: &[u8]) -> bool {
    entity(source).is_some()
}

/// An entity of HTML or XML: by number, or one of the five that XML knows.
fn entity(source: &[u8]) -> Option<Decoded> {
    let length = source.iter().take(12).position(|byte| *byte == b';')? + 1;
    let name = std::str::from_utf8(&source[1..length - 1]).ok()?;
    let character = match name {
        "quot" => '"',
        "apos" => '\'',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some(Decoded::character(character, length))
}

/// An escape of a JSON string, as far as it is one: `C:\dir` keeps its backslash.
fn escape(source: &[u8], at: usize) -> Option<Decoded> {
    if let Some((character, length)) = unicode(source, at) {
        return Some(Decoded::character(character, length));
    }
    let byte = match source.get(at + 1)? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        quote @ (b'"' | b'\'' | b'\\' | b'/') => *quote,
        _ => return None,
    };
    Some(Decoded::byte(byte, 2))
}

/// Whether a text may be JSON, by its first byte.
pub(super) fn begins_like_json(text: &str) -> bool {
    matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"'))
}

pub(super) fn is_json(text: &str) -> bool {
    begins_like_json(text) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn hex_pair(source: &[u8], percent: usize) -> Option<u8> {
    let digit = |at: usize| source.get(at).and_then(|&byte| (byte as char).to_digit(16));
    Some((digit(percent + 1)? * 16 + digit(percent + 2)?) as u8)
}

/// Decodes the escapes of a JSON string's content, also a broken one; None when there are none.
pub(super) fn unescape(text: &str) -> Option<Layer> {
    let source = text.as_bytes();
    let mut at = memchr::memchr(b'\\', source)?;
    let mut bytes = Vec::with_capacity(source.len());
    let mut map = Vec::with_capacity(source.len() + 1);
    bytes.extend_from_slice(&source[..at]);
    map.extend(0..at as u32);
    while at < source.len() {
        let mut utf8 = [0; 4];
        let one = [match source.get(at + 1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(&other) => other,
            None => b'\\',
        }];
        let (decoded, length): (&[u8], usize) = if source[at] != b'\\' {
            (&source[at..at + 1], 1)
        } else if let Some((character, length)) = unicode(source, at) {
            (character.encode_utf8(&mut utf8).as_bytes(), length)
        } else if one[0] >= 0x80 {
            // A stray backslash before a character of several bytes: the character follows by itself.
            (b"\\", 1)
        } else {
            (&one, (source.len() - at).min(2))
        };
        map.extend(std::iter::repeat_n(at as u32, decoded.len()));
        bytes.extend_from_slice(decoded);
        at += length;
    }
    Some(Layer::new(bytes, map, source.len()))
}

/// The character of `\uXXXX` at `at`, two of them for a surrogate pair, and the length of the escape.
fn unicode(source: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u32> {
        let digits = source.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |value, &byte| Some(value * 16 + (byte as char).to_digit(16)?))
    };
    let high = unit(at)?;
    if (0xD800..0xDC00).contains(&high)
        && let Some(low @ 0xDC00..0xE000) = unit(at + 6)
    {
        let scalar = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        return Some((char::from_u32(scalar)?, 12));
    }
    Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_decodes_and_maps_back() {
        let source = "a=%68i%20%FFé%4";
        let layer = percent(source).unwrap();
        assert_eq!(layer.text, "a=hi \u{fffd}é%4");
        let at = layer.text.find("hi").unwrap();
        let (start, end) = layer.outer(at, at + 2);
        assert_eq!(&source[start..end], "%68i");
        assert_eq!(layer.outer(0, layer.text.len()), (0, source.len()));
        assert!(percent("100% of it, 5%").is_none());
    }

    #[test]
    fn all_encodings_of_free_text_are_decoded_at_once() {
        let source = "&lt;a%3Db&gt; &#61;&#x3d; \\u0070 C:\\dir \\\"x\\\" &unknown; 5%";
        let layer = decoded(source).unwrap();
        assert_eq!(layer.text, "<a=b> == p C:\\dir \"x\" &unknown; 5%");
        assert_eq!(layer.outer(0, layer.text.len()), (0, source.len()));
        assert!(decoded("100% & more; C:\\dir").is_none());
    }

    #[test]
    fn escapes_decode_and_map_back() {
        let source = r#"x\"p\u0061ss\":\ud83d\ude00\ud800\é\"#;
        let layer = unescape(source).unwrap();
        assert_eq!(layer.text, "x\"pass\":\u{1F600}\u{fffd}\\é\\");
        let at = layer.text.find("pass").unwrap();
        let (start, end) = layer.outer(at, at + 4);
        assert_eq!(&source[start..end], r"p\u0061ss");
        assert!(unescape("plain").is_none());
    }
}
