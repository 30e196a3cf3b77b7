//! Which pairs of rows differ, column by column.
//!
//! Most lines that come again differ in nothing that counts: their members are in another order, or a collector stamped
//! them anew. Whole columns tell that quickly. A pair that is found to differ here may still be the same event (a number
//! in place of a text, say); [`Content`](super::Content) has the last word on it.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::take;

use super::content::{Content, is_transport, is_transport_of_metadata};
use super::texts::Texts;
use crate::error::{Context, Kind as ErrorKind, Result};
use crate::schema::{Attribute, EventClass, Kind, Object};

/// For each pair of a row of `left` and a row of `right`, whether they differ in anything that is content. Both batches
/// are of `class`; their texts may be dictionaries.
pub fn differing(
    class: &EventClass,
    left: (&RecordBatch, &UInt32Array),
    right: (&RecordBatch, &UInt32Array),
) -> Result<Vec<bool>> {
    let mut pairs = Pairs { left: left.1, right: right.1, differ: vec![false; left.1.len()] };
    for attribute in class.root.attributes.iter().filter(|attribute| !is_transport(&attribute.name)) {
        let columns = (left.0.column_by_name(&attribute.name), right.0.column_by_name(&attribute.name));
        match (&attribute.kind, attribute.name.as_str()) {
            (Kind::Object(object), "metadata") if !attribute.is_list => {
                pairs.members(object, columns, is_transport_of_metadata)?;
            }
            _ => pairs.attribute(attribute, columns)?,
        }
    }
    let extra = |batch: &'_ RecordBatch| batch.column_by_name("_extra").cloned();
    pairs.json((extra(left.0).as_ref(), extra(right.0).as_ref()), Content::of_extra)?;
    Ok(pairs.differ)
}

/// The two columns of an attribute; one that a batch does not have is null throughout.
type Columns<'c> = (Option<&'c ArrayRef>, Option<&'c ArrayRef>);

/// Pairs of rows, or of elements, and whether they are known to differ.
struct Pairs<'p> {
    left: &'p UInt32Array,
    right: &'p UInt32Array,
    differ: Vec<bool>,
}

impl Pairs<'_> {
    /// The members of a struct. Whether the struct itself is null does not matter: one with nothing in it is as good
    /// as none, and the members of a null struct are null.
    fn members(&mut self, object: &Object, columns: Columns<'_>, is_left_out: fn(&str) -> bool) -> Result<()> {
        for attribute in object.attributes.iter().filter(|attribute| !is_left_out(&attribute.name)) {
            let member = |array: Option<&ArrayRef>| {
                array.and_then(|array| array.as_struct_opt()?.column_by_name(&attribute.name).cloned())
            };
            let (left, right) = (member(columns.0), member(columns.1));
            self.attribute(attribute, (left.as_ref(), right.as_ref()))?;
        }
        Ok(())
    }

    fn attribute(&mut self, attribute: &Attribute, columns: Columns<'_>) -> Result<()> {
        if !attribute.is_list {
            return self.value(&attribute.kind, columns);
        }
        let list = |array: Option<&ArrayRef>| array.and_then(|array| array.as_list_opt::<i32>().cloned());
        self.list(&attribute.kind, list(columns.0).as_ref(), list(columns.1).as_ref())
    }

    fn value(&mut self, kind: &Kind, columns: Columns<'_>) -> Result<()> {
        let is_filled = |array: &&ArrayRef| array.null_count() < array.len();
        let columns = (columns.0.filter(is_filled), columns.1.filter(is_filled));
        match (kind, columns) {
            (_, (None, None)) => Ok(()),
            (Kind::Object(object), _) => self.members(object, columns, |_| false),
            (Kind::Json, _) => self.json(columns, Content::of_value),
            (_, (Some(left), Some(right))) => self.values(left, right),
            (_, (Some(only), None)) => self.none_in(only, self.left),
            (_, (None, Some(only))) => self.none_in(only, self.right),
        }
    }

    fn values(&mut self, left: &ArrayRef, right: &ArrayRef) -> Result<()> {
        let failed = || "cannot compare two columns";
        let left = take(left, self.left, None).context(ErrorKind::Internal, failed)?;
        let right = take(right, self.right, None).context(ErrorKind::Internal, failed)?;
        let distinct = distinct(&left, &right).context(ErrorKind::Internal, failed)?;
        if distinct.true_count() > 0 {
            distinct.values().set_indices().for_each(|pair| self.differ[pair] = true);
        }
        Ok(())
    }

    /// One side has nothing in any row.
    fn none_in(&mut self, only: &ArrayRef, rows: &UInt32Array) -> Result<()> {
        for (pair, row) in rows.values().iter().enumerate() {
            self.differ[pair] |= only.is_valid(*row as usize);
        }
        Ok(())
    }

    /// JSON texts, which are compared as values where they are not the same text.
    fn json(&mut self, columns: Columns<'_>, content: for<'t> fn(&'t str) -> Result<Content<'t>>) -> Result<()> {
        let texts = (Texts::of(columns.0), Texts::of(columns.1));
        if matches!(texts, (Texts::Absent, Texts::Absent)) {
            return Ok(());
        }
        for (pair, (left, right)) in self.left.values().iter().zip(self.right.values()).enumerate() {
            let (left, right) = (texts.0.get(*left as usize), texts.1.get(*right as usize));
            if !self.differ[pair] && left != right {
                self.differ[pair] = content(left.unwrap_or("null"))? != content(right.unwrap_or("null"))?;
            }
        }
        Ok(())
    }

    /// Lists of the same length are compared element by element; a null list is as good as an empty one.
    fn list(&mut self, kind: &Kind, left: Option<&ListArray>, right: Option<&ListArray>) -> Result<()> {
        if left.is_none_or(|list| list.values().is_empty()) && right.is_none_or(|list| list.values().is_empty()) {
            return Ok(());
        }
        let range = |list: Option<&ListArray>, row: u32| match list {
            Some(list) if list.is_valid(row as usize) => {
                let offsets = list.value_offsets();
                offsets[row as usize] as u32..offsets[row as usize + 1] as u32
            }
            _ => 0..0,
        };
        let (mut left_elements, mut right_elements, mut owners) = (Vec::new(), Vec::new(), Vec::new());
        for (pair, (left_row, right_row)) in self.left.values().iter().zip(self.right.values()).enumerate() {
            let (left, right) = (range(left, *left_row), range(right, *right_row));
            if left.len() != right.len() {
                self.differ[pair] = true;
            } else if !self.differ[pair] {
                owners.extend(std::iter::repeat_n(pair, left.len()));
                left_elements.extend(left);
                right_elements.extend(right);
            }
        }
        let (left_elements, right_elements) = (UInt32Array::from(left_elements), UInt32Array::from(right_elements));
        let differ = vec![false; owners.len()];
        let mut elements = Pairs { left: &left_elements, right: &right_elements, differ };
        elements.value(kind, (left.map(ListArray::values), right.map(ListArray::values)))?;
        for (pair, differs) in owners.into_iter().zip(elements.differ) {
            self.differ[pair] |= differs;
        }
        Ok(())
    }
}
