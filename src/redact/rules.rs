//! The rules as data: read, merged, and named by a version.
//!
//! `default.toml` says what the fields mean. What is wrong with a rule is said here, with the file and the line, so
//! that compiling a policy later cannot surprise anybody.

use crate::error::{Error, Kind, Result};
use crate::typed::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use toml::Spanned;

/// Goes up when the same rules find other secrets or write other placeholders than before.
const FORMAT: u32 = 1;

/// What is a secret, as read from files.
#[derive(Debug, Clone)]
pub struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) words: Words,
}

/// Word lists that all rules share.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Words {
    pub keep: BTreeSet<String>,
    pub prose: BTreeSet<String>,
    pub schemes: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Rule {
    pub name: String,
    pub kind: String,
    pub is_enabled: bool,
    /// None: the rule only switches the rule of the same name on or off.
    pub how: Option<How>,
    #[serde(skip)]
    position: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) enum How {
    Name(Named),
    Shape { pattern: String, needles: Vec<String>, after: usize, is_mixed: bool },
    Segment(Vec<String>),
    Userinfo,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Named {
    pub names: Vec<String>,
    pub except: Vec<String>,
    pub is_ending: bool,
    pub is_query_only: bool,
    pub has_scheme: bool,
    pub is_line: bool,
    pub is_compact: bool,
    pub takes_numbers: bool,
    pub min: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    keep: BTreeSet<String>,
    #[serde(default)]
    prose: BTreeSet<String>,
    #[serde(default)]
    schemes: BTreeSet<String>,
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: Spanned<String>,
    kind: Option<String>,
    enabled: Option<bool>,
    how: Option<RawHow>,
    names: Option<Vec<String>>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    is_ending: bool,
    #[serde(default)]
    is_query_only: bool,
    #[serde(default)]
    has_scheme: bool,
    #[serde(default)]
    is_line: bool,
    #[serde(default)]
    is_compact: bool,
    #[serde(default)]
    takes_numbers: bool,
    #[serde(default)]
    min: usize,
    pattern: Option<Spanned<String>>,
    needles: Option<Vec<String>>,
    #[serde(default)]
    after: usize,
    #[serde(default)]
    is_mixed: bool,
    segments: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum RawHow {
    Name,
    Shape,
    Segment,
    Userinfo,
}

impl Rules {
    /// The rules that come with the program.
    pub fn embedded() -> Rules {
        Rules::parse(include_str!("default.toml"), "default.toml").expect("a test parses the embedded rules")
    }

    /// Reads rules; `origin` names the file in messages.
    pub fn parse(text: &str, origin: &str) -> Result<Rules> {
        let place = |offset: usize| {
            let before = text.get(..offset).unwrap_or(text);
            format!("{origin}, line {}", before.matches('\n').count() + 1)
        };
        let raw: RawFile = toml::from_str(text).map_err(|error| {
            let position = place(error.span().map_or(0, |span| span.start));
            Error::new(Kind::Usage, format!("cannot read the redaction rules ({position}): {}", error.message()))
        })?;
        let mut rules: Vec<Rule> = Vec::with_capacity(raw.rule.len());
        for raw in raw.rule {
            let position = place(raw.name.span().start);
            let at = raw.pattern.as_ref().map_or(position.clone(), |pattern| place(pattern.span().start));
            let name = raw.name.get_ref().clone();
            let rule = raw.check(position.clone()).map_err(|problem| {
                let position = if problem.starts_with("pattern") { at } else { position.clone() };
                Error::new(Kind::Usage, format!("cannot use redaction rule `{name}` ({position}): {problem}"))
            })?;
            if rules.iter().any(|other| other.name == name) {
                let message = format!("cannot use redaction rule `{name}` ({position}): the name is taken");
                return Err(Error::new(Kind::Usage, message));
            }
            rules.push(rule);
        }
        Ok(Rules { rules, words: Words { keep: raw.keep, prose: raw.prose, schemes: raw.schemes } })
    }

    /// Adds `extra`: its rules replace those of the same name, or switch them on or off; word lists grow.
    pub fn merge(mut self, extra: Rules) -> Rules {
        for rule in extra.rules {
            match self.rules.iter_mut().find(|own| own.name == rule.name) {
                Some(own) if rule.how.is_none() => own.is_enabled = rule.is_enabled,
                Some(own) => *own = rule,
                None => self.rules.push(rule),
            }
        }
        self.words.keep.extend(extra.words.keep);
        self.words.prose.extend(extra.words.prose);
        self.words.schemes.extend(extra.words.schemes);
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
                    return Err(Error::new(Kind::Usage, message).hint("a new rule needs `how` and `kind`"));
                }
                Some(how) if rule.is_enabled => effective.push((rule, how)),
                Some(_) => {}
            }
        }
        Ok(effective)
    }
}

