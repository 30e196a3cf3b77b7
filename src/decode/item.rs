//! The items of a line, and the facts that it states about itself.
//!
//! `scan` and `walk` put these down, `place` picks them up; texts stay where they are.

use crate::schema::{EventClass, Kind, Object};

/// A range of the line, or of the text that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Piece {
    pub(super) fn of<'l>(&self, line: &'l str) -> &'l str {
        &line[self.start as usize..self.end as usize]
    }
}

/// The next item of a line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// The next value belongs to this attribute.
    Member(u16),
    /// The next value, JSON text, belongs to an attribute of this name, which has no column.
    Unknown(Piece),
    /// Ends an object.
    End,
    Null,
    Text(Piece),
    Escaped(Piece),
    /// In the unit of its column.
    Long(i64),
    Double(f64),
    Boolean(bool),
    /// JSON text, compact.
    Json(Piece),
    /// JSON text with blanks between its tokens.
    Loose(Piece),
    /// The next value, JSON text, does not fit its column.
    Misfit,
    Object,
    Array(u32),
}

/// Where the attributes of a class are that say what a line is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Roles {
    pub(super) class_uid: u16,
    pub(super) class_name: u16,
    pub(super) category_uid: u16,
    pub(super) time: u16,
    pub(super) id: u16,
    pub(super) metadata: u16,
    pub(super) metadata_uid: u16,
}

impl Roles {
    /// None for a class whose lines always go the long way.
    pub(super) fn of(class: &EventClass) -> Option<Roles> {
        class.uid?;
        let place = |object: &Object, name: &str| object.index_of(name).and_then(|at| u16::try_from(at).ok());
        let root = &class.root;
        let metadata = place(root, "metadata")?;
        let Kind::Object(inner) = &root.attributes[usize::from(metadata)].kind else { return None };
        Some(Roles {
            class_uid: place(root, "class_uid")?,
            class_name: place(root, "class_name")?,
            category_uid: place(root, "category_uid")?,
            time: place(root, "time")?,
            id: place(root, "id")?,
            metadata_uid: place(inner, "uid")?,
            metadata,
        })
    }
}

/// The facts that a line states about itself, as far as it does.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) class_uid: Option<i64>,
    pub(super) class_name: Option<Piece>,
    pub(super) category_uid: Option<i64>,
    /// Microseconds.
    pub(super) time: Option<i64>,
    pub(super) id: Option<Piece>,
    pub(super) metadata_uid: Option<Piece>,
}

/// The class that a line most likely is of: whatever follows the first `"class_uid"` in it.
pub(super) fn guess(line: &[u8], finder: &memchr::memmem::Finder<'_>) -> Option<i64> {
    let rest = &line[finder.find(line)? + finder.needle().len()..];
    let mut value = 0;
    let mut digits = 0;
    for byte in rest {
        match byte {
            b' ' | b':' if digits == 0 => {}
            b'0'..=b'9' if digits < 9 => {
                value = value * 10 + i64::from(byte - b'0');
                digits += 1;
            }
            _ => break,
        }
    }
    (digits > 0).then_some(value)
}
