//! One column of one row group becomes a Parquet column chunk.
//!
//! Parquet's own writer hashes and compares every value again. The decoder has the repeated texts numbered already, so
//! here a text is looked at once a batch: dictionary, statistics and bloom filter are made from the distinct values,
//! and the rows are only renumbered. Columns that are null throughout, which most of a class's are, cost one short page.
//! Lists, doubles and booleans go through Parquet's writer (`encode`).

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use hashbrown::HashMap;
use parquet::basic::{BoundaryOrder, Compression, Encoding, Type};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::bounds::{Bound, Texts};
use super::delta;
use super::hybrid;
use super::levels::Levels;

/// As Parquet's writer has it: pages are what readers skip by.
const PAGE_ROWS: usize = 20_000;
const PAGE_BYTES: usize = 1 << 20;
/// A dictionary that is larger does not pay.
const DICTIONARY_BYTES: usize = 1 << 20;

/// How column chunks are written.
pub struct Chunker {
    zstd: Zstd,
    compression: Compression,
}

/// One context for all columns: making one costs more than a small page.
struct Zstd {
    compressor: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl Zstd {
    fn compress(&mut self, bytes: &[u8]) -> Result<Bytes> {
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.compressor.compress_to_buffer(bytes, &mut self.buffer)?;
        Ok(Bytes::copy_from_slice(&self.buffer))
    }
}

/// A column to write.
pub struct Column<'a> {
    pub descriptor: ColumnDescPtr,
    /// Its pieces, in the order of the rows: `Utf8`, a dictionary of it, `Int64`, or timestamps.
    pub arrays: &'a [ArrayRef],
    pub levels: &'a Levels,
    /// Of false answers; none makes no filter.
    pub bloom_filter: Option<f64>,
}

/// The pages of a chunk, and what its metadata says.
pub struct Chunk {
    pub bytes: Bytes,
    pub close: ColumnCloseResult,
}

impl Column<'_> {
    /// A page that begins with the levels of its rows, and has room for its values.
    fn begin(&self, rows: Range<usize>, room: usize) -> Vec<u8> {
        let mut page = Vec::with_capacity(room + 64);
        self.levels.encode(rows, self.descriptor.max_def_level() as u8, &mut page);
        page
    }
}

/// A page, levels and values, and what its statistics say.
struct Body {
    bytes: Vec<u8>,
    /// Smallest and largest, none for a page of nulls.
    bounds: Option<(Bound, Option<Bound>)>,
}

