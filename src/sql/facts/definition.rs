//! Everything that decides what is in a file of facts, as a name.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use datafusion::sql::sqlparser::ast::Statement as Sql;

use crate::lake::WRITER;
use crate::schema::{EventClass, Ocsf};

/// Raised when functions that `event_row` calls answer differently, or when the files are made in another way.
const VERSION: u32 = 4;

/// Bytes of a definition's hash in names.
const BYTES: usize = 8;

/// The definition of facts by all classes.
pub struct Definition {
    view: String,
    /// By table: the class's number, and the name of its definition.
    of: HashMap<String, (Option<i64>, String)>,
}

impl Definition {
    pub fn new(view: &Sql, ocsf: &Ocsf) -> Definition {
        let view = view.to_string();
        // An attribute that a class does not have is null, of the type that other classes have it in.
        let mut all = Stable::default();
        ocsf.classes().iter().for_each(|class| class.arrow.fields().hash(&mut all));
        let common = format!("{VERSION}|{WRITER}|{}|{view}|{}", ocsf.version(), all.0.finalize().to_hex());
        let of = |class: &EventClass| {
            let mut hash = blake3::Hasher::new();
            hash.update(common.as_bytes());
            hash.update(format!("|{}|{:?}", class.name, class.uid).as_bytes());
            // The captions of activities become part of facts.
            let activity = class.root.attributes.iter().find(|attribute| attribute.name == "activity_id");
            for (id, caption) in
                activity.and_then(|activity| activity.captions.as_ref()).into_iter().flat_map(|c| c.entries())
            {
                hash.update(format!("|{id}={caption}").as_bytes());
            }
            (class.uid, hash.finalize().to_hex()[..2 * BYTES].to_string())
        };
        let of = ocsf.classes().iter().map(|class| (class.name.clone(), of(class))).collect();
        Definition { view, of }
    }

    pub fn is_of(&self, view: &Sql) -> bool {
        view.to_string() == self.view
    }

    pub fn of_table(&self, table: &str) -> Option<(Option<i64>, String)> {
        self.of.get(table).cloned()
    }

    pub fn of(&self, class: &EventClass) -> String {
        self.of.get(&class.name).map(|(_, definition)| definition.clone()).unwrap_or_default()
    }
}

/// A hash that stays the same from one build to the next.
#[derive(Default)]
struct Stable(blake3::Hasher);

impl Hasher for Stable {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let bytes = self.0.finalize();
        u64::from_le_bytes(bytes.as_bytes()[..8].try_into().expect("eight bytes of thirty-two"))
    }
}
