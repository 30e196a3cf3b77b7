//! The rules as data: merged, and named by a version. `written.rs` reads them.

use super::written;
use crate::error::{Error, Kind, Result};
use crate::typed::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Goes up when the same rules find other secrets or write other placeholders than before.
const FORMAT: u32 = 2;

/// The rules that define secrets, as read from files.
#[derive(Debug, Clone)]
pub struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) words: Words,
}

/// Word lists that all rules share; `default.toml` says what each is for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Words {
    pub about: BTreeSet<String>,
    pub same: BTreeSet<String>,
    pub without: BTreeSet<String>,
    pub hashes: BTreeSet<String>,
    pub terms: BTreeSet<String>,
    pub prose: BTreeSet<String>,
    pub spoken: BTreeSet<String>,
    pub links: BTreeSet<String>,
    pub changes: BTreeSet<String>,
    pub schemes: BTreeSet<String>,
    pub people: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Rule {
    pub name: String,
    pub kind: String,
    pub is_enabled: bool,
    /// Whether it comes from a file or a list of the user's.
    #[serde(skip)]
    pub is_own: bool,
    /// None: the rule only switches the rule of the same name on or off.
    pub how: Option<How>,
    /// Where it was written, for messages.
    #[serde(skip)]
    pub position: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) enum How {
    Name(Named),
    Shape(Shape),
    Begins(Begins),
    Segment { words: Vec<String>, is_weak: bool },
    Flag { flags: Vec<String>, tools: Vec<String>, is_pair: bool },
    Userinfo,
    Parameters,
    Behind,
    Packed,
    Member,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Named {
    pub names: Vec<String>,
    pub except: Vec<String>,
    pub value: Worth,
    pub is_ending: bool,
    pub is_query_only: bool,
    pub has_hash: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Shape {
    pub pattern: String,
    pub needles: Vec<String>,
    pub after: usize,
    pub back: usize,
    pub is_mixed: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Begins {
    pub begins: Vec<String>,
    pub of: Alphabet,
    pub min: usize,
}

/// Which values of a secret name are secrets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Worth {
    Any,
    Secret,
    Answer,
    #[default]
    Token,
    Session,
    Random,
    Code,
    Pin,
    Signature,
    Cookie,
    Authorization,
    Link,
}

/// The characters of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Alphabet {
    Hex,
    Upper,
    Alnum,
    Uuid,
    Underscore,
    Word,
    Dotted,
    Dollar,
    Percent,
    Base64,
    Vault,
}

impl Alphabet {
    pub fn has(self, byte: u8) -> bool {
        match self {
            Alphabet::Hex => byte.is_ascii_hexdigit(),
            Alphabet::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Alphabet::Alnum => byte.is_ascii_alphanumeric(),
            Alphabet::Uuid => byte.is_ascii_hexdigit() || byte == b'-',
            Alphabet::Underscore => byte.is_ascii_alphanumeric() || byte == b'_',
            Alphabet::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Alphabet::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'='),
            Alphabet::Dollar => byte.is_ascii_alphanumeric() || byte == b'$',
            Alphabet::Percent => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'+' | b'/' | b'=' | b'-' | b'_')
            }
            Alphabet::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'),
            // Lines of hexadecimal digits below a header.
            Alphabet::Vault => byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b';' | b'\n' | b'\r' | b' '),
        }
    }
}

impl Rules {
    /// The rules that come with the program.
    pub fn embedded() -> Rules {
        written::file(include_str!("default.toml"), "default.toml", false).expect("a test parses the embedded rules")
    }

    /// Reads rules of the user's; `origin` names the file in messages.
    pub fn parse(text: &str, origin: &str) -> Result<Rules> {
        written::file(text, origin, true)
    }

    /// Takes the rules of a list in the configuration, `[redact] own`.
    pub fn own(list: &[toml::Table]) -> Result<Rules> {
        written::list(list)
    }

    /// Adds `extra`: its rules replace those of the same name, or switch them on or off; word lists grow.
    pub fn merge(mut self, extra: Rules) -> Rules {
        for rule in extra.rules {
            match self.rules.iter_mut().find(|known| known.name == rule.name) {
                Some(known) if rule.how.is_none() => known.is_enabled = rule.is_enabled,
                Some(known) => *known = rule,
                None => self.rules.push(rule),
            }
        }
        let Words { about, same, without, hashes, terms, prose, spoken, links, changes, schemes, people } = extra.words;
        self.words.about.extend(about);
        self.words.same.extend(same);
        self.words.without.extend(without);
        self.words.hashes.extend(hashes);
        self.words.terms.extend(terms);
        self.words.prose.extend(prose);
        self.words.spoken.extend(spoken);
        self.words.links.extend(links);
        self.words.changes.extend(changes);
        self.words.schemes.extend(schemes);
        self.words.people.extend(people);
        self
    }

    /// A short hash of what these rules do, the same on every machine.
    pub fn version(&self) -> String {
        let enabled: Vec<&Rule> = self.rules.iter().filter(|rule| rule.is_enabled).collect();
        let text = serde_json::to_string(&(FORMAT, enabled, &self.words)).expect("strings and numbers become JSON");
        let hash = Sha256::digest(text.as_bytes());
        hex(&hash[..6])
    }

    /// The rules that are on, each with what it looks for.
    pub(super) fn effective(&self) -> Result<Vec<(&Rule, &How)>> {
        let mut effective = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            match &rule.how {
                None => {
                    let message =
                        format!("cannot switch redaction rule `{}` ({}): no such rule", rule.name, rule.position);
                    return Err(Error::new(Kind::Usage, message)
                        .hint("a new rule needs `names`, `shape`, `begins` or `segments`"));
                }
                Some(how) if rule.is_enabled => effective.push((rule, how)),
                Some(_) => {}
            }
        }
        Ok(effective)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_switches_replaces_and_changes_the_version() {
        let base = Rules::embedded();
        let extra =
            Rules::parse("[[rule]]\nname='jwt'\nenabled=false\n[[rule]]\nname='aws-access-key-id'\nenabled=true", "e");
        let merged = Rules::embedded().merge(extra.unwrap());
        let is_on = |name: &str| merged.effective().unwrap().iter().any(|(rule, _)| rule.name == name);
        assert!(!is_on("jwt") && is_on("aws-access-key-id") && is_on("token"));
        assert_ne!(base.version(), merged.version());
        assert_eq!(base.version(), Rules::embedded().version());
        assert_eq!(base.version().len(), 12);
        assert!(merged.about().iter().all(|rule| !rule.is_own), "a switch is no rule of one's own");
    }

    #[test]
    fn a_switch_for_no_rule_is_an_error() {
        let rules = Rules::embedded().merge(Rules::parse("\n[[rule]]\nname='jvt'\nenabled=false", "e").unwrap());
        let error = rules.effective().map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "cannot switch redaction rule `jvt` (e, line 3): no such rule");
    }

    #[test]
    fn vendors_are_many_and_known_by_name() {
        let rules = Rules::embedded();
        let vendors =
            rules.rules.iter().filter(|rule| matches!(rule.how, Some(How::Begins(_) | How::Shape(_)))).count();
        assert!(vendors >= 200, "{vendors} rules know tokens by their form");
    }
}