impl Chunker {
    pub fn new(compression: Compression, level: i32) -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(level)?;
        Ok(Chunker { zstd: Zstd { compressor, buffer: Vec::new() }, compression })
    }

    /// A column that is null in every row; `parent` are the levels of the struct around it.
    pub fn absent(&mut self, descriptor: ColumnDescPtr, parent: &Levels) -> Result<Chunk> {
        let rows = parent.len();
        let mut body = Vec::new();
        if descriptor.max_rep_level() > 0 {
            // A null list is one value that does not repeat anything.
            hybrid_block(0, rows, hybrid::width(descriptor.max_rep_level() as u32), &mut body);
        }
        parent.encode(0..rows, descriptor.max_def_level() as u8, &mut body);
        let mut pages = Pages::new(None);
        pages.data(body, rows, rows, Encoding::PLAIN, None)?;
        pages.index.to_invalid();
        let statistics = no_values(descriptor.physical_type(), rows as u64);
        pages.finish(descriptor, rows, statistics, Compression::UNCOMPRESSED, None)
    }

    /// A column of texts.
    pub fn texts(&mut self, column: &Column<'_>) -> Result<Chunk> {
        let pieces: Vec<Piece> = column.arrays.iter().map(Piece::of).collect();
        match Numbered::texts(&pieces, column.levels) {
            Some(numbered) => self.numbered_texts(column, &numbered),
            None => self.plain_texts(column, &pieces),
        }
    }

    fn numbered_texts(&mut self, column: &Column<'_>, numbered: &Numbered<&str>) -> Result<Chunk> {
        let mut dictionary = Vec::with_capacity(numbered.values.iter().map(|value| value.len() + 4).sum());
        numbered.values.iter().for_each(|value| put_text(value, &mut dictionary));
        let whole = |codes: &[u32]| {
            let mut bounds = Texts::default();
            numbered.used(codes).for_each(|value| bounds.add(value));
            bounds.cut()
        };
        let filter = column.bloom_filter.map(|fpp| filter(numbered.values.iter().copied(), fpp)).transpose()?;
        self.numbered(column, numbered, dictionary, whole, filter)
    }

    fn plain_texts(&mut self, column: &Column<'_>, pieces: &[Piece<'_>]) -> Result<Chunk> {
        let rows = column.levels.len();
        let mut pages = Pages::new(Some(Type::BYTE_ARRAY));
        let mut all = Texts::default();
        let mut values = pieces.iter().flat_map(|piece| (0..piece.len()).map(move |row| piece.get(row)));
        let (mut lengths, mut texts): (Vec<i64>, Vec<&str>) = (Vec::new(), Vec::new());
        let mut from = 0;
        while from < rows {
            lengths.clear();
            texts.clear();
            let mut bounds = Texts::default();
            let (mut to, mut size) = (from, 0);
            while to < rows && to - from < PAGE_ROWS && size < PAGE_BYTES {
                if let Some(value) = values.next().flatten() {
                    lengths.push(value.len() as i64);
                    texts.push(value);
                    size += value.len();
                    bounds.add(value);
                }
                to += 1;
            }
            all.merge(bounds);
            let mut page = column.begin(from..to, size + lengths.len() * 2);
            delta::integers(&lengths, &mut page);
            texts.iter().for_each(|text| page.extend_from_slice(text.as_bytes()));
            let body = Body { bytes: page, bounds: bounds.cut() };
            self.page(&mut pages, column, from..to, body, Encoding::DELTA_LENGTH_BYTE_ARRAY)?;
            from = to;
        }
        let filter = match column.bloom_filter {
            None => None,
            Some(fpp) => {
                let values = pieces.iter().flat_map(|piece| (0..piece.len()).filter_map(move |row| piece.get(row)));
                Some(filter(values.collect::<Vec<_>>().into_iter(), fpp)?)
            }
        };
        let statistics = text_statistics(all.cut(), pages.nulls);
        pages.finish(column.descriptor.clone(), rows, statistics, self.compression, filter)
    }

    /// A column of 64-bit integers.
    pub fn longs(&mut self, column: &Column<'_>) -> Result<Chunk> {
        let values: Vec<i64> =
            column.arrays.iter().flat_map(|array| array.as_primitive::<Int64Type>().iter().flatten()).collect();
        match Numbered::longs(&values) {
            Some(numbered) => {
                let dictionary = numbered.values.iter().flat_map(|value| value.to_le_bytes()).collect();
                let bounds = |codes: &[u32]| long_bounds(numbered.used(codes).copied());
                self.numbered(column, &numbered, dictionary, bounds, None)
            }
            None => self.plain_longs(column, &values, Encoding::PLAIN),
        }
    }

    /// A column of timestamps, which come close to one another.
    pub fn times(&mut self, column: &Column<'_>) -> Result<Chunk> {
        let times = column.arrays.iter().map(|array| array.as_primitive::<TimestampMicrosecondType>());
        let values: Vec<i64> = times.flat_map(|times| times.iter().flatten()).collect();
        self.plain_longs(column, &values, Encoding::DELTA_BINARY_PACKED)
    }

    fn plain_longs(&mut self, column: &Column<'_>, values: &[i64], encoding: Encoding) -> Result<Chunk> {
        let rows = column.levels.len();
        let mut pages = Pages::new(Some(Type::INT64));
        let mut at = 0;
        for range in page_ranges(rows) {
            let count = column.levels.count(range.clone());
            let page = &values[at..at + count];
            at += count;
            let mut bytes = column.begin(range.clone(), page.len() * 8);
            match encoding {
                Encoding::DELTA_BINARY_PACKED => delta::integers(page, &mut bytes),
                _ => bytes.extend(page.iter().flat_map(|value| value.to_le_bytes())),
            }
            let body = Body { bytes, bounds: long_bounds(page.iter().copied()) };
            self.page(&mut pages, column, range, body, encoding)?;
        }
        let statistics = long_statistics(long_bounds(values.iter().copied()), pages.nulls);
        pages.finish(column.descriptor.clone(), rows, statistics, self.compression, None)
    }

    fn numbered<T>(
        &mut self,
        column: &Column<'_>,
        numbered: &Numbered<T>,
        dictionary: Vec<u8>,
        bounds: impl Fn(&[u32]) -> Option<(Bound, Option<Bound>)>,
        filter: Option<Sbbf>,
    ) -> Result<Chunk> {
        let rows = column.levels.len();
        let physical = column.descriptor.physical_type();
        let mut pages = Pages::new(Some(physical));
        pages.dictionary(dictionary, numbered.values.len(), &mut self.zstd)?;
        let width = hybrid::width(numbered.values.len().saturating_sub(1) as u32);
        let mut at = 0;
        for range in page_ranges(rows) {
            let count = column.levels.count(range.clone());
            let codes = &numbered.codes[at..at + count];
            at += count;
            let mut bytes = column.begin(range.clone(), codes.len() + 1);
            bytes.push(width);
            hybrid::encode(codes, width, &mut bytes);
            let body = Body { bytes, bounds: bounds(codes) };
            self.page(&mut pages, column, range, body, Encoding::RLE_DICTIONARY)?;
        }
        let statistics = match physical {
            Type::INT64 => long_statistics(bounds(&numbered.codes), pages.nulls),
            _ => text_statistics(bounds(&numbered.codes), pages.nulls),
        };
        pages.finish(column.descriptor.clone(), rows, statistics, self.compression, filter)
    }

    /// Writes a page of the rows `range`, whose values are `body`.
    fn page(
        &mut self,
        pages: &mut Pages,
        column: &Column<'_>,
        range: Range<usize>,
        body: Body,
        encoding: Encoding,
    ) -> Result<()> {
        let (rows, nulls) = (range.len(), range.len() - column.levels.count(range.clone()));
        pages.bounds(rows, nulls, body.bounds);
        pages.data(body.bytes, rows, nulls, encoding, Some(&mut self.zstd))
    }
}

