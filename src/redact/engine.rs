//! The exact rules: where in a text the secrets are.
//!
//! ```text
//! find ─┬─ JSON ──── json.rs: keys and values; each string, unescaped, is a text again ──> find
//!       └─ else ─┬── scan.rs and its neighbours: shapes, assignments, sentences, options, URLs, tables, base64
//!                └── with escapes, entities, %XX: decoded, a text again ──> find
//! ```
//!
//! Spans of an inner text are mapped back to the outer one, so a replacement touches nothing but the secret. Each pass
//! is linear in the text, and a text is decoded once a level: no text takes more than a few passes over its bytes.

use super::layer::{self, Layer};
use super::mask::{marks_end, placeholder_around};
use super::names::{Known, Meaning, Names};
use super::needle::Prefilter;
use super::option::Options;
use super::place::parameter_end;
use super::prose::Cues;
use super::rules::{How, Rules, Words, Worth};
use super::scan::Scan;
use super::shape::Shapes;
use super::span::{Span, settle};
use super::value::{Look, look};
use crate::error::{Context, Kind, Result};
use hashbrown::{HashMap, HashSet};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Texts inside texts that are looked into: more than any client nests, few enough that a hostile line stays cheap.
pub(super) const DEPTH: usize = 6;

/// The kinds of secret that a text can be, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Text,
    /// A URL, or a part of one, without its scheme.
    Url,
    /// A person's name or address: what a name announces counts only when it looks random, or people could make themselves
    /// unreadable: `token=ann` may be somebody.
    Person,
}

/// The words that the code asks for.
pub(super) struct Vocabulary {
    pub terms: HashSet<String>,
    pub prose: HashSet<String>,
    pub links: HashSet<String>,
    pub changes: HashSet<String>,
    schemes: HashSet<String>,
}

impl Vocabulary {
    pub fn new(words: &Words) -> Vocabulary {
        let set = |words: &std::collections::BTreeSet<String>| words.iter().cloned().collect();
        Vocabulary {
            terms: set(&words.terms),
            prose: set(&words.prose),
            links: set(&words.links),
            changes: set(&words.changes),
            schemes: set(&words.schemes),
        }
    }

    /// Whether a word belongs to a sentence about secrets, whatever punctuation is around it.
    pub fn is_prose(&self, word: &str) -> bool {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        word.len() < 24 && self.prose.contains(&word.to_ascii_lowercase())
    }

    /// Whether an `Authorization` value may begin with this word.
    pub fn is_scheme(&self, word: &str) -> bool {
        word.len() < 32 && self.schemes.contains(&word.to_ascii_lowercase())
    }
}

/// The rules, compiled.
pub(super) struct Engine {
    pub names: Names,
    pub vocabulary: Vocabulary,
    pub prefilter: Prefilter,
    pub shapes: Shapes,
    pub cues: Cues,
    pub options: Options,
    rules: Vec<Label>,
    /// URL path segments, folded: their rule, and whether ids after them are left alone.
    pub segments: HashMap<String, (usize, bool)>,
    pub userinfo: Option<usize>,
    pub parameters: Option<usize>,
    pub behind: Option<usize>,
    pub packed: Option<usize>,
    pub member: Option<usize>,
    key: Hmac<Sha256>,
}

/// The part of a rule that the search needs.
pub(super) struct Label {
    pub name: String,
    pub kind: String,
    pub worth: Worth,
}

impl Engine {
    pub fn new(rules: &Rules, key: &[u8]) -> Result<Engine> {
        let key = Hmac::new_from_slice(key).context(Kind::Internal, || "cannot use the key of the lake")?;
        let effective = rules.effective()?;
        let mut names = Names::new(&rules.words);
        let mut options = Options::default();
        let mut segments = HashMap::new();
        let mut labels = Vec::with_capacity(effective.len());
        let [mut userinfo, mut parameters, mut behind, mut packed, mut member] = [None; 5];
        for (index, (rule, how)) in effective.iter().enumerate() {
            let mut worth = Worth::Token;
            match how {
                How::Name(named) => {
                    names.add(index, named);
                    worth = named.value;
                }
                How::Segment { words, is_weak } => {
                    segments.extend(words.iter().map(|word| (super::place::fold(word), (index, *is_weak))));
                }
                How::Flag { flags, tools, is_pair } => options.add(index, flags, tools, *is_pair),
                How::Userinfo => userinfo = Some(index),
                How::Parameters => parameters = Some(index),
                How::Behind => behind = Some(index),
                How::Packed => packed = Some(index),
                How::Member => member = Some(index),
                How::Shape(_) | How::Begins(_) => {}
            }
            labels.push(Label { name: rule.name.clone(), kind: rule.kind.clone(), worth });
        }
        Ok(Engine {
            names,
            vocabulary: Vocabulary::new(&rules.words),
            prefilter: Prefilter::new(rules)?,
            shapes: Shapes::new(&effective)?,
            cues: Cues::new(&effective, &rules.words.spoken)?,
            options,
            rules: labels,
            segments,
            userinfo,
            parameters,
            behind,
            packed,
            member,
            key,
        })
    }

