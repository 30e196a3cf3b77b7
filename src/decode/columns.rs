//! Columns that are filled row by row, and pay for rows only when these have a value.
//!
//! A column knows how many rows it holds. Rows that it was not mentioned in are padded with nulls when its next value
//! comes, or at the end of the batch; a column that was never mentioned becomes an all-null array of the right type.
//! Members of a struct count in rows of the struct, elements of a list in elements: so the members of a null struct are
//! null as well, which readers rely on that forget the parent's nulls (DataFusion #25120).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListArray, NullBufferBuilder, StructArray,
    TimestampMicrosecondBuilder, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};

use super::text::TextColumn;
use crate::schema::{Kind, Object};

/// No attribute of the object has this name.
pub(super) const UNKNOWN: u16 = u16::MAX;

pub(super) struct Column {
    field: FieldRef,
    /// How many rows `values` holds; the rest up to the current row is missing, hence null.
    pub(super) rows: usize,
    pub(super) values: Values,
    /// Values that did not fit, since drift was asked for.
    pub(super) misfits: u64,
}

pub(super) enum Values {
    Text(TextColumn),
    Long(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    /// JSON text of any value.
    Json(TextColumn),
    Object(Box<ObjectColumn>),
    List(Box<ListColumn>),
}

pub(super) struct ObjectColumn {
    pub(super) object: Arc<Object>,
    arrow: Fields,
    pub(super) nulls: NullBufferBuilder,
    pub(super) members: Vec<Column>,
    pub(super) order: KeyOrder,
    /// Attributes without a column, since drift was asked for.
    pub(super) unknown: u64,
}

pub(super) struct ListColumn {
    item: FieldRef,
    pub(super) nulls: NullBufferBuilder,
    offsets: Vec<i32>,
    pub(super) element: Column,
    /// Elements so far, null ones included.
    pub(super) elements: usize,
}

/// Remembers in which order a producer writes the attributes of one object.
///
/// Per place in the tree, not per type of object: the same object is written differently in different places.
pub(super) struct KeyOrder {
    names: Vec<Name>,
    /// The attribute that followed attribute `i - 1` last time; 0 is the start of the object.
    successor: Vec<u16>,
    /// The number of the object in which the attribute was seen last, to find duplicates without clearing anything.
    seen: Vec<u64>,
}

/// An attribute's name, to be compared without a call to `memcmp`: most names have 16 bytes or fewer, and those are
/// known by their length and their ends.
struct Name {
    text: Box<str>,
    ends: (u64, u64),
}

impl Name {
    fn new(text: &str) -> Self {
        Name { text: text.into(), ends: ends(text.as_bytes()) }
    }

    #[inline]
    fn is(&self, key: &str) -> bool {
        self.text.len() == key.len() && self.is_bytes(key.as_bytes())
    }

    /// Compares with a key of the same length.
    #[inline]
    fn is_bytes(&self, key: &[u8]) -> bool {
        self.ends == ends(key) && (key.len() <= 16 || self.text.as_bytes() == key)
    }
}

/// The first and the last eight bytes, which overlap; of shorter texts four, or one.
#[inline]
pub(super) fn ends(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)));
    }
    // Three bytes or fewer: the first, and the last two.
    let first = bytes.first().copied().map_or(0, u64::from);
    let last = bytes.last_chunk().map_or(0, |last| u64::from(u16::from_le_bytes(*last)));
    (first, last)
}

impl KeyOrder {
    fn new(object: &Object) -> Self {
        let names: Vec<Name> = object.attributes.iter().map(|attribute| Name::new(&attribute.name)).collect();
        let successor = (0..=names.len()).map(|next| next.min(names.len().saturating_sub(1)) as u16).collect();
        KeyOrder { seen: vec![0; names.len()], names, successor }
    }

    /// The attribute called `key`, which came after `previous` (0 for none, else attribute + 1).
    #[inline]
    pub(super) fn find(&mut self, object: &Object, key: &str, previous: usize) -> u16 {
        let expected = self.successor[previous];
        if self.names.get(usize::from(expected)).is_some_and(|name| name.is(key)) {
            return expected;
        }
        self.look_up(object, key, previous)
    }

