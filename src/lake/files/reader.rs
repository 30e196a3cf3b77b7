//! Byte ranges of one data file, for the Parquet reader.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::file::{FileEntry, Footer};

/// Reads one object of known size. Size and footer come from the ledger: no request is needed to learn the size, and a
/// file without the right footer is not read.
#[derive(Debug, Clone)]
pub struct ObjectReader {
    pub store: Arc<dyn ObjectStore>,
    pub path: Path,
    pub size: u64,
    pub footer: Footer,
}

impl ObjectReader {
    pub fn new(store: &Arc<dyn ObjectStore>, file: &FileEntry) -> ObjectReader {
        ObjectReader { store: store.clone(), path: file.data_path(), size: file.bytes, footer: file.footer() }
    }
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { Ok(self.store.get_range(&self.path, range).await?) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { Ok(self.store.get_ranges(&self.path, &ranges).await?) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = self.footer.fetch(&self.store, &self.path, self.size).await;
            let footer = footer.map_err(|error| ParquetError::External(error.into()))?;
            let (column, offset) = options.map_or((PageIndexPolicy::Skip, PageIndexPolicy::Skip), |options| {
                (options.column_index_policy(), options.offset_index_policy())
            });
            if (column, offset) == (PageIndexPolicy::Skip, PageIndexPolicy::Skip) {
                return Ok(Arc::new(footer));
            }
            let mut index = ParquetMetaDataReader::new_with_metadata(footer)
                .with_column_index_policy(column)
                .with_offset_index_policy(offset);
            index.load_page_index(self).await?;
            Ok(Arc::new(index.finish()?))
        }
        .boxed()
    }
}
