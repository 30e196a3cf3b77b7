//! Envelopes: what transport and collectors put around an event, and how it is taken out again.
//!
//! ```text
//! {"specversion":"1.0","data":{event}}                     CloudEvents; likewise `event` of Splunk, `detail` of a bus
//! {"log":"{event}\n","stream":"stdout"}                    Docker; likewise `message` of Vector and Fluent Bit
//! {"logEvents":[{"message":"{event}"},...]}                CloudWatch; likewise `Records`, `items` and other lists
//! {event}{event}                                           Firehose, which puts nothing in between
//! 2026-01-01T00:00:00Z stdout F {event}                    Kubernetes, syslog: text before the object
//! ```
//!
//! Only what is not an event itself is looked into, and it is an envelope only when it holds at least one object with a
//! `class_uid`; all that is beside that one in its list is then taken out as well. What the envelope says of the
//! event is dropped.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// First-level lists of pages and bundles.
pub(super) const LISTS: [&str; 10] =
    ["entries", "events", "Records", "records", "data", "items", "value", "logs", "results", "logEvents"];

/// Members that hold one event, as an object or as text; what is specific first.
const PAYLOADS: [&str; 17] = [
    "ocsf",
    "event",
    "message",
    "log",
    "data",
    "detail",
    "payload",
    "jsonPayload",
    "_source",
    "result",
    "record",
    "body",
    "Message",
    "Body",
    "MESSAGE",
    "msg",
    "_raw",
];

/// Envelopes within envelopes: a queue's message with a bus's event with a collector's record.
const DEEPEST: usize = 6;

/// Text before an object may have braces of its own.
const BRACES: usize = 4;

/// An event that was taken out of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inner<'l> {
    pub bytes: Cow<'l, [u8]>,
    /// Where it begins in the line; within a text with escapes nearly.
    pub at: usize,
}

/// The events that a line holds which is not an event itself; none when it is not an envelope. An empty page holds none.
pub(super) fn inner_events(line: &[u8]) -> Option<Vec<Inner<'_>>> {
    if is_empty_page(line) {
        return Some(Vec::new());
    }
    let found = in_text(line, DEEPEST);
    let is_itself = matches!(&found[..], [one] if one.bytes.len() == line.trim_ascii().len());
    (!found.is_empty() && !is_itself).then_some(found)
}

fn is_empty_page(line: &[u8]) -> bool {
    let Some(values) = values(line).filter(|values| values.len() == 1) else { return false };
    let members = members(line, values[0].clone());
    let lists = members
        .iter()
        .filter(|(key, value)| line[value.start] == b'[' && LISTS.iter().any(|list| list.as_bytes() == *key));
    let mut lengths = lists.map(|(_, value)| elements(line, value.clone()).len()).peekable();
    lengths.peek().is_some() && lengths.all(|length| length == 0) && members.iter().all(|(key, _)| *key != b"class_uid")
}

/// The events in a text: of one value, of several one after the other, or of an object behind other text.
fn in_text(text: &[u8], depth: usize) -> Vec<Inner<'_>> {
    let end = text.trim_ascii_end().len();
    match values(&text[..end]) {
        Some(values) if values.len() == 1 => in_value(text, values[0].clone(), depth),
        Some(values) => in_list(text, values, depth),
        None => {
            let braces = memchr::memchr_iter(b'{', text).take(BRACES);
            let behind = braces.filter(|&at| at > 0 && value_end(text, at) == Some(end));
            behind.map(|at| in_object(text, at..end, depth)).find(|found| !found.is_empty()).unwrap_or_default()
        }
    }
}

fn in_value(text: &[u8], range: Range<usize>, depth: usize) -> Vec<Inner<'_>> {
    match text.get(range.start) {
        Some(b'{') => in_object(text, range, depth),
        Some(b'[') if depth > 0 => in_list(text, elements(text, range), depth - 1),
        Some(b'"') => {
            let Ok(inner) = serde_json::from_slice::<String>(&text[range.clone()]) else { return Vec::new() };
            if !inner.contains('{') {
                return Vec::new();
            }
            let own = |found: Inner<'_>| Inner {
                bytes: Cow::Owned(found.bytes.into_owned()),
                at: range.start + 1 + found.at,
            };
            in_text(inner.as_bytes(), depth).into_iter().map(own).collect()
        }
        _ => Vec::new(),
    }
}