    /// The attribute that is expected after `previous`, if its name and a quote are at `at`; and where the quote is.
    #[inline]
    pub(super) fn predicted(&self, line: &[u8], at: usize, previous: usize) -> Option<(u16, usize)> {
        let expected = self.successor[previous];
        let name = self.names.get(usize::from(expected))?;
        let end = at + name.text.len();
        let found = line.get(at..end)?;
        (line.get(end) == Some(&b'"') && name.is_bytes(found)).then_some((expected, end))
    }

    /// The attribute called `key`, which will be expected after `previous` from now on.
    pub(super) fn look_up(&mut self, object: &Object, key: &str, previous: usize) -> u16 {
        let Some(found) = object.index_of(key).and_then(|found| u16::try_from(found).ok()) else { return UNKNOWN };
        self.successor[previous] = found;
        found
    }

    /// Marks the attribute as seen in object number `visit`; false if it was already.
    #[inline]
    pub(super) fn mark(&mut self, attribute: u16, visit: u64) -> bool {
        std::mem::replace(&mut self.seen[usize::from(attribute)], visit) != visit
    }
}

impl Column {
    /// An empty column for an attribute of `kind`, stored as `field`; `is_coded`: texts that repeat are held once.
    pub(super) fn new(kind: &Kind, field: &FieldRef, is_coded: bool) -> Self {
        let values = match (field.data_type(), kind) {
            (DataType::List(item), _) => Values::List(Box::new(ListColumn {
                item: Arc::clone(item),
                nulls: NullBufferBuilder::new(0),
                offsets: vec![0],
                // Readers of lists look at their elements, which are few, one by one.
                element: Column::new(kind, item, false),
                elements: 0,
            })),
            (DataType::Struct(arrow), Kind::Object(object)) => {
                Values::Object(Box::new(ObjectColumn::new(Arc::clone(object), arrow.clone(), is_coded)))
            }
            (data_type, Kind::Time) => {
                Values::Time(TimestampMicrosecondBuilder::with_capacity(0).with_data_type(data_type.clone()))
            }
            (_, Kind::Long) => Values::Long(Int64Builder::with_capacity(0)),
            (_, Kind::Double) => Values::Double(Float64Builder::with_capacity(0)),
            (_, Kind::Boolean) => Values::Boolean(BooleanBuilder::with_capacity(0)),
            (_, Kind::Text) => Values::Text(TextColumn::new(is_coded)),
            // An object whose column is not a struct would have been cut; its JSON text is always right.
            (_, Kind::Json | Kind::Object(_)) => Values::Json(TextColumn::new(is_coded)),
        };
        Column { field: Arc::clone(field), rows: 0, values, misfits: 0 }
    }

    /// Pads with nulls up to `rows`, hands the values out and starts anew.
    pub(super) fn finish(&mut self, rows: usize, absent: &mut Absent) -> ArrayRef {
        if self.rows == 0 {
            return self.absent(absent);
        }
        self.values.append_nulls(rows - self.rows);
        self.rows = 0;
        match &mut self.values {
            Values::Text(builder) | Values::Json(builder) => builder.finish(),
            Values::Long(builder) => Arc::new(builder.finish()),
            Values::Double(builder) => Arc::new(builder.finish()),
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::Time(builder) => Arc::new(builder.finish()),
            Values::Object(object) => {
                let nulls = object.nulls.finish();
                let members = object.finish_members(rows, absent);
                let fields = as_built(&object.arrow, &members);
                let array = StructArray::try_new_with_length(fields, members, nulls, rows);
                Arc::new(array.expect("members are built from the struct's own fields"))
            }
            Values::List(list) => {
                let offsets = std::mem::replace(&mut list.offsets, vec![0]);
                let elements = std::mem::take(&mut list.elements);
                let element = list.element.finish(elements, &mut Absent::new(elements));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let array = ListArray::try_new(Arc::clone(&list.item), offsets, element, list.nulls.finish());
                Arc::new(array.expect("offsets grow, and end where the elements end"))
            }
        }
    }
}

