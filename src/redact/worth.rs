//! Which values are secrets under a name of which worth.

use super::engine::Vocabulary;
use super::forms::is_grouped;
use super::rules::Worth;
use super::value::{Look, RANDOM, is_mixed, is_rooted, is_uuid, is_words, look};

impl Worth {
    /// Whether a value of a name of this worth is a secret.
    pub fn accepts(self, value: &str, words: &Vocabulary) -> bool {
        let look = look(value, words);
        let is_prose = || words.prose.contains(&value.to_ascii_lowercase());
        let told = || value.split_ascii_whitespace().filter(|word| words.is_prose(word)).count();
        let is_sentence = || told() > 0;
        // A passphrase has such words as well, but does not consist of them.
        let is_remark = || told() * 2 >= value.split_ascii_whitespace().count();
        match (self, look) {
            (_, Look::Nothing) => false,
            (Worth::Any, Look::Number(digits)) => digits >= 4,
            (Worth::Any, Look::Known) => value.starts_with("data:"),
            (Worth::Any, Look::Word) => !is_prose(),
            (Worth::Any, Look::Phrase) => !is_remark(),
            (Worth::Any, Look::Path) => !is_rooted(value),
            (Worth::Any, _) => true,
            (Worth::Answer, Look::Word) => !is_prose(),
            (Worth::Answer, _) => true,
            (Worth::Secret, Look::Number(_) | Look::Known | Look::Path | Look::Address | Look::Date) => false,
            (Worth::Secret, Look::Word) => !is_prose() && value.len() >= 4,
            (Worth::Secret, Look::Words) => !value.contains([':', ',', '|', '/']),
            (Worth::Secret, Look::Phrase) => !is_sentence(),
            (Worth::Secret, Look::Url) => has_secret_part(value),
            (Worth::Secret, _) => true,
            (Worth::Token | Worth::Cookie | Worth::Authorization, Look::Number(digits)) => digits >= 8,
            (Worth::Token | Worth::Cookie | Worth::Authorization, look) => {
                matches!(look, Look::Random | Look::Hash | Look::Uuid | Look::Id)
                    || look == Look::Chosen && is_mixed(value)
                    || look == Look::Chosen && value.len() >= 8
            }
            (Worth::Session, look) => {
                matches!(look, Look::Random | Look::Hash) || look == Look::Chosen && value.len() >= 8
            }
            (Worth::Random, look) => {
                look == Look::Random || look == Look::Chosen && value.len() >= 8 && is_mixed(value)
            }
            (Worth::Code, Look::Number(digits)) => {
                (4..=10).contains(&digits) && value.bytes().all(|byte| byte.is_ascii_digit() || b"-".contains(&byte))
            }
            (Worth::Code, Look::Short) => value.len() >= 4 && value.bytes().any(|byte| byte.is_ascii_digit()),
            (Worth::Code, Look::Words) => is_grouped(value),
            (Worth::Code, look) => matches!(look, Look::Chosen | Look::Random | Look::Hash | Look::Id | Look::Uuid),
            (Worth::Pin, Look::Number(digits)) => (3..=8).contains(&digits) && value.len() == digits,
            (Worth::Pin, Look::Short) => value.len() >= 4 && value.bytes().any(|byte| byte.is_ascii_digit()),
            (Worth::Pin, look) => matches!(look, Look::Chosen | Look::Random | Look::Hash),
            (Worth::Signature, look) => {
                value.len() >= 12
                    && matches!(look, Look::Random | Look::Hash | Look::Chosen | Look::Uuid | Look::Id)
                    && !value.contains(' ')
            }
            (Worth::Link, look) => {
                matches!(look, Look::Random | Look::Hash | Look::Uuid | Look::Url)
                    || look == Look::Chosen && value.len() >= 8
            }
        }
    }
}

/// A URL with a password before its host, or with something random in it.
fn has_secret_part(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    host.contains('@') && host.contains(':')
        || rest
            .split(['/', '?', '&', '=', '#'])
            .skip(1)
            .any(|part| part.len() >= RANDOM && is_mixed(part) && !is_uuid(part) && !is_words(part))
}
