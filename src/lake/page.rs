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
}

impl Zstd {
    pub fn new(level: i32) -> Result<Self> {
        Ok(Zstd { compressor: zstd::bulk::Compressor::new(level)?, buffer: Vec::new() })
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
    /// Waits for the first data page, with which it is decided how both are written.
    dictionary: Option<(Vec<u8>, usize)>,
    is_compressed: bool,
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
            is_compressed: false,
            compressed: 0,
            uncompressed: 0,
        }
    }

    /// The dictionary: before all data.
    pub fn dictionary(&mut self, bytes: Vec<u8>, values: usize) {
        self.dictionary = Some((bytes, values));
    }

    /// A page of data. The first one decides whether the chunk's pages are compressed; without `zstd` none is.
    pub fn data(
        &mut self,
        bytes: Vec<u8>,
        rows: usize,
        nulls: usize,
        encoding: Encoding,
        zstd: Option<&mut Zstd>,
    ) -> Result<()> {
        let uncompressed = bytes.len();
        let buf = match zstd {
            Some(zstd) if self.data_pages == 0 => self.first(bytes, zstd)?,
            Some(zstd) if self.is_compressed => zstd.compress(&bytes)?,
            _ => Bytes::from(bytes),
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

    /// Writes the dictionary, if there is one; returns the first page of data as it is to be written.
    fn first(&mut self, data: Vec<u8>, zstd: &mut Zstd) -> Result<Bytes> {
        let (dictionary, values) = self.dictionary.take().map_or((None, 0), |(bytes, values)| (Some(bytes), values));
        let sizes = (dictionary.as_ref().map_or(0, Vec::len), data.len());
        let plain = (dictionary.map(Bytes::from), Bytes::from(data));
        let all = sizes.0 + sizes.1;
        let (dictionary, data) = match all > SAVES_BYTES {
            false => plain,
            true => {
                let smaller =
                    (plain.0.as_ref().map(|bytes| zstd.compress(bytes)).transpose()?, zstd.compress(&plain.1)?);
                let size = smaller.0.as_ref().map_or(0, Bytes::len) + smaller.1.len();
                self.is_compressed = size + SAVES_BYTES.max(all / SAVES_SHARE) <= all;
                if self.is_compressed { smaller } else { plain }
            }
        };
        if let Some(buf) = dictionary {
            let page =
                Page::DictionaryPage { buf, num_values: values as u32, encoding: Encoding::PLAIN, is_sorted: false };
            let (at, _) = self.write(CompressedPage::new(page, sizes.0))?;
            self.dictionary_at = Some(at);
            self.encodings.push(Encoding::PLAIN);
        }
        Ok(data)
    }

    /// What the column index says of the page that comes next.
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

    /// `compression` is what `zstd` does.
    pub fn finish(
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
            .set_compression(if self.is_compressed { compression } else { Compression::UNCOMPRESSED })
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
