//! Secrets that their shape gives away, wherever they are: how a vendor's tokens begin, or a regular expression.
//!
//! One automaton looks for the beginnings and needles of all rules; only where one is, its rule is tried, anchored
//! there. So the time does not depend on the number of rules, and a text full of needles is still looked at once.

use super::rules::{Alphabet, How, Rule};
use super::scan::Scan;
use super::value::{Look, is_mixed, is_words, look};
use crate::error::{Context, Kind, Result};
use aho_corasick::{AhoCorasick, Input, MatchKind};
use regex::Regex;

/// The bytes of a token that say whether it is mixed: those of any vendor, and not more, however long the text is.
const LOOK: usize = 160;

/// Places before a needle at which its expression is tried.
const STARTS: usize = 4;

/// An expression that does not match within this many bytes does not match: else each needle would be a pass over the text.
const WINDOW: usize = 4096;

pub(super) struct Shapes {
    automaton: AhoCorasick,
    /// For each pattern of the automaton: what is tried where it is.
    tries: Vec<Vec<Try>>,
    shapes: Vec<Form>,
    patterns: Vec<String>,
}

#[derive(Clone, Copy)]
struct Try {
    shape: usize,
    /// Length of the needle, since a shorter one may begin there too.
    length: usize,
}

struct Form {
    rule: usize,
    by: By,
}

enum By {
    Beginning { of: Alphabet, min: usize, begins: Vec<String> },
    Regex { regex: Regex, back: usize, is_mixed: bool, after: usize, needles: Vec<String> },
}

impl Shapes {
    pub fn new(rules: &[(&Rule, &How)]) -> Result<Shapes> {
        let mut shapes = Vec::new();
        let mut needles: Vec<(String, usize)> = Vec::new();
        for (index, (rule, how)) in rules.iter().enumerate() {
            match how {
                How::Begins(begins) => {
                    needles.extend(begins.begins.iter().map(|begin| (begin.clone(), shapes.len())));
                    let by = By::Beginning { of: begins.of, min: begins.min, begins: begins.begins.clone() };
                    shapes.push(Form { rule: index, by });
                }
                How::Shape(shape) => {
                    needles.extend(shape.needles.iter().map(|needle| (needle.clone(), shapes.len())));
                    let regex = Regex::new(&format!("^(?:{})", shape.pattern))
                        .context(Kind::Usage, || format!("cannot use redaction rule `{}`", rule.name))?;
                    let (back, is_mixed, after) = (shape.back, shape.is_mixed, shape.after);
                    let by = By::Regex { regex, back, is_mixed, after, needles: shape.needles.clone() };
                    shapes.push(Form { rule: index, by });
                }
                _ => {}
            }
        }
        let mut patterns: Vec<String> = needles.iter().map(|(needle, _)| needle.to_ascii_lowercase()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        // The longest needle at a place is found; those that it begins with are tried after it.
        let tries = patterns.iter().map(|pattern| {
            let begins = needles.iter().filter(|(needle, _)| pattern.starts_with(&needle.to_ascii_lowercase()));
            let mut tries: Vec<Try> =
                begins.map(|(needle, shape)| Try { shape: *shape, length: needle.len() }).collect();
            tries.sort_by_key(|found| std::cmp::Reverse(found.length));
            tries
        });
        let tries = tries.collect();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .context(Kind::Usage, || "cannot search for the needles of the redaction rules")?;
        Ok(Shapes { automaton, tries, shapes, patterns })
    }
}

impl Scan<'_, '_> {
    pub(super) fn shapes(&mut self) {
        let shapes = &self.engine.shapes;
        let mut from = 0;
        while let Some(found) = shapes.automaton.find(Input::new(self.text).range(from..)) {
            let tries = &shapes.tries[found.pattern().as_usize()];
            let taken =
                tries.iter().find_map(|tried| self.shape(&shapes.shapes[tried.shape], found.start(), tried.length));
            from = taken.filter(|end| *end > found.start()).unwrap_or(found.start() + 1);
            while !self.text.is_char_boundary(from) {
                from += 1;
            }
        }
    }

    /// Takes the secret whose needle is at `at`, if it has this form; returns where it ended.
    fn shape(&mut self, form: &Form, at: usize, length: usize) -> Option<usize> {
        match &form.by {
            By::Beginning { of, min, begins } => {
                let end = self.token(*of, *min, begins, at, length)?;
                self.push(form.rule, at, end);
                Some(end)
            }
            By::Regex { regex, back, is_mixed: must_be_mixed, .. } => {
                let is_inner = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/_-~.".contains(byte);
                let before = self.bytes[..at].iter().rev().take(*back).take_while(is_inner).count();
                // After each sign too: another token may be right before, `license-0a1b..NRAL`.
                let first = at - before;
                let signs =
                    (first..at).filter(|place| !self.bytes[*place].is_ascii_alphanumeric()).map(|place| place + 1);
                let mut starts = [at; STARTS];
                for (start, place) in
                    starts[..STARTS - 1].iter_mut().zip([first].into_iter().chain(signs).filter(|place| *place < at))
                {
                    *start = place;
                }
                let captures = starts.iter().filter(|start| self.is_start(**start, *back)).find_map(|start| {
                    let near = self.near(*start);
                    let captures = regex.captures(near)?;
                    // What continues beyond the window is taken to its end.
                    let is_cut = captures.get_match().end() == near.len();
                    if is_cut { regex.captures(&self.text[*start..]) } else { Some(captures) }
                        .map(|captures| (*start, captures))
                });
                let (start, captures) = captures?;
                let secret = captures.get(1).or_else(|| captures.get(0))?;
                let value = secret.as_str();
                if *must_be_mixed && (!is_mixed(value) || is_words(value)) {
                    return None;
                }
                let end = start + secret.end();
                self.push(form.rule, start + secret.start(), end);
                // The whole match is left behind, and a needle inside of it with it.
                Some(end.max(at + 1))
            }
        }
    }

