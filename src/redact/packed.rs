//! Secrets in base64: JSON and keys that were packed, and `user:password`, which hides nothing but looks as if.

use super::engine::Scope;
use super::scan::Scan;
use super::value::{Look, look};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// How base64 of `{"`, `{\n`, `{ `, `[{`, `["` and of a PEM block begins; of `<?xml` and `<saml` too.
pub(super) const BEGINNINGS: [&str; 12] =
    ["eyJ", "ewog", "ewoJ", "ewo", "eyA", "W3s", "WyJ", "LS0tLS1C", "PD94bW", "PHNhbWw", "PFJlc3", "e30i"];
/// Fewer characters hold nothing.
pub(super) const SHORTEST: usize = 12;

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

impl Scan<'_, '_> {
    pub(super) fn packed(&mut self) {
        let Some(rule) = self.engine.packed else { return };
        let bytes = self.bytes;
        let mut at = 0;
        while at < bytes.len() {
            if !is_base64(bytes[at]) {
                at += 1;
                continue;
            }
            let length = bytes[at..].iter().take_while(|byte| is_base64(**byte)).count();
            let padding = bytes[at + length..].iter().take(2).take_while(|byte| **byte == b'=').count();
            let end = at + length + padding;
            if length >= SHORTEST {
                self.run(rule, at, end, padding > 0);
            }
            at = end.max(at + 1);
        }
    }

    fn run(&mut self, rule: usize, start: usize, end: usize, is_padded: bool) {
        let text = &self.text[start..end];
        let is_text = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
        let is_login = is_padded && end - start < 512;
        if !is_text && !is_login {
            return;
        }
        // A run that cannot end so was cut off.
        let whole = text.trim_end_matches('=');
        let whole = if whole.len() % 4 == 1 { &whole[..whole.len() - 1] } else { whole };
        let decoded = if whole.contains(['-', '_']) { SAFE.decode(whole) } else { PLAIN.decode(whole) };
        let Ok(mut decoded) = decoded else { return };
        if let Err(error) = std::str::from_utf8(&decoded)
            && error.error_len().is_none()
        {
            decoded.truncate(error.valid_up_to());
        }
        let Ok(decoded) = String::from_utf8(decoded) else { return };
        if is_login && self.is_login(&decoded) {
            self.push(rule, start, end);
            return;
        }
        if !is_text {
            return;
        }
        let mut inner = Vec::new();
        self.engine.find(&decoded, Scope::Text, self.depth.saturating_sub(2), &mut inner);
        if let Some(first) = inner.first() {
            self.push(first.rule, start, end);
        }
    }

    /// `name:password`, but not `User:583231` or `04:User583231`, as some number their objects.
    fn is_login(&self, text: &str) -> bool {
        let Some((user, password)) = text.split_once(':') else { return false };
        let is_user = !user.is_empty()
            && user.len() <= 64
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-@+".contains(&byte))
            && user.bytes().any(|byte| byte.is_ascii_alphabetic());
        let is_clean = password.len() <= 128 && password.chars().all(|c| !c.is_control() && !c.is_whitespace());
        is_user
            && is_clean
            && !password.contains(':')
            && matches!(look(password, self.words()), Look::Chosen | Look::Random | Look::Hash)
    }
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}