    pub fn label(&self, rule: usize) -> &Label {
        &self.rules[rule]
    }

    /// All secrets of a text that is complete, in order, none overlapping another.
    pub fn secrets(&self, text: &str, scope: Scope) -> Vec<Span> {
        let mut spans = Vec::new();
        self.find(text, scope, DEPTH, &mut spans);
        settle(spans)
    }

    /// All secrets of a text that may be broken, or cut off in the middle of a secret.
    pub fn secrets_of_excerpt(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        self.find(text, Scope::Text, DEPTH, &mut spans);
        Scan::new(self, text, DEPTH, &mut spans).cut_off();
        settle(spans)
    }

    /// All secrets of the value of a secret name: a column's, a pair's.
    pub fn secrets_of_value(&self, known: Known, value: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        if layer::is_json(value) {
            self.json(value, Some(known), DEPTH, &mut spans);
        } else if !Scan::new(self, value, DEPTH, &mut spans).take_whole(known) {
            self.find(value, Scope::Text, DEPTH, &mut spans);
        }
        settle(spans)
    }

    /// Looks into a text of any form.
    pub fn find(&self, text: &str, scope: Scope, depth: usize, out: &mut Vec<Span>) {
        if scope == Scope::Person {
            Scan::new(self, text, depth, out).shapes();
            let mut announced = Vec::new();
            self.find(text, Scope::Text, depth, &mut announced);
            announced.retain(|span| look(&text[span.start..span.end], &self.vocabulary) == Look::Random);
            out.append(&mut announced);
            return;
        }
        if depth > 0 && layer::begins_like_json(text) {
            if layer::is_json(text) {
                self.json(text, None, depth, out);
                return;
            }
            // Broken: what its strings hold is found below, as in any text.
            self.json(text, None, 0, out);
        }
        let mut scan = Scan::new(self, text, depth, out);
        scan.shapes();
        scan.assignments();
        scan.sentences();
        scan.options();
        scan.places(scope);
        scan.table();
        if depth == 0 {
            return;
        }
        scan.packed();
        if let Some(layer) = layer::decoded(text) {
            let first = out.len();
            self.find_in_layer(&layer, 0, scope, depth - 1, out);
            for span in &mut out[first..] {
                let end = parameter_end(text, span.start, span.end);
                if end < span.end {
                    (span.end, span.tag) = (end, self.tag(&text[span.start..end]));
                }
            }
        }
    }

    /// Looks into a decoded text that began at `base` of the outer one.
    pub fn find_in_layer(&self, layer: &Layer, base: usize, scope: Scope, depth: usize, out: &mut Vec<Span>) {
        let first = out.len();
        self.find(&layer.text, scope, depth, out);
        for span in &mut out[first..] {
            let (start, end) = layer.outer(span.start, span.end);
            (span.start, span.end) = (base + start, base + end);
        }
    }

    /// Adds a span, unless it lies in a placeholder; one that cuts a placeholder takes all of it.
    pub fn push(&self, rule: usize, text: &str, start: usize, end: usize, secret: &str, out: &mut Vec<Span>) -> bool {
        let within = parameter_end(text, start, end);
        let secret = if within < end { &text[start..within] } else { secret };
        let (mut start, mut end) = (start, within);
        if marks_end(text, start) >= end {
            return false;
        }
        if let Some((open, close)) = placeholder_around(text, start) {
            if end <= close {
                return false;
            }
            start = open;
        }
        if let Some((_, close)) = placeholder_around(text, end) {
            end = close;
        }
        out.push(Span { start, end, rule, tag: self.tag(secret), number: None });
        true
    }

    /// The first 32 bits of a secret's HMAC.
    fn tag(&self, secret: &str) -> u32 {
        let mut mac = self.key.clone();
        mac.update(secret.as_bytes());
        let bytes = mac.finalize().into_bytes();
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// The rule that makes values of this name secret.
    pub fn rule_of(&self, name: &str) -> Option<Known> {
        match self.names.meaning(name) {
            Meaning::Secret(known) => Some(known),
            _ => None,
        }
    }
}
