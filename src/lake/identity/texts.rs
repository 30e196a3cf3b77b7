//! Texts and digests of a column, however the batch holds them.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, DictionaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type};

/// A column of texts: as they are, as a dictionary, or not there at all.
#[derive(Debug, Clone, Copy)]
pub enum Texts<'a> {
    Absent,
    Plain(&'a StringArray),
    Coded(&'a DictionaryArray<Int32Type>, &'a StringArray),
}

impl<'a> Texts<'a> {
    pub fn of(array: Option<&'a ArrayRef>) -> Texts<'a> {
        let Some(array) = array.filter(|array| array.null_count() < array.len()) else { return Texts::Absent };
        match array.data_type() {
            DataType::Utf8 => Texts::Plain(array.as_string()),
            DataType::Dictionary(..) => match array.as_dictionary_opt::<Int32Type>() {
                Some(coded) => {
                    coded.values().as_string_opt().map_or(Texts::Absent, |values| Texts::Coded(coded, values))
                }
                None => Texts::Absent,
            },
            _ => Texts::Absent,
        }
    }

    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Absent => None,
            Texts::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Texts::Coded(coded, values) => coded.is_valid(row).then(|| values.value(coded.keys().value(row) as usize)),
        }
    }
}

/// The digest of each row's line, as the decoder put it down; none when a batch has no such column.
pub fn digests(batch: &RecordBatch) -> Option<Vec<u128>> {
    let column: &BinaryArray = batch.column_by_name("_digest")?.as_binary_opt::<i32>()?;
    let digest = |row: usize| column.is_valid(row).then(|| column.value(row)).and_then(|bytes| bytes.try_into().ok());
    (0..column.len()).map(|row| digest(row).map(u128::from_be_bytes)).collect()
}