impl Column {
    /// Null in every row.
    fn absent(&mut self, absent: &mut Absent) -> ArrayRef {
        let Values::Object(object) = &mut self.values else { return absent.of(self.field.data_type()) };
        let members = object.members.iter_mut().map(|member| member.absent(absent)).collect();
        let nulls = Some(absent.nulls.clone());
        let array = StructArray::try_new_with_length(object.arrow.clone(), members, nulls, absent.rows);
        Arc::new(array.expect("members are built from the struct's own fields"))
    }
}

/// The columns of a batch that never had a value, which are most: all of one type are the same array.
pub(super) struct Absent {
    rows: usize,
    nulls: NullBuffer,
    arrays: Vec<ArrayRef>,
}

impl Absent {
    pub(super) fn new(rows: usize) -> Self {
        Absent { rows, nulls: NullBuffer::new_null(rows), arrays: Vec::new() }
    }

    pub(super) fn of(&mut self, data_type: &DataType) -> ArrayRef {
        if let Some(array) = self.arrays.iter().find(|array| array.data_type() == data_type) {
            return Arc::clone(array);
        }
        let array = new_null_array(data_type, self.rows);
        self.arrays.push(Arc::clone(&array));
        array
    }
}

impl Values {
    /// Adds `missing` nulls; without any, the builders make no bitmap.
    fn append_nulls(&mut self, missing: usize) {
        if missing == 0 {
            return;
        }
        match self {
            Values::Text(builder) | Values::Json(builder) => builder.append_nulls(missing),
            Values::Long(builder) => builder.append_nulls(missing),
            Values::Double(builder) => builder.append_nulls(missing),
            Values::Boolean(builder) => builder.append_nulls(missing),
            Values::Time(builder) => builder.append_nulls(missing),
            Values::Object(object) => object.nulls.append_n_nulls(missing),
            Values::List(list) => list.append_nulls(missing),
        }
    }
}

impl ObjectColumn {
    pub(super) fn new(object: Arc<Object>, arrow: Fields, is_coded: bool) -> Self {
        // What the value of a pair means, its name in the same row says: redaction goes through them row by row.
        let is_coded = is_coded && !(object.index_of("name").is_some() && object.index_of("value").is_some());
        let members = object
            .attributes
            .iter()
            .zip(&arrow)
            .map(|(attribute, field)| Column::new(&attribute.kind, field, is_coded));
        ObjectColumn {
            members: members.collect(),
            order: KeyOrder::new(&object),
            nulls: NullBufferBuilder::new(0),
            unknown: 0,
            arrow,
            object,
        }
    }

    pub(super) fn finish_members(&mut self, rows: usize, absent: &mut Absent) -> Vec<ArrayRef> {
        self.members.iter_mut().map(|member| member.finish(rows, absent)).collect()
    }
}

/// The fields with the types that the columns turned out to have: a text column may be a dictionary.
pub(super) fn as_built(fields: &Fields, columns: &[ArrayRef]) -> Fields {
    let same = |(field, column): (&FieldRef, &ArrayRef)| field.data_type() == column.data_type();
    if fields.iter().zip(columns).all(same) {
        return fields.clone();
    }
    let built = |(field, column): (&FieldRef, &ArrayRef)| {
        if same((field, column)) {
            Arc::clone(field)
        } else {
            Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone()))
        }
    };
    fields.iter().zip(columns).map(built).collect()
}

impl ListColumn {
    pub(super) fn append_nulls(&mut self, missing: usize) {
        if missing > 0 {
            self.nulls.append_n_nulls(missing);
            let end = self.end();
            self.offsets.extend(std::iter::repeat_n(end, missing));
        }
    }

    /// Ends a list at the elements that came since the one before.
    pub(super) fn append(&mut self) {
        self.nulls.append_non_null();
        let end = self.end();
        self.offsets.push(end);
    }

    fn end(&self) -> i32 {
        i32::try_from(self.elements).expect("a batch is sealed long before 2^31 bytes, and an element takes two")
    }
}
