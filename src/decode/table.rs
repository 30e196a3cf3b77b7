//! The rows of one class that wait for the next flush.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Fields, Schema};
use simd_json::Node;

use super::columns::{Absent, Column, ObjectColumn, Values, as_built};
use super::decoder::RowOrigin;
use super::drift::Drift;
use super::extra::{Extras, Path};
use super::item::{Item, Piece, Roles};
use super::number::Floats;
use super::place::Placing;
use super::reject::Reject;
use super::route::contradicts;
use super::scan::Scan;
use super::time::{Doubt, Times};
use super::walk::Walk;
use crate::schema::{EventBatch, EventClass, Kind, OWN_COLUMNS, Ocsf};

pub(super) struct Table {
    class: Arc<EventClass>,
    /// None: its lines go the long way.
    roles: Option<Roles>,
    root: ObjectColumn,
    event_uid: Column,
    /// Sixteen bytes a row.
    digests: Vec<u8>,
    extra: Column,
    origins: Vec<(u64, u64)>,
    /// Bytes of the lines and of `_extra`, which no column can exceed, and of the slots of rows and elements.
    bytes: usize,
    row_bytes: usize,
}

/// The bytes of a null in a leaf, roughly: an offset or a value, and a bit.
const SLOT_BYTES: usize = 5;

/// The bytes of a list's element beside its text: slots in the leaves of a small struct.
const ELEMENT_BYTES: usize = 64;

/// Buffers that are kept from line to line, for their allocations only.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) items: Vec<Item>,
    /// Keys without a column, of the objects that are open right now: of a line that is scanned, and of a tape.
    pub(super) pieces: Vec<Piece>,
    pub(super) keys: Vec<usize>,
    /// The text to which items belong when their line came the long way.
    pub(super) whole: String,
    /// For texts that are not stored as they are.
    pub(super) text: String,
    /// Counts the typed objects of all lines.
    pub(super) visits: u64,
    extras: Extras,
}

/// The result of scanning a line.
pub(super) struct Scanned<'l> {
    pub(super) doubt: Doubt,
    pub(super) event_uid: Option<&'l str>,
}

impl Table {
    pub(super) fn new(class: Arc<EventClass>, is_coded: bool) -> Self {
        let fields = class.arrow.fields();
        let typed = fields.len() - OWN_COLUMNS.len();
        let ours = |index: usize, kind: Kind| Column::new(&kind, &fields[typed + index], false);
        Table {
            roles: Roles::of(&class),
            root: ObjectColumn::new(
                Arc::clone(&class.root),
                fields.iter().take(typed).cloned().collect::<Fields>(),
                is_coded,
            ),
            event_uid: ours(0, Kind::Text),
            digests: Vec::new(),
            extra: ours(4, Kind::Text),
            origins: Vec::new(),
            bytes: 0,
            row_bytes: SLOT_BYTES * fields.iter().map(|field| leaves(field.data_type())).sum::<usize>(),
            class,
        }
    }

    /// Reads a parsed line into `scratch`; no column is touched.
    pub(super) fn walk(
        &mut self,
        nodes: &[Node<'_>],
        floats: &Floats<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Reject> {
        Walk::new(nodes, floats, scratch).object(0, &mut self.root)
    }

    /// Reads a line the fast way into `scratch`; none when it has to go the long way. No column is touched.
    pub(super) fn scan<'l>(
        &mut self,
        line: &'l str,
        ocsf: &Ocsf,
        times: Times,
        scratch: &mut Scratch,
    ) -> Option<Scanned<'l>> {
        let mut scan = Scan::new(line, self.roles?, scratch);
        scan.line(&mut self.root)?;
        let said = scan.said;
        let name = said.class_name.map(|name| name.of(line));
        // Another class, another era, no time: the long way knows what to do.
        if said.class_uid != self.class.uid || ocsf.by_uid(said.class_uid?).is_none() {
            return None;
        }
        if contradicts(&self.class, name, said.category_uid) {
            return None;
        }
        let uids = [said.metadata_uid, said.id].into_iter().flatten();
        Some(Scanned {
            doubt: times.judge(said.time? / 1000).ok()?,
            event_uid: uids.map(|uid| uid.of(line).trim()).find(|uid| !uid.is_empty()),
        })
    }

    /// Adds the row that was scanned last from `line`, or that was walked last.
    pub(super) fn place(
        &mut self,
        line: Option<&str>,
        bytes: usize,
        event_uid: Option<&str>,
        origin: RowOrigin,
        scratch: &mut Scratch,
    ) {
        let row = self.origins.len();
        let Scratch { items, extras, text, whole, .. } = scratch;
        extras.clear();
        let line = line.unwrap_or(whole);
        Placing { line, items: items.iter(), extras, text }.object(&mut self.root, row, &Path::Root);
        let elements = items.iter().map(|item| if let Item::Array(length) = item { *length as usize } else { 0 });
        self.finish_row(event_uid, bytes, elements.sum(), origin, extras);
    }

    /// Fills in our own columns, and counts the row.
    fn finish_row(
        &mut self,
        event_uid: Option<&str>,
        bytes: usize,
        elements: usize,
        origin: RowOrigin,
        extras: &mut Extras,
    ) {
        let row = self.origins.len();
        self.bytes += bytes + self.row_bytes + ELEMENT_BYTES * elements;
        if let Some(uid) = event_uid {
            put_text(&mut self.event_uid, row, uid);
        }
        if let Some(extra) = extras.finish() {
            self.bytes += extra.len();
            put_text(&mut self.extra, row, extra);
        }
        self.digests.extend(origin.digest.to_be_bytes());
        self.origins.push((origin.number, origin.offset));
    }

    /// Hands out the rows, if there are any.
    pub(super) fn finish(&mut self) -> Option<EventBatch> {
        let origins = std::mem::take(&mut self.origins);
        let rows = origins.len();
        if rows == 0 {
            return None;
        }
        self.bytes = 0;
        let mut absent = Absent::new(rows);
        let mut columns: Vec<ArrayRef> = self.root.finish_members(rows, &mut absent);
        columns.push(self.event_uid.finish(rows, &mut absent));
        columns.push(absent.of(&DataType::Int64));
        columns.push(absent.of(&DataType::Utf8));
        columns.push(sixteens(std::mem::take(&mut self.digests), rows));
        columns.push(self.extra.finish(rows, &mut absent));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let fields = as_built(self.class.arrow.fields(), &columns);
        let schema = if fields.as_ptr() == self.class.arrow.fields().as_ptr() {
            Arc::clone(&self.class.arrow)
        } else {
            Arc::new(Schema::new_with_metadata(fields, self.class.arrow.metadata().clone()))
        };
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)
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

/// A column of binary values of sixteen bytes each.
fn sixteens(bytes: Vec<u8>, rows: usize) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(16, rows));
    Arc::new(BinaryArray::new(offsets, Buffer::from_vec(bytes), None))
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
