//! All that can still make a line a reject once it parsed: an object that names a member twice.
//!
//! The same walk resolves the keys of typed objects. It leaves their attribute numbers behind in the order in which
//! `value` will come by, so that keys are compared once.

use std::collections::HashSet;

use simd_json::{Node, StaticNode};

use super::columns::{Column, ObjectColumn, UNKNOWN, Values};
use super::json::{key, span};
use super::reject::{DUPLICATE_KEY, Reject};

/// Up to here comparing all keys of an object with each other is faster than hashing them.
const FEW_KEYS: usize = 16;

/// Elements of typed lists that one line may bring; a list beyond that goes to `_extra` as a whole. Every element
/// costs a slot in each leaf of its struct: `[{},{},...]` takes fifty times its own size, and no event has so many.
pub(super) const MAX_ELEMENTS: usize = 1 << 16;

/// What a check leaves behind, and what it needs meanwhile; kept from line to line for its allocations.
#[derive(Default)]
pub(super) struct Plan {
    /// For each member of each typed object on the way: its attribute, or `UNKNOWN`.
    pub(super) attributes: Vec<u16>,
    /// Places of keys without a column, of the objects that are open right now.
    keys: Vec<usize>,
    /// Counts the typed objects of all lines.
    pub(super) visits: u64,
}

pub(super) struct Check<'a, 't> {
    nodes: &'a [Node<'t>],
    plan: &'a mut Plan,
    elements_left: usize,
}

impl<'a, 't> Check<'a, 't> {
    pub(super) fn new(nodes: &'a [Node<'t>], plan: &'a mut Plan) -> Self {
        plan.attributes.clear();
        plan.keys.clear();
        Check { nodes, plan, elements_left: MAX_ELEMENTS }
    }

    /// Checks the object at `at`, which `column` will take in.
    pub(super) fn object(&mut self, at: usize, column: &mut ObjectColumn) -> Result<(), Reject> {
        let Node::Object { len, .. } = self.nodes[at] else { return Ok(()) };
        self.plan.visits += 1;
        let visit = self.plan.visits;
        let open = self.plan.keys.len();
        let (mut next, mut previous) = (at + 1, 0);
        for _ in 0..len {
            let (name, value) = (key(self.nodes, next), next + 1);
            let attribute = column.order.find(&column.object, name, previous);
            self.plan.attributes.push(attribute);
            if attribute == UNKNOWN {
                self.plan.keys.push(next);
                self.untyped(value)?;
            } else {
                if !column.order.mark(attribute, visit) {
                    return Err(duplicate());
                }
                previous = usize::from(attribute) + 1;
                self.value(value, &mut column.members[usize::from(attribute)])?;
            }
            next = value + span(self.nodes, value);
        }
        self.close(open)
    }

    #[inline]
    fn value(&mut self, at: usize, column: &mut Column) -> Result<(), Reject> {
        match (self.nodes[at], &mut column.values) {
            (Node::String(_) | Node::Static(_), _) => Ok(()),
            (Node::Object { .. }, Values::Object(object)) => self.object(at, object),
            // `value` decides the same, list by list.
            (Node::Array { len, .. }, Values::List(list)) if len <= self.elements_left => {
                self.elements_left -= len;
                let mut next = at + 1;
                for _ in 0..len {
                    self.value(next, &mut list.element)?;
                    next += span(self.nodes, next);
                }
                Ok(())
            }
            _ => self.untyped(at).map(|_| ()),
        }
    }

    /// Checks a value that no column describes; returns the place of the next one.
    fn untyped(&mut self, at: usize) -> Result<usize, Reject> {
        let mut next = at + 1;
        match self.nodes[at] {
            Node::String(_) | Node::Static(_) => {}
            Node::Array { len, .. } => {
                for _ in 0..len {
                    next = self.untyped(next)?;
                }
            }
            Node::Object { len, .. } => {
                let open = self.plan.keys.len();
                for _ in 0..len {
                    self.plan.keys.push(next);
                    next = self.untyped(next + 1)?;
                }
                self.close(open)?;
            }
        }
        Ok(next)
    }

    /// Ends an object: its keys are those from `open` on, since objects inside have taken theirs back.
    #[inline]
    fn close(&mut self, open: usize) -> Result<(), Reject> {
        let keys = &self.plan.keys[open..];
        if keys.len() > 1 && has_twins(self.nodes, keys) {
            return Err(duplicate());
        }
        self.plan.keys.truncate(open);
        Ok(())
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

/// Whether the value at `at` is an explicit null.
#[inline]
pub(super) fn is_null(nodes: &[Node<'_>], at: usize) -> bool {
    matches!(nodes[at], Node::Static(StaticNode::Null))
}
