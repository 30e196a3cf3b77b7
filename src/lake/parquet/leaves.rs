//! The leaf columns of a row group, each with the cheapest way to write it.
//!
//! Most of a class's columns are empty in any one source; most of the others are texts that repeat. Both are written by
//! `chunk`; what is in a list, and the few of other types, by Parquet's own writer.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};

use super::levels::Levels;
use super::plain::plain_field;

/// How a leaf column is filled, with what is needed to write it.
#[derive(Debug, Clone)]
pub enum Fill {
    /// Null in every row, or in a list that is.
    Absent,
    /// Strings or dictionaries of them, not in a list.
    Texts(Vec<ArrayRef>),
    /// 64-bit integers, not in a list.
    Longs(Vec<ArrayRef>),
    /// Timestamps, not in a list.
    Times(Vec<ArrayRef>),
    /// Anything else: the column of the table that the leaf is in, pruned to this leaf, piece by piece.
    Other(Vec<(FieldRef, ArrayRef)>),
}

/// One leaf column of a row group.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Its number among the leaves.
    pub position: usize,
    /// As Parquet spells it, `policies.list.element.name`.
    pub parquet_path: String,
    /// As SQL spells it, `policies.name`.
    pub path: String,
    /// The levels of the struct around it, or around the list that it is in.
    pub parent: Arc<Levels>,
    pub fill: Fill,
}

/// The leaf columns of some batches of one class, in Parquet's order.
pub fn leaves(batches: &[RecordBatch]) -> Vec<Leaf> {
    let mut walk = Walk { leaves: Vec::new(), around: Vec::new() };
    let Some(first) = batches.first() else { return walk.leaves };
    let rows = Arc::new(Levels::of_rows(batches.iter().map(RecordBatch::num_rows).sum()));
    for (position, field) in first.schema().fields().iter().enumerate() {
        let arrays: Vec<ArrayRef> = batches.iter().map(|batch| batch.column(position).clone()).collect();
        walk.column(field.name(), field.name(), field, &arrays, &rows);
    }
    walk.leaves
}

struct Walk {
    leaves: Vec<Leaf>,
    /// The structs around the column at hand: field and pieces.
    around: Vec<(FieldRef, Vec<ArrayRef>)>,
}

impl Walk {
    fn column(&mut self, parquet_path: &str, path: &str, field: &FieldRef, arrays: &[ArrayRef], parent: &Arc<Levels>) {
        let is_absent = arrays.iter().all(|array| array.null_count() == array.len());
        match field.data_type() {
            DataType::Struct(members) => {
                let levels = Arc::new(parent.below(arrays));
                self.around.push((Arc::clone(field), arrays.to_vec()));
                for (position, member) in members.iter().enumerate() {
                    let member_of = |array: &ArrayRef| array.as_struct().column(position).clone();
                    let pieces: Vec<ArrayRef> = arrays.iter().map(member_of).collect();
                    let parquet_path = format!("{parquet_path}.{}", member.name());
                    self.column(&parquet_path, &format!("{path}.{}", member.name()), member, &pieces, &levels);
                }
                self.around.pop();
            }
            DataType::List(_) => self.list(parquet_path, path, field, arrays, parent, is_absent),
            _ if is_absent => self.leaf(parquet_path, path, parent, Fill::Absent),
            DataType::Utf8 | DataType::Dictionary(..) => {
                self.leaf(parquet_path, path, parent, Fill::Texts(arrays.to_vec()));
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.leaf(parquet_path, path, parent, Fill::Times(arrays.to_vec()));
            }
            DataType::Int64 => self.leaf(parquet_path, path, parent, Fill::Longs(arrays.to_vec())),
            _ => {
                let fill = Fill::Other(self.pruned(field, arrays));
                self.leaf(parquet_path, path, parent, fill);
            }
        }
    }

