//! `_extra`: a JSON object from RFC 6901 pointer to the value that has no place in a column.
//!
//! `Extras` writes it while a line is filled in; `Branch` reads it back as a tree, to be walked beside the columns.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::json::write_string;
use crate::error::{Context, Error, Kind, Result};
use crate::schema::Object;

/// Where a value is in its line; built on the way down, written only when a value has no column.
pub(super) enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    /// A member by its number in the object: its name is far away in memory, and hardly ever wanted.
    Attribute(&'a Path<'a>, &'a Object, usize),
    Element(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Path::Root => {}
            Path::Member(parent, name) => write_member(parent, name, out),
            Path::Attribute(parent, object, index) => write_member(parent, &object.attributes[*index].name, out),
            Path::Element(parent, index) => {
                parent.write(out);
                out.push('/');
                out.push_str(&index.to_string());
            }
        }
    }
}

fn write_member(parent: &Path<'_>, name: &str, out: &mut String) {
    parent.write(out);
    out.push('/');
    for char in name.chars() {
        match char {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            _ => out.push(char),
        }
    }
}

/// The `_extra` of the current row, while it is written.
#[derive(Default)]
pub(super) struct Extras {
    text: String,
    pointer: String,
}

impl Extras {
    /// Puts in a value, which is JSON text.
    pub(super) fn put(&mut self, path: &Path<'_>, json: &str) {
        self.begin(path);
        self.text.push_str(json);
    }

    fn begin(&mut self, path: &Path<'_>) {
        self.pointer.clear();
        path.write(&mut self.pointer);
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        write_string(&self.pointer, &mut self.text);
        self.text.push(':');
    }

    /// The finished text, none when nothing was put in since `clear`.
    pub(super) fn finish(&mut self) -> Option<&str> {
        if self.text.is_empty() {
            return None;
        }
        self.text.push('}');
        Some(&self.text)
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
    }
}

/// A place in a line with what `_extra` has for it.
#[derive(Default)]
pub(super) struct Branch<'t> {
    /// JSON text of the value that is here, verbatim.
    pub(super) value: Option<&'t str>,
    /// Places below, by member name or element index.
    pub(super) below: BTreeMap<String, Branch<'t>>,
}

impl<'t> Branch<'t> {
    /// Reads the text of an `_extra` column. Values stay text: a number keeps all its digits.
    pub(super) fn parse(text: &'t str) -> Result<Self> {
        let mut root = Branch::default();
        let mut rest = Rest(text);
        rest.punctuation('{')?;
        if rest.punctuation('}').is_ok() {
            return Ok(root);
        }
        loop {
            let (pointer, _) = rest.value::<String>()?;
            rest.punctuation(':')?;
            let (_, value) = rest.value::<IgnoredAny>()?;
            root.insert(&pointer, value)?;
            if rest.punctuation('}').is_ok() {
                return Ok(root);
            }
            rest.punctuation(',')?;
        }
    }

    fn insert(&mut self, pointer: &str, value: &'t str) -> Result<()> {
        let segments = pointer.strip_prefix('/').ok_or_else(damaged)?.split('/');
        let branch = segments.fold(self, |branch, segment| {
            branch.below.entry(segment.replace("~1", "/").replace("~0", "~")).or_default()
        });
        match branch.value.replace(value) {
            None => Ok(()),
            Some(_) => Err(damaged()),
        }
    }
}

/// The unread end of an `_extra` text.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn punctuation(&mut self, expected: char) -> Result<()> {
        self.0 = self.0.trim_start().strip_prefix(expected).ok_or_else(damaged)?;
        Ok(())
    }

    /// The next JSON value, as a `T` and as it is written.
    fn value<T: DeserializeOwned>(&mut self) -> Result<(T, &'t str)> {
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter::<T>();
        let value = values.next().ok_or_else(damaged)?.context(Kind::Integrity, || "cannot read `_extra`")?;
        let (text, rest) = self.0.split_at(values.byte_offset());
        self.0 = rest;
        Ok((value, text.trim_start()))
    }
}

pub(super) fn damaged() -> Error {
    Error::new(Kind::Integrity, "cannot read `_extra`: not an object from JSON pointers to values")
}