/// The pages of a chunk as they are written.
struct Pages {
    sink: TrackedWrite<Vec<u8>>,
    index: ColumnIndexBuilder,
    offsets: OffsetIndexBuilder,
    dictionary_at: Option<i64>,
    data_at: Option<i64>,
    encodings: Vec<Encoding>,
    nulls: u64,
    data_pages: usize,
    compressed: i64,
    uncompressed: i64,
}

impl Pages {
    fn new(physical: Option<Type>) -> Self {
        Pages {
            sink: TrackedWrite::new(Vec::new()),
            index: ColumnIndexBuilder::new(physical.unwrap_or(Type::BYTE_ARRAY)),
            offsets: OffsetIndexBuilder::new(),
            dictionary_at: None,
            data_at: None,
            encodings: vec![Encoding::RLE],
            nulls: 0,
            data_pages: 0,
            compressed: 0,
            uncompressed: 0,
        }
    }

    fn dictionary(&mut self, bytes: Vec<u8>, values: usize, zstd: &mut Zstd) -> Result<()> {
        let uncompressed = bytes.len();
        let buf = zstd.compress(&bytes)?;
        let page = Page::DictionaryPage { buf, num_values: values as u32, encoding: Encoding::PLAIN, is_sorted: false };
        let (at, _) = self.write(CompressedPage::new(page, uncompressed))?;
        self.dictionary_at = Some(at);
        self.encodings.push(Encoding::PLAIN);
        Ok(())
    }

