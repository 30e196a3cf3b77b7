//! The exact rules: where in a text the secrets are.
//!
//! ```text
//! find ─┬─ JSON ──── json.rs: keys and values; each string, unescaped, is a text again ──> find
//!       └─ else ─┬── shapes (here), assignments (text.rs), places in URLs (place.rs)
//!                └── with %XX: decoded, a text again ──> find
//! ```
//!
//! Spans of an inner text are mapped back to the outer one, so a replacement touches nothing but the secret.

use super::layer::{self, Layer};
use super::names::{Meaning, Names};
use super::needle::Prefilter;
use super::rules::{How, Rules};
use super::span::{Span, settle};
use super::value::{is_masked, is_mixed, is_no_value, placeholder_around};
use crate::error::{Context, Kind, Result};
use aho_corasick::AhoCorasick;
use hashbrown::HashSet;
use hmac::{Hmac, KeyInit, Mac};
use regex::Regex;
use sha2::Sha256;

/// Texts inside texts that are looked into: more than any client nests, few enough that a hostile line stays cheap.
pub(super) const DEPTH: usize = 6;

/// How a value was met, which decides what it may look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A JSON value, a quoted value, a column: nothing but the value.
    Whole,
    /// After `=`.
    Assigned,
    /// A parameter in a URL: percent-encoded.
    Query,
    /// After `:`, which sentences have as well.
    Prose,
}

/// The rules, compiled.
pub(super) struct Engine {
    pub names: Names,
    pub prefilter: Prefilter,
    rules: Vec<Label>,
    shapes: Vec<Shape>,
    /// The needles of all shapes, and the shape of each: a regex runs only where its needle is.
    needles: AhoCorasick,
    needle_shapes: Vec<usize>,
    /// URL path segments, folded, with their rule.
    pub segments: hashbrown::HashMap<String, usize>,
    pub userinfo: Option<usize>,
    prose: HashSet<String>,
    schemes: HashSet<String>,
    key: Hmac<Sha256>,
}

/// What of a rule is needed while looking.
pub(super) struct Label {
    pub name: String,
    pub kind: String,
    has_scheme: bool,
    pub is_line: bool,
    is_compact: bool,
    takes_numbers: bool,
    min: usize,
}

struct Shape {
    rule: usize,
    regex: Regex,
    needles: Vec<String>,
    after: usize,
    is_mixed: bool,
}

impl Engine {
    pub fn new(rules: &Rules, key: &[u8]) -> Result<Engine> {
        let key = Hmac::new_from_slice(key).context(Kind::Internal, || "cannot use the key of the lake")?;
        let mut engine = Engine {
            names: Names::default(),
            prefilter: Prefilter::new(rules)?,
            rules: Vec::new(),
            shapes: Vec::new(),
            needles: needles(&[])?,
            needle_shapes: Vec::new(),
            segments: hashbrown::HashMap::new(),
            userinfo: None,
            prose: rules.words.prose.iter().cloned().collect(),
            schemes: rules.words.schemes.iter().cloned().collect(),
            key,
        };
        engine.names.keep(rules.words.keep.iter().cloned());
        for (rule, how) in rules.effective()? {
            let index = engine.rules.len();
            let mut label = Label {
                name: rule.name.clone(),
                kind: rule.kind.clone(),
                has_scheme: false,
                is_line: false,
                is_compact: false,
                takes_numbers: true,
                min: 0,
            };
            match how {
                How::Name(named) => {
                    engine.names.add(index, named);
                    label.has_scheme = named.has_scheme;
                    label.is_line = named.is_line;
                    label.is_compact = named.is_compact;
                    label.takes_numbers = named.takes_numbers;
                    label.min = named.min;
                }
                How::Shape { pattern, needles, after, is_mixed } => {
                    let regex = Regex::new(pattern)
                        .context(Kind::Usage, || format!("cannot use redaction rule `{}`", rule.name))?;
                    let (needles, after, is_mixed) = (needles.clone(), *after, *is_mixed);
                    engine.shapes.push(Shape { rule: index, regex, needles, after, is_mixed });
                }
                How::Segment(words) => {
                    engine.segments.extend(words.iter().map(|word| (super::place::fold(word), index)));
                }
                How::Userinfo => engine.userinfo = Some(index),
            }
            engine.rules.push(label);
        }
        let all: Vec<&str> = engine.shapes.iter().flat_map(|shape| shape.needles.iter().map(String::as_str)).collect();
        engine.needles = needles(&all)?;
        let shapes = engine.shapes.iter().enumerate();
        engine.needle_shapes = shapes.flat_map(|(index, shape)| shape.needles.iter().map(move |_| index)).collect();
        Ok(engine)
    }