    /// All leaves of a list; each is given the list pruned to it.
    fn list(
        &mut self,
        parquet_path: &str,
        path: &str,
        field: &FieldRef,
        arrays: &[ArrayRef],
        parent: &Arc<Levels>,
        is_absent: bool,
    ) {
        for route in routes(field) {
            let names: String = route.names.iter().map(|name| format!(".{name}")).collect();
            let parquet_path = format!("{parquet_path}{names}");
            // SQL does not name the wrappers of elements.
            let shown: String = route
                .names
                .iter()
                .zip(&route.is_shown)
                .filter(|(_, is_shown)| **is_shown)
                .map(|(name, _)| format!(".{name}"))
                .collect();
            let path = format!("{path}{shown}");
            let fill = if is_absent {
                Fill::Absent
            } else {
                let pieces: Vec<ArrayRef> = arrays.iter().map(|array| cut(array, &route.members)).collect();
                let field = Arc::new(field.as_ref().clone().with_data_type(pieces[0].data_type().clone()));
                Fill::Other(self.pruned(&field, &pieces))
            };
            self.leaf(&parquet_path, &path, parent, fill);
        }
    }

    fn leaf(&mut self, parquet_path: &str, path: &str, parent: &Arc<Levels>, fill: Fill) {
        self.leaves.push(Leaf {
            position: self.leaves.len(),
            parquet_path: parquet_path.to_string(),
            path: path.to_string(),
            parent: Arc::clone(parent),
            fill,
        });
    }

    /// The column with nothing in its structs but this one, piece by piece.
    fn pruned(&self, field: &FieldRef, arrays: &[ArrayRef]) -> Vec<(FieldRef, ArrayRef)> {
        let wrap = |(piece, array): (usize, &ArrayRef)| {
            let mut pruned = (plain_field(field), array.clone());
            for (field, arrays) in self.around.iter().rev() {
                let members = Fields::from(vec![pruned.0]);
                let nulls = arrays[piece].nulls().cloned();
                let wrapped = StructArray::new(members.clone(), vec![pruned.1], nulls);
                let field = field.as_ref().clone().with_data_type(DataType::Struct(members));
                pruned = (Arc::new(field), Arc::new(wrapped));
            }
            pruned
        };
        arrays.iter().enumerate().map(wrap).collect()
    }
}

/// The way from a list to one of its leaves.
#[derive(Default, Clone)]
struct Route {
    names: Vec<String>,
    is_shown: Vec<bool>,
    /// The member to take, of each struct on the way.
    members: Vec<usize>,
}

/// The ways to all leaves of a column, in Parquet's order.
fn routes(field: &FieldRef) -> Vec<Route> {
    match field.data_type() {
        DataType::List(item) => {
            let mut routes = routes(item);
            for route in &mut routes {
                route.names.splice(0..0, ["list".to_string(), item.name().clone()]);
                route.is_shown.splice(0..0, [false, false]);
            }
            routes
        }
        DataType::Struct(members) => {
            let mut all = Vec::new();
            for (position, member) in members.iter().enumerate() {
                for mut route in routes(member) {
                    route.names.insert(0, member.name().clone());
                    route.is_shown.insert(0, true);
                    route.members.insert(0, position);
                    all.push(route);
                }
            }
            all
        }
        _ => vec![Route::default()],
    }
}

/// The array with one member left of each struct on the way that `members` tells.
fn cut(array: &ArrayRef, members: &[usize]) -> ArrayRef {
    match (array.data_type(), members) {
        (DataType::List(item), _) => {
            let list: &ListArray = array.as_list();
            let values = cut(list.values(), members);
            let item: Field = item.as_ref().clone().with_data_type(values.data_type().clone());
            Arc::new(ListArray::new(Arc::new(item), list.offsets().clone(), values, list.nulls().cloned()))
        }
        (DataType::Struct(fields), [member, rest @ ..]) => {
            let array = array.as_struct();
            let inner = cut(array.column(*member), rest);
            let field = fields[*member].as_ref().clone().with_data_type(inner.data_type().clone());
            Arc::new(StructArray::new(Fields::from(vec![field]), vec![inner], array.nulls().cloned()))
        }
        _ => Arc::clone(array),
    }
}
