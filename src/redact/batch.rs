//! Redaction of Arrow batches, column by column.
//!
//! Columns without a secret are passed on as they are. In others the bytes between two changed rows are copied in
//! one piece; null masks, and the offsets of lists, stay as they were.

use super::Counts;
use super::engine::Engine;
use crate::error::{Context, Error, Kind, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeListArray, GenericListArray, GenericStringArray,
    OffsetSizeTrait, RecordBatch, StructArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Fields, Int32Type};
use hashbrown::HashMap;
use std::sync::Arc;

/// Redacts all texts of a batch.
pub(super) fn apply(engine: &Engine, batch: RecordBatch, counts: &mut Counts) -> Result<RecordBatch> {
    let schema = batch.schema();
    match columns(engine, schema.fields(), batch.columns(), counts)? {
        None => Ok(batch),
        Some(columns) => {
            RecordBatch::try_new(schema, columns).context(Kind::Internal, || "cannot put the redacted columns together")
        }
    }
}

/// The columns of a batch or struct; None if none changed.
fn columns(
    engine: &Engine,
    fields: &Fields,
    arrays: &[ArrayRef],
    counts: &mut Counts,
) -> Result<Option<Vec<ArrayRef>>> {
    let pair = pair(fields, arrays)?;
    let mut changed: Option<Vec<ArrayRef>> = None;
    for (index, (field, array)) in fields.iter().zip(arrays).enumerate() {
        let names = pair.filter(|(_, value)| *value == index).map(|(name, _)| &arrays[name]);
        let redacted = match names {
            Some(names) => pair_values(engine, names, array, counts)?,
            None => column(engine, field.name(), array, counts)?,
        };
        if let Some(redacted) = redacted {
            changed.get_or_insert_with(|| arrays.to_vec())[index] = redacted;
        }
    }
    Ok(changed)
}

/// Where `name` and `value` are, if this is a struct of such a pair.
///
/// Errors for dictionaries: the value alone would be looked at without its name, and a secret be stored.
fn pair(fields: &Fields, arrays: &[ArrayRef]) -> Result<Option<(usize, usize)>> {
    let find = |name: &str| fields.find(name).map(|(index, _)| index);
    let (Some(name), Some(value)) = (find("name"), find("value")) else { return Ok(None) };
    let types = [name, value].map(|index| arrays[index].data_type());
    if types.iter().any(|data_type| matches!(data_type, DataType::Dictionary(..))) {
        return Err(Error::new(Kind::Internal, "cannot redact a pair of name and value that is dictionary-encoded"));
    }
    let is_text = |data_type: &&DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8);
    Ok(types.iter().all(is_text).then_some((name, value)))
}

fn column(engine: &Engine, name: &str, array: &ArrayRef, counts: &mut Counts) -> Result<Option<ArrayRef>> {
    let internal = || format!("cannot put the redacted column `{name}` together");
    Ok(match array.data_type() {
        DataType::Utf8 => strings(engine, name, array.as_string::<i32>(), counts)?,
        DataType::LargeUtf8 => strings(engine, name, array.as_string::<i64>(), counts)?,
        DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
            dictionary(engine, name, array, counts)?
        }
        DataType::Struct(fields) => {
            let array = array.as_struct();
            match columns(engine, fields, array.columns(), counts)? {
                None => None,
                Some(columns) => {
                    let redacted = StructArray::try_new(fields.clone(), columns, array.nulls().cloned());
                    Some(Arc::new(redacted.context(Kind::Internal, internal)?))
                }
            }
        }
        DataType::List(_) => list::<i32>(engine, name, array, counts)?,
        DataType::LargeList(_) => list::<i64>(engine, name, array, counts)?,
        DataType::FixedSizeList(field, size) => {
            let array = array.as_fixed_size_list();
            match column(engine, name, array.values(), counts)? {
                None => None,
                Some(values) => {
                    let nulls = array.nulls().cloned();
                    let redacted = FixedSizeListArray::try_new(field.clone(), *size, values, nulls);
                    Some(Arc::new(redacted.context(Kind::Internal, internal)?))
                }
            }
        }
        other if holds_text(other) => {
            return Err(Error::new(Kind::Internal, format!("cannot redact column `{name}` of type {other}")));
        }
        _ => None,
    })
}

