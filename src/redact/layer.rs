//! Encoded text inside text: JSON string escapes and percent encoding, decoded with a way back.
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
    let source = text.as_bytes();
    let first = memchr::memchr_iter(b'%', source).find(|&at| hex_pair(source, at).is_some())?;
    let mut bytes = Vec::with_capacity(source.len());
    let mut map = Vec::with_capacity(source.len() + 1);
    bytes.extend_from_slice(&source[..first]);
    map.extend(0..first as u32);
    let mut at = first;
    while at < source.len() {
        map.push(at as u32);
        match hex_pair(source, at) {
            Some(byte) if source[at] == b'%' => {
                bytes.push(byte);
                at += 3;
            }
            _ => {
                bytes.push(source[at]);
                at += 1;
            }
        }
    }
    Some(Layer::new(bytes, map, source.len()))
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
