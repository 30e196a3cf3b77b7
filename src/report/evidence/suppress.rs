//! Suppressions: findings that somebody has looked at and explained, until a day that somebody named.
//!
//! ```toml
//! [[suppression]]
//! finding = "brute-force-by-user|ann|1767225600000"
//! reason = "load test of the identity team, ticket 4711"
//! owner = "security@corp.example"
//! expires = "2026-06-30"
//! ```
//!
//! A suppression changes the verdict, never the rows. One that has expired suppresses nothing and is reported; one that
//! meets no finding is reported too: a list that nobody tidies ends as a list that nobody reads.

use std::collections::HashMap;
use std::path::Path;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::error::{Context, Error, Kind, Result};

/// The result of reading a suppressions file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Suppressions {
    /// The suppressions in force.
    pub entries: Vec<Suppression>,
    pub expired: Vec<Suppression>,
    by_finding: HashMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The `finding_key`; a last part `*` stands for anything. A `*` within a part is itself: keys may hold any text.
    pub finding: String,
    pub reason: String,
    pub owner: String,
    /// The last day on which it holds, UTC.
    #[serde(deserialize_with = "day")]
    pub expires: String,
}

/// Returns how the keys begin that a pattern means; `None` for the key of one finding.
fn beginning(finding: &str) -> Option<&str> {
    finding.strip_suffix('*').filter(|beginning| beginning.ends_with('|') && !beginning.ends_with("\\|"))
}

/// Reads a day as a text, or as TOML's own kind of day.
fn day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(text),
        toml::Value::Datetime(day) => Ok(day.to_string()),
        other => Err(serde::de::Error::custom(format!("`expires` is a day, not {}", other.type_str()))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    suppression: Vec<Suppression>,
}

impl Suppressions {
    pub fn read(path: &Path, clock: &Clock) -> Result<Suppressions> {
        let text = std::fs::read_to_string(path)
            .context(Kind::Usage, || format!("cannot read the suppressions {}", path.display()))?;
        Suppressions::parse(&text, &path.display().to_string(), clock)
    }

    pub fn parse(text: &str, origin: &str, clock: &Clock) -> Result<Suppressions> {
        let wrong = |message: String| {
            Error::usage(format!("cannot use the suppressions {origin}: {message}"))
                .hint("each [[suppression]] has finding, reason, owner and expires = \"2026-12-31\"")
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            wrong(format!("line {line}: {}", error.message()))
        })?;
        let today = clock.now().date_naive();
        let (mut entries, mut expired) = (Vec::new(), Vec::new());
        for (number, entry) in file.suppression.into_iter().enumerate() {
            let number = number + 1;
            let day = NaiveDate::parse_from_str(&entry.expires, "%Y-%m-%d")
                .map_err(|_| wrong(format!("suppression {number}: `{}` is no day", entry.expires)))?;
            // Without a reason and an owner it is not an explanation.
            for (name, value) in [("finding", &entry.finding), ("reason", &entry.reason), ("owner", &entry.owner)] {
                if value.trim().is_empty() {
                    return Err(wrong(format!("suppression {number}: `{name}` is empty")));
                }
            }
            if entry.finding.trim_end_matches(['*', '|']).len() < 3 {
                return Err(wrong(format!("suppression {number}: `{}` would suppress everything", entry.finding)));
            }
            if day < today { expired.push(entry) } else { entries.push(entry) }
        }
        Ok(Suppressions::new(entries, expired))
    }

    /// Builds suppressions from entries whose expiry was already judged.
    pub fn new(entries: Vec<Suppression>, expired: Vec<Suppression>) -> Suppressions {
        let by_finding = entries.iter().enumerate().map(|(place, entry)| (entry.finding.clone(), place));
        let by_finding = by_finding.filter(|(finding, _)| beginning(finding).is_none()).collect();
        Suppressions { entries, expired, by_finding }
    }

    /// Returns the entry that explains a finding.
    pub fn place(&self, key: &str) -> Option<usize> {
        self.by_finding.get(key).copied().or_else(|| {
            self.entries
                .iter()
                .position(|entry| beginning(&entry.finding).is_some_and(|beginning| key.starts_with(beginning)))
        })
    }

    /// Returns the suppressions that can be about findings of one report: keys begin with the report's id.
    pub fn of_report(&self, id: &str) -> Suppressions {
        let is_about = |entry: &&Suppression| entry.finding.split('|').next() == Some(id);
        let pick = |entries: &[Suppression]| entries.iter().filter(is_about).cloned().collect();
        Suppressions::new(pick(&self.entries), pick(&self.expired))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Suppressions> {
        Suppressions::parse(text, "s.toml", &Clock::Fixed("2026-05-11T12:00:00Z".parse().unwrap()))
    }

    fn entry(finding: &str, expires: &str) -> String {
        format!("[[suppression]]\nfinding = \"{finding}\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"{expires}\"\n")
    }

    #[test]
    fn an_entry_holds_through_its_last_day() {
        let text = entry("a|1", "2026-05-11") + &entry("a|2", "2026-05-10") + &entry("b|x|*", "2027-01-01");
        let found = parse(&text).unwrap();
        assert_eq!(found.place("a|1"), Some(0));
        assert_eq!(found.place("a|2"), None);
        assert_eq!(found.expired.len(), 1);
        assert_eq!((found.place("b|x|9"), found.place("b|y|9")), (Some(1), None));
        let of_b = found.of_report("b");
        assert_eq!((of_b.entries.len(), of_b.expired.len()), (1, 0));
    }

    /// A user called `ann*` once hid everybody whose name begins with `ann`.
    #[test]
    fn a_star_in_a_key_is_a_star() {
        let text = entry("a|ann*", "2027-01-01") + &entry("a|bo|*", "2027-01-01") + &entry("a|x\\\\|*", "2027-01-01");
        let found = parse(&text).unwrap();
        assert_eq!(found.place("a|ann*"), Some(0));
        assert_eq!(found.place("a|anna"), None);
        assert_eq!((found.place("a|bo|7"), found.place("a|bob|7")), (Some(1), None));
        // An escaped bar is a part's own.
        assert_eq!((found.place("a|x\\|*"), found.place("a|x\\|y")), (Some(2), None));
    }

    #[test]
    fn a_day_may_be_written_as_toml_has_it() {
        let text = entry("a|1", "2027-01-01").replace("\"2027-01-01\"", "2027-01-01");
        assert_eq!(parse(&text).unwrap().entries[0].expires, "2027-01-01");
        assert!(parse(&text.replace("2027-01-01", "7")).unwrap_err().message().contains("`expires` is a day"));
    }

    #[test]
    fn what_explains_nothing_is_refused() {
        let error = parse(&entry("a|1", "soon")).unwrap_err();
        assert_eq!(error.message(), "cannot use the suppressions s.toml: suppression 1: `soon` is no day");
        assert!(parse(&entry("*", "2027-01-01")).unwrap_err().message().contains("everything"));
        assert!(parse(&entry("a|1", "2027-01-01").replace("\"r\"", "\" \"")).is_err());
        assert!(parse("[[suppression]]\nfinding = 1\n").unwrap_err().message().contains("line 2"));
    }
}
