//! The items of a line go into the columns of its class. Nothing here can fail.
//!
//! What no column can hold goes to `_extra`: unknown attributes, values of the wrong JSON type, numbers that would
//! change. Explicit nulls of typed objects are not items; null elements of lists are, because positions count.

use super::columns::{Column, ObjectColumn, Values};
use super::extra::{Extras, Path};
use super::item::{Item, Piece};
use super::token;

pub(super) struct Placing<'a> {
    /// The line to which the pieces belong.
    pub(super) line: &'a str,
    pub(super) items: std::slice::Iter<'a, Item>,
    pub(super) extras: &'a mut Extras,
    /// For texts that are not in the line as they are stored.
    pub(super) text: &'a mut String,
}

impl<'a> Placing<'a> {
    /// Puts the members of the object that was begun into row `row` of `column`'s members.
    pub(super) fn object(&mut self, column: &mut ObjectColumn, row: usize, path: &Path<'_>) {
        loop {
            match self.next() {
                Item::Member(attribute) => {
                    let attribute = usize::from(attribute);
                    let path = Path::Attribute(path, &column.object, attribute);
                    self.value(&mut column.members[attribute], row, &path);
                }
                Item::Unknown(name) => {
                    column.unknown += 1;
                    self.extra(&Path::Member(path, name.of(self.line)));
                }
                _ => return,
            }
        }
    }

    /// The end of an object is the answer when the items are used up, so that a walk always ends.
    #[inline]
    fn next(&mut self) -> Item {
        self.items.next().copied().unwrap_or(Item::End)
    }

    #[inline]
    fn value(&mut self, column: &mut Column, row: usize, path: &Path<'_>) {
        let missing = row - column.rows;
        macro_rules! append {
            ($builder:expr, $value:expr) => {{
                if missing > 0 {
                    $builder.append_nulls(missing);
                }
                $builder.append_value($value);
            }};
        }
        match (&mut column.values, self.next()) {
            (Values::Text(builder), Item::Text(piece)) => append!(builder, piece.of(self.line)),
            (Values::Text(builder), Item::Escaped(piece)) => append!(builder, self.unescaped(piece)),
            (Values::Long(builder), Item::Long(value)) => append!(builder, value),
            (Values::Time(builder), Item::Long(value)) => append!(builder, value),
            (Values::Double(builder), Item::Double(value)) => append!(builder, value),
            (Values::Boolean(builder), Item::Boolean(value)) => append!(builder, value),
            (Values::Json(builder), Item::Json(piece)) => append!(builder, piece.of(self.line)),
            (Values::Json(builder), Item::Loose(piece)) => append!(builder, self.compact(piece)),
            (Values::Object(object), Item::Object) => {
                if missing > 0 {
                    object.nulls.append_n_nulls(missing);
                }
                object.nulls.append_non_null();
                self.object(object, row, path);
            }
            (Values::List(list), Item::Array(length)) => {
                list.append_nulls(missing);
                for index in 0..length as usize {
                    let element = list.elements;
                    list.elements += 1;
                    if self.items.as_slice().first().is_some_and(|item| matches!(item, Item::Null)) {
                        self.items.next();
                    } else {
                        self.value(&mut list.element, element, &Path::Element(path, index));
                    }
                }
                list.append();
            }
            // All that is left is `Item::Misfit`: the walk that put the items down looked at the same columns.
            _ => {
                column.misfits += 1;
                self.extra(path);
                return;
            }
        }
        column.rows = row + 1;
    }

    fn extra(&mut self, path: &Path<'_>) {
        match self.next() {
            Item::Loose(piece) => {
                self.compact(piece);
                self.extras.put(path, self.text);
            }
            Item::Json(piece) => self.extras.put(path, piece.of(self.line)),
            _ => {}
        }
    }

    fn unescaped(&mut self, piece: Piece) -> &str {
        self.text.clear();
        // The walk tried it before.
        let whole = token::unescape(piece.of(self.line), self.text);
        debug_assert!(whole.is_some());
        self.text
    }

    fn compact(&mut self, piece: Piece) -> &str {
        self.text.clear();
        token::compact(piece.of(self.line), self.text);
        self.text
    }
}
