//! The look of a value, which decides together with its name whether it is a secret.

use super::engine::Vocabulary;
use super::forms::{is_product_key, is_recovery_key};
use super::mask::is_masked;

/// From this length on what is mixed is taken for random.
pub(super) const RANDOM: usize = 16;
/// A longer value is neither a word nor a mark.
const LONGEST_WORD: usize = 512;

/// The look of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// No value: empty, masked, `null`, `%%1842`, `${VARIABLE}`.
    Nothing,
    /// A number of digits, perhaps with punctuation.
    Number(usize),
    Word,
    /// Words with separators: `read:user`, `how-to-reset`, `authMethodFirstType`.
    Words,
    /// Words with blanks.
    Phrase,
    Date,
    Uuid,
    /// A digest in hexadecimal digits, or that says its algorithm.
    Hash,
    /// An identifier by its form: ARN, AKIA..., S-1-5-..., `arn:`, a public key.
    Known,
    /// Random behind a word and `_`, or a ULID: mostly an identifier.
    Id,
    /// An IP, MAC or e-mail address, a host.
    Address,
    Path,
    Url,
    Short,
    /// Letters with digits or signs, as people choose passwords.
    Chosen,
    Random,
}

/// Looks at a value; linear in its length.
pub(super) fn look(value: &str, words: &Vocabulary) -> Look {
    let value = value.trim();
    if value.is_empty() || is_masked(value) {
        return Look::Nothing;
    }
    // Too long to be anything else, so that looking is cheap, however often it is done.
    if value.len() > LONGEST_WORD {
        return Look::Random;
    }
    if is_no_value(value) || is_reference(value) {
        return Look::Nothing;
    }
    if value.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return phrase(value, words);
    }
    if let Some(look) = known_form(value) {
        return look;
    }
    if words.terms.contains(&value.to_ascii_lowercase()) {
        return Look::Word;
    }
    if is_product_key(value) || is_recovery_key(value) {
        return Look::Random;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if value.bytes().all(|byte| byte.is_ascii_digit() || b"-+.,:/()".contains(&byte)) {
        return if digits > 0 { Look::Number(digits) } else { Look::Short };
    }
    if is_words(value) {
        let is_one = value.bytes().all(|byte| byte.is_ascii_alphabetic()) && !has_hump(value);
        return if is_one { Look::Word } else { Look::Words };
    }
    let is_letters = value.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_.".contains(&byte));
    match value.len() {
        RANDOM.. => Look::Random,
        6.. if !is_letters => Look::Chosen,
        8.. if !value.is_ascii() || is_letters && (value.len() >= 12 || flips(value) >= 4) => Look::Chosen,
        _ if is_letters || !value.is_ascii() => Look::Word,
        _ => Look::Short,
    }
}

/// The forms that identify something, and numbers and dates.
fn known_form(value: &str) -> Option<Look> {
    let bytes = value.as_bytes();
    if is_uuid(value) {
        return Some(Look::Uuid);
    }
    if is_hash(value) {
        return Some(Look::Hash);
    }
    // `AC` or `SK` and 32 digits: what Twilio numbers its things by.
    let is_sid = value.len() == 34 && bytes[..2].iter().all(u8::is_ascii_uppercase) && is_hash(&value[2..]);
    let is_key_id = value.len() == 20
        && bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && ["AKIA", "ASIA", "AIDA", "AROA", "AGPA", "ANPA", "ANVA", "APKA", "ABIA", "ACCA"]
            .iter()
            .any(|start| value.starts_with(start));
    let is_known = [
        "hmac-sha256:",
        "arn:",
        "urn:",
        "S-1-",
        "ssh-rsa ",
        "ssh-ed25519 ",
        "ssh-rsa",
        "ssh-ed25519",
        "ecdsa-sha2-",
        "cn=",
        "CN=",
        "spiffe://",
        "data:",
    ]
    .iter()
    .any(|start| value.starts_with(start));
    if is_key_id || is_known || is_sid {
        return Some(Look::Known);
    }
    if value.contains("://") {
        return Some(Look::Url);
    }
    if is_date(bytes) {
        return Some(Look::Date);
    }
    if is_address(value) {
        return Some(Look::Address);
    }
    let is_windows = bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'\\';
    let rooted = value.trim_start_matches(['.', '~']);
    if is_windows
        || rooted.starts_with('/') && (is_words(rooted) || rooted.contains('.') || rooted.matches('/').count() > 2)
    {
        return Some(Look::Path);
    }
    if value.contains('/') && is_words(value) {
        return Some(Look::Path);
    }
    is_id(value).then_some(Look::Id)
}

/// A path from the root or the home of a system, of words: a password may have slashes as well.
pub(super) fn is_rooted(value: &str) -> bool {
    let is_windows = value.as_bytes().get(1..3) == Some(b":\\");
    (is_windows || value.starts_with(['/', '~'])) && is_words(value.trim_start_matches('~'))
}