    fn data(
        &mut self,
        bytes: Vec<u8>,
        rows: usize,
        nulls: usize,
        encoding: Encoding,
        zstd: Option<&mut Zstd>,
    ) -> Result<()> {
        let uncompressed = bytes.len();
        let buf = match zstd {
            Some(zstd) => zstd.compress(&bytes)?,
            None => Bytes::from(bytes),
        };
        let page = Page::DataPage {
            buf,
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let (at, size) = self.write(CompressedPage::new(page, uncompressed))?;
        self.data_at.get_or_insert(at);
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_offset_and_size(at, size as i32);
        self.nulls += nulls as u64;
        self.data_pages += 1;
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        Ok(())
    }

    /// What the column index says of the page that comes next.
    fn bounds(&mut self, rows: usize, nulls: usize, bounds: Option<(Bound, Option<Bound>)>) {
        match bounds {
            Some((lower, Some(upper))) => self.index.append(false, lower.bytes, upper.bytes, nulls as i64),
            // No upper bound can be written for it: then the index says nothing of the column.
            Some((_, None)) => self.index.to_invalid(),
            None => self.index.append(rows == nulls, Vec::new(), Vec::new(), nulls as i64),
        }
    }

    fn write(&mut self, page: CompressedPage) -> Result<(i64, usize)> {
        let spec = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        self.compressed += spec.compressed_size as i64;
        self.uncompressed += spec.uncompressed_size as i64;
        Ok((spec.offset as i64, spec.compressed_size))
    }

    fn finish(
        mut self,
        descriptor: ColumnDescPtr,
        rows: usize,
        statistics: Statistics,
        compression: Compression,
        bloom_filter: Option<Sbbf>,
    ) -> Result<Chunk> {
        if self.data_pages <= 1 {
            self.index.set_boundary_order(BoundaryOrder::ASCENDING);
        }
        let metadata = ColumnChunkMetaData::builder(descriptor)
            .set_compression(compression)
            .set_encodings(self.encodings)
            .set_total_compressed_size(self.compressed)
            .set_total_uncompressed_size(self.uncompressed)
            .set_num_values(rows as i64)
            .set_data_page_offset(self.data_at.unwrap_or(0))
            .set_dictionary_page_offset(self.dictionary_at)
            .set_statistics(statistics)
            .build()?;
        let column_index = if self.index.valid() { Some(self.index.build()?) } else { None };
        let close = ColumnCloseResult {
            bytes_written: self.compressed as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter,
            column_index,
            offset_index: Some(self.offsets.build()),
        };
        Ok(Chunk { bytes: Bytes::from(self.sink.into_inner()?), close })
    }
}

/// A piece of a text column.
enum Piece<'a> {
    Plain(&'a StringArray),
    Coded { codes: &'a arrow::array::Int32Array, values: &'a StringArray },
}

impl<'a> Piece<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Dictionary(..) => {
                let array = array.as_dictionary::<Int32Type>();
                Piece::Coded { codes: array.keys(), values: array.values().as_string() }
            }
            _ => Piece::Plain(array.as_string()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Piece::Plain(array) => array.len(),
            Piece::Coded { codes, .. } => codes.len(),
        }
    }

    #[inline]
    fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Piece::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Piece::Coded { codes, values } => codes.is_valid(row).then(|| values.value(codes.value(row) as usize)),
        }
    }
}

/// A column as the numbers of its distinct values, in the order of their first row; nulls are left out.
struct Numbered<T> {
    values: Vec<T>,
    codes: Vec<u32>,
}

impl<T> Numbered<T> {
    /// The distinct values among some rows.
    fn used<'c>(&'c self, codes: &'c [u32]) -> impl Iterator<Item = &'c T> {
        let mut is_used = vec![false; self.values.len()];
        codes.iter().for_each(|code| is_used[*code as usize] = true);
        self.values.iter().zip(is_used).filter(|(_, is_used)| *is_used).map(|(value, _)| value)
    }
}

/// The number of a value that no row had yet.
const NEW: u32 = u32::MAX;