impl RawRule {
    /// The rule, or what is wrong with it.
    fn check(self, position: String) -> Result<Rule, String> {
        let name = self.name.into_inner();
        if name.is_empty() || !name.bytes().all(is_label) {
            return Err("a name has lower-case letters, digits and `-`".to_owned());
        }
        let Some(how) = self.how else {
            return match (self.kind, self.enabled) {
                (None, Some(is_enabled)) => Ok(Rule { kind: name.clone(), name, is_enabled, how: None, position }),
                _ => Err("`how` is missing".to_owned()),
            };
        };
        let kind = self.kind.ok_or("`kind` is missing")?;
        if kind.is_empty() || !kind.bytes().all(is_label) {
            return Err("a kind has lower-case letters, digits and `-`".to_owned());
        }
        let how = match how {
            RawHow::Name => {
                let names = self.names.filter(|names| !names.is_empty()).ok_or("`names` is missing")?;
                let is_bad =
                    |name: &&String| name.len() < 3 || !name.bytes().all(|byte| is_label(byte) || byte == b'_');
                if let Some(bad) = names.iter().chain(&self.except).find(is_bad) {
                    return Err(format!(
                        "`{bad}`: names have three or more lower-case letters, digits, `_` between words"
                    ));
                }
                How::Name(Named {
                    names,
                    except: self.except,
                    is_ending: self.is_ending,
                    is_query_only: self.is_query_only,
                    has_scheme: self.has_scheme,
                    is_line: self.is_line,
                    is_compact: self.is_compact,
                    takes_numbers: self.takes_numbers,
                    min: self.min,
                })
            }
            RawHow::Shape => {
                let pattern = self.pattern.ok_or("`pattern` is missing")?.into_inner();
                let regex = regex::Regex::new(&pattern).map_err(|error| format!("pattern: {error}"))?;
                if regex.is_match("") {
                    return Err("pattern: it matches the empty text".to_owned());
                }
                let needles = self.needles.filter(|needles| !needles.is_empty()).ok_or("`needles` is missing")?;
                if let Some(short) = needles.iter().find(|needle| needle.len() < 3) {
                    return Err(format!("needle `{short}` is shorter than three bytes"));
                }
                How::Shape { pattern, needles, after: self.after, is_mixed: self.is_mixed }
            }
            RawHow::Segment => {
                let segments = self.segments.filter(|words| !words.is_empty()).ok_or("`segments` is missing")?;
                if let Some(bad) = segments.iter().find(|word| word.len() < 3) {
                    return Err(format!("segment `{bad}` is shorter than three bytes"));
                }
                How::Segment(segments)
            }
            RawHow::Userinfo => How::Userinfo,
        };
        Ok(Rule { name, kind, is_enabled: self.enabled.unwrap_or(true), how: Some(how), position })
    }
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let error = Rules::parse(text, "my.toml").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    }

    #[test]
    fn mistakes_are_told_with_file_and_line() {
        let unknown = message("keep = []\n\n[[rule]]\nname = 'x'\nhow = 'name'\nkind = 'x'\nnamez = ['y']\n");
        assert!(unknown.contains("my.toml, line 7") && unknown.contains("namez"), "{unknown}");
        let regex = message("[[rule]]\nname = 'x'\nkind = 'x'\nhow = 'shape'\nneedles = ['abc']\npattern = '('\n");
        assert!(regex.contains("`x` (my.toml, line 6): pattern"), "{regex}");
        let kind = message("[[rule]]\nname = 'x'\nhow = 'userinfo'\nkind = 'A]'\n");
        assert!(kind.contains("line 2") && kind.contains("a kind has"), "{kind}");
        let twice = message("[[rule]]\nname='x'\nenabled=false\n[[rule]]\nname='x'\nenabled=true\n");
        assert!(twice.contains("line 5): the name is taken"), "{twice}");
        assert!(message("[[rule]]\nname='x'\nkind='x'\nhow='shape'\npattern='a'\nneedles=['ab']").contains("shorter"));
        assert!(message("[[rule]]\nname='x'\nkind='x'\nhow='shape'\npattern='a*'\nneedles=['abc']").contains("empty"));
        assert!(message("[[rule]\n").contains("line 1"));
    }

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
    }

    #[test]
    fn a_switch_for_no_rule_is_an_error() {
        let rules = Rules::embedded().merge(Rules::parse("\n[[rule]]\nname='jvt'\nenabled=false", "e").unwrap());
        let error = rules.effective().map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "cannot switch redaction rule `jvt` (e, line 3): no such rule");
    }
}
