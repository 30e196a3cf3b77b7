//! The query string of a request for entries: the question, or everything that is wrong with it.
//!
//! The form is that of HTML forms, so `+` is a space: the vendor's SDK sends it. Unknown parameters are ignored, as the
//! contract says. A known one that comes twice is refused: it is single-valued, and silently filtering an audit log by
//! one of two values would be a wrong answer.
//!
//! The log of reads gets the same parameters that the answer is made from, each by itself: a client cannot hide one of
//! them behind the text of another, or of an ignored one.

use serde::Serialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

/// Entries in a page when no limit is given; the next one is the maximum.
pub const DEFAULT_LIMIT: usize = 50;
pub const MAX_LIMIT: usize = 100;

/// The filters of a request; they are combined with AND and compared exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filters {
    /// Inclusive, milliseconds.
    pub time_from_ms: Option<i64>,
    pub time_to_ms: Option<i64>,
    pub actor_uid: Option<String>,
    pub class_name: Option<String>,
    pub activity_name: Option<String>,
}

/// A query string, parameter by parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The parameters that the contract knows, with all values that were given.
    known: [Vec<String>; NAMES.len()],
    ignored: Vec<(String, String)>,
}

/// One requested page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub filters: Filters,
    pub limit: usize,
    /// The cursor as it came.
    pub cursor: Option<String>,
}

/// A fault of one parameter, in the contract's array form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub name: &'static str,
    pub message: String,
    pub kind: &'static str,
}

impl Fault {
    pub fn to_json(&self) -> Value {
        json!({"loc": ["query", self.name], "msg": self.message, "type": self.kind})
    }
}

const NAMES: [&str; 7] =
    ["limit", "cursor", "time_from_unix_ms", "time_to_unix_ms", "actor_uid", "class_name", "activity_name"];

impl Asked {
    /// Splits a query string into parameters.
    pub fn new(text: &str) -> Asked {
        let mut asked = Asked::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match NAMES.iter().position(|known| *known == name) {
                Some(place) => asked.known[place].push(value.into_owned()),
                None => asked.ignored.push((name.into_owned(), value.into_owned())),
            }
        }
        asked
    }

    /// Returns the parameters that the contract knows, as they were given: a text, or several.
    pub fn known(&self) -> Map<String, Value> {
        let given = NAMES.iter().zip(&self.known).filter(|(_, values)| !values.is_empty());
        given
            .map(|(name, values)| (name.to_string(), if let [one] = &values[..] { json!(one) } else { json!(values) }))
            .collect()
    }

    /// Returns the others, in their order.
    pub fn ignored(&self) -> Vec<Value> {
        self.ignored.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    }
}

/// Reads a query; `classes` are the names that `class_name` may have.
pub fn read(asked: &Asked, classes: &[&str]) -> Result<Query, Vec<Fault>> {
    let mut faults = Vec::new();
    let is_repeated = |place: &usize| asked.known[*place].len() > 1;
    faults.extend((0..NAMES.len()).filter(is_repeated).map(|place| Fault {
        name: NAMES[place],
        message: "Give this parameter once".to_string(),
        kind: "repeated",
    }));
    let values = asked.known.each_ref().map(|values| values.last().cloned());
    let [limit, cursor, from, to, actor_uid, class_name, activity_name] = values;
    let mut integer = |name: &'static str, text: Option<String>| {
        let text = text?;
        let is_plain = text.strip_prefix('-').unwrap_or(&text).bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<i64>().ok().filter(|_| is_plain) {
            Some(value) => Some(value),
            None => {
                let message = "Input should be an integer of 64 bits".to_string();
                faults.push(Fault { name, message, kind: "int_parsing" });
                None
            }
        }
    };
    let limit = integer("limit", limit);
    let time_from_ms = integer("time_from_unix_ms", from);
    let time_to_ms = integer("time_to_unix_ms", to);
    let limit = match limit {
        None => DEFAULT_LIMIT,
        Some(limit) => match usize::try_from(limit).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)) {
            Some(limit) => limit,
            None => {
                let kind = if limit < 1 { "greater_than_equal" } else { "less_than_equal" };
                let message = format!("Input should be from 1 to {MAX_LIMIT}");
                faults.push(Fault { name: "limit", message, kind });
                DEFAULT_LIMIT
            }
        },
    };
    if class_name.as_deref().is_some_and(|name| !classes.contains(&name)) {
        let message = format!("Input should be one of {}", classes.join(", "));
        faults.push(Fault { name: "class_name", message, kind: "enum" });
    }
    if faults.is_empty() {
        let filters = Filters { time_from_ms, time_to_ms, actor_uid, class_name, activity_name };
        Ok(Query { filters, limit, cursor })
    } else {
        Err(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(&'static str, &'static str)> {
        let faults = read(&Asked::new(text), &["Account Change"]).unwrap_err();
        faults.into_iter().map(|fault| (fault.name, fault.kind)).collect()
    }

    #[test]
    fn a_plus_is_a_space_and_unknown_names_are_ignored() {
        let asked = Asked::new("class_name=Account+Change&activity_name=a%20b%2Bc&x=1&x=2&limit=7");
        assert_eq!(json!(asked.ignored()), json!([{"name": "x", "value": "1"}, {"name": "x", "value": "2"}]));
        let query = read(&asked, &["Account Change"]).unwrap();
        assert_eq!(query.filters.class_name.as_deref(), Some("Account Change"));
        assert_eq!(query.filters.activity_name.as_deref(), Some("a b+c"));
        assert_eq!((query.limit, query.cursor), (7, None));
        assert_eq!(read(&Asked::new(""), &[]).unwrap().limit, DEFAULT_LIMIT);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        assert_eq!(faults("limit=0"), [("limit", "greater_than_equal")]);
        assert_eq!(faults("limit=101"), [("limit", "less_than_equal")]);
        for limit in ["", "ten", "1.0", "%2B5", "+5", "5+", "99999999999999999999", "0x1", "-"] {
            assert_eq!(faults(&format!("limit={limit}")), [("limit", "int_parsing")], "{limit}");
        }
        assert_eq!(
            faults("time_to_unix_ms=x&limit=1&limit=2&class_name=account_change&limit=3"),
            [("limit", "repeated"), ("time_to_unix_ms", "int_parsing"), ("class_name", "enum")]
        );
        assert_eq!(read(&Asked::new("time_from_unix_ms=-5"), &[]).unwrap().filters.time_from_ms, Some(-5));
    }

    #[test]
    fn what_was_asked_is_told_as_it_was_given() {
        let asked = Asked::new("limit=1&Cookie:x&actor_uid=a%26b&limit=2&constructor");
        assert_eq!(json!(asked.known()), json!({"limit": ["1", "2"], "actor_uid": "a&b"}));
        assert_eq!(
            json!(asked.ignored()),
            json!([{"name": "Cookie:x", "value": ""}, {"name": "constructor", "value": ""}])
        );
    }
}
