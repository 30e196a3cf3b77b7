//! Drift: values that producers sent and the schema does not describe. They are counted, never lost.

use std::collections::BTreeMap;

use super::columns::{Column, ObjectColumn, Values};

/// Counts since drift was asked for last. Paths are the schema's own, so a producer cannot make them many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// Values that did not fit their column, by `class.path`.
    pub misfits: BTreeMap<String, u64>,
    /// Attributes without a column, by `class.path` of the object that held them.
    pub unknown: BTreeMap<String, u64>,
    /// Events whose `class_name` or `category_uid` contradict their `class_uid`.
    pub foreign_era: u64,
    /// Events whose `time` looks like seconds instead of milliseconds.
    pub suspicious_time: u64,
    /// Events whose `time` cannot be one and was to be kept anyway.
    pub odd_time: u64,
    /// Events without a uid because what is in its place is neither text nor an integer: another delivery of them
    /// cannot be recognised.
    pub unusable_uid: u64,
}

impl Drift {
    /// Takes the counts of `column` and all below it, which is at `path`.
    pub(super) fn take_object(&mut self, column: &mut ObjectColumn, path: &str) {
        count(&mut self.unknown, path, std::mem::take(&mut column.unknown));
        for (attribute, member) in column.object.attributes.iter().zip(&mut column.members) {
            self.take(member, &format!("{path}.{}", attribute.name));
        }
    }

    fn take(&mut self, column: &mut Column, path: &str) {
        count(&mut self.misfits, path, std::mem::take(&mut column.misfits));
        match &mut column.values {
            Values::Object(object) => self.take_object(object, path),
            Values::List(list) => self.take(&mut list.element, path),
            _ => {}
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, path: &str, more: u64) {
    if more > 0 {
        *counts.entry(path.to_owned()).or_default() += more;
    }
}
