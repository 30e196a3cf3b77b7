//! The digest of rows: one number for the content of a file, whatever its order, encoding or split.
//!
//! ```text
//! cell   XXH3-128 of the value's bytes, seeded with XXH3-64 of the column's path
//! row    XXH3-128 of the sum of its cells
//! file   the sum of its rows                                      all sums modulo 2^128
//! ```
//!
//! Anybody can recompute it with nothing but the rows: it involves no key. It proves that files were rewritten
//! correctly: the sum over the files before is the sum over the files after. A null adds nothing, so a column that is
//! added later changes no digest of older rows. `lake-format.md` has the exact definition, and says what the digest
//! protects against: accidents. Whoever can choose rows at will can choose some with the same sum; against that stand
//! the SHA-256 of the files in the chain, and signatures.
//!
//! It is made while rows are encoded, column by column; a text that repeats is hashed once per dictionary.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128, xxh3_128_with_seed};

use super::file::RowDigest;
use crate::error::{Error, Kind, Result};

/// Computes the digest of some rows.
pub fn row_digest<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Result<RowDigest> {
    let mut sum = 0_u128;
    for batch in batches {
        let mut rows = vec![0; batch.num_rows()];
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            cells(field.name(), column, None, &mut rows)?;
        }
        for cells in rows {
            sum = sum.wrapping_add(xxh3_128(&cells.to_le_bytes()));
        }
    }
    Ok(RowDigest::from(sum))
}

/// Adds a column's cells to the sums of its rows; `around` has the rows in which the enclosing structs exist.
fn cells(path: &str, column: &ArrayRef, around: Option<&NullBuffer>, sums: &mut [u128]) -> Result<()> {
    if column.null_count() == column.len() && !matches!(column.data_type(), DataType::Null) {
        return Ok(());
    }
    let there = NullBuffer::union(around, column.nulls());
    let seed = xxh3_64(path.as_bytes());
    let hash = |bytes: &[u8]| xxh3_128_with_seed(bytes, seed);
    let there = there.as_ref();
    match column.data_type() {
        DataType::Null => {}
        DataType::Struct(_) => {
            let column: &StructArray = column.as_struct();
            let presence = hash(&[]);
            add(there, sums, |_| presence);
            for (field, member) in column.fields().iter().zip(column.columns()) {
                cells(&format!("{path}.{}", field.name()), member, there, sums)?;
            }
        }
        DataType::List(_) => {
            let column: &ListArray = column.as_list();
            let items = items(path, column)?;
            let offsets = column.value_offsets();
            // Items are counted from the first that the list refers to.
            let first = offsets[0];
            let mut bytes = Vec::new();
            add(there, sums, |row| {
                bytes.clear();
                let range = (offsets[row] - first) as usize..(offsets[row + 1] - first) as usize;
                items[range].iter().for_each(|item| bytes.extend_from_slice(&item.to_le_bytes()));
                hash(&bytes)
            });
        }
        DataType::Utf8 => {
            let column: &StringArray = column.as_string();
            add(there, sums, |row| hash(column.value(row).as_bytes()));
        }
        DataType::Dictionary(..) => {
            let column = column.as_dictionary_opt::<Int32Type>().ok_or_else(|| unknown(path, column.data_type()))?;
            let values =
                column.values().as_string_opt::<i32>().ok_or_else(|| unknown(path, column.values().data_type()))?;
            let codes = column.keys().values();
            // A null may also be in the dictionary.
            let is_text = |code: i32| values.is_valid(code as usize);
            let of_code = |code: i32| hash(values.value(code as usize).as_bytes());
            // The rows of one partition may be few of a batch whose dictionary is long.
            if values.len() > sums.len() {
                add(there, sums, |row| if is_text(codes[row]) { of_code(codes[row]) } else { 0 });
            } else {
                let hashes: Vec<u128> =
                    (0..values.len() as i32).map(|code| if is_text(code) { of_code(code) } else { 0 }).collect();
                add(there, sums, |row| hashes[codes[row] as usize]);
            }
        }
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>().values();
            add(there, sums, |row| hash(&values[row].to_le_bytes()));
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = column.as_primitive::<TimestampMicrosecondType>().values();
            add(there, sums, |row| hash(&values[row].to_le_bytes()));
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            add(there, sums, |row| hash(&values[row].to_le_bytes()));
        }
        DataType::Boolean => {
            let values = column.as_boolean();
            add(there, sums, |row| hash(&[u8::from(values.value(row))]));
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            add(there, sums, |row| hash(values.value(row)));
        }
        DataType::FixedSizeBinary(_) => {
            let values = column.as_fixed_size_binary();
            add(there, sums, |row| hash(values.value(row)));
        }
        other => return Err(unknown(path, other)),
    }
    Ok(())
}

