//! Lines that are not yet a whole statement.

use super::split::{End, Unit, units};

#[derive(Default)]
pub(super) struct Pending {
    text: String,
}

impl Pending {
    /// Returns the lines so far, each with its end.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    /// Adds a line; returns the text that can be run now.
    ///
    /// A backslash command in the middle of a statement (`\x`, `\q`) is run at once and the statement is kept.
    pub(super) fn push(&mut self, line: &str) -> Option<String> {
        let begun = self.text.len();
        self.text.push_str(line);
        self.text.push('\n');
        let is_interruption = begun > 0
            && line.trim_start().starts_with('\\')
            && units(&self.text).any(|unit| matches!(unit, Unit::Statement(_, End::Command)));
        if is_interruption {
            self.text.truncate(begun);
            return Some(line.to_owned());
        }
        let is_open = matches!(units(&self.text).last(), Some(Unit::Statement(_, End::Open | End::Quoted)));
        if is_open { None } else { Some(std::mem::take(&mut self.text)) }
    }
}