    pub fn label(&self, rule: usize) -> &Label {
        &self.rules[rule]
    }

    /// All secrets of a text that is complete, in order, none overlapping another.
    pub fn secrets(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        self.find(text, DEPTH, &mut spans);
        settle(spans)
    }

    /// All secrets of a text that may be broken, or cut off in the middle of a secret.
    pub fn secrets_of_excerpt(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        self.find(text, DEPTH, &mut spans);
        self.cut_off(text, &mut spans);
        settle(spans)
    }

    /// All secrets of the value of a secret name: a column's, a pair's.
    pub fn secrets_of_value(&self, rule: usize, value: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        if is_json(value) {
            self.json(value, 0, Some(rule), false, DEPTH, &mut spans);
        } else if !self.secret(rule, value, 0, value.len(), Manner::Whole, &mut spans) {
            self.find(value, DEPTH, &mut spans);
        }
        settle(spans)
    }

    /// Looks into a text of any form.
    pub fn find(&self, text: &str, depth: usize, out: &mut Vec<Span>) {
        if depth > 0 && matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"')) {
            let is_valid = is_json(text);
            self.json(text, 0, None, false, depth, out);
            if is_valid {
                return;
            }
        }
        self.shapes(text, out);
        self.assignments(text, depth, out);
        self.places(text, out);
        if depth > 0
            && let Some(layer) = layer::percent(text)
        {
            self.find_in_layer(&layer, 0, depth, out);
        }
    }

    /// Looks into a decoded text that began at `base` of the outer one.
    pub fn find_in_layer(&self, layer: &Layer, base: usize, depth: usize, out: &mut Vec<Span>) {
        let first = out.len();
        self.find(&layer.text, depth.saturating_sub(1), out);
        for span in &mut out[first..] {
            let (start, end) = layer.outer(span.start, span.end);
            (span.start, span.end) = (base + start, base + end);
        }
    }

    fn shapes(&self, text: &str, out: &mut Vec<Span>) {
        let mut present: Vec<usize> = self
            .needles
            .find_overlapping_iter(text)
            .map(|found| self.needle_shapes[found.pattern().as_usize()])
            .collect();
        present.sort_unstable();
        present.dedup();
        for shape in present.into_iter().map(|index| &self.shapes[index]) {
            for captures in shape.regex.captures_iter(text) {
                let Some(found) = captures.get(1).or_else(|| captures.get(0)) else { continue };
                if !shape.is_mixed || is_mixed(found.as_str()) {
                    self.push(shape.rule, text, found.start(), found.end(), found.as_str(), out);
                }
            }
        }
    }

    /// What begins like a secret and goes on to the end, too short to be recognised: the rest may be elsewhere.
    fn cut_off(&self, text: &str, out: &mut Vec<Span>) {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
        let length = text.bytes().rev().take_while(|byte| is_token(byte)).count();
        let tail = text.len() - length;
        for shape in &self.shapes {
            for needle in &shape.needles {
                if let Some(at) = text[tail..].find(needle.as_str()) {
                    let start = tail + at;
                    let is_inside = start > 0 && text.as_bytes()[start - 1].is_ascii_alphanumeric();
                    let length = text.len() - start - needle.len();
                    // Long enough to judge, and it was judged to be words.
                    let is_words = shape.is_mixed && length >= shape.after;
                    if !is_inside && !is_words && length > 0 {
                        self.push(shape.rule, text, start, text.len(), &text[start..], out);
                    }
                }
            }
        }
        if let Some(rule) = self.userinfo
            && let Some(at) = text.rfind("://")
            && let Some(colon) = text[at + 3..].find(':')
        {
            let rest = &text[at + 3 + colon + 1..];
            let goes_on = !rest.contains(|c: char| c.is_whitespace() || "/?#\"'<>@[\\".contains(c));
            if goes_on && !rest.is_empty() && !rest.bytes().all(|byte| byte.is_ascii_digit()) {
                self.push(rule, text, text.len() - rest.len(), text.len(), rest, out);
            }
        }
    }

    /// Takes the value of a secret name, unless it is none; says whether it took it.
    pub fn secret(
        &self,
        rule: usize,
        text: &str,
        start: usize,
        end: usize,
        manner: Manner,
        out: &mut Vec<Span>,
    ) -> bool {
        let label = &self.rules[rule];
        let value = &text[start..end];
        let mut start = end - value.trim_start().len();
        let end = start + text[start..end].trim_end().len();
        let mut value = &text[start..end];
        if label.has_scheme
            && let Some((scheme, rest)) = value.split_once([' ', '\t', '+'])
            && self.is_scheme(scheme)
            && !rest.trim_start().is_empty()
        {
            value = rest.trim_start();
            start = end - value.len();
        }
        if value.is_empty() || is_masked(value) || is_no_value(value) {
            return false;
        }
        if manner == Manner::Prose && (value.starts_with("//") || self.is_prose(value)) {
            return false;
        }
        if value.len() < label.min || (label.is_compact && value.contains(char::is_whitespace)) {
            return false;
        }
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || b"-.,".contains(&byte));
        if is_number && (!label.takes_numbers || value.len() < 4) {
            return false;
        }
        match (manner, layer::percent(value)) {
            (Manner::Query, Some(layer)) => self.push(rule, text, start, end, &layer.text, out),
            _ => self.push(rule, text, start, end, value, out),
        }
    }

    /// Takes a JSON number that stands under a secret name.
    pub fn secret_number(&self, rule: usize, text: &str, start: usize, end: usize, out: &mut Vec<Span>) {
        let number = &text[start..end];
        let is_whole = number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_whole && self.rules[rule].takes_numbers && self.push(rule, text, start, end, number, out) {
            out.iter_mut().rev().take(1).for_each(|span| span.number = Some(0));
        }
    }

    /// Adds a span, unless it lies in a placeholder; one that cuts a placeholder takes all of it.
    pub fn push(&self, rule: usize, text: &str, start: usize, end: usize, secret: &str, out: &mut Vec<Span>) -> bool {
        let (mut start, mut end) = (start, end);
        if let Some((open, close)) = placeholder_around(text, start) {
            if end <= close {
                return false;
            }
            start = open;
        }
        if let Some((_, close)) = placeholder_around(text, end) {
            end = close;
        }
        let mut mac = self.key.clone();
        mac.update(secret.as_bytes());
        let hash = mac.finalize().into_bytes();
        let tag = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        out.push(Span { start, end, rule, tag, number: None });
        true
    }

    /// The rule of a name that has secrets for values.
    pub fn rule_of(&self, name: &str) -> Option<usize> {
        match self.names.meaning(name) {
            Meaning::Secret(rule) => Some(rule),
            _ => None,
        }
    }

    /// Whether an `Authorization` value may begin with this word.
    pub fn is_scheme(&self, word: &str) -> bool {
        self.schemes.contains(&word.to_ascii_lowercase())
    }

    fn is_prose(&self, value: &str) -> bool {
        let word = value.split(|c: char| c.is_whitespace() || ",;.:!?)".contains(c)).next().unwrap_or("");
        self.prose.contains(&word.to_ascii_lowercase())
    }
}

fn needles(needles: &[&str]) -> Result<AhoCorasick> {
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(needles);
    automaton.context(Kind::Usage, || "cannot search for the needles of the redaction rules")
}

pub(super) fn is_json(text: &str) -> bool {
    matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"'))
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
