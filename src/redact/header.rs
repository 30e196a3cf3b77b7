//! Where cookies and credentials end: by their grammar, so that nothing else of a line goes with them.

use super::mask::marks_end;
use super::scan::Scan;

/// Credentials with parameters (`Digest username="bob", response="..."`) are no longer than this.
const CREDENTIALS: usize = 1024;
/// Attributes of a cookie that are without a value.
const ATTRIBUTES: [&str; 3] = ["httponly", "secure", "partitioned"];

impl Scan<'_, '_> {
    /// The end of `a=b; c=d` from `start` on, or of one token; `at` is where the value was announced.
    pub(super) fn cookie_end(&self, start: usize, end: usize, at: usize) -> usize {
        let bytes = &self.bytes[..end];
        // In a URL the value ends where the parameter does; a header line of its own has no parameters.
        let line = self.bytes[..at].iter().rev().take(64).position(|byte| matches!(byte, b'\n' | b'\'' | b'"'));
        let is_end = |byte: u8| match byte {
            b'&' => line.is_none() && at > 0,
            b';' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`' => true,
            byte => byte.is_ascii_whitespace(),
        };
        let run = |from: usize| from + bytes[from..].iter().take_while(|byte| !is_end(**byte)).count();
        let (mut next, mut ends) = (start, start);
        loop {
            let name = bytes[next..]
                .iter()
                .take(128)
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.$%*!+~^|#[]".contains(byte))
                .count();
            let word = &self.text[next..next + name];
            if bytes.get(next + name) == Some(&b'=') {
                let value = next + name + 1;
                let quoted = usize::from(bytes.get(value) == Some(&b'"'));
                ends = run(marks_end(self.text, value + quoted).min(end));
                if word.eq_ignore_ascii_case("expires") {
                    ends = value
                        + bytes[value..].iter().take(40).take_while(|byte| !b";\r\n\"'\\&".contains(byte)).count();
                }
                ends += usize::from(quoted == 1 && bytes.get(ends) == Some(&b'"'));
            } else if ATTRIBUTES.iter().any(|attribute| word.eq_ignore_ascii_case(attribute)) {
                ends = next + name;
            } else if ends == start {
                // No pair: one token, if anything.
                return run(start);
            } else {
                return ends;
            }
            if bytes.get(ends) != Some(&b';') {
                return ends;
            }
            next = ends + 1;
            next += bytes[next..].iter().take(4).take_while(|byte| **byte == b' ').count();
        }
    }

    /// The end of the credentials of an `Authorization` header: a token after its scheme, or parameters.
    pub(super) fn credentials_end(&self, start: usize, _at: usize) -> usize {
        let bytes = &self.bytes[..self.bytes.len().min(start + CREDENTIALS)];
        let first = self.after_scheme(start).min(bytes.len());
        let word = |from: usize| {
            let is_inner = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'<>\\`,;&|".contains(byte);
            from + self.bytes[from..].iter().take_while(is_inner).count()
        };
        let mut ends = word(first);
        if first == start || !self.text[first..ends].contains('=') {
            return trimmed(self.bytes, first, ends);
        }
        let mut next = first;
        loop {
            let name = bytes[next..]
                .iter()
                .take(64)
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte == b'-')
                .count();
            if name == 0 || bytes.get(next + name) != Some(&b'=') {
                return ends;
            }
            let value = next + name + 1;
            ends = match bytes.get(value) {
                Some(b'"') => match memchr::memchr(b'"', &bytes[value + 1..]) {
                    Some(length) => value + length + 2,
                    None => return word(value + 1),
                },
                _ => word(value),
            };
            let separator =
                bytes[ends.min(bytes.len())..].iter().take(4).take_while(|byte| b", ".contains(byte)).count();
            if separator == 0 {
                return ends;
            }
            next = ends + separator;
        }
    }
}

fn trimmed(bytes: &[u8], start: usize, end: usize) -> usize {
    end - bytes[start..end].iter().rev().take_while(|byte| b")]}.,;!".contains(byte)).count()
}