/// All elements, as soon as one of them leads to an event.
fn in_list(text: &[u8], elements: Vec<Range<usize>>, depth: usize) -> Vec<Inner<'_>> {
    let found: Vec<_> = elements.iter().map(|element| in_value(text, element.clone(), depth)).collect();
    if found.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    let or_itself = |(found, element): (Vec<_>, Range<usize>)| {
        if found.is_empty() { vec![Inner { at: element.start, bytes: Cow::Borrowed(&text[element]) }] } else { found }
    };
    found.into_iter().zip(elements).flat_map(or_itself).collect()
}

fn in_object(text: &[u8], range: Range<usize>, depth: usize) -> Vec<Inner<'_>> {
    let members = members(text, range.clone());
    if members.iter().any(|(key, _)| *key == b"class_uid") {
        return vec![Inner { at: range.start, bytes: Cow::Borrowed(&text[range]) }];
    }
    if depth == 0 {
        return Vec::new();
    }
    let value = |name: &str| members.iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value.clone());
    let lists = LISTS.iter().filter_map(|name| value(name)).filter(|value| text[value.start] == b'[');
    let payloads = PAYLOADS.iter().filter_map(|name| value(name)).filter(|value| text[value.start] != b'[');
    let mut found = lists.chain(payloads).map(|value| in_value(text, value, depth - 1));
    found.find(|found| !found.is_empty()).unwrap_or_default()
}

/// Objects and arrays one after the other; none when there is anything else.
fn values(text: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut values = Vec::new();
    let mut at = blanks(text, 0);
    while at < text.len() {
        if !matches!(text[at], b'{' | b'[') {
            return None;
        }
        let end = value_end(text, at)?;
        values.push(at..end);
        at = blanks(text, end);
    }
    (!values.is_empty()).then_some(values)
}

/// The elements of the array at `range`.
fn elements(text: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let mut elements = Vec::new();
    let mut at = blanks(text, range.start + 1);
    while at < range.end && text[at] != b']' {
        let Some(end) = value_end(text, at) else { break };
        elements.push(at..end);
        at = blanks(text, end);
        if text.get(at) == Some(&b',') {
            at = blanks(text, at + 1);
        }
    }
    elements
}

/// The members of the object at `range`, as far as it is in order.
fn members(text: &[u8], range: Range<usize>) -> Vec<(&[u8], Range<usize>)> {
    let mut members = Vec::new();
    let mut at = blanks(text, range.start + 1);
    while at < range.end && text[at] == b'"' {
        let Some(key_end) = string_end(text, at) else { break };
        let colon = blanks(text, key_end);
        if text.get(colon) != Some(&b':') {
            break;
        }
        let start = blanks(text, colon + 1);
        let Some(end) = value_end(text, start).filter(|end| *end <= range.end) else { break };
        members.push((&text[at + 1..key_end - 1], start..end));
        at = blanks(text, end);
        if text.get(at) == Some(&b',') {
            at = blanks(text, at + 1);
        }
    }
    members
}

/// Where the value that begins at `at` ends. Brackets are counted, not matched: the decoder judges what is between them.
fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => {
            let mut open = 0_usize;
            let mut at = at;
            loop {
                match *text.get(at)? {
                    b'"' => at = string_end(text, at)? - 1,
                    b'{' | b'[' => open += 1,
                    b'}' | b']' => open -= 1,
                    _ => {}
                }
                at += 1;
                if open == 0 {
                    return Some(at);
                }
            }
        }
        b',' | b':' | b'}' | b']' => None,
        _ => {
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace();
            Some(text[at..].iter().position(is_end).map_or(text.len(), |length| at + length))
        }
    }
}

