//! Captions: the meanings of the ids of an enumeration.

use hashbrown::HashMap;

/// The ids of one enumeration with their captions, in the order of the file.
///
/// Ids are integers except those of `http_method`, so they are kept as text and can be found by number as well.
#[derive(Debug, PartialEq, Eq)]
pub struct Captions {
    entries: Vec<(String, String)>,
    by_number: HashMap<i64, usize>,
}

impl Captions {
    pub(super) fn new(entries: Vec<(String, String)>) -> Captions {
        let by_number =
            entries.iter().enumerate().filter_map(|(at, (id, _))| id.parse().ok().map(|id| (id, at))).collect();
        Captions { entries, by_number }
    }

    /// Returns the ids, as text, and their captions.
    pub fn entries(&self) -> &[(String, String)] {
        &self.entries
    }

    pub fn get(&self, id: i64) -> Option<&str> {
        self.by_number.get(&id).map(|&at| self.entries[at].1.as_str())
    }

    /// Returns the caption of an id that is text.
    pub fn get_text(&self, id: &str) -> Option<&str> {
        self.entries.iter().find(|(known, _)| known == id).map(|(_, caption)| caption.as_str())
    }

    /// Returns the number with this caption.
    pub fn id_of(&self, caption: &str) -> Option<i64> {
        self.entries.iter().find(|(_, known)| known == caption).and_then(|(id, _)| id.parse().ok())
    }
}
