//! Secrets become `[REDACTED:<kind>:<8 hex>]` before anything is written.
//!
//! ```text
//! default.toml, own rules -> Rules -> Policy -+-> apply    the texts of a batch, column by column
//!                                             +-> text     one text
//!                                             +-> bytes    the excerpt of a line that broke
//! ```
//!
//! The hex is the beginning of an HMAC of the secret with a key of the lake: equal secrets stay equal, and nobody
//! can test a guess without the key. Hidden here: how a secret is recognised by name, shape and place, through JSON
//! in strings and percent encoding, and the prefilter that lets clean columns pass at memory speed.
//!
//! Redacting twice changes nothing. JSON text that was valid stays valid, with the same structure.

mod about;
mod batch;
mod counts;
mod ends;
mod engine;
mod fold;
mod forms;
#[cfg(test)]
mod fuzz;
mod header;
mod json;
mod layer;
mod mask;
mod names;
mod needle;
mod needles;
mod option;
mod packed;
mod pair;
mod place;
mod prose;
mod rules;
mod scan;
mod shape;
mod span;
mod starts;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod worth;
mod written;

pub use about::About;
pub use rules::Rules;

use crate::error::Result;
use arrow::array::RecordBatch;
use engine::{Engine, Scope};
use std::collections::BTreeMap;
use std::ops::Range;

/// The rules and the key of redaction, ready for use and shared by all threads.
pub struct Policy {
    /// None: nothing is.
    engine: Option<Engine>,
}

/// How many secrets each rule found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

/// A secret in a text, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: String,
    pub kind: String,
    /// Bytes of the text.
    pub range: Range<usize>,
}

impl Policy {
    /// Compiles rules; `key` belongs to the lake and never leaves it.
    pub fn new(rules: Rules, key: &[u8]) -> Result<Policy> {
        Ok(Policy { engine: Some(Engine::new(&rules, key)?) })
    }

    /// Redacts nothing.
    pub fn off() -> Policy {
        Policy { engine: None }
    }

    /// Redacts a text: prose, a URL, a header, JSON. None: there is no secret in it.
    pub fn text(&self, text: &str, counts: &mut Counts) -> Option<String> {
        let engine = self.engine.as_ref().filter(|engine| engine.may_hold_secret(text, Scope::Text))?;
        engine.redact(text, |text| engine.secrets(text, Scope::Text), counts)
    }

    /// Redacts a text of ours before it is stored: the name of a file, a reason, what somebody asked.
    pub fn own(&self, text: &str) -> String {
        self.text(text, &mut Counts::default()).unwrap_or_else(|| text.to_owned())
    }

    /// Redacts a text that will be compared with columns of any kind, people's names among them.
    pub fn operand(&self, text: &str) -> String {
        let Some(engine) = self.engine.as_ref().filter(|engine| engine.may_hold_secret(text, Scope::Person)) else {
            return text.to_owned();
        };
        let find = |text: &str| engine.secrets(text, Scope::Person);
        engine.redact(text, find, &mut Counts::default()).unwrap_or_else(|| text.to_owned())
    }

    /// Redacts a line that could not be read, or the head of one: broken JSON, broken UTF-8, a secret cut in two.
    pub fn bytes(&self, line: &[u8], counts: &mut Counts) -> Vec<u8> {
        let Some(engine) = &self.engine else { return line.to_vec() };
        let text = String::from_utf8_lossy(line);
        let redacted = engine.redact(&text, |text| engine.secrets_of_excerpt(text), counts);
        redacted.unwrap_or_else(|| text.into_owned()).into_bytes()
    }

    /// Redacts all texts of a batch, at any depth; columns without a secret are passed on as they are.
    pub fn apply(&self, batch: RecordBatch, counts: &mut Counts) -> Result<RecordBatch> {
        match &self.engine {
            Some(engine) => batch::apply(engine, batch, counts),
            None => Ok(batch),
        }
    }

    /// Says what [`text`](Policy::text) would redact, and why.
    pub fn explain(&self, text: &str) -> Vec<Finding> {
        let Some(engine) = self.engine.as_ref().filter(|engine| engine.may_hold_secret(text, Scope::Text)) else {
            return Vec::new();
        };
        let finding = |span: span::Span| {
            let label = engine.label(span.rule);
            Finding { rule: label.name.clone(), kind: label.kind.clone(), range: span.start..span.end }
        };
        engine.secrets(text, Scope::Text).into_iter().map(finding).collect()
    }
}

impl Counts {
    pub fn add(&mut self, rule: &str, secrets: u64) {
        match self.0.get_mut(rule) {
            Some(count) => *count += secrets,
            None => {
                self.0.insert(rule.to_owned(), secrets);
            }
        }
    }

    pub fn merge(&mut self, other: &Counts) {
        other.iter().for_each(|(rule, secrets)| self.add(rule, secrets));
    }

    /// Rule and number of secrets, by rule.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(rule, secrets)| (rule.as_str(), *secrets))
    }

    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
