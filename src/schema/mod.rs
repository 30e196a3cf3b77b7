//! Turns OCSF into Arrow: event classes are data, and here they become column layouts.
//!
//! ```text
//! schemas/ocsf-1.6.0/*.json ─┐
//!                            ├─ file (form) ─ load (rules) ─> Ocsf ─> EventClass { root: Object tree, arrow: Schema }
//! --schemas DIR/*.json ──────┘
//! ```
//!
//! The code knows no class by name except `other_event`, which receives the events of classes without a file. The
//! object tree and the Arrow schema say the same thing; decoding walks the tree, everything else reads the schema.

mod arrow;
mod captions;
mod comments;
mod describe;
mod file;
mod ids;
mod load;
mod paths;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;
use std::sync::Arc;

use ::arrow::array::RecordBatch;
use ::arrow::datatypes::SchemaRef;
use hashbrown::HashMap;

use crate::error::Result;

pub use self::captions::Captions;
pub use self::comments::{COMMENT, Comments};
pub use self::describe::{FieldInfo, Storage};
pub use self::ids::FieldIds;

/// The columns that every table has after its class's own, in this order.
pub const OWN_COLUMNS: [&str; 5] = ["_event_uid", "_batch", "_source", "_digest", "_extra"];

/// Leaf columns a class may have, ours included: each costs footer bytes and time even when it is always null.
pub const MAX_LEAVES: usize = 256;

/// The table for events of a class that has no file.
const OTHER: &str = "other_event";

/// All event classes of one OCSF version.
#[derive(Debug)]
pub struct Ocsf {
    version: String,
    classes: Vec<Arc<EventClass>>,
    by_uid: HashMap<i64, usize>,
    by_name: HashMap<String, usize>,
    other: Arc<EventClass>,
}

impl Ocsf {
    /// Loads the embedded classes, and every class file of the folder `extra`.
    ///
    /// Errors with [`Kind::Usage`](crate::error::Kind::Usage), naming file and line, when one cannot be used.
    pub fn load(extra: Option<&Path>) -> Result<Ocsf> {
        load::load(extra)
    }

    /// Returns the OCSF version, "1.6.0".
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns all classes by uid; `other_event` is the last.
    pub fn classes(&self) -> &[Arc<EventClass>] {
        &self.classes
    }

    /// Returns the class with this `class_uid`; never `other_event`.
    pub fn by_uid(&self, class_uid: i64) -> Option<&Arc<EventClass>> {
        self.by_uid.get(&class_uid).map(|&at| &self.classes[at])
    }

    /// Returns the class with this table name, `other_event` included.
    pub fn by_name(&self, name: &str) -> Option<&Arc<EventClass>> {
        self.by_name.get(name).map(|&at| &self.classes[at])
    }

    /// Returns the class that receives the events of all classes without a file.
    pub fn other(&self) -> &Arc<EventClass> {
        &self.other
    }
}

/// Rows of one class, as the decoder makes them and the lake writes them.
#[derive(Debug, Clone)]
pub struct EventBatch {
    pub class: Arc<EventClass>,
    /// The rows in the schema `class.arrow`. `_batch` and `_source` are null until the lake's writer fills them.
    pub batch: RecordBatch,
    /// Line number and byte offset of each row in its source.
    pub origins: Vec<(u64, u64)>,
}

/// One OCSF event class, which is one table.
#[derive(Debug)]
pub struct EventClass {
    /// The table's name.
    pub name: String,
    /// None for `other_event`.
    pub uid: Option<i64>,
    pub caption: String,
    pub category_uid: Option<i64>,
    /// The class's attributes in column order, our own columns not included.
    pub root: Arc<Object>,
    /// A column for each attribute of `root`, then [`OWN_COLUMNS`].
    pub arrow: SchemaRef,
    /// The field ids that its Parquet files carry beside the names; empty when its class file gives none.
    pub ids: FieldIds,
    /// The meanings of its columns and their members.
    pub comments: Comments,
}

/// A JSON object with known attributes: an event, or a struct inside one.
#[derive(Debug)]
pub struct Object {
    pub name: String,
    /// The attributes in column order.
    pub attributes: Vec<Attribute>,
    index: HashMap<String, usize>,
}

impl Object {
    fn new(name: &str, attributes: Vec<Attribute>) -> Object {
        let index = attributes.iter().enumerate().map(|(at, a)| (a.name.clone(), at)).collect();
        Object { name: name.to_owned(), attributes, index }
    }

    /// Returns the index of the attribute of this name in `attributes`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }
}

/// One attribute of an object, which is one column or member of a struct.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: String,
    pub kind: Kind,
    /// A list of `kind`; never for [`Kind::Json`], whose text holds the whole array.
    pub is_list: bool,
    pub requirement: Requirement,
    /// The meanings of the ids of an enumeration.
    pub captions: Option<Arc<Captions>>,
    /// The attribute that carries the caption of this enumeration.
    pub sibling: Option<String>,
    /// The OCSF type: "timestamp_t", "object:user"; "object" is the free-form object.
    pub ocsf_type: String,
    pub is_deprecated: bool,
}

/// How the values of an attribute are stored.
#[derive(Debug, Clone)]
pub enum Kind {
    Text,
    Long,
    Double,
    Boolean,
    /// Milliseconds since the epoch in JSON, microseconds in Arrow.
    Time,
    /// The JSON text of whatever the value is: cut or free-form.
    Json,
    Object(Arc<Object>),
}

/// The requirement of OCSF; nothing here enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    Required,
    Recommended,
    Optional,
}

impl Requirement {
    pub fn as_str(self) -> &'static str {
        match self {
            Requirement::Required => "required",
            Requirement::Recommended => "recommended",
            Requirement::Optional => "optional",
        }
    }
}
