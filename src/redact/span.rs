//! Found secrets, and the text without them.

use super::Counts;
use super::engine::Engine;

/// More than any text needed in millions of random ones.
const ROUNDS: usize = 6;

/// A secret in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub rule: usize,
    /// The first 32 bits of the secret's HMAC.
    pub tag: u32,
    /// Set for a JSON number, whose placeholder needs quotes: how many strings are around the JSON text it is in.
    pub number: Option<u8>,
}

impl Span {
    /// Tells that the text this span was found in is itself an escaped string.
    pub fn escape(&mut self) {
        self.number = self.number.map(|strings| strings + 1);
    }
}

impl Engine {
    /// The text with placeholders for the secrets that `find` finds; None if there are none.
    pub fn redact(&self, text: &str, find: impl Fn(&str) -> Vec<Span>, counts: &mut Counts) -> Option<String> {
        let mut redacted: Option<String> = None;
        // A placeholder may change how the text around it reads: what was too short is long enough with it. The
        // result must not change when it is redacted again, so that happens here, and ends after a round or two.
        for _ in 0..ROUNDS {
            let current = redacted.as_deref().unwrap_or(text);
            let spans = find(current);
            if spans.is_empty() {
                break;
            }
            redacted = Some(self.replace(current, &spans, counts));
        }
        redacted
    }

    fn replace(&self, text: &str, spans: &[Span], counts: &mut Counts) -> String {
        let mut replaced = String::with_capacity(text.len() + spans.len() * 16);
        let mut at = 0;
        for span in spans {
            let label = self.label(span.rule);
            // A quote in a string has one backslash before it, in a string in a string three.
            let quote = span.number.map_or(String::new(), |strings| "\\".repeat((1 << strings) - 1) + "\"");
            replaced.push_str(&text[at..span.start]);
            replaced.push_str(&format!("{quote}[REDACTED:{}:{:08x}]{quote}", label.kind, span.tag));
            counts.add(&label.name, 1);
            at = span.end;
        }
        replaced.push_str(&text[at..]);
        replaced
    }
}

/// Sorts spans and joins those that overlap, the first of the longest giving rule and tag.
pub(super) fn settle(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.start < span.end);
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    spans.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
    spans
}
