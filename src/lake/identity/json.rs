//! JSON text as a value that can be compared: order of members, spelling of numbers and escapes do not matter, and an
//! empty object, an empty array or a null is as good as nothing.
//!
//! Numbers are compared digit by digit, not as doubles: a changed digit behind the sixteenth is a change.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::{Error, Kind, Result};

/// Deeper text does not come from our decoder, and the stack is finite.
const MAX_DEPTH: usize = 256;

/// A JSON value without what is empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'t> {
    /// Nothing, or nothing that counts; a member of an object is left out then, an element of an array keeps its place.
    Empty,
    Boolean(bool),
    Number(Number<'t>),
    Text(Cow<'t, str>),
    Array(Vec<Json<'t>>),
    /// Sorted by name.
    Object(Vec<(Cow<'t, str>, Json<'t>)>),
}

/// A number as its significant digits and the power of ten of the last one, so that equal numbers are equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Number<'t> {
    is_negative: bool,
    digits: Cow<'t, str>,
    power: i64,
}

impl<'t> Json<'t> {
    /// Reads the text of one value.
    pub fn parse(text: &'t str) -> Result<Json<'t>> {
        let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
        let value = reader.value(0).filter(|_| {
            reader.blanks();
            reader.at == text.len()
        });
        value.ok_or_else(|| Error::new(Kind::Integrity, format!("cannot read stored JSON at byte {}", reader.at)))
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Json::Empty => true,
            Json::Array(elements) => elements.is_empty(),
            Json::Object(members) => members.is_empty(),
            _ => false,
        }
    }

    /// The member of this name, if it is an object that has one.
    pub fn member(&self, name: &str) -> Option<&Json<'t>> {
        let Json::Object(members) = self else { return None };
        let place = members.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        Some(&members[place].1)
    }

    /// The text of a text, or of a number; nothing else has one.
    pub fn scalar(&self) -> Option<Cow<'_, str>> {
        match self {
            Json::Text(text) => Some(Cow::Borrowed(text)),
            Json::Number(number) => Some(Cow::Owned(number.text())),
            _ => None,
        }
    }

    /// Appends a text that is the same for equal values, and for no others.
    pub fn write(&self, out: &mut String) {
        let text = |text: &str, out: &mut String| {
            write!(out, "{}:{text}", text.len()).expect("a String takes all text");
        };
        match self {
            Json::Empty => out.push('0'),
            Json::Boolean(value) => out.push(if *value { 't' } else { 'f' }),
            Json::Number(number) => text(&number.text(), out),
            Json::Text(value) => {
                out.push('"');
                text(value, out);
            }
            Json::Array(elements) => {
                out.push('[');
                elements.iter().for_each(|element| element.write(out));
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (name, value) in members {
                    text(name, out);
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl<'t> Number<'t> {
    fn parse(text: &'t str) -> Option<Number<'t>> {
        let (text, is_negative) = text.strip_prefix('-').map_or((text, false), |text| (text, true));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Cow<'t, str> = if fraction.is_empty() { whole.into() } else { format!("{whole}{fraction}").into() };
        let is_digits = !whole.is_empty() && all.bytes().all(|byte| byte.is_ascii_digit());
        let length = all.len();
        let last = all.bytes().rposition(|digit| digit != b'0');
        let Some(last) = last.filter(|_| is_digits) else {
            // Zero has no sign and no power.
            return is_digits.then_some(Number { is_negative: false, digits: "".into(), power: 0 });
        };
        let exponent: i64 = exponent.parse().ok()?;
        let power = exponent.checked_sub(fraction.len() as i64)?.checked_add((length - last - 1) as i64)?;
        let first = all.bytes().position(|digit| digit != b'0').unwrap_or(0);
        let digits = match all {
            Cow::Borrowed(all) => Cow::Borrowed(&all[first..=last]),
            Cow::Owned(all) => Cow::Owned(all[first..=last].to_string()),
        };
        Some(Number { is_negative, digits, power })
    }

    /// Integers of a usual length as everybody writes them.
    pub fn text(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        match self.power {
            0 => format!("{sign}{digits}"),
            power @ 1..=20 => format!("{sign}{digits}{}", "0".repeat(power as usize)),
            power => format!("{sign}{digits}e{power}"),
        }
    }

    pub fn is_integer(&self) -> bool {
        self.power >= 0
    }
}

/// The unread end of a JSON text; whatever it meets that is no JSON is none.
struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let is_there = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn word(&mut self, word: &str, value: Json<'t>) -> Option<Json<'t>> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| self.at += word.len())?;
        Some(value)
    }

    fn value(&mut self, depth: usize) -> Option<Json<'t>> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blanks();
        match *self.bytes.get(self.at)? {
            b'"' => self.string().map(Json::Text),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b't' => self.word("true", Json::Boolean(true)),
            b'f' => self.word("false", Json::Boolean(false)),
            b'n' => self.word("null", Json::Empty),
            _ => {
                let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = self.bytes[self.at..].iter().take_while(|byte| is_number(byte)).count();
                let number = Number::parse(&self.text[self.at..self.at + length])?;
                self.at += length;
                Some(Json::Number(number))
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json<'t>> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.take(b']') {
            return Some(Json::Array(elements));
        }
        loop {
            let element = self.value(depth + 1)?;
            elements.push(if element.is_empty() { Json::Empty } else { element });
            match () {
                () if self.take(b',') => {}
                () if self.take(b']') => return Some(Json::Array(elements)),
                () => return None,
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json<'t>> {
        self.at += 1;
        let mut members: Vec<(Cow<'t, str>, Json<'t>)> = Vec::new();
        if self.take(b'}') {
            return Some(Json::Object(members));
        }
        loop {
            self.blanks();
            let name = (self.bytes.get(self.at) == Some(&b'"')).then(|| self.string())??;
            let value = self.take(b':').then(|| self.value(depth + 1))??;
            if !value.is_empty() {
                members.push((name, value));
            }
            match () {
                () if self.take(b',') => {}
                () if self.take(b'}') => break,
                () => return None,
            }
        }
        members.sort_by(|a, b| a.0.cmp(&b.0));
        Some(Json::Object(members))
    }

    /// A string whose opening quote is here.
    fn string(&mut self) -> Option<Cow<'t, str>> {
        let start = self.at + 1;
        let mut end = start;
        let mut is_escaped = false;
        loop {
            end += memchr::memchr2(b'"', b'\\', self.bytes.get(end..)?)?;
            if self.bytes[end] == b'"' {
                break;
            }
            is_escaped = true;
            end += 2;
        }
        self.at = end + 1;
        let text = &self.text[start..end];
        if is_escaped { unescaped(text).map(Cow::Owned) } else { Some(Cow::Borrowed(text)) }
    }
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let unit = |at: usize| {
            let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
            u32::from_str_radix(digits, 16).ok()
        };
        let (character, length) = match *rest.as_bytes().get(at + 1)? {
            escape @ (b'"' | b'\\' | b'/') => (char::from(escape), 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => match (unit(at)?, unit(at + 6)) {
                (high @ 0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                    (char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 12)
                }
                (unit, _) => (char::from_u32(unit)?, 6),
            },
            _ => return None,
        };
        out.push(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(out)
}
