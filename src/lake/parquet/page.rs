//! The pages of a column chunk as they are written, and the metadata that goes with them.

use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, Type};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::bounds::Bound;

/// The pages of a chunk, and what its metadata says.
pub struct Chunk {
    pub bytes: Bytes,
    pub close: ColumnCloseResult,
}

/// One context for all columns: making one costs more than a small page.
pub struct Zstd {
    compressor: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
    /// The compression as metadata calls it.
    compression: Compression,
}

impl Zstd {
    pub fn new(compression: Compression, level: i32) -> Result<Self> {
        Ok(Zstd { compressor: zstd::bulk::Compressor::new(level)?, buffer: Vec::new(), compression })
    }

    pub fn compress(&mut self, bytes: &[u8]) -> Result<Bytes> {
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.compressor.compress_to_buffer(bytes, &mut self.buffer)?;
        Ok(Bytes::copy_from_slice(&self.buffer))
    }
}

/// Compression that saves fewer bytes of a chunk's first pages is left out, and one that saves less than a sixth. A reader
/// makes a zstd context for every chunk, which takes as long as to decompress some 20 KB, and a query reads hundreds of
/// chunks; two of three save so little, 0.7 % of a lake all together.
const SAVES_BYTES: usize = 1024;
const SAVES_SHARE: usize = 6;

/// Bytes of the first pages that decide: pages of nulls, in a column that begins late, tell nothing.
const TELLING_BYTES: usize = 16 * 1024;

/// A page of data before it is known how it is written.
struct Waiting {
    bytes: Vec<u8>,
    rows: usize,
    encoding: Encoding,
}

/// The pages of a chunk as they are written.
pub struct Pages {
    sink: TrackedWrite<Vec<u8>>,
    pub index: ColumnIndexBuilder,
    offsets: OffsetIndexBuilder,
    dictionary_at: Option<i64>,
    data_at: Option<i64>,
    encodings: Vec<Encoding>,
    pub nulls: u64,
    data_pages: usize,
    /// The dictionary and the first pages of data, until it is decided how all are written.
    dictionary: Option<(Vec<u8>, usize)>,
    waiting: Vec<Waiting>,
    /// None when that is not decided yet.
    is_compressed: Option<bool>,
    compressed: i64,
    uncompressed: i64,
}

impl Pages {
    pub fn new(physical: Option<Type>) -> Self {
        Pages {
            sink: TrackedWrite::new(Vec::new()),
            index: ColumnIndexBuilder::new(physical.unwrap_or(Type::BYTE_ARRAY)),
            offsets: OffsetIndexBuilder::new(),
            dictionary_at: None,
            data_at: None,
            encodings: vec![Encoding::RLE],
            nulls: 0,
            data_pages: 0,
            dictionary: None,
            waiting: Vec::new(),
            is_compressed: None,
            compressed: 0,
            uncompressed: 0,
        }
    }

    /// The dictionary: before all data.
    pub fn dictionary(&mut self, bytes: Vec<u8>, values: usize) {
        self.dictionary = Some((bytes, values));
    }

