//! The content of an event, without the members that transport adds; and the places where two versions of it differ.

use std::borrow::Cow;

use super::hash::Hasher;
use super::json::Json;
use crate::error::Result;

/// Members of an event that collectors and enrichers add.
const OF_EVENT: [&str; 2] = ["enrichments", "observables"];
/// Members of `metadata` that say how the event came here.
const OF_METADATA: [&str; 9] = [
    "logged_time",
    "logged_time_dt",
    "modified_time",
    "modified_time_dt",
    "processed_time",
    "processed_time_dt",
    "transmit_time",
    "transmit_time_dt",
    "loggers",
];

/// Bytes of paths that a revision names one by one. Beyond that it names the members of the event that they are in.
const MAX_PATHS: usize = 64 << 10;

const PLACEHOLDER: &str = "[REDACTED:";

/// Whether a member of the event itself belongs to the transport.
pub fn is_transport(name: &str) -> bool {
    OF_EVENT.contains(&name)
}

/// Whether a member of `metadata` belongs to the transport.
pub fn is_transport_of_metadata(name: &str) -> bool {
    OF_METADATA.contains(&name)
}

/// The content of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Content<'t>(Json<'t>);

impl Content<'_> {
    /// The content of an event that is given as JSON text.
    pub fn of_event(text: &str) -> Result<Content<'_>> {
        let mut event = Json::parse(text)?;
        if let Json::Object(members) = &mut event {
            members.retain(|(name, _)| !is_transport(name));
            for (name, value) in members.iter_mut() {
                match (&**name, &mut *value) {
                    ("id", id) => plain_uid(id),
                    ("metadata", Json::Object(inner)) => {
                        inner.retain(|(name, _)| !is_transport_of_metadata(name));
                        inner.iter_mut().filter(|(name, _)| name == "uid").for_each(|(_, uid)| plain_uid(uid));
                    }
                    _ => {}
                }
            }
            members.retain(|(_, value)| !value.is_empty());
        }
        Ok(Content(event))
    }

    /// The content of the text of a cut attribute.
    pub fn of_value(text: &str) -> Result<Content<'_>> {
        let value = Json::parse(text)?;
        Ok(Content(if value.is_empty() { Json::Empty } else { value }))
    }

    /// The content of `_extra`, which goes from JSON pointers to values.
    pub fn of_extra(text: &str) -> Result<Content<'_>> {
        let mut extra = Json::parse(text)?;
        if let Json::Object(members) = &mut extra {
            members.retain(|(pointer, _)| {
                let mut names = pointer.split('/').skip(1);
                match names.next() {
                    Some("metadata") => !names.next().is_some_and(is_transport_of_metadata),
                    name => !name.is_some_and(is_transport),
                }
            });
        }
        Ok(Content(if extra.is_empty() { Json::Empty } else { extra }))
    }

    /// A hash that is the same for equal contents.
    pub fn hash(&self, hasher: &Hasher) -> u128 {
        let mut text = String::new();
        self.0.write(&mut text);
        hasher.hash(text.as_bytes())
    }

    /// RFC 6901 pointers to the values that differ.
    pub fn changes(&self, other: &Content<'_>) -> Vec<String> {
        let mut changes = Changes { paths: Vec::new(), bytes: 0, depth: usize::MAX };
        changes.find(&self.0, &other.0, &mut String::new(), 0);
        for depth in [1, 0] {
            if changes.bytes <= MAX_PATHS {
                break;
            }
            changes = Changes { paths: Vec::new(), bytes: 0, depth };
            changes.find(&self.0, &other.0, &mut String::new(), 0);
        }
        changes.paths
    }

    /// Whether the two differ in nothing but what was replaced by placeholders in one of them, as they do when the
    /// redaction rules changed in between.
    pub fn is_same_but_for_redaction(&self, other: &Content<'_>) -> bool {
        is_same_but_for_redaction(&self.0, &other.0)
    }
}

/// An id is the same as a number and as a text, with blanks around it or without.
fn plain_uid(uid: &mut Json<'_>) {
    match uid {
        Json::Number(number) if number.is_integer() => *uid = Json::Text(number.text().into()),
        Json::Text(text) if text.trim().len() < text.len() => *text = Cow::Owned(text.trim().to_string()),
        _ => {}
    }
}