/// Returns the sums of the cells of a list's items, each as if it were a row.
fn items(path: &str, column: &ListArray) -> Result<Vec<u128>> {
    let offsets = column.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[column.len()] as usize);
    let values = column.values().slice(first, last - first);
    let mut sums = vec![0; values.len()];
    cells(&format!("{path}[]"), &values, None, &mut sums)?;
    Ok(sums)
}

fn add(there: Option<&NullBuffer>, sums: &mut [u128], mut cell: impl FnMut(usize) -> u128) {
    match there.filter(|there| there.null_count() > 0) {
        None => sums.iter_mut().enumerate().for_each(|(row, sum)| *sum = sum.wrapping_add(cell(row))),
        Some(there) => there.valid_indices().for_each(|row| sums[row] = sums[row].wrapping_add(cell(row))),
    }
}

fn unknown(path: &str, data_type: &DataType) -> Error {
    Error::new(Kind::Internal, format!("cannot make the digest of the column `{path}`, which is of type {data_type}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, DictionaryArray, Float64Array, Int64Array, ListBuilder, StringBuilder, TimestampMicrosecondArray,
        UInt32Array,
    };
    use arrow::buffer::{BooleanBuffer, OffsetBuffer};
    use arrow::compute::{concat_batches, take_record_batch};
    use arrow::datatypes::{Field, Fields, Schema};
    use proptest::prelude::*;

    use super::super::super::parquet::plain;
    use super::*;

    /// Implements the definition of `lake-format.md`, one value at a time and sharing only XXH3 with the code above.
    fn slow(batch: &RecordBatch) -> u128 {
        fn cell(path: &str, array: &ArrayRef, row: usize) -> u128 {
            if array.is_null(row) {
                return 0;
            }
            let bytes = match array.data_type() {
                DataType::Struct(fields) => {
                    let own = xxh3_128_with_seed(b"", xxh3_64(path.as_bytes()));
                    let members = fields.iter().zip(array.as_struct().columns());
                    return members.fold(own, |sum, (field, member)| {
                        sum.wrapping_add(cell(&format!("{path}.{}", field.name()), member, row))
                    });
                }
                DataType::List(_) => {
                    let item = array.as_list::<i32>().value(row);
                    (0..item.len()).flat_map(|at| cell(&format!("{path}[]"), &item, at).to_le_bytes()).collect()
                }
                DataType::Utf8 => array.as_string::<i32>().value(row).as_bytes().to_vec(),
                DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_le_bytes().to_vec(),
                DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_le_bytes().to_vec(),
                DataType::Boolean => vec![u8::from(array.as_boolean().value(row))],
                _ => array.as_primitive::<TimestampMicrosecondType>().value(row).to_le_bytes().to_vec(),
            };
            xxh3_128_with_seed(&bytes, xxh3_64(path.as_bytes()))
        }
        let of_row = |row| {
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns());
            columns.fold(0_u128, |sum, (field, column)| sum.wrapping_add(cell(field.name(), column, row)))
        };
        (0..batch.num_rows()).fold(0, |sum, row| sum.wrapping_add(xxh3_128(&of_row(row).to_le_bytes())))
    }

    type Row = (i64, Option<String>, Option<(Option<String>, Option<i64>)>, Option<Vec<Option<String>>>, Option<bool>);

    /// Makes rows with a time, a text that repeats, a struct with a member in it, a list, and a flag.
    fn batch(rows: &[Row]) -> RecordBatch {
        let texts: StringArray = rows.iter().map(|row| row.1.as_deref()).collect();
        let mut distinct: Vec<Option<&str>> = texts.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let codes = texts.iter().map(|text| text.map(|_| distinct.binary_search(&text).unwrap() as i32));
        let dictionary: DictionaryArray<Int32Type> =
            DictionaryArray::new(codes.collect(), Arc::new(distinct.iter().copied().collect::<StringArray>()));
        let member = |row: &Row| row.2.clone().unwrap_or_default();
        let members: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| member(row).0).collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| member(row).1).collect::<Int64Array>()),
        ];
        let fields: Fields = vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Int64, true)].into();
        let nulls = NullBuffer::new(BooleanBuffer::from_iter(rows.iter().map(|row| row.2.is_some())));
        let mut lists = ListBuilder::new(StringBuilder::new());
        rows.iter().for_each(|row| lists.append_option(row.3.clone()));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("time", Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.0)))),
            ("text", Arc::new(dictionary)),
            ("actor", Arc::new(StructArray::new(fields, members, Some(nulls)))),
            ("list", Arc::new(lists.finish())),
            ("flag", Arc::new(rows.iter().map(|row| row.4).collect::<BooleanArray>())),
            ("share", Arc::new(rows.iter().map(|row| row.4.map(|_| -0.5)).collect::<Float64Array>())),
        ];
        let fields: Vec<Field> =
            columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, column)| column).collect())
            .unwrap()
    }

    fn row() -> impl Strategy<Value = Row> {
        let text = || prop::option::of("[a-c]{0,2}");
        (
            0..5_i64,
            text(),
            prop::option::of((text(), prop::option::of(0..3_i64))),
            prop::option::of(prop::collection::vec(text(), 0..3)),
            prop::option::of(any::<bool>()),
        )
    }

    proptest! {
        #[test]
        fn it_is_what_the_document_defines_in_any_order_split_and_encoding(
            rows in prop::collection::vec(row(), 1..12),
            seed in any::<u64>(),
            at in 0..12_usize,
        ) {
            let whole = batch(&rows);
            let plain = plain(&whole).unwrap();
            let expected = row_digest([&whole]).unwrap();
            prop_assert_eq!(expected, RowDigest::from(slow(&plain)));
            prop_assert_eq!(expected, row_digest([&plain]).unwrap());
            let mut order: Vec<u32> = (0..rows.len() as u32).collect();
            order.sort_by_key(|&row| xxh3_64(&(u64::from(row) ^ seed).to_le_bytes()));
            let sorted = take_record_batch(&whole, &UInt32Array::from(order)).unwrap();
            let at = at.min(rows.len());
            let (head, tail) = (sorted.slice(0, at), sorted.slice(at, rows.len() - at));
            prop_assert_eq!(expected, row_digest([&head, &tail]).unwrap());
            prop_assert_eq!(expected, row_digest([&tail]).unwrap().plus(row_digest([&head]).unwrap()));
        }
    }

    #[test]
    fn what_is_moved_swapped_doubled_or_emptied_has_another_digest() {
        let row =
            |text: Option<&str>, actor: Option<(Option<&str>, Option<i64>)>, list: Option<Vec<Option<&str>>>| -> Row {
                let text_of = |text: Option<&str>| text.map(str::to_string);
                let list = list.map(|list| list.into_iter().map(text_of).collect());
                (1, text_of(text), actor.map(|(a, b)| (text_of(a), b)), list, None)
            };
        let rows: Vec<Vec<Row>> = vec![
            vec![row(Some("x"), None, None), row(Some("y"), Some((None, None)), None)],
            // The two structs changed places, then the two texts were made one.
            vec![row(Some("x"), Some((None, None)), None), row(Some("y"), None, None)],
            vec![row(Some("x"), None, None), row(Some("x"), Some((None, None)), None)],
            vec![row(Some("x"), None, None)],
            vec![row(Some("x"), None, None), row(Some("x"), None, None)],
            vec![row(Some("x"), None, None); 3],
            vec![row(None, None, None)],
            vec![row(Some(""), None, None)],
            vec![row(None, Some((Some("x"), None)), None)],
            vec![row(None, None, Some(vec![]))],
            vec![row(None, None, Some(vec![None]))],
            vec![row(None, None, Some(vec![Some("")]))],
            vec![row(None, None, Some(vec![Some("a"), Some("b")]))],
            vec![row(None, None, Some(vec![Some("b"), Some("a")]))],
        ];
        let mut digests: Vec<String> =
            rows.iter().map(|rows| row_digest([&batch(rows)]).unwrap().to_string()).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), rows.len());
    }

    #[test]
    fn a_column_of_nulls_changes_nothing() {
        let rows = batch(&[(1, Some("x".into()), None, None, None)]);
        let few = rows.project(&[0, 1]).unwrap();
        assert_eq!(row_digest([&rows]).unwrap(), row_digest([&few]).unwrap());
        // A list that refers to the middle of its items.
        let lists = ListArray::new(
            Arc::new(Field::new("element", DataType::Utf8, true)),
            OffsetBuffer::new(vec![1, 2, 2].into()),
            Arc::new(StringArray::from(vec!["no", "yes", "no"])),
            None,
        );
        let batch = RecordBatch::try_from_iter([("list", Arc::new(lists) as ArrayRef)]).unwrap();
        let copy = concat_batches(&batch.schema(), [&batch]).unwrap();
        assert_eq!(row_digest([&batch]).unwrap(), RowDigest::from(slow(&copy)));
    }
}
