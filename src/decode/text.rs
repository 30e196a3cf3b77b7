//! A column of text that holds what repeats once.
//!
//! Most texts of an audit log repeat within a chunk of lines: names, types, user agents, addresses. Such a column keeps
//! each of them once and a number a row; redaction, statistics and the Parquet dictionary then cost by the distinct
//! value. A column that turns out to be of another kind, identifiers say, becomes plain and stays so.

use std::hash::{BuildHasher, Hasher};
use std::mem;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, NullBufferBuilder, StringArray, StringBuilder};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::columns::ends;

/// Distinct values, over all chunks so far, from which on it is asked whether they are worth it.
///
/// A few hundred rows tell nothing: the 2,000 people of a workspace look like identifiers until most of them came twice.
/// Their columns were plain when this was 256, and took up to eight times the bytes to write and to read.
const FEW: u64 = 2048;

pub(super) struct TextColumn {
    plain: StringBuilder,
    coded: Option<Coded>,
}

/// Texts by number.
struct Coded {
    codes: Vec<i32>,
    nulls: NullBufferBuilder,
    /// The bytes of the distinct texts, one after the other.
    bytes: Vec<u8>,
    /// Where each of them begins, and the end of the last.
    offsets: Vec<i32>,
    places: HashTable<i32>,
    hasher: DefaultHashBuilder,
    /// The key of the last row with a value: neighbours are alike.
    last: i32,
    seen: Seen,
}

/// How often texts came again within their chunks; of all chunks so far.
#[derive(Clone, Copy, Default)]
struct Seen {
    texts: u64,
    distinct: u64,
}

impl Seen {
    /// Whether nearly all rows bring a new text. What repeats across chunks only looks a little like that: of 2,000
    /// people that come 1,000 times a chunk, four in five rows are new to it, but one in four to a file.
    #[inline]
    fn is_pointless(self) -> bool {
        self.distinct >= FEW && self.distinct * 10 > self.texts * 9
    }
}

impl TextColumn {
    /// `is_coded`: what repeats is held once.
    pub(super) fn new(is_coded: bool) -> Self {
        TextColumn { plain: StringBuilder::with_capacity(0, 0), coded: is_coded.then(Coded::new) }
    }

    pub(super) fn append_nulls(&mut self, count: usize) {
        match &mut self.coded {
            Some(coded) => {
                coded.codes.resize(coded.codes.len() + count, 0);
                coded.nulls.append_n_nulls(count);
            }
            None => self.plain.append_nulls(count),
        }
    }

    #[inline]
    pub(super) fn append_value(&mut self, text: &str) {
        let Some(coded) = &mut self.coded else { return self.plain.append_value(text) };
        coded.append(text.as_bytes());
        if coded.seen.is_pointless() {
            self.make_plain();
        }
    }

    #[cold]
    fn make_plain(&mut self) {
        let Some(coded) = self.coded.take() else { return };
        let (codes, values) = coded.parts();
        for code in &codes {
            self.plain.append_option(code.map(|code| values.value(code as usize)));
        }
    }

    /// Hands the rows out, as strings or as a dictionary of them.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let Some(coded) = &mut self.coded else { return Arc::new(self.plain.finish()) };
        let renewed = coded.renewed();
        let (codes, values) = mem::replace(coded, renewed).parts();
        let array = DictionaryArray::try_new(codes, Arc::new(values));
        Arc::new(array.expect("each code is the number of a text"))
    }
}

impl Coded {
    fn new() -> Self {
        Coded {
            codes: Vec::new(),
            nulls: NullBufferBuilder::new(0),
            bytes: Vec::new(),
            offsets: vec![0],
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            last: -1,
            seen: Seen::default(),
        }
    }

    /// An empty one with room for as much as this one holds.
    fn renewed(&mut self) -> Self {
        let mut places = mem::take(&mut self.places);
        places.clear();
        let mut offsets = Vec::with_capacity(self.offsets.len() + 1);
        offsets.push(0);
        Coded {
            codes: Vec::with_capacity(self.codes.len()),
            nulls: NullBufferBuilder::new(self.codes.len()),
            bytes: Vec::with_capacity(self.bytes.len()),
            offsets,
            places,
            hasher: self.hasher.clone(),
            last: -1,
            seen: self.seen,
        }
    }

