//! One column of one row group becomes a Parquet column chunk.
//!
//! Parquet's own writer hashes and compares every value again. The decoder has the repeated texts numbered already, so
//! here a text is looked at once a batch: dictionary, statistics and bloom filter are made from the distinct values,
//! and the rows are only renumbered. Columns that are null throughout, which most of a class's are, cost one short page.
//! Lists, doubles and booleans go through Parquet's writer (`encode`).

use std::ops::Range;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use parquet::basic::{Compression, Encoding, Type};
use parquet::bloom_filter::Sbbf;
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::bounds::{Bound, Texts};
use super::delta;
use super::hybrid;
use super::levels::Levels;
use super::number::{Numbered, Piece};
use super::page::{Chunk, Pages, Zstd};
use super::statistics::{long_bounds, long_statistics, no_values, text_statistics};

/// Pages are what readers skip by: who looks for one row decompresses one page of each column. With 20,000 rows and 1 MiB,
/// as Parquet's writer has it, one event took a third longer to find; smaller pages compress worse.
const PAGE_ROWS: usize = 8192;
const PAGE_BYTES: usize = 512 << 10;

/// How column chunks are written.
pub struct Chunker {
    zstd: Zstd,
}

/// A column to write.
pub struct Column<'a> {
    pub descriptor: ColumnDescPtr,
    /// Its pieces, in the order of the rows: `Utf8`, a dictionary of it, `Int64`, or timestamps.
    pub arrays: &'a [ArrayRef],
    pub levels: &'a Levels,
    /// The share of false answers; `None` makes no filter.
    pub bloom_filter: Option<f64>,
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
        Ok(Chunker { zstd: Zstd::new(compression, level)? })
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
        pages.finish(descriptor, rows, statistics, None, None)
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
        pages.finish(column.descriptor.clone(), rows, statistics, Some(&mut self.zstd), filter)
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
        pages.finish(column.descriptor.clone(), rows, statistics, Some(&mut self.zstd), None)
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
        pages.dictionary(dictionary, numbered.values.len());
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
        pages.finish(column.descriptor.clone(), rows, statistics, Some(&mut self.zstd), filter)
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
