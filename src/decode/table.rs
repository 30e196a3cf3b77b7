//! The rows of one class that wait for the next flush.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Fields};

use super::check::{Check, MAX_ELEMENTS, Plan};
use super::columns::{Column, ObjectColumn, Values};
use super::decoder::RowOrigin;
use super::drift::Drift;
use super::extra::{Extras, Path};
use super::number::Floats;
use super::reject::Reject;
use super::value::Fill;
use crate::schema::{EventBatch, EventClass, Kind, OWN_COLUMNS};

pub(super) struct Table {
    class: Arc<EventClass>,
    root: ObjectColumn,
    event_uid: Column,
    digest: Column,
    extra: Column,
    origins: Vec<(u64, u64)>,
    /// Bytes of the lines and of `_extra`, which no column can exceed, and of the slots of rows and elements.
    bytes: usize,
    row_bytes: usize,
}

/// What a null costs in a leaf, roughly: an offset or a value, and a bit.
const SLOT_BYTES: usize = 5;

/// What an element of a list costs beside its text: slots in the leaves of a small struct.
const ELEMENT_BYTES: usize = 64;

/// What is kept from line to line, for its allocations only.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) plan: Plan,
    extras: Extras,
    text: String,
}

/// A line that was parsed and routed.
pub(super) struct Parsed<'a, 't> {
    pub(super) nodes: &'a [simd_json::Node<'t>],
    pub(super) floats: &'a Floats<'a>,
    pub(super) event_uid: Option<&'a str>,
    pub(super) bytes: usize,
}

impl Table {
    pub(super) fn new(class: Arc<EventClass>) -> Self {
        let fields = class.arrow.fields();
        let typed = fields.len() - OWN_COLUMNS.len();
        let ours = |index: usize, kind: Kind| Column::new(&kind, &fields[typed + index]);
        Table {
            root: ObjectColumn::new(Arc::clone(&class.root), fields.iter().take(typed).cloned().collect::<Fields>()),
            event_uid: ours(0, Kind::Text),
            digest: ours(3, Kind::Long),
            extra: ours(4, Kind::Text),
            origins: Vec::new(),
            bytes: 0,
            row_bytes: SLOT_BYTES * fields.iter().map(|field| leaves(field.data_type())).sum::<usize>(),
            class,
        }
    }

    /// Adds a row, or nothing at all.
    pub(super) fn push(
        &mut self,
        line: &Parsed<'_, '_>,
        origin: RowOrigin,
        scratch: &mut Scratch,
    ) -> Result<(), Reject> {
        Check::new(line.nodes, &mut scratch.plan).object(0, &mut self.root)?;

        let row = self.origins.len();
        scratch.extras.clear();
        let mut fill = Fill {
            nodes: line.nodes,
            floats: line.floats,
            attributes: scratch.plan.attributes.iter(),
            elements_left: MAX_ELEMENTS,
            extras: &mut scratch.extras,
            text: &mut scratch.text,
        };
        fill.object(0, &mut self.root, row, &Path::Root);
        self.bytes += line.bytes + self.row_bytes + ELEMENT_BYTES * (MAX_ELEMENTS - fill.elements_left);
        if let Some(uid) = line.event_uid {
            put_text(&mut self.event_uid, row, uid);
        }
        if let Some(extra) = scratch.extras.finish() {
            self.bytes += extra.len();
            put_text(&mut self.extra, row, extra);
        }
        if let Values::Long(builder) = &mut self.digest.values {
            builder.append_value(origin.digest);
            self.digest.rows = row + 1;
        }
        self.origins.push((origin.number, origin.offset));
        Ok(())
    }

    /// Hands out the rows, if there are any.
    pub(super) fn finish(&mut self) -> Option<EventBatch> {
        let origins = std::mem::take(&mut self.origins);
        let rows = origins.len();
        if rows == 0 {
            return None;
        }
        self.bytes = 0;
        let mut columns: Vec<ArrayRef> = self.root.finish_members(rows);
        columns.push(self.event_uid.finish(rows));
        columns.push(new_null_array(&DataType::Int64, rows));
        columns.push(new_null_array(&DataType::Utf8, rows));
        columns.push(self.digest.finish(rows));
        columns.push(self.extra.finish(rows));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.class.arrow), columns, &options)
            .expect("columns are built from the fields of the class");
        Some(EventBatch { class: Arc::clone(&self.class), batch, origins })
    }

    pub(super) fn rows(&self) -> usize {
        self.origins.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn drift(&mut self, drift: &mut Drift) {
        drift.take_object(&mut self.root, &self.class.name);
    }
}

/// Leaf columns that have a slot for each row; those inside of lists do not.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(members) => members.iter().map(|member| leaves(member.data_type())).sum(),
        _ => 1,
    }
}

fn put_text(column: &mut Column, row: usize, text: &str) {
    if let Values::Text(builder) = &mut column.values {
        if row > column.rows {
            builder.append_nulls(row - column.rows);
        }
        builder.append_value(text);
        column.rows = row + 1;
    }
}
