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
            compressed: 0,
            uncompressed: 0,
        }
    }

    pub fn dictionary(&mut self, bytes: Vec<u8>, values: usize, zstd: &mut Zstd) -> Result<()> {
        let uncompressed = bytes.len();
        let buf = zstd.compress(&bytes)?;
        let page = Page::DictionaryPage { buf, num_values: values as u32, encoding: Encoding::PLAIN, is_sorted: false };
        let (at, _) = self.write(CompressedPage::new(page, uncompressed))?;
        self.dictionary_at = Some(at);
        self.encodings.push(Encoding::PLAIN);
        Ok(())
    }

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