/// Paths that differ, while they are found.
struct Changes {
    paths: Vec<String>,
    bytes: usize,
    /// Segments that a path may have.
    depth: usize,
}

impl Changes {
    fn find(&mut self, a: &Json<'_>, b: &Json<'_>, path: &mut String, depth: usize) {
        if self.bytes > MAX_PATHS {
            return;
        }
        match (a, b) {
            _ if depth == self.depth => {
                if a != b {
                    self.push(path);
                }
            }
            (Json::Object(a), Json::Object(b)) => {
                let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
                loop {
                    let first_is = match (a.peek(), b.peek()) {
                        (None, None) => return,
                        (Some(_), None) => std::cmp::Ordering::Less,
                        (None, Some(_)) => std::cmp::Ordering::Greater,
                        (Some((a, _)), Some((b, _))) => a.cmp(b),
                    };
                    let left = if first_is.is_le() { a.next() } else { None };
                    let right = if first_is.is_ge() { b.next() } else { None };
                    let Some((name, _)) = left.or(right) else { return };
                    let (left, right) = (left.map(|(_, value)| value), right.map(|(_, value)| value));
                    self.below(name, left, right, path, depth);
                }
            }
            (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
                for (place, (a, b)) in a.iter().zip(b).enumerate() {
                    self.below(&place.to_string(), Some(a), Some(b), path, depth);
                }
            }
            _ if a == b => {}
            _ => self.push(path),
        }
    }

    fn below(&mut self, name: &str, a: Option<&Json<'_>>, b: Option<&Json<'_>>, path: &mut String, depth: usize) {
        let length = path.len();
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        match (a, b) {
            (Some(a), Some(b)) => self.find(a, b, path, depth + 1),
            _ => self.push(path),
        }
        path.truncate(length);
    }

    fn push(&mut self, path: &str) {
        self.bytes += path.len();
        self.paths.push(path.to_string());
    }
}

fn is_same_but_for_redaction(a: &Json<'_>, b: &Json<'_>) -> bool {
    match (a, b) {
        (Json::Text(a), Json::Text(b)) => a == b || texts_meet(a, b),
        (Json::Text(text), other) | (other, Json::Text(text)) => is_placeholder(text) && !other.is_empty(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_but_for_redaction(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|(a, b)| a.0 == b.0 && is_same_but_for_redaction(&a.1, &b.1))
        }
        _ => a == b,
    }
}

/// Whether two texts can be the same one with other parts of it replaced.
fn texts_meet(a: &str, b: &str) -> bool {
    let covers = |(head, tail): (&str, &str), whole: &str| {
        whole.len() > head.len() + tail.len() && whole.starts_with(head) && whole.ends_with(tail)
    };
    match (without_digits(a), without_digits(b)) {
        (None, None) => false,
        (Some(a), None) => covers(ends(&a), b),
        (None, Some(b)) => covers(ends(&b), a),
        // The same secrets, replaced in the same places, have the same digits.
        (Some(a), Some(b)) if a == b => false,
        (Some(a), Some(b)) => {
            let ((a_head, a_tail), (b_head, b_tail)) = (ends(&a), ends(&b));
            let begins_alike = a_head.starts_with(b_head) || b_head.starts_with(a_head);
            begins_alike && (a_tail.ends_with(b_tail) || b_tail.ends_with(a_tail))
        }
    }
}

/// The text before the first placeholder, and the text behind the last one.
fn ends(text: &str) -> (&str, &str) {
    let head = text.find(PLACEHOLDER).unwrap_or(text.len());
    let last = text.rfind(PLACEHOLDER).unwrap_or(text.len());
    let tail = text[last..].find(']').map_or(text.len(), |end| last + end + 1);
    (&text[..head], &text[tail..])
}

fn is_placeholder(text: &str) -> bool {
    text.starts_with(PLACEHOLDER) && text.find(']') == Some(text.len() - 1)
}

/// The text with the digits cut from its placeholders; none when it has no placeholder.
fn without_digits(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(PLACEHOLDER) {
        let end = at + rest[at..].find(']')?;
        let kind = rest[at..end].rfind(':').map_or(end, |colon| at + colon);
        out.push_str(&rest[..kind]);
        rest = &rest[end..];
    }
    (rest.len() < text.len()).then(|| out + rest)
}