/// Text with blanks: random if a part of it is.
fn phrase(value: &str, words: &Vocabulary) -> Look {
    if ["ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-"].iter().any(|start| value.starts_with(start)) {
        return Look::Known;
    }
    let is_random = |part: &str| {
        let part = part.trim_matches(|c: char| c.is_ascii_punctuation());
        part.len() >= RANDOM && look(part, words) == Look::Random
    };
    if value.split_ascii_whitespace().any(is_random) { Look::Random } else { Look::Phrase }
}

/// Words that say that there is no value, or only whether there is one.
fn is_no_value(value: &str) -> bool {
    let words = [
        "true",
        "false",
        "null",
        "none",
        "nil",
        "undefined",
        "yes",
        "no",
        "n/a",
        "na",
        "unset",
        "empty",
        "-",
        "()",
        "[]",
        "{}",
        "on",
        "off",
        "ja",
        "nein",
        "oui",
        "non",
        "si",
        "nao",
        "...",
        "…",
        "?",
    ];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A variable or a message number instead of a value: `${PASSWORD}`, `{{token}}`, `$(cat x)`, `%%1842`, `<password>`.
fn is_reference(value: &str) -> bool {
    let bytes = value.as_bytes();
    let is_name =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-. ".contains(&byte));
    let inside = |open: &str, close: &str| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    if let Some(number) = value.strip_prefix("%%") {
        return !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    }
    inside("${", "}").is_some_and(|inner| !inner.contains(":-"))
        || inside("{{", "}}").is_some()
        || inside("$(", ")").is_some()
        || inside("<", ">").is_some_and(is_name)
        || inside("%", "%").is_some_and(is_name)
        || value.strip_prefix('$').is_some_and(|name| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
                && bytes[1].is_ascii_uppercase()
        })
}

pub(super) fn is_uuid(value: &str) -> bool {
    let value = value.trim_start_matches('{').trim_end_matches('}');
    let bytes = value.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A digest: as many hexadecimal digits as an algorithm gives, or after its name.
fn is_hash(value: &str) -> bool {
    if let Some((name, rest)) = value.split_once([':', '-', '='])
        && ["sha1", "sha256", "sha384", "sha512", "md5", "sha-256", "sha-1", "blake3"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    {
        return rest.len() >= 16 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_:-".contains(&byte));
    }
    if !matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128) {
        return false;
    }
    let is_lower = value.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_lower || value.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
}

fn is_date(bytes: &[u8]) -> bool {
    let is_day = bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-' || *byte == b'/',
            _ => byte.is_ascii_digit(),
        });
    is_day && bytes[10..].iter().all(|byte| byte.is_ascii_digit() || b"T:.,Z+-zt ".contains(byte))
}

fn is_address(value: &str) -> bool {
    let bytes = value.as_bytes();
    if value.parse::<std::net::IpAddr>().is_ok() || value.parse::<std::net::SocketAddr>().is_ok() {
        return true;
    }
    let is_mac = bytes.len() == 17
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if at % 3 == 2 { b":-".contains(byte) } else { byte.is_ascii_hexdigit() });
    let domain = |text: &str| {
        let mut labels = text.rsplit('.');
        let top = labels.next().unwrap_or("");
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let is_top = (2..=12).contains(&top.len()) && top.bytes().all(|byte| byte.is_ascii_lowercase());
        let rest: Vec<&str> = labels.collect();
        is_top
            && !rest.is_empty()
            && rest.iter().all(|label| is_label(label))
            && rest.iter().all(|label| label.len() < 40)
    };
    let is_mail =
        value.split_once('@').is_some_and(|(local, host)| !local.is_empty() && domain(&host.to_ascii_lowercase()));
    is_mac || is_mail || domain(value) && value.len() < 100
}

/// `user_8f2a9b7c6d5e4f3a2b1c`, a ULID.
fn is_id(value: &str) -> bool {
    let bytes = value.as_bytes();
    let is_ulid = bytes.len() == 26
        && matches!(bytes[0], b'0'..=b'7')
        && bytes.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() && !b"ILOU".contains(byte));
    let is_prefixed = value.split_once('_').is_some_and(|(word, rest)| {
        (2..=12).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase())
            && rest.len() >= 6
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    is_ulid || is_prefixed
}

/// Letters and digits, or a capital inside a word: no word of a language.
pub(super) fn is_mixed(value: &str) -> bool {
    let has = |test: fn(&u8) -> bool| value.as_bytes().iter().any(test);
    has_hump(value) || (has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic))
}

/// How often capitals and small letters follow one another.
fn flips(value: &str) -> usize {
    value.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_uppercase() != pair[1].is_ascii_uppercase()).count()
}

