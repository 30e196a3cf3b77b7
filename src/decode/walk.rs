//! The long way from a parsed line to items: the same that `scan` puts down, for the same columns.
//!
//! Here alone a line that parsed can still become a reject: when an object names a member twice. Nothing is in any column
//! by then. The pieces of these items are of a text that is put together here, since the parser has unescaped the
//! line's own.

use std::collections::HashSet;

use simd_json::{Node, StaticNode};

use super::columns::{Column, ObjectColumn, UNKNOWN, Values};
use super::item::{Item, Piece};
use super::json::{key, span, write_value};
use super::number::Floats;
use super::reject::{DUPLICATE_KEY, Reject};
use super::table::Scratch;

/// Up to here comparing all keys of an object with each other is faster than hashing them.
const FEW_KEYS: usize = 16;

/// Elements of typed lists that one line may bring; a list beyond that goes to `_extra` as a whole. Every element
/// costs a slot in each leaf of its struct: `[{},{},...]` takes fifty times its own size, and no event has so many.
pub(super) const MAX_ELEMENTS: usize = 1 << 16;

pub(super) struct Walk<'a, 't> {
    nodes: &'a [Node<'t>],
    floats: &'a Floats<'a>,
    items: &'a mut Vec<Item>,
    /// The text of the items' pieces.
    text: &'a mut String,
    /// Places of keys without a column, of the objects that are open right now.
    keys: &'a mut Vec<usize>,
    /// Counts the typed objects of all lines, together with `scan`.
    visits: &'a mut u64,
    elements_left: usize,
}

impl<'a, 't> Walk<'a, 't> {
    pub(super) fn new(nodes: &'a [Node<'t>], floats: &'a Floats<'a>, scratch: &'a mut Scratch) -> Self {
        let Scratch { items, whole, keys, visits, .. } = scratch;
        items.clear();
        whole.clear();
        keys.clear();
        Walk { nodes, floats, items, text: whole, keys, visits, elements_left: MAX_ELEMENTS }
    }

    /// Reads the object at `at`, which `column` will take in.
    pub(super) fn object(&mut self, at: usize, column: &mut ObjectColumn) -> Result<(), Reject> {
        let Node::Object { len, .. } = self.nodes[at] else { return Ok(()) };
        *self.visits += 1;
        let visit = *self.visits;
        let open = self.keys.len();
        let (mut next, mut previous) = (at + 1, 0);
        for _ in 0..len {
            let (name, value) = (key(self.nodes, next), next + 1);
            // An explicit null counts as absent.
            let is_null = self.is_null(value);
            let attribute = column.order.find(&column.object, name, previous);
            if attribute == UNKNOWN {
                self.keys.push(next);
                if !is_null {
                    let name = self.piece(name);
                    self.items.push(Item::Unknown(name));
                    self.json(value)?;
                }
            } else {
                if !column.order.mark(attribute, visit) {
                    return Err(duplicate());
                }
                previous = usize::from(attribute) + 1;
                if !is_null {
                    self.items.push(Item::Member(attribute));
                    self.value(value, &mut column.members[usize::from(attribute)])?;
                }
            }
            next = value + span(self.nodes, value);
        }
        self.close(open)?;
        self.items.push(Item::End);
        Ok(())
    }

    #[inline]
    fn value(&mut self, at: usize, column: &mut Column) -> Result<(), Reject> {
        match (&mut column.values, self.nodes[at]) {
            (Values::Object(object), Node::Object { .. }) => {
                self.items.push(Item::Object);
                return self.object(at, object);
            }
            (Values::List(list), Node::Array { len, .. }) if len <= self.elements_left => {
                self.elements_left -= len;
                self.items.push(Item::Array(len as u32));
                let mut next = at + 1;
                for _ in 0..len {
                    // Positions count.
                    if self.is_null(next) {
                        self.items.push(Item::Null);
                    } else {
                        self.value(next, &mut list.element)?;
                    }
                    next += span(self.nodes, next);
                }
                return Ok(());
            }
            (Values::Json(_), _) => return self.json(at),
            (Values::Text(_), Node::String(text)) => {
                let piece = self.piece(text);
                self.items.push(Item::Text(piece));
                return Ok(());
            }
            (values, Node::Static(scalar)) => {
                if let Some(item) = self.scalar(values, at, scalar) {
                    self.items.push(item);
                    return Ok(());
                }
            }
            _ => {}
        }
        self.items.push(Item::Misfit);
        self.json(at)
    }

    /// A boolean or number as its column stores it; none when the column holds no such values, or not this one unchanged.
    #[inline]
    fn scalar(&self, values: &Values, at: usize, scalar: StaticNode) -> Option<Item> {
        match values {
            Values::Boolean(_) => {
                if let StaticNode::Bool(value) = scalar {
                    Some(Item::Boolean(value))
                } else {
                    None
                }
            }
            Values::Long(_) => self.floats.integer(at, scalar).map(Item::Long),
            // Milliseconds come in, microseconds are stored.
            Values::Time(_) => self.floats.integer(at, scalar).and_then(|ms| ms.checked_mul(1000)).map(Item::Long),
            Values::Double(_) => self.floats.double(at, scalar).map(Item::Double),
            _ => None,
        }
    }

    /// Any value, to be kept as JSON text.
    fn json(&mut self, at: usize) -> Result<(), Reject> {
        self.check(at)?;
        let start = self.text.len() as u32;
        write_value(self.nodes, at, self.floats, self.text);
        self.items.push(Item::Json(Piece { start, end: self.text.len() as u32 }));
        Ok(())
    }

    fn piece(&mut self, text: &str) -> Piece {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Piece { start, end: self.text.len() as u32 }
    }

    /// Looks for twins in a value that no column describes; returns the place of the next one.
    fn check(&mut self, at: usize) -> Result<usize, Reject> {
        let mut next = at + 1;
        match self.nodes[at] {
            Node::String(_) | Node::Static(_) => {}
            Node::Array { len, .. } => {
                for _ in 0..len {
                    next = self.check(next)?;
                }
            }
            Node::Object { len, .. } => {
                let open = self.keys.len();
                for _ in 0..len {
                    self.keys.push(next);
                    next = self.check(next + 1)?;
                }
                self.close(open)?;
            }
        }
        Ok(next)
    }

    /// Ends an object: its keys are those from `open` on, since objects inside have taken theirs back.
    #[inline]
    fn close(&mut self, open: usize) -> Result<(), Reject> {
        let keys = &self.keys[open..];
        if keys.len() > 1 && has_twins(self.nodes, keys) {
            return Err(duplicate());
        }
        self.keys.truncate(open);
        Ok(())
    }

    #[inline]
    fn is_null(&self, at: usize) -> bool {
        matches!(self.nodes[at], Node::Static(StaticNode::Null))
    }
}

fn has_twins(nodes: &[Node<'_>], keys: &[usize]) -> bool {
    if keys.len() <= FEW_KEYS {
        keys.iter().enumerate().any(|(i, a)| keys[..i].iter().any(|b| key(nodes, *a) == key(nodes, *b)))
    } else {
        let mut seen = HashSet::with_capacity(keys.len());
        !keys.iter().all(|at| seen.insert(key(nodes, *at)))
    }
}

fn duplicate() -> Reject {
    Reject::new(DUPLICATE_KEY, "an object names a member twice")
}
