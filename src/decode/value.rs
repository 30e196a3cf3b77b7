//! A checked line goes into the columns of its class. Nothing here can fail.
//!
//! What no column can hold goes to `_extra`: unknown attributes, values of the wrong JSON type, numbers that would
//! change. Explicit nulls of typed objects are dropped; null elements of lists stay, because positions count.

use simd_json::{Node, StaticNode};

use super::check::is_null;
use super::columns::{Column, ObjectColumn, UNKNOWN, Values};
use super::extra::{Extras, Path};
use super::json::{key, span, write_value};
use super::number::Floats;

pub(super) struct Fill<'a, 't> {
    pub(super) nodes: &'a [Node<'t>],
    pub(super) floats: &'a Floats<'a>,
    /// What `check` resolved, in the order of this walk.
    pub(super) attributes: std::slice::Iter<'a, u16>,
    /// Of the line's `MAX_ELEMENTS`.
    pub(super) elements_left: usize,
    pub(super) extras: &'a mut Extras,
    /// For the text of cut values.
    pub(super) text: &'a mut String,
}

impl Fill<'_, '_> {
    /// Puts the members of the object at `at` into row `row` of `column`'s members.
    pub(super) fn object(&mut self, at: usize, column: &mut ObjectColumn, row: usize, path: &Path<'_>) {
        let Node::Object { len, .. } = self.nodes[at] else { return };
        let mut next = at + 1;
        for _ in 0..len {
            let (name, value) = (key(self.nodes, next), next + 1);
            next = value + span(self.nodes, value);
            let attribute = self.attributes.next().copied().unwrap_or(UNKNOWN);
            if is_null(self.nodes, value) {
                continue;
            }
            let path = Path::Member(path, name);
            if attribute == UNKNOWN {
                column.unknown += 1;
                self.extras.put(&path, self.nodes, value, self.floats);
            } else {
                self.value(value, &mut column.members[usize::from(attribute)], row, &path);
            }
        }
    }

    #[inline]
    fn value(&mut self, at: usize, column: &mut Column, row: usize, path: &Path<'_>) {
        let missing = row - column.rows;
        // Taking the padding into each arm keeps values that do not fit from touching the column.
        macro_rules! append {
            ($builder:expr, $value:expr) => {{
                if missing > 0 {
                    $builder.append_nulls(missing);
                }
                $builder.append_value($value);
            }};
        }
        match (&mut column.values, self.nodes[at]) {
            (Values::Text(builder), Node::String(text)) => append!(builder, text),
            (Values::Boolean(builder), Node::Static(StaticNode::Bool(value))) => append!(builder, value),
            (Values::Json(builder), _) => {
                self.text.clear();
                write_value(self.nodes, at, self.floats, self.text);
                append!(builder, self.text.as_str());
            }
            (Values::Object(object), Node::Object { .. }) => {
                if missing > 0 {
                    object.nulls.append_n_nulls(missing);
                }
                object.nulls.append_non_null();
                self.object(at, object, row, path);
            }
            (Values::List(list), Node::Array { len, .. }) if len <= self.elements_left => {
                self.elements_left -= len;
                list.append_nulls(missing);
                let mut next = at + 1;
                for index in 0..len {
                    let element = list.elements;
                    list.elements += 1;
                    if !is_null(self.nodes, next) {
                        self.value(next, &mut list.element, element, &Path::Element(path, index));
                    }
                    next += span(self.nodes, next);
                }
                list.append();
            }
            (values, node) => {
                let number = match node {
                    Node::Static(number) => Number::of(values, at, number, self.floats),
                    _ => None,
                };
                match (values, number) {
                    (Values::Long(builder), Some(Number::Integer(value))) => append!(builder, value),
                    (Values::Time(builder), Some(Number::Integer(value))) => append!(builder, value),
                    (Values::Double(builder), Some(Number::Double(value))) => append!(builder, value),
                    _ => {
                        column.misfits += 1;
                        self.extras.put(path, self.nodes, at, self.floats);
                        return;
                    }
                }
            }
        }
        column.rows = row + 1;
    }
}

/// A number in the form its column stores.
enum Number {
    Integer(i64),
    Double(f64),
}

impl Number {
    /// None when the column holds no numbers, or not this one unchanged.
    #[inline]
    fn of(values: &Values, at: usize, node: StaticNode, floats: &Floats<'_>) -> Option<Self> {
        match values {
            Values::Long(_) => floats.integer(at, node).map(Number::Integer),
            // Milliseconds come in, microseconds are stored.
            Values::Time(_) => floats.integer(at, node).and_then(|ms| ms.checked_mul(1000)).map(Number::Integer),
            Values::Double(_) => floats.double(at, node).map(Number::Double),
            _ => None,
        }
    }
}
