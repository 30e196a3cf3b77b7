//! Records in which a name is itself a value: `{name, value}`, `{field, old, new}`, `<add key="ApiKey" value="x"/>`,
//! form data, elements of XML, blocks and lists of YAML.

use super::ends::{Manner, Right, is_name, name_before, quoted, word_end};
use super::fold::Folded;
use super::names::{Known, Meaning};
use super::scan::Scan;

/// How far the value of a pair may be from its name, in text.
const NEAR: usize = 512;
/// Longer than the tag of an element with its attributes.
const TAG: usize = 1024;

/// The role of a record's key for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Name,
    Value,
    /// `from`, `text`, `data`: the value of a name that says it is the name of a field.
    Content,
    Other,
}

pub(super) fn role(key: &str) -> Role {
    if key.len() > 48 {
        return Role::Other;
    }
    let folded = Folded::new(key);
    let Some(last) = folded.words.len().checked_sub(1) else { return Role::Other };
    match folded.word(last) {
        "name" | "key" | "field" | "header" | "parameter" | "param" | "attribute" | "property" | "label"
        | "setting" | "variable" | "column" | "option" | "path" | "argument" | "arg" | "env" | "claim" | "what"
        | "k" | "item" | "element" => Role::Name,
        "value" | "values" | "val" | "new" | "old" | "v" | "before" | "after" | "newval" | "oldval" => Role::Value,
        "from" | "to" | "content" | "contents" | "data" | "text" | "current" | "previous" | "default" | "was"
        | "is" => Role::Content,
        _ => Role::Other,
    }
}

/// Whether the value of this name is a name: `name=`, `key=`, `field:`.
pub(super) fn is_name_of_name(name: &str) -> bool {
    role(name) == Role::Name
}