fn has_hump(value: &str) -> bool {
    value.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// Upper and lower letters and digits, mixed enough that nobody chose them.
pub(super) fn is_scrambled(value: &str) -> bool {
    let bytes = value.as_bytes();
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let count = |class: u8| bytes.iter().filter(|byte| kind(**byte) == class).count();
    let changes = bytes.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    count(0) >= 4 && count(1) >= 4 && count(2) >= 2 && changes * 4 >= bytes.len()
}

/// Whether a text consists of words: `how-to-reset-your-password`, `repo,gist`, `authMethodFirstType`.
pub(super) fn is_words(value: &str) -> bool {
    if value.len() > LONGEST_WORD || !value.is_ascii() {
        return false;
    }
    let (mut words, mut others, mut segments) = (0, 0, 0);
    for segment in value.split(|c: char| "-_./:,|+ ()'*&;\\".contains(c)).filter(|segment| !segment.is_empty()) {
        segments += 1;
        if segment.bytes().all(|byte| byte.is_ascii_digit()) {
            if segment.len() > 4 {
                others += 1;
            }
        } else if is_word(segment) {
            words += 1;
        } else if segment.len() <= 8 && segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            others += 1;
        } else {
            return false;
        }
    }
    // `top10-tips-for-you`: one in three may be something else.
    words > 0 && others * 3 <= segments
}

/// Letters that could be a word, or several with humps.
fn is_word(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    if !bytes.iter().all(u8::is_ascii_alphabetic) || bytes.len() > 48 {
        return false;
    }
    let humps =
        bytes.windows(2).filter(|pair| pair[1].is_ascii_uppercase() && pair[0].is_ascii_lowercase()).count() + 1;
    if bytes.len() / humps < 3 && bytes.len() > 3 || flips(segment) > 2 * humps + 1 || bytes.len() / humps > 24 {
        return false;
    }
    if bytes.len() <= 4 {
        return true;
    }
    // Of words the lower-case parts are long, of random letters short.
    let lower = segment.split(|c: char| c.is_ascii_uppercase()).filter(|part| !part.is_empty());
    let (parts, letters) = lower.fold((0, 0), |(parts, letters), part| (parts + 1, letters + part.len()));
    if humps >= 3 && letters < parts * 3 {
        return false;
    }
    let is_vowel = |byte: &u8| b"aeiouyAEIOUY".contains(byte);
    let vowels = bytes.iter().filter(|byte| is_vowel(byte)).count();
    let mut run = 0;
    let longest = bytes
        .iter()
        .map(|byte| {
            run = if is_vowel(byte) { 0 } else { run + 1 };
            run
        })
        .max()
        .unwrap_or(0);
    let is_upper = bytes.iter().all(u8::is_ascii_uppercase);
    (vowels * 6 >= bytes.len() && longest <= 6) || is_upper && bytes.len() <= 6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::rules::Rules;

    #[test]
    fn values_look_like_what_they_are() {
        let words = Vocabulary::new(&Rules::embedded().words);
        for (value, expected) in [
            ("%%1842", Look::Nothing),
            ("${DB_PASSWORD}", Look::Nothing),
            ("false", Look::Nothing),
            ("<redacted>", Look::Nothing),
            ("12", Look::Number(2)),
            ("1,234", Look::Number(4)),
            ("swordfish", Look::Word),
            ("oauth2", Look::Word),
            ("authMethodFirstType", Look::Words),
            ("how-to-reset-your-password", Look::Words),
            ("top10-tips-for-you-2024", Look::Words),
            ("okta_password:password", Look::Words),
            ("mozilla/cred", Look::Path),
            ("/var/run/secrets", Look::Path),
            ("correct horse battery staple", Look::Phrase),
            ("Personal access token (classic)", Look::Phrase),
            ("2026-01-01T00:00:00Z", Look::Date),
            ("d9428888-122b-11e1-b85c-61cd3cbb3210", Look::Uuid),
            ("da39a3ee5e6b4b0d3255bfef95601890afd80709", Look::Hash),
            ("AKIAIOSFODNN7EXAMPLE", Look::Known),
            ("arn:aws:iam::112233445566:role/Admin", Look::Known),
            ("S-1-5-21-1-2-3-500", Look::Known),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", Look::Id),
            ("user_8f2a9b7c6d5e4f3a2b1c", Look::Id),
            ("bob@example.com", Look::Address),
            ("203.0.113.5:443", Look::Address),
            ("auth.example.com", Look::Address),
            ("hunter2", Look::Chosen),
            ("S3cr3t!", Look::Chosen),
            ("hunter2-Xq7zLm4Rp9w", Look::Random),
            ("Zm9vYmFyYmF6cXV4MTIz", Look::Random),
        ] {
            assert_eq!(look(value, &words), expected, "{value}");
        }
    }
}