    #[inline]
    fn append(&mut self, text: &[u8]) {
        self.nulls.append_non_null();
        self.seen.texts += 1;
        if self.last < 0 || !is_same(value(&self.bytes, &self.offsets, self.last), text) {
            self.last = self.number(text);
        }
        self.codes.push(self.last);
    }

    fn number(&mut self, text: &[u8]) -> i32 {
        let Coded { bytes, offsets, places, hasher, seen, .. } = self;
        let hashed = hash(hasher, text);
        if let Some(&code) = places.find(hashed, |&code| is_same(value(bytes, offsets, code), text)) {
            return code;
        }
        let code = (offsets.len() - 1) as i32;
        seen.distinct += 1;
        bytes.extend_from_slice(text);
        offsets.push(i32::try_from(bytes.len()).expect("a batch is sealed long before 2^31 bytes"));
        places.insert_unique(hashed, code, |&code| hash(hasher, value(bytes, offsets, code)));
        code
    }

    fn parts(mut self) -> (Int32Array, StringArray) {
        let codes = Int32Array::new(ScalarBuffer::from(self.codes), self.nulls.finish());
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = StringArray::try_new(offsets, Buffer::from_vec(self.bytes), None);
        (codes, values.expect("the texts were put together from texts"))
    }
}

/// Equality without a call to `memcmp` for most texts: short ones are known by their ends, longer ones by blocks of 16.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<16>(), b.first_chunk::<16>()) {
        (Some(first), Some(other)) => {
            first == other
                && a.last_chunk::<16>() == b.last_chunk::<16>()
                && match a.len() {
                    ..=32 => true,
                    33..=48 => a[16..32] == b[16..32],
                    _ => a == b,
                }
        }
        _ => ends(a) == ends(b),
    }
}

/// Hashes the bytes alone; `Hash` would hash their number first.
#[inline]
fn hash(hasher: &DefaultHashBuilder, text: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(text);
    hasher.finish()
}

#[inline]
fn value<'a>(bytes: &'a [u8], offsets: &[i32], code: i32) -> &'a [u8] {
    let code = code as usize;
    &bytes[offsets[code] as usize..offsets[code + 1] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use arrow::compute::cast;
    use arrow::datatypes::DataType;

    fn fill(column: &mut TextColumn, texts: &[Option<String>]) -> ArrayRef {
        for text in texts {
            match text {
                Some(text) => column.append_value(text),
                None => column.append_nulls(1),
            }
        }
        column.finish()
    }

    #[test]
    fn what_repeats_is_held_once_and_what_does_not_becomes_plain() {
        let names: Vec<Option<String>> = (0..900).map(|row| (row % 7 > 0).then(|| format!("n{}", row % 50))).collect();
        let mut column = TextColumn::new(true);
        // The second batch meets what the first one left behind.
        for _ in 0..2 {
            let array = fill(&mut column, &names);
            assert_eq!(array.as_any_dictionary().values().len(), 50);
            let plain = fill(&mut TextColumn::new(false), &names);
            assert_eq!(&cast(&array, &DataType::Utf8).unwrap(), &plain);
        }

        let ids: Vec<Option<String>> = (0..3000).map(|row| (row % 99 > 0).then(|| format!("id-{row}"))).collect();
        let mut column = TextColumn::new(true);
        for _ in 0..2 {
            assert_eq!(&fill(&mut column, &ids), &fill(&mut TextColumn::new(false), &ids));
        }
    }

    #[test]
    fn what_repeats_from_chunk_to_chunk_only_is_held_once_a_chunk() {
        let mut column = TextColumn::new(true);
        for chunk in 0..20 {
            let names: Vec<Option<String>> =
                (0..500).map(|row| Some(format!("n{}", (chunk * 7 + row) % 400))).collect();
            assert_eq!(fill(&mut column, &names).as_any_dictionary().values().len(), 400);
        }
        // Texts that never come again, in chunks too small to tell.
        let mut column = TextColumn::new(true);
        let chunks = (0..20).map(|chunk| {
            let ids: Vec<Option<String>> = (0..200).map(|row| Some(format!("{chunk}-{row}"))).collect();
            fill(&mut column, &ids).data_type().clone()
        });
        let plain: Vec<bool> = chunks.map(|kind| kind == DataType::Utf8).collect();
        assert_eq!(plain.iter().position(|is_plain| *is_plain), Some(10), "{plain:?}");
        assert!(plain[10..].iter().all(|is_plain| *is_plain));
    }
}