/// Behind the closing quote of the string that begins at `at`.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    // The last one separates the texts of a JSON text sequence.
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x1e);
    at + rest.iter().take_while(|byte| is_blank(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = r#"{"class_uid":3002,"time":1,"message":"a\"}b"}"#;
    const B: &str = r#"{"time":2,"data":[{"class_uid":1}],"class_uid":3001}"#;

    fn texts(line: &str) -> Option<Vec<String>> {
        let inner = inner_events(line.as_bytes())?;
        for one in &inner {
            if let Cow::Borrowed(bytes) = one.bytes {
                assert_eq!(bytes, &line.as_bytes()[one.at..one.at + bytes.len()]);
            }
            assert!(one.at < line.len());
        }
        Some(inner.into_iter().map(|one| String::from_utf8(one.bytes.into_owned()).unwrap()).collect())
    }

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    #[test]
    fn an_event_is_taken_out_of_each_known_envelope() {
        let log = quoted(&format!("{A}\n"));
        for line in [
            format!(r#"{{"specversion":"1.0","type":"x","data":{A},"id":"}}"}}"#),
            format!(r#"{{"time":1.5,"host":"h","event":{A}}}"#),
            format!(r#"{{"event":{log},"sourcetype":"x"}}"#),
            format!(r#"{{"log":{log},"stream":"stdout","time":"2026-01-01T00:00:00Z"}}"#),
            format!(r#"{{"log":{A},"kubernetes":{{"pod_name":"p"}}}}"#),
            format!(r#"{{"timestamp":"x","message":{log}}}"#),
            format!(r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"id":"1","message":{}}}]}}"#, quoted(A)),
            format!(r#"{{"ocsf":{A}}}"#),
            format!(r#"{{"version":"0","detail-type":"x","source":"y","detail":{A}}}"#),
            format!(r#"{{"Messages":1,"Body":{}}}"#, quoted(&format!(r#"{{"Message":{}}}"#, quoted(A)))),
            format!(" {{ \"Records\" : [ {A} ] }} "),
            format!("2026-01-01T00:00:00.000000000Z stdout F {A}"),
            format!("<134>1 2026-01-01T00:00:00Z host app 1 - [x y=\"{{1}}\"] {A}\r"),
            format!("[{A}]"),
        ] {
            assert_eq!(texts(&line), Some(vec![A.to_string()]), "{line}");
        }
    }

    #[test]
    fn an_empty_page_holds_nothing() {
        for page in [r#"{"entries":[],"has_more":false}"#, r#" {"data":[ ],"items":[]} "#] {
            assert_eq!(texts(page), Some(Vec::new()), "{page}");
        }
        for other in [
            r#"{"entries":[1]}"#,
            r#"{"entries":[],"items":[1]}"#,
            r#"{"other":[]}"#,
            r#"{"data":[],"class_uid":1}"#,
            "[]",
        ] {
            assert_eq!(texts(other), None, "{other}");
        }
    }

    #[test]
    fn several_events_are_several_and_what_stands_beside_them_is_kept() {
        for line in [
            format!("{A}{B}"),
            format!("{A} {B}\u{1e}"),
            format!(r#"{{"value":[{A},{B}],"next":null}}"#),
            format!(r#"{{"message":{}}}"#, quoted(&format!("{A}\n{B}\n"))),
        ] {
            assert_eq!(texts(&line), Some(vec![A.to_string(), B.to_string()]), "{line}");
        }
        let mixed = format!(r#"{{"records":[{{"a":1}},{A},7,{{"message":{}}}]}}"#, quoted(B));
        assert_eq!(texts(&mixed).unwrap(), [r#"{"a":1}"#, A, "7", B]);
        // Two lists, of which one holds events.
        let two = format!(r#"{{"data":[{{"a":1}}],"results":[{A}]}}"#);
        assert_eq!(texts(&two).unwrap(), [A]);
    }

    #[test]
    fn what_is_an_event_or_holds_none_is_left_alone() {
        for line in [
            A,
            B,
            r#" {"class_uid":3002,"message":"{\"class_uid\":1}"} "#,
            r#"{"Records":[{"eventVersion":"1.08"}]}"#,
            r#"{"log":"plain text {"}"#,
            r#"{"other":{"class_uid":1}}"#,
            r#"{"log":{"log":{"log":{"log":{"log":{"log":{"log":{"class_uid":1}}}}}}}}"#,
            "text {\"class_uid\":1} and more",
            "{\"class_uid\"",
            "",
            "}",
            "[",
            r#"{"a""#,
            r#"{"data":"#,
        ] {
            assert_eq!(texts(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_into_without_harm(bytes in r#"[\[\]{}":,\\ a1]{0,60}|(\{"data":|\[|\{"class_uid":1\}|"|,|\}){0,20}"#) {
            for one in inner_events(bytes.as_bytes()).unwrap_or_default() {
                prop_assert!(one.at < bytes.len());
            }
        }
    }
}
