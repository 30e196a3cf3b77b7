//! Variables of the shell, like psql's: `\set day 2026-01-01`, then `:day`, `:'day'` or `:"day"`.
//!
//! A variable is text that is put into the statement before the engine sees it. Inside of strings, quoted names and
//! comments nothing is replaced, and neither is a name that is not set: `a::text` and `list[1:n]` mean what they mean.

use std::collections::BTreeMap;

use super::split::skip;
use crate::error::{Error, Result};

/// Values of `:name` and `$name`, as text; a name may say a type, `day:timestamp`, and the backend understands it.
pub type Parameters = BTreeMap<String, String>;

/// Names with their text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Sets a variable. Errors when `name` cannot follow a colon.
    pub fn set(&mut self, name: &str, value: String) -> Result<()> {
        if !is_name(name) {
            return Err(Error::usage(format!("`{name}` cannot be the name of a variable"))
                .hint("names are letters, digits and `_`, and do not begin with a digit"));
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    pub fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the statement with its variables replaced. Other names after a colon are parameters for the engine to
    /// look up.
    pub(super) fn substitute(&self, sql: &str) -> Result<String> {
        let mut out = String::with_capacity(sql.len());
        let mut at = 0;
        while let Some(c) = sql[at..].chars().next() {
            if let Some((length, _)) = skip(sql, at) {
                out.push_str(&sql[at..at + length]);
                at += length;
            } else if sql[at..].starts_with("::") {
                out.push_str("::");
                at += 2;
            } else if c == ':'
                && let Some((length, value)) = self.at(&sql[at..])?
            {
                out.push_str(&value);
                at += length;
            } else {
                out.push(c);
                at += c.len_utf8();
            }
        }
        Ok(out)
    }

    /// Returns length and value of the variable at the colon that `rest` begins with; `None` if it is not a variable.
    pub(super) fn at(&self, rest: &str) -> Result<Option<(usize, String)>> {
        let inner = &rest[1..];
        if let Some(name) = inner.strip_prefix("{?").and_then(|rest| rest.split_once('}')).map(|(name, _)| name) {
            let is_set = if self.0.contains_key(name) { "true" } else { "false" };
            return Ok(Some((name.len() + 4, is_set.to_owned())));
        }
        if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let quoted = name_of(&inner[1..]).filter(|name| inner[1 + name.len()..].starts_with(quote));
            let Some(name) = quoted else { return Ok(None) };
            let Some(value) = self.0.get(name) else {
                return Err(Error::usage(format!("no variable `{name}`")).hint(format!("set it: `\\set {name} value`")));
            };
            let doubled = value.replace(quote, &format!("{quote}{quote}"));
            return Ok(Some((name.len() + 3, format!("{quote}{doubled}{quote}"))));
        }
        let Some(name) = name_of(inner) else { return Ok(None) };
        Ok(self.0.get(name).map(|value| (name.len() + 1, value.clone())))
    }
}

/// Returns the name that `text` begins with.
fn name_of(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    Some(&text[..end]).filter(|name| is_name(name))
}

pub(super) fn is_name(name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    name.chars().all(is_word) && name.starts_with(|c: char| !c.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(sql: &str) -> String {
        let mut variables = Variables::default();
        for (name, value) in [("v", "1"), ("who", "O'Neil"), ("größe", "7"), ("col", "a\"b")] {
            variables.set(name, value.to_owned()).unwrap();
        }
        variables.substitute(sql).unwrap()
    }

    #[test]
    fn variables_are_replaced_where_they_stand_for_something() {
        for (sql, expected) in [
            ("select :v, :v+:v", "select 1, 1+1"),
            ("select :'who', :\"col\"", "select 'O''Neil', \"a\"\"b\""),
            ("select :größe", "select 7"),
            ("select a::v, ':v', \":v\", $$:v$$ -- :v\n/* :v */", "select a::v, ':v', \":v\", $$:v$$ -- :v\n/* :v */"),
            ("select x[1:n], :unset, a : b", "select x[1:n], :unset, a : b"),
            ("select :{?v}, :{?w}", "select true, false"),
            ("select é:v", "select é1"),
        ] {
            assert_eq!(replaced(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_quoted_variable_must_be_set() {
        let error = Variables::default().substitute("select :'day'").unwrap_err();
        assert_eq!((error.message(), error.hint_text()), ("no variable `day`", Some("set it: `\\set day value`")));
        assert!(Variables::default().set("1a", String::new()).is_err());
        assert!(Variables::default().set("", String::new()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn without_variables_nothing_is_changed(sql in "[a:'\"$? \n{}é-]{0,40}") {
            if let Ok(text) = Variables::default().substitute(&sql) {
                let is_test = sql.contains(":{?");
                proptest::prop_assert!(is_test || text == sql);
            }
        }
    }
}
