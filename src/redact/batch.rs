//! Redaction of Arrow batches, column by column.
//!
//! Columns without a secret are passed on as they are. In others the bytes between two changed rows are copied in
//! one piece; null masks, and the offsets of lists, stay as they were.

use super::Counts;
use super::engine::{Engine, Scope};
use super::names::Known;
use super::pair::is_person;
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
    match columns(engine, "", schema.fields(), batch.columns(), counts)? {
        None => Ok(batch),
        Some(columns) => {
            RecordBatch::try_new(schema, columns).context(Kind::Internal, || "cannot put the redacted columns together")
        }
    }
}

/// The columns of a batch, or of the struct `parent`; None if none changed.
fn columns(
    engine: &Engine,
    parent: &str,
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
            None => {
                let place = Place { name: field.name(), scope: scope(engine, parent, field.name()) };
                column(engine, place, array, counts)?
            }
        };
        if let Some(redacted) = redacted {
            changed.get_or_insert_with(|| arrays.to_vec())[index] = redacted;
        }
    }
    Ok(changed)
}

/// A column: what it is called, and what its texts may be.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    scope: Scope,
}

fn scope(engine: &Engine, parent: &str, name: &str) -> Scope {
    match name {
        "name" if is_person(parent) => Scope::Person,
        "path" | "query_string" | "url_string" | "referrer" | "url" | "uri" | "request_uri" => Scope::Url,
        _ if engine.names.is_of_people(name) => Scope::Person,
        _ => Scope::Text,
    }
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

fn column(engine: &Engine, place: Place, array: &ArrayRef, counts: &mut Counts) -> Result<Option<ArrayRef>> {
    let name = place.name;
    let internal = || format!("cannot put the redacted column `{name}` together");
    Ok(match array.data_type() {
        DataType::Utf8 => strings(engine, place, array.as_string::<i32>(), counts)?,
        DataType::LargeUtf8 => strings(engine, place, array.as_string::<i64>(), counts)?,
        DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
            dictionary(engine, place, array, counts)?
        }
        DataType::Struct(fields) => {
            let array = array.as_struct();
            match columns(engine, name, fields, array.columns(), counts)? {
                None => None,
                Some(columns) => {
                    let redacted = StructArray::try_new(fields.clone(), columns, array.nulls().cloned());
                    Some(Arc::new(redacted.context(Kind::Internal, internal)?))
                }
            }
        }
        DataType::List(_) => list::<i32>(engine, place, array, counts)?,
        DataType::LargeList(_) => list::<i64>(engine, place, array, counts)?,
        DataType::FixedSizeList(field, size) => {
            let array = array.as_fixed_size_list();
            match column(engine, place, array.values(), counts)? {
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
    place: Place,
    array: &ArrayRef,
    counts: &mut Counts,
) -> Result<Option<ArrayRef>> {
    let array = array.as_list::<O>();
    let (DataType::List(field) | DataType::LargeList(field)) = array.data_type() else { return Ok(None) };
    // What one string says of the next one first: `["--password", "x"]`.
    let announced = match array.values().as_string_opt::<i32>() {
        Some(strings) => rebuilt(strings, announced(engine, array, strings, counts))?,
        None => None,
    };
    let redacted = column(engine, place, announced.as_ref().unwrap_or(array.values()), counts)?;
    let Some(values) = redacted.or(announced) else { return Ok(None) };
    let redacted = GenericListArray::try_new(field.clone(), array.offsets().clone(), values, array.nulls().cloned());
    let failed = || format!("cannot put the redacted list `{}` together", place.name);
    Ok(Some(Arc::new(redacted.context(Kind::Internal, failed)?)))
}

/// The strings that another string of their list announces. Lists of strings are few and short: each that may announce
/// something is looked at as JSON is.
fn announced<O: OffsetSizeTrait>(
    engine: &Engine,
    lists: &GenericListArray<O>,
    strings: &GenericStringArray<i32>,
    counts: &mut Counts,
) -> Changes {
    let mut changes = Vec::new();
    for list in (0..lists.len()).filter(|&list| lists.is_valid(list)) {
        let rows = lists.value_offsets()[list].as_usize()..lists.value_offsets()[list + 1].as_usize();
        let is_there = |row: usize| strings.is_valid(row);
        let announces = |row: usize| {
            is_there(row) && (engine.may_announce(strings.value(row)) || strings.value(row).contains("PRIVATE KEY-"))
        };
        if rows.len() < 2 || !rows.clone().any(announces) {
            continue;
        }
        let items: Vec<Option<&str>> = rows.clone().map(|row| is_there(row).then(|| strings.value(row))).collect();
        let Ok(text) = serde_json::to_string(&items) else { continue };
        let Some(redacted) = engine.redact(&text, |text| engine.secrets(text, Scope::Text), counts) else { continue };
        // Redacted JSON is JSON, with the same members.
        let redacted: Vec<Option<String>> = serde_json::from_str(&redacted).unwrap_or_default();
        let changed = rows.zip(items).zip(redacted);
        changes.extend(changed.filter_map(|((row, before), after)| {
            after.filter(|after| before != Some(after)).map(|after| (row, after))
        }));
    }
    changes
}

/// Each text once; it counts as often as it is used.
fn dictionary(engine: &Engine, place: Place, array: &ArrayRef, counts: &mut Counts) -> Result<Option<ArrayRef>> {
    let array = array.as_dictionary::<Int32Type>();
    let values = array.values().as_string::<i32>();
    let changes = changes(engine, place, values, &mut Counts::default());
    if changes.is_empty() {
        return Ok(None);
    }
    let mut uses = vec![0_u64; values.len()];
    for code in array.keys().iter().flatten() {
        uses[code as usize] += 1;
    }
    for (row, _) in &changes {
        let mut once = Counts::default();
        self::changes(engine, place, &values.slice(*row, 1), &mut once);
        once.iter().for_each(|(rule, secrets)| counts.add(rule, secrets * uses[*row]));
    }
    let Some(values) = rebuilt(values, changes)? else { return Ok(None) };
    let redacted = DictionaryArray::try_new(array.keys().clone(), values);
    Ok(Some(Arc::new(
        redacted.context(Kind::Internal, || format!("cannot put the redacted `{}` together", place.name))?,
    )))
}

fn strings<O: OffsetSizeTrait>(
    engine: &Engine,
    place: Place,
    array: &GenericStringArray<O>,
    counts: &mut Counts,
) -> Result<Option<ArrayRef>> {
    rebuilt(array, changes(engine, place, array, counts))
}

/// The rows with a secret, for what the column is called or for what they are.
fn changes<O: OffsetSizeTrait>(
    engine: &Engine,
    place: Place,
    array: &GenericStringArray<O>,
    counts: &mut Counts,
) -> Changes {
    match engine.rule_of(place.name) {
        Some(known) => forced(engine, array, |_| Some(known), counts),
        None => examined(engine, array, place.scope, |_| true, counts),
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
fn rules_of<O: OffsetSizeTrait>(engine: &Engine, names: &GenericStringArray<O>) -> Vec<Option<Known>> {
    let mut known: HashMap<&str, Option<Known>> = HashMap::new();
    let mut rule = |name| *known.entry(name).or_insert_with(|| engine.rule_of(name));
    (0..names.len()).map(|row| if names.is_valid(row) { rule(names.value(row)) } else { None }).collect()
}

fn pair_strings<O: OffsetSizeTrait>(
    engine: &Engine,
    rules: &[Option<Known>],
    values: &GenericStringArray<O>,
    counts: &mut Counts,
) -> Result<Option<ArrayRef>> {
    let mut changes = forced(engine, values, |row| rules[row], counts);
    changes.extend(examined(engine, values, Scope::Text, |row| rules[row].is_none(), counts));
    changes.sort_unstable_by_key(|(row, _)| *row);
    rebuilt(values, changes)
}

type Changes = Vec<(usize, String)>;

/// The rows whose value a name makes secret.
fn forced<O: OffsetSizeTrait>(
    engine: &Engine,
    array: &GenericStringArray<O>,
    rule: impl Fn(usize) -> Option<Known>,
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
    scope: Scope,
    is_wanted: impl Fn(usize) -> bool,
    counts: &mut Counts,
) -> Changes {
    let offsets = array.value_offsets();
    let first = offsets[0].as_usize();
    let bytes = &array.value_data()[first..];
    let rows = engine.suspects(bytes, array.len(), |row| offsets[row].as_usize() - first, scope);
    let mut changes = Vec::new();
    for row in rows.into_iter().filter(|&row| array.is_valid(row) && is_wanted(row)) {
        let value = array.value(row);
        let redacted = engine.redact(value, |text| engine.secrets(text, scope), counts);
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