    /// A page of data. The first ones decide whether the chunk's pages are compressed; without `zstd` none is.
    pub fn data(
        &mut self,
        bytes: Vec<u8>,
        rows: usize,
        nulls: usize,
        encoding: Encoding,
        zstd: Option<&mut Zstd>,
    ) -> Result<()> {
        let page = Waiting { bytes, rows, encoding };
        self.nulls += nulls as u64;
        match (zstd, self.is_compressed) {
            (None, _) | (_, Some(false)) => self.put(page, None),
            (Some(zstd), Some(true)) => {
                let smaller = zstd.compress(&page.bytes)?;
                self.put(page, Some(smaller))
            }
            (Some(zstd), None) => {
                self.waiting.push(page);
                if self.waiting.iter().map(|page| page.bytes.len()).sum::<usize>() >= TELLING_BYTES {
                    self.decide(zstd)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Writes what waits, compressed if that is worth it.
    fn decide(&mut self, zstd: &mut Zstd) -> Result<()> {
        let (dictionary, waiting) = (self.dictionary.take(), std::mem::take(&mut self.waiting));
        let bytes = || dictionary.iter().map(|(bytes, _)| bytes).chain(waiting.iter().map(|page| &page.bytes));
        let all: usize = bytes().map(Vec::len).sum();
        let mut smaller = Vec::new();
        if all > SAVES_BYTES {
            smaller = bytes().map(|bytes| zstd.compress(bytes)).collect::<Result<Vec<Bytes>>>()?;
        }
        let size: usize = smaller.iter().map(Bytes::len).sum();
        let is_compressed = !smaller.is_empty() && size + SAVES_BYTES.max(all / SAVES_SHARE) <= all;
        self.is_compressed = Some(is_compressed);
        let mut smaller = smaller.into_iter().filter(|_| is_compressed);
        if let Some((bytes, values)) = dictionary {
            let uncompressed = bytes.len();
            let buf = smaller.next().unwrap_or_else(|| bytes.into());
            let page =
                Page::DictionaryPage { buf, num_values: values as u32, encoding: Encoding::PLAIN, is_sorted: false };
            let (at, _) = self.write(CompressedPage::new(page, uncompressed))?;
            self.dictionary_at = Some(at);
            self.encodings.push(Encoding::PLAIN);
        }
        waiting.into_iter().try_for_each(|page| self.put(page, smaller.next()))
    }

    fn put(&mut self, page: Waiting, compressed: Option<Bytes>) -> Result<()> {
        let Waiting { bytes, rows, encoding } = page;
        let uncompressed = bytes.len();
        let page = Page::DataPage {
            buf: compressed.unwrap_or_else(|| bytes.into()),
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
        self.data_pages += 1;
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        Ok(())
    }

    /// Records what the column index says about the next page.
    pub fn bounds(&mut self, rows: usize, nulls: usize, bounds: Option<(Bound, Option<Bound>)>) {
        match bounds {
            Some((lower, Some(upper))) => self.index.append(false, lower.bytes, upper.bytes, nulls as i64),
            // No upper bound can be written for it: then the index says nothing of the column.
            Some((_, None)) => self.index.to_invalid(),
            None => self.index.append(rows == nulls, Vec::new(), Vec::new(), nulls as i64),
        }
    }

    pub fn write(&mut self, page: CompressedPage) -> Result<(i64, usize)> {
        let spec = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        self.compressed += spec.compressed_size as i64;
        self.uncompressed += spec.uncompressed_size as i64;
        Ok((spec.offset as i64, spec.compressed_size))
    }

    pub fn finish(
        mut self,
        descriptor: ColumnDescPtr,
        rows: usize,
        statistics: Statistics,
        zstd: Option<&mut Zstd>,
        bloom_filter: Option<Sbbf>,
    ) -> Result<Chunk> {
        let mut compression = Compression::UNCOMPRESSED;
        if let Some(zstd) = zstd {
            if self.is_compressed.is_none() {
                self.decide(zstd)?;
            }
            if self.is_compressed == Some(true) {
                compression = zstd.compression;
            }
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::ZstdLevel;
    use parquet::schema::parser::parse_message_type;
    use parquet::schema::types::SchemaDescriptor;

    use super::*;

    /// The codec of a chunk, and its bytes, after pages of these contents.
    fn written(pages: &[&[u8]]) -> (Compression, usize) {
        let schema = parse_message_type("message row { optional binary text (utf8); }").unwrap();
        let descriptor = SchemaDescriptor::new(Arc::new(schema)).column(0);
        let mut zstd = Zstd::new(Compression::ZSTD(ZstdLevel::default()), 1).unwrap();
        let mut made = Pages::new(Some(Type::BYTE_ARRAY));
        for page in pages {
            made.bounds(1, 1, None);
            made.data(page.to_vec(), 1, 1, Encoding::DELTA_LENGTH_BYTE_ARRAY, Some(&mut zstd)).unwrap();
        }
        let statistics = Statistics::byte_array(None, None, None, Some(pages.len() as u64), false);
        let chunk = made.finish(descriptor, pages.len(), statistics, Some(&mut zstd), None).unwrap();
        let offsets = chunk.close.offset_index.unwrap().page_locations;
        assert_eq!(offsets.len(), pages.len());
        assert!(offsets.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        (chunk.close.metadata.compression(), chunk.bytes.len())
    }

    #[test]
    fn what_zstd_does_not_shrink_is_left_as_it_is() {
        let same = vec![7; 100_000];
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..100_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        let is_zstd = |pages: &[&[u8]]| matches!(written(pages).0, Compression::ZSTD(_));
        assert!(is_zstd(&[&same]));
        assert!(!is_zstd(&[&noise]));
        assert!(!is_zstd(&[&same[..900]]), "it cannot save 1 KiB");
        // A column that begins late: its first pages are nulls, and tell nothing.
        let (codec, bytes) = written(&[&same[..10], &same[..10], &same, &same]);
        assert!(matches!(codec, Compression::ZSTD(_)) && bytes < 10_000, "{codec} {bytes}");
        assert_eq!(written(&[]).0, Compression::UNCOMPRESSED);
    }
}
