//! A JSON writer for output whose shape is known: text goes straight into one buffer, no tree in between.

use super::random::{Id, Uuid};

const HEX: &[u8; 16] = b"0123456789abcdef";

#[derive(Debug, Default)]
pub struct Json {
    pub bytes: Vec<u8>,
}

impl Json {
    /// Appends text that is already JSON.
    #[inline]
    pub fn raw(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends a string value that needs no escape.
    #[inline]
    pub fn quoted(&mut self, text: &str) -> &mut Self {
        self.raw("\"").raw(text).raw("\"")
    }

    /// Appends a string value: quoted and escaped.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.push(b'"');
        self.escaped(text);
        self.bytes.push(b'"');
        self
    }

    /// Appends the inside of a string.
    pub fn escaped(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        let mut done = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.bytes.extend_from_slice(&bytes[done..at]);
            done = at + 1;
            match byte {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                b'\r' => self.raw("\\r"),
                b'\t' => self.raw("\\t"),
                _ => self.raw("\\u00").hex(u64::from(byte) << 56, 2),
            };
        }
        self.bytes.extend_from_slice(&bytes[done..]);
        self
    }

    pub fn int(&mut self, value: i64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            self.bytes.push(b'-');
        }
        self.bytes(&digits[at..])
    }

    /// Appends `width` decimal digits with leading zeros.
    pub fn padded(&mut self, value: u64, width: usize) -> &mut Self {
        let mut digits = [b'0'; 20];
        let mut rest = value;
        for digit in digits[..width].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.bytes(&digits[..width])
    }

    /// Appends the first `digits` (at most 16) hexadecimal digits of `word`.
    pub fn hex(&mut self, word: u64, digits: usize) -> &mut Self {
        let mut text = [0u8; 16];
        for (pair, byte) in text.chunks_exact_mut(2).zip(word.to_be_bytes()) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        self.bytes(&text[..digits])
    }

    /// Appends a version 4 UUID, without quotes.
    pub fn uuid(&mut self, (high, low): Uuid) -> &mut Self {
        let high = (high & !0xf000) | 0x4000;
        let low = (low >> 2) | (1 << 63);
        self.hex(high, 8).raw("-").hex(high << 32, 4).raw("-").hex(high << 48, 4);
        self.raw("-").hex(low, 4).raw("-").hex(low << 16, 12)
    }

    pub fn id(&mut self, id: Id) -> &mut Self {
        self.bytes(&id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_reads_back() {
        let text: String = (0u32..0x300).filter_map(char::from_u32).chain("\u{2028}漢字🦀\"\\".chars()).collect();
        let mut json = Json::default();
        json.text(&text);
        assert_eq!(serde_json::from_slice::<String>(&json.bytes).unwrap(), text);
    }

    #[test]
    fn numbers_have_their_digits() {
        let mut json = Json::default();
        json.int(i64::MIN).raw(" ").int(0).raw(" ").padded(42, 4).raw(" ").uuid((0, 0));
        assert_eq!(json.bytes, b"-9223372036854775808 0 0042 00000000-0000-4000-8000-000000000000");
    }
}
