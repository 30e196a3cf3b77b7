//! Secret names: `apiKey`, `API-Key` and `x_api_key` are one name.

use super::rules::Named;
use hashbrown::{HashMap, HashSet};

/// Of a longer name the last bytes count: the last words decide.
const LONGEST: usize = 96;

/// What a name says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A secret by this rule.
    Secret(usize),
    /// Told by its name to be none, though it stands among secrets.
    Plain,
    Unknown,
}

/// All names of all rules.
#[derive(Default)]
pub(super) struct Names {
    suffixes: HashMap<String, Suffix>,
    endings: Vec<(String, usize)>,
    query_only: HashMap<String, usize>,
    keep: HashSet<String>,
}

impl Names {
    pub fn keep(&mut self, words: impl IntoIterator<Item = String>) {
        self.keep.extend(words);
    }

    pub fn add(&mut self, rule: usize, named: &Named) {
        for name in &named.names {
            if named.is_query_only {
                self.query_only.insert(name.clone(), rule);
                continue;
            }
            let Folded { joined, words, .. } = Folded::new(name);
            if named.is_ending {
                self.endings.push((joined.clone(), rule));
            }
            self.suffixes.insert(joined, Suffix { rule: Some(rule), words });
        }
        for name in &named.except {
            let Folded { joined, words, .. } = Folded::new(name);
            self.suffixes.insert(joined, Suffix { rule: None, words });
        }
    }

    /// What a name says anywhere.
    pub fn meaning(&self, name: &str) -> Meaning {
        let folded = Folded::new(name);
        for &start in &folded.words {
            let Some(suffix) = self.suffixes.get(&folded.joined[start..]) else { continue };
            let mut separated = folded.separated.iter().filter(|&&word| word > start);
            if separated.all(|word| suffix.words.contains(&(word - start))) {
                return suffix.rule.map_or(Meaning::Plain, Meaning::Secret);
            }
        }
        let last = folded.words.last().map_or("", |&start| &folded.joined[start..]);
        let after_separator = &folded.joined[folded.separated.last().copied().unwrap_or(0)..];
        if let Some((_, rule)) = self.endings.iter().find(|(ending, _)| after_separator.ends_with(ending.as_str())) {
            return Meaning::Secret(*rule);
        }
        if self.keep.contains(last) { Meaning::Plain } else { Meaning::Unknown }
    }

    /// What a name says as a parameter of a URL query.
    pub fn in_query(&self, name: &str) -> Meaning {
        match self.query_only.get(name.to_ascii_lowercase().as_str()) {
            Some(rule) => Meaning::Secret(*rule),
            None => self.meaning(name),
        }
    }
}

struct Suffix {
    /// None: excepted.
    rule: Option<usize>,
    /// Where the rule allows a separator; elsewhere one makes it another name: `toke-n`.
    words: Vec<usize>,
}

/// A name in lower case without separators, and where its words begin.
struct Folded {
    joined: String,
    words: Vec<usize>,
    /// Those of `words` that a separator begins and not just a capital.
    separated: Vec<usize>,
}

impl Folded {
    fn new(name: &str) -> Folded {
        let bytes = name.as_bytes();
        let bytes = &bytes[bytes.len().saturating_sub(LONGEST)..];
        let joined = String::with_capacity(bytes.len());
        let mut folded = Folded { joined, words: Vec::with_capacity(8), separated: Vec::with_capacity(8) };
        let (mut is_start, mut is_separated) = (true, true);
        for (at, &byte) in bytes.iter().enumerate() {
            if !byte.is_ascii_alphanumeric() {
                (is_start, is_separated) = (true, true);
                continue;
            }
            if byte.is_ascii_uppercase() && at > 0 {
                // `apiKey` has two words, and so has `APIKey`.
                let is_next_lower = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
                is_start |= !bytes[at - 1].is_ascii_uppercase() || is_next_lower;
            }
            if is_start {
                folded.words.push(folded.joined.len());
                if is_separated {
                    folded.separated.push(folded.joined.len());
                }
                (is_start, is_separated) = (false, false);
            }
            folded.joined.push(byte.to_ascii_lowercase() as char);
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::rules::{How, Rules};

    fn names() -> (Names, Vec<String>) {
        let rules = Rules::embedded();
        let (mut names, mut labels) = (Names::default(), Vec::new());
        names.keep(rules.words.keep.clone());
        for (rule, how) in rules.effective().unwrap() {
            if let How::Name(named) = how {
                names.add(labels.len(), named);
                labels.push(rule.name.clone());
            }
        }
        (names, labels)
    }

    #[test]
    fn spellings_of_a_name_are_one_name() {
        let (names, labels) = names();
        for (spelling, rule) in [
            ("X-API-Key", "api-key"),
            ("xi_api_key", "api-key"),
            ("APIKey", "api-key"),
            ("apikey", "api-key"),
            ("Set-Cookie", "cookie"),
            ("accessToken", "token"),
            ("X-Amz-Security-Token", "token"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("requestParameters.userPassword", "password"),
            ("dbpassword", "password"),
            ("JSessionID", "cookie"),
            ("user.passWord", "password"),
            ("pass-word", "password"),
            ("X-Amz-Signature", "signature"),
            ("Proxy-Authorization", "authorization"),
        ] {
            let Meaning::Secret(found) = names.meaning(spelling) else { panic!("{spelling}") };
            assert_eq!(labels[found], rule, "{spelling}");
        }
        for plain in [
            "token_count",
            "max_tokens",
            "token_type",
            "credential_uid",
            "accessKeyId",
            "nextToken",
            "key",
            "code",
            "status_code",
            "password_reset",
            "authorization.k8s.io/decision",
            "secret_id",
            "toke-n",
            "",
            "é",
            "keyboard_type",
        ] {
            assert!(!matches!(names.meaning(plain), Meaning::Secret(_)), "{plain}");
        }
        assert!(matches!(names.in_query("code"), Meaning::Secret(_)));
        assert!(!matches!(names.in_query("country_code"), Meaning::Secret(_)));
    }
}