    /// The text from `start` on, as far as an expression is tried.
    fn near(&self, start: usize) -> &str {
        let mut end = self.text.len().min(start + WINDOW);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[start..end]
    }

    /// Whether a token may begin at `start`, not in the middle of another one.
    fn is_start(&self, start: usize, back: usize) -> bool {
        back > 0
            || start == 0
            || !self.bytes[start - 1].is_ascii_alphanumeric()
            || !self.bytes[start].is_ascii_alphanumeric()
    }

    fn token(&self, of: Alphabet, min: usize, begins: &[String], at: usize, length: usize) -> Option<usize> {
        let is_inside = at > 0 && (self.bytes[at - 1].is_ascii_alphanumeric() || self.bytes[at - 1] == b'_');
        let body = at + length;
        let is_spelled = begins.iter().any(|begin| self.text.get(at..body) == Some(begin.as_str()));
        if is_inside || !is_spelled {
            return None;
        }
        let count = self.bytes[body..].iter().take(min).take_while(|byte| of.has(**byte)).count();
        if count < min {
            return None;
        }
        let window = &self.bytes[body..(body + LOOK).min(self.bytes.len())];
        let seen = window.iter().take_while(|byte| of.has(**byte)).count();
        let value = &self.text[body..body + seen];
        if !is_mixed(value) || is_words(value) {
            return None;
        }
        let end = body + self.bytes[body..].iter().take_while(|byte| of.has(**byte)).count();
        let trimmed = self.text[body..end].trim_end_matches(['.', '-', ';', '\n', '\r', ' ']);
        Some(body + trimmed.len())
    }

    /// Takes what begins like a secret and continues to the end, too short to be recognised: the rest may be elsewhere.
    pub(super) fn cut_off(&mut self) {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
        let length = self.bytes.iter().rev().take(LOOK).take_while(|byte| is_token(byte)).count();
        let tail = self.text.len() - length;
        let shapes = &self.engine.shapes;
        let mut from = tail;
        while let Some(found) = shapes.automaton.find(Input::new(self.text).range(from..)) {
            from = found.start() + 1;
            let (start, pattern) = (found.start(), &shapes.patterns[found.pattern().as_usize()]);
            let is_inside = start > 0 && self.bytes[start - 1].is_ascii_alphanumeric();
            let rest = self.text.len() - start - pattern.len();
            let fits = shapes.tries[found.pattern().as_usize()].iter().find(|tried| {
                let form = &shapes.shapes[tried.shape];
                let (needles, most, is_words) = match &form.by {
                    By::Beginning { begins, min, .. } => (begins, *min, true),
                    By::Regex { needles, after, is_mixed, .. } => (needles, *after, *is_mixed),
                };
                let is_spelled = needles.iter().any(|needle| self.text[start..].starts_with(needle.as_str()));
                let goes_on = match &form.by {
                    By::Beginning { of, .. } => self.bytes[self.text.len() - rest..].iter().all(|byte| of.has(*byte)),
                    By::Regex { .. } => true,
                };
                // Long enough to judge, and it was judged to be words.
                let is_judged = is_words && rest >= most;
                // `AKIA...` names a key. Its secret would have begun after it.
                let is_name = || look(&self.text[start..], self.words()) == Look::Known;
                is_spelled && goes_on && !is_judged && !is_name()
            });
            if let Some(tried) = fits
                && !is_inside
                && rest > 0
            {
                let rule = shapes.shapes[tried.shape].rule;
                self.push(rule, start, self.text.len());
                break;
            }
        }
        self.cut_userinfo();
    }

    fn cut_userinfo(&mut self) {
        let Some(rule) = self.engine.userinfo else { return };
        if let Some(at) = self.text.rfind("://")
            && let Some(colon) = self.text[at + 3..].find(':')
        {
            let rest = &self.text[at + 3 + colon + 1..];
            let goes_on = !rest.contains(|c: char| c.is_whitespace() || "/?#\"'<>@[\\".contains(c));
            if goes_on && !rest.is_empty() && !rest.bytes().all(|byte| byte.is_ascii_digit()) {
                self.push(rule, self.text.len() - rest.len(), self.text.len());
            }
        }
    }
}