/// Types that may hide a text from us: passing them on would store it.
fn holds_text(data_type: &DataType) -> bool {
    use DataType::*;
    !(data_type.is_primitive()
        || matches!(data_type, Null | Boolean | Binary | LargeBinary | BinaryView | FixedSizeBinary(_)))
}

fn list<O: OffsetSizeTrait>(
    engine: &Engine,
    name: &str,
    array: &ArrayRef,
    counts: &mut Counts,
) -> Result<Option<ArrayRef>> {
    let array = array.as_list::<O>();
    let (DataType::List(field) | DataType::LargeList(field)) = array.data_type() else { return Ok(None) };
    let Some(values) = column(engine, name, array.values(), counts)? else { return Ok(None) };
    let redacted = GenericListArray::try_new(field.clone(), array.offsets().clone(), values, array.nulls().cloned());
    Ok(Some(Arc::new(redacted.context(Kind::Internal, || format!("cannot put the redacted list `{name}` together"))?)))
}

/// Each text once; it counts as often as it is used.
fn dictionary(engine: &Engine, name: &str, array: &ArrayRef, counts: &mut Counts) -> Result<Option<ArrayRef>> {
    let array = array.as_dictionary::<Int32Type>();
    let values = array.values().as_string::<i32>();
    let changes = changes(engine, name, values, &mut Counts::default());
    if changes.is_empty() {
        return Ok(None);
    }
    let mut uses = vec![0_u64; values.len()];
    for code in array.keys().iter().flatten() {
        uses[code as usize] += 1;
    }
    for (row, _) in &changes {
        let mut once = Counts::default();
        self::changes(engine, name, &values.slice(*row, 1), &mut once);
        once.iter().for_each(|(rule, secrets)| counts.add(rule, secrets * uses[*row]));
    }
    let Some(values) = rebuilt(values, changes)? else { return Ok(None) };
    let redacted = DictionaryArray::try_new(array.keys().clone(), values);
    Ok(Some(Arc::new(redacted.context(Kind::Internal, || format!("cannot put the redacted `{name}` together"))?)))
}

fn strings<O: OffsetSizeTrait>(
    engine: &Engine,
    name: &str,
    array: &GenericStringArray<O>,
    counts: &mut Counts,
) -> Result<Option<ArrayRef>> {
    rebuilt(array, changes(engine, name, array, counts))
}

/// The rows with a secret, for what the column is called or for what they are.
fn changes<O: OffsetSizeTrait>(
    engine: &Engine,
    name: &str,
    array: &GenericStringArray<O>,
    counts: &mut Counts,
) -> Changes {
    match engine.rule_of(name) {
        Some(rule) => forced(engine, array, |_| Some(rule), counts),
        None => examined(engine, array, |_| true, counts),
    }
}

/// The values of `{name, value}` pairs: by the name in the same row, else by what they are.
fn pair_values(engine: &Engine, names: &ArrayRef, values: &ArrayRef, counts: &mut Counts) -> Result<Option<ArrayRef>> {
    let rules = match names.data_type() {
        DataType::Utf8 => rules_of(engine, names.as_string::<i32>()),
        _ => rules_of(engine, names.as_string::<i64>()),
    };
    match values.data_type() {
        DataType::Utf8 => pair_strings(engine, &rules, values.as_string::<i32>(), counts),
        _ => pair_strings(engine, &rules, values.as_string::<i64>(), counts),
    }
}

/// The rule of each row's name. Header names repeat: each spelling is looked up once.
fn rules_of<O: OffsetSizeTrait>(engine: &Engine, names: &GenericStringArray<O>) -> Vec<Option<usize>> {
    let mut known: HashMap<&str, Option<usize>> = HashMap::new();
    let mut rule = |name| *known.entry(name).or_insert_with(|| engine.rule_of(name));
    (0..names.len()).map(|row| if names.is_valid(row) { rule(names.value(row)) } else { None }).collect()
}