impl<'a> Scan<'a, '_> {
    /// Takes the value that belongs to the name after the delimiter at `at`: `name="password" value="x"`.
    pub(super) fn named(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let start = at + 1 + bytes[at + 1..].iter().take(4).take_while(|byte| **byte == b' ').count();
        let escapes = bytes[start..].iter().take(8).take_while(|byte| **byte == b'\\').count();
        let quote = usize::from(matches!(bytes.get(start + escapes), Some(b'"' | b'\'')));
        let from = start + escapes + quote;
        let length =
            bytes[from..].iter().take(96).take_while(|byte| is_name(byte) || **byte == b' ' && quote == 1).count();
        let name = self.text.get(from..from + length)?;
        let known = self.engine.rule_of(name)?;
        let past = from + length + escapes + quote;
        let right = self.form_data(past).or_else(|| self.sibling(at, past))?;
        let end = right.end;
        self.take(known, &right).then_some(end)
    }

    /// The body of a part of form data, whose head continues at `past`.
    fn form_data(&self, past: usize) -> Option<Right> {
        let head = self.text.get(past..)?;
        let head = &head.as_bytes()[..head.len().min(NEAR)];
        let (blank, gap) = match (memchr::memmem::find(head, b"\r\n\r\n"), memchr::memmem::find(head, b"\n\n")) {
            (Some(at), _) => (at, 4),
            (None, Some(at)) => (at, 2),
            _ => return None,
        };
        // Only further fields of the head are between.
        let between = self.text.get(past..past + blank)?;
        let is_head = between.lines().skip(1).all(|line| line.contains(':'));
        if !is_head || between.len() > 1 && !between.starts_with([';', '\r', '\n']) {
            return None;
        }
        let start = past + blank + gap;
        let end = memchr::memmem::find(&self.bytes[start..], b"\n--").map_or(self.bytes.len(), |length| start + length);
        Some(Right { start, end, manner: Manner::Whole })
    }

    /// The `value` near the name that was at `at` and ended before `past`: in the same tag, record or list item.
    fn sibling(&self, at: usize, past: usize) -> Option<Right> {
        let bytes = self.bytes;
        let end = (past + NEAR).min(bytes.len());
        let stop = bytes[past.min(end)..end]
            .iter()
            .position(|byte| b"<>{}[]".contains(byte))
            .map_or(end, |length| past + length);
        for delimiter in
            memchr::memchr2_iter(b'=', b':', &bytes[past.min(stop)..stop]).map(|found| past + found).take(8)
        {
            let left = name_before(self.text, delimiter)?;
            match role(left.name) {
                Role::Value => return self.simple(delimiter),
                // The next pair begins.
                Role::Name => break,
                _ => {}
            }
        }
        // `value` is first: only inside of a tag, whose beginning is known.
        let floor = at.saturating_sub(NEAR);
        let open = floor + memchr::memrchr2(b'<', b'>', &bytes[floor..at])?;
        if bytes[open] != b'<' {
            return None;
        }
        let before = memchr::memchr_iter(b'=', &bytes[open..at])
            .map(|found| open + found)
            .find(|delimiter| name_before(self.text, *delimiter).is_some_and(|left| role(left.name) == Role::Value))?;
        self.simple(before)
    }

    /// The quoted value or the word after a delimiter.
    pub(super) fn simple(&self, delimiter: usize) -> Option<Right> {
        let bytes = self.bytes;
        let start = delimiter + 1 + bytes[delimiter + 1..].iter().take(8).take_while(|byte| **byte == b' ').count();
        if let Some(quoted) = quoted(bytes, start) {
            return Some(quoted);
        }
        let end = word_end(bytes, self.after_scheme(start));
        (start < end).then_some(Right { start, end, manner: Manner::Assigned })
    }

    /// Takes the content of an element whose tag ends with the `>` at `at`; the tag begins after `floor`.
    pub(super) fn element(&mut self, floor: usize, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let floor = floor.max(at.saturating_sub(TAG));
        let open = floor + memchr::memrchr(b'<', &bytes[floor..at])?;
        let tag = self.text.get(open + 1..at)?;
        if tag.ends_with('/') || tag.starts_with(['!', '?']) {
            return None;
        }
        let known = match tag.strip_prefix('/') {
            // `<key>password</key><string>x</string>`
            Some(closed) if role(local(closed)) == Role::Name => {
                self.engine.rule_of(self.text.get(floor..open)?.trim())?
            }
            Some(_) => return None,
            None => self.meaning_of_tag(tag)?,
        };
        let mut start = at + 1 + bytes[at + 1..].iter().take(64).take_while(|byte| byte.is_ascii_whitespace()).count();
        let is_data = |start: usize| bytes[start.min(bytes.len())..].starts_with(b"<![CDATA[");
        if bytes.get(start) == Some(&b'<') && !is_data(start) && bytes.get(start + 1) != Some(&b'/') {
            // `<property><name>..</name><value>x</value>`
            start += 1 + bytes[start..].iter().take(64).position(|byte| *byte == b'>')?;
        }
        if is_data(start) {
            let from = start + "<![CDATA[".len();
            let end = memchr::memmem::find(&bytes[from..], b"]]>").map_or(bytes.len(), |length| from + length);
            return self.take(known, &Right { start: from, end, manner: Manner::Whole }).then_some(end);
        }
        let behind = super::mask::marks_end(self.text, start);
        let end = behind + memchr::memchr(b'<', &bytes[behind..]).unwrap_or(bytes.len() - behind);
        self.take(known, &Right { start, end, manner: Manner::Whole }).then_some(end)
    }

    /// The meaning of a tag: by the element's name, or by an attribute that names it.
    fn meaning_of_tag(&self, tag: &str) -> Option<Known> {
        let name = tag.split(|c: char| c.is_whitespace()).next().unwrap_or("");
        if let Meaning::Secret(known) = self.engine.names.meaning(local(name)) {
            return Some(known);
        }
        let mut attributes = tag[name.len()..].split('=');
        let mut before = attributes.next()?;
        for rest in attributes {
            let is_name = role(local(before.rsplit([' ', '"', '\'']).next().unwrap_or(""))) == Role::Name;
            let value =
                rest.trim_start().trim_start_matches(['"', '\'', '\\']).split(['"', '\'', '\\']).next().unwrap_or("");
            if is_name && let Some(known) = self.engine.rule_of(value) {
                return Some(known);
            }
            before = rest;
        }
        None
    }

    /// Takes the values of the lines below a secret name that are indented: `secrets:`, `  db: x`.
    pub(super) fn mapping(&mut self, at: usize, known: Known) -> Option<usize> {
        let bytes = self.bytes;
        let mut next = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'\r'));
        if bytes[at] != b':' || bytes.get(next) != Some(&b'\n') {
            return None;
        }
        let line = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |found| found + 1);
        let depth = |from: usize| bytes[from..].iter().take_while(|byte| **byte == b' ').count();
        let own = depth(line);
        let mut taken = None;
        while next + 1 < bytes.len() {
            let from = next + 1;
            let stop = memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |length| from + length);
            let indent = depth(from);
            let colon = memchr::memmem::find(&bytes[from..stop], b": ").map(|length| from + length);
            let Some(colon) = colon.filter(|_| indent > own) else { break };
            let meaning = self.engine.names.meaning(self.text[from..colon].trim());
            if !matches!(meaning, Meaning::Plain) {
                let right = self.simple(colon)?;
                let own = if let Meaning::Secret(own) = meaning { own } else { known };
                self.take(own, &right);
            }
            taken = Some(stop);
            next = stop;
        }
        taken
    }

    /// A block or list of YAML that begins at `start`, below the line of the delimiter at `at`.
    pub(super) fn block(&self, start: usize, at: usize) -> Option<Right> {
        let bytes = self.bytes;
        let head = bytes[start..].iter().take(4).take_while(|byte| b"|>+-123456789".contains(byte)).count();
        let mut next = start + head;
        next += usize::from(bytes.get(next) == Some(&b'\r'));
        if bytes.get(next) != Some(&b'\n') {
            return None;
        }
        let line = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |found| found + 1);
        let depth = |from: usize| bytes[from..].iter().take_while(|byte| **byte == b' ').count();
        let own = depth(line);
        let from = next + 1;
        let mut end = from;
        while end < bytes.len() {
            let stop = memchr::memchr(b'\n', &bytes[end..]).map_or(bytes.len(), |length| end + length);
            let indent = depth(end);
            let is_item = head == 0 && bytes[end + indent..stop].starts_with(b"- ");
            let is_blank = end + indent >= stop;
            let ends = if is_blank { head == 0 } else { !is_item && (indent <= own || head == 0) };
            if ends {
                break;
            }
            end = (stop + 1).min(bytes.len());
            if stop == bytes.len() {
                break;
            }
        }
        let first = from + depth(from);
        let first = if head == 0 && bytes[first.min(bytes.len())..].starts_with(b"- ") { first + 2 } else { first };
        (first < end).then_some(Right { start: first, end, manner: Manner::Whole })
    }
}

/// A name of XML without its namespace.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Whether a key holds a person, whose `name` is a person's.
pub(super) fn is_person(key: &str) -> bool {
    let words = [
        "user",
        "actor",
        "owner",
        "creator",
        "member",
        "person",
        "manager",
        "author",
        "assignee",
        "sender",
        "recipient",
        "target_user",
    ];
    words.iter().any(|word| key.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_records_have_roles() {
        for (key, expected) in [
            ("name", Role::Name),
            ("displayName", Role::Name),
            ("parameterName", Role::Name),
            ("field", Role::Name),
            ("newValue", Role::Value),
            ("old", Role::Value),
            ("from", Role::Content),
            ("names", Role::Other),
            ("", Role::Other),
        ] {
            assert_eq!(role(key), expected, "{key}");
        }
    }
}
