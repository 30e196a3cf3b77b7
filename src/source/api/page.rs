//! A page: where each entry's bytes are, whether more follows, and the cursor.
//!
//! Entries are not parsed into values: they go to the decoder as they came. serde_json walks over the whole text, so
//! what is not JSON to the last byte is not a page, and nothing of it is taken.

use std::ops::Range;

use serde::de::{Deserialize, IgnoredAny};
use serde_json::Deserializer;

/// A cursor is a token, not a document.
const MAX_CURSOR_BYTES: usize = 16 << 10;

/// One page of the API's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub bytes: Vec<u8>,
    /// Each entry's bytes.
    pub entries: Vec<Range<usize>>,
    pub has_more: bool,
    pub next_cursor: Option<String>,
    /// When the server sent it, by the server's clock.
    pub date_ms: Option<i64>,
}

impl Page {
    /// Takes an answer apart; the error says why it is not a page.
    pub fn parse(bytes: Vec<u8>) -> Result<Page, String> {
        let mut scan = Scan { bytes: &bytes, at: 0 };
        let (mut entries, mut has_more, mut next_cursor) = (None, None, None);
        scan.expect(b'{').map_err(|_| not_json(&bytes))?;
        if !scan.skips(b'}') {
            loop {
                let key: String = scan.value()?;
                scan.expect(b':')?;
                let is_again = match key.as_str() {
                    "entries" => entries.replace(scan.list()?).is_some(),
                    "has_more" => has_more.replace(scan.value::<bool>()?).is_some(),
                    "next_cursor" => next_cursor.replace(scan.value::<Option<String>>()?).is_some(),
                    _ => scan.value::<IgnoredAny>().map(|_| false)?,
                };
                if is_again {
                    return Err(format!("the page has `{key}` twice"));
                }
                if !scan.skips(b',') {
                    break;
                }
            }
            scan.expect(b'}')?;
        }
        scan.end()?;
        let entries = entries.ok_or("the page has no `entries`")?;
        let has_more = has_more.ok_or("the page does not say whether it `has_more`")?;
        let next_cursor = next_cursor.flatten();
        let is_token = |cursor: &String| cursor.len() <= MAX_CURSOR_BYTES && !cursor.chars().any(char::is_control);
        if !next_cursor.as_ref().is_none_or(is_token) {
            return Err("the page's `next_cursor` is too long, or has control characters".to_string());
        }
        Ok(Page { entries, has_more, next_cursor, bytes, date_ms: None })
    }
}

/// Describes an answer that is not JSON, without showing it.
fn not_json(bytes: &[u8]) -> String {
    let text = bytes.trim_ascii_start();
    match text.first() {
        None => "the answer is empty".to_string(),
        Some(b'<') => "the answer is HTML or XML, not a page".to_string(),
        Some(_) => "the answer is not a JSON object".to_string(),
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next value, whatever follows it.
    fn value<T: Deserialize<'a>>(&mut self) -> Result<T, String> {
        let mut values = Deserializer::from_slice(&self.bytes[self.at..]).into_iter::<T>();
        let value = match values.next() {
            Some(value) => value.map_err(|error| format!("the page is not JSON, or not a page: {error}"))?,
            None => return Err("the page ends too early".to_string()),
        };
        self.at += values.byte_offset();
        Ok(value)
    }

    /// The elements of a list.
    fn list(&mut self) -> Result<Vec<Range<usize>>, String> {
        let mut found = Vec::new();
        self.expect(b'[').map_err(|_| "the page's `entries` are no list".to_string())?;
        if self.skips(b']') {
            return Ok(found);
        }
        loop {
            self.skip_space();
            let start = self.at;
            self.value::<IgnoredAny>()?;
            found.push(start..self.at);
            if !self.skips(b',') {
                self.expect(b']')?;
                return Ok(found);
            }
        }
    }

    fn skip_space(&mut self) {
        let space = self.bytes[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += space.count();
    }

    fn skips(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_there = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.skips(byte) {
            Ok(())
        } else {
            Err(format!("the page is not JSON: no `{}` at byte {}", char::from(byte), self.at))
        }
    }

    fn end(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(format!("something follows the page at byte {}", self.at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<(Vec<String>, bool, Option<String>), String> {
        let page = Page::parse(text.as_bytes().to_vec())?;
        let entry = |range: &Range<usize>| String::from_utf8_lossy(&page.bytes[range.clone()]).into_owned();
        Ok((page.entries.iter().map(entry).collect(), page.has_more, page.next_cursor))
    }

    #[test]
    fn entries_are_the_bytes_that_came() {
        let text = "\n{ \"x\" : [1,{\"entries\":[]}], \"has_more\" : true , \"entries\": [ {\"a\": \"],}\"} ,1e3, null,\n[2]\t], \"next_cursor\":\"c\\n\"}\r\n";
        assert!(page(text).unwrap_err().contains("control"), "a cursor with a line feed");
        let text = text.replace("c\\n", "c");
        let entries = ["{\"a\": \"],}\"}", "1e3", "null", "[2]"].map(str::to_string).to_vec();
        assert_eq!(page(&text), Ok((entries, true, Some("c".to_string()))));
        assert_eq!(page("{\"entries\":[],\"has_more\":false,\"next_cursor\":null}"), Ok((vec![], false, None)));
        assert_eq!(page("{\"has_more\":false,\"entries\":[ ]}"), Ok((vec![], false, None)));
    }

    #[test]
    fn what_is_no_page_says_why() {
        for (text, why) in [
            ("", "empty"),
            ("<html>", "HTML"),
            ("[]", "not a JSON object"),
            ("{}", "no `entries`"),
            ("{\"entries\":[]}", "has_more"),
            ("{\"entries\":null,\"has_more\":false}", "no list"),
            ("{\"entries\":[],\"has_more\":\"no\"}", "not a page"),
            ("{\"entries\":[],\"has_more\":false,\"next_cursor\":7}", "not a page"),
            ("{\"entries\":[],\"has_more\":false} {}", "follows"),
            ("{\"entries\":[{\"a\":1}", "not JSON"),
            ("{\"entries\":[{\"a\":1},],\"has_more\":false}", ""),
            ("{\"entries\":[],\"has_more\":false,}", ""),
            ("{\"entries\":[],\"entries\":[],\"has_more\":false}", "twice"),
        ] {
            let error = page(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn every_prefix_of_a_page_is_no_page() {
        let text = "{\"entries\":[{\"id\":\"a\",\"n\":-1.5e3},{\"id\":\"b\",\"t\":true}],\"has_more\":true,\"next_cursor\":\"x\"}";
        assert!(page(text).is_ok());
        for end in 0..text.len() {
            assert!(page(&text[..end]).is_err(), "{end}");
        }
    }
}