fn pair_strings<O: OffsetSizeTrait>(
    engine: &Engine,
    rules: &[Option<usize>],
    values: &GenericStringArray<O>,
    counts: &mut Counts,
) -> Result<Option<ArrayRef>> {
    let mut changes = forced(engine, values, |row| rules[row], counts);
    changes.extend(examined(engine, values, |row| rules[row].is_none(), counts));
    changes.sort_unstable_by_key(|(row, _)| *row);
    rebuilt(values, changes)
}

type Changes = Vec<(usize, String)>;

/// The rows whose value a name makes secret.
fn forced<O: OffsetSizeTrait>(
    engine: &Engine,
    array: &GenericStringArray<O>,
    rule: impl Fn(usize) -> Option<usize>,
    counts: &mut Counts,
) -> Changes {
    let mut changes = Vec::new();
    for row in (0..array.len()).filter(|&row| array.is_valid(row)) {
        let Some(rule) = rule(row) else { continue };
        let value = array.value(row);
        let redacted = engine.redact(value, |text| engine.secrets_of_value(rule, text), counts);
        changes.extend(redacted.map(|text| (row, text)));
    }
    changes
}

/// The rows with a secret in them.
fn examined<O: OffsetSizeTrait>(
    engine: &Engine,
    array: &GenericStringArray<O>,
    is_wanted: impl Fn(usize) -> bool,
    counts: &mut Counts,
) -> Changes {
    let offsets = array.value_offsets();
    let first = offsets[0].as_usize();
    let bytes = &array.value_data()[first..];
    let rows = engine.prefilter.rows(bytes, array.len(), |row| offsets[row].as_usize() - first);
    let mut changes = Vec::new();
    for row in rows.into_iter().filter(|&row| array.is_valid(row) && is_wanted(row)) {
        let value = array.value(row);
        let redacted = engine.redact(value, |text| engine.secrets(text), counts);
        changes.extend(redacted.map(|text| (row, text)));
    }
    changes
}

/// The column with its changed rows; None if there are none.
fn rebuilt<O: OffsetSizeTrait>(array: &GenericStringArray<O>, changes: Changes) -> Result<Option<ArrayRef>> {
    if changes.is_empty() {
        return Ok(None);
    }
    let source = array.value_offsets();
    let bytes = array.value_data();
    let growth: usize = changes.iter().map(|(_, text)| text.len()).sum();
    let mut values: Vec<u8> = Vec::with_capacity(source[array.len()].as_usize() - source[0].as_usize() + growth);
    let mut offsets: Vec<O> = Vec::with_capacity(array.len() + 1);
    let too_long = || Error::new(Kind::Input, "cannot redact a column of more than 2 GiB of text");
    let mut row = 0;
    let ends = changes.iter().map(|(row, text)| (*row, Some(text))).chain([(array.len(), None)]);
    for (until, text) in ends {
        // Rows up to the changed one move together.
        let (from, to) = (source[row].as_usize(), source[until].as_usize());
        let start = values.len();
        O::from_usize(start + (to - from)).ok_or_else(too_long)?;
        let moved = |offset: &O| O::usize_as(offset.as_usize() - from + start);
        offsets.extend(source[row..until].iter().map(moved));
        values.extend_from_slice(&bytes[from..to]);
        offsets.push(O::from_usize(values.len()).ok_or_else(too_long)?);
        if let Some(text) = text {
            values.extend_from_slice(text.as_bytes());
            row = until + 1;
        }
    }
    O::from_usize(values.len()).ok_or_else(too_long)?;
    let offsets = OffsetBuffer::new(offsets.into());
    let redacted = GenericStringArray::<O>::try_new(offsets, Buffer::from_vec(values), array.nulls().cloned());
    Ok(Some(Arc::new(redacted.context(Kind::Internal, || "cannot put a redacted column together")?)))
}