impl<'a> Numbered<&'a str> {
    /// None when the column is better written as it is: most values are new, or a piece came plain.
    fn texts(pieces: &[Piece<'a>], levels: &Levels) -> Option<Self> {
        let is_plain = |piece: &Piece<'_>| matches!(piece, Piece::Plain(array) if array.null_count() < array.len());
        if pieces.iter().any(is_plain) {
            return None;
        }
        let mut numbered = Numbered { values: Vec::new(), codes: Vec::with_capacity(levels.count(0..levels.len())) };
        let mut numbers: HashMap<&'a str, u32> = HashMap::new();
        let mut bytes = 0;
        for piece in pieces {
            let Piece::Coded { codes, values } = piece else { continue };
            // A piece may be a part of what was decoded together: only values that it has count.
            let mut known = vec![NEW; values.len()];
            for code in codes.iter().flatten() {
                let number = &mut known[code as usize];
                if *number == NEW {
                    let value = values.value(code as usize);
                    *number = *numbers.entry(value).or_insert_with(|| {
                        bytes += value.len() + 4;
                        numbered.values.push(value);
                        (numbered.values.len() - 1) as u32
                    });
                }
                numbered.codes.push(*number);
            }
            if bytes > DICTIONARY_BYTES {
                return None;
            }
        }
        let is_worth_it = numbered.values.len() <= 64 || numbered.values.len() * 3 <= numbered.codes.len();
        is_worth_it.then_some(numbered)
    }
}

impl Numbered<i64> {
    /// None when most values are new.
    fn longs(all: &[i64]) -> Option<Self> {
        let mut numbered = Numbered { values: Vec::new(), codes: Vec::with_capacity(all.len()) };
        let mut numbers: HashMap<i64, u32> = HashMap::new();
        let mut last = None;
        for &value in all {
            let number = match last {
                Some((same, number)) if same == value => number,
                _ => *numbers.entry(value).or_insert_with(|| {
                    numbered.values.push(value);
                    (numbered.values.len() - 1) as u32
                }),
            };
            last = Some((value, number));
            numbered.codes.push(number);
            if numbered.values.len() > 256 && numbered.values.len() * 2 > numbered.codes.len() {
                return None;
            }
        }
        Some(numbered)
    }
}

fn put_text(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
}

/// A block of levels that are all the same, with its length before it.
fn hybrid_block(value: u32, rows: usize, width: u8, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    hybrid::run(value, rows, width, out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn page_ranges(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(PAGE_ROWS).map(move |from| from..(from + PAGE_ROWS).min(rows))
}

fn filter<'a>(values: impl ExactSizeIterator<Item = &'a str>, fpp: f64) -> Result<Sbbf> {
    let mut filter = Sbbf::new_with_ndv_fpp(values.len().max(1) as u64, fpp)?;
    values.for_each(|value| filter.insert(value));
    filter.fold_to_target_fpp(fpp);
    Ok(filter)
}

fn text_statistics(bounds: Option<(Bound, Option<Bound>)>, nulls: u64) -> Statistics {
    let (lower, upper) = match bounds {
        Some((lower, upper)) => (Some(lower), upper),
        None => (None, None),
    };
    let is_exact = |bound: &Option<Bound>| bound.as_ref().is_some_and(|bound| bound.is_exact);
    let (min_is_exact, max_is_exact) = (is_exact(&lower), is_exact(&upper));
    let value = |bound: Option<Bound>| bound.map(|bound| ByteArray::from(bound.bytes));
    let statistics = ValueStatistics::new(value(lower), value(upper), None, Some(nulls), false);
    Statistics::ByteArray(statistics.with_min_is_exact(min_is_exact).with_max_is_exact(max_is_exact))
}

fn long_bounds(values: impl Iterator<Item = i64>) -> Option<(Bound, Option<Bound>)> {
    let range = values.fold(None, |range: Option<(i64, i64)>, value| {
        Some(range.map_or((value, value), |(min, max)| (min.min(value), max.max(value))))
    });
    let bound = |value: i64| Bound { bytes: value.to_le_bytes().to_vec(), is_exact: true };
    range.map(|(min, max)| (bound(min), Some(bound(max))))
}

fn long_statistics(bounds: Option<(Bound, Option<Bound>)>, nulls: u64) -> Statistics {
    let value = |bound: Bound| bound.bytes.try_into().ok().map(i64::from_le_bytes);
    let (min, max) = match bounds {
        Some((lower, upper)) => (value(lower), upper.and_then(value)),
        None => (None, None),
    };
    Statistics::int64(min, max, None, Some(nulls), false)
}

fn no_values(physical: Type, nulls: u64) -> Statistics {
    let nulls = Some(nulls);
    match physical {
        Type::BOOLEAN => Statistics::boolean(None, None, None, nulls, false),
        Type::INT32 => Statistics::int32(None, None, None, nulls, false),
        Type::INT64 => Statistics::int64(None, None, None, nulls, false),
        Type::INT96 => Statistics::int96(None, None, None, nulls, false),
        Type::FLOAT => Statistics::float(None, None, None, nulls, false),
        Type::DOUBLE => Statistics::double(None, None, None, nulls, false),
        Type::BYTE_ARRAY => Statistics::byte_array(None, None, None, nulls, false),
        Type::FIXED_LEN_BYTE_ARRAY => Statistics::fixed_len_byte_array(None, None, None, nulls, false),
    }
}
