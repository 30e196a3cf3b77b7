//! The content of footers, kept from one statement to the next, and no more of it than a scan needs.
//!
//! A class has some 250 leaf columns. To open a file the engine makes an Arrow schema of all of them, looks through all
//! of them and reads the page index of all of them, each time; a question needs five. So a scan gets footers that were
//! cut down to its columns, as if the files had no others: [`Narrow`].
//!
//! Bloom filters are kept as well: a search asks the filter of every file, and nearly all answer no.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use datafusion::common::internal_err;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadata, FileMetadataCache};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};

use super::fact::Fact;
use crate::lake::FileEntry;

/// The record of a file, which travels with it through the plan: the opener of the file checks its footer.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// A data file, as the ledger records it.
    Data(Arc<FileEntry>),
    /// A file that was derived from a data file.
    Fact(Arc<Fact>),
}

impl Recorded {
    /// Returns the data file.
    pub fn entry(&self) -> &Arc<FileEntry> {
        match self {
            Recorded::Data(entry) => entry,
            Recorded::Fact(fact) => &fact.entry,
        }
    }

    /// Returns the file that is read, and its length.
    pub fn place(&self) -> (Path, u64) {
        match self {
            Recorded::Data(entry) => (entry.data_path(), entry.bytes),
            Recorded::Fact(fact) => (fact.path.clone(), fact.bytes),
        }
    }
}

/// A footer that matches the ledger's.
struct Checked(Arc<ParquetMetaData>);

impl FileMetadata for Checked {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn memory_size(&self) -> usize {
        self.0.memory_size()
    }

    fn extra_info(&self) -> datafusion::common::HashMap<String, String> {
        datafusion::common::HashMap::new()
    }
}

/// The filters of one column in one file, one for each row group that has one.
pub type Filters = Arc<Vec<Option<Sbbf>>>;

type Cuts = Arc<Mutex<HashMap<Path, Arc<ParquetMetaData>>>>;

/// The session's memory of files, which never change.
pub struct Footers {
    store: Arc<dyn ObjectStore>,
    whole: Arc<FileMetadataCache>,
    kept: Mutex<Kept>,
    bytes: AtomicUsize,
    limit: usize,
}

#[derive(Default)]
struct Kept {
    /// Footers by columns, and by whether the page index is included.
    cuts: HashMap<(Arc<[String]>, bool), Cuts>,
    filters: HashMap<String, HashMap<Path, Filters>>,
}

impl fmt::Debug for Footers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Footers({} bytes)", self.bytes.load(Ordering::Relaxed))
    }
}

impl Footers {
    /// Keeps about `limit` bytes beside the whole footers in `whole`.
    pub fn new(store: Arc<dyn ObjectStore>, whole: Arc<FileMetadataCache>, limit: usize) -> Footers {
        Footers { store, whole, kept: Mutex::default(), bytes: AtomicUsize::new(0), limit }
    }

    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Returns the footers of files as if they had only these top-level columns.
    pub fn narrow(self: &Arc<Self>, columns: Arc<[String]>, with_index: bool) -> Narrow {
        let cuts = self.kept().cuts.entry((columns.clone(), with_index)).or_default().clone();
        Narrow { footers: self.clone(), columns, with_index, cuts }
    }

    pub fn filters(&self, file: &Path, column: &str) -> Option<Filters> {
        self.kept().filters.get(column)?.get(file).cloned()
    }

    pub fn keep_filters(&self, file: &Path, column: &str, filters: Filters) {
        self.count(
            filters.iter().flatten().map(|filter| filter.num_blocks() * 32).sum::<usize>() + file.as_ref().len(),
        );
        self.kept().filters.entry(column.to_string()).or_default().insert(file.clone(), filters);
    }

    /// Returns the footer of a file. Errors when it is not the one that the ledger records.
    async fn whole(&self, file: &PartitionedFile) -> Result<Arc<ParquetMetaData>> {
        let path = file.path();
        let known = self.whole.get(path);
        if let Some(Checked(footer)) = known.as_ref().and_then(|known| known.file_metadata.as_any().downcast_ref()) {
            return Ok(footer.clone());
        }
        let footer = match file.extension() {
            Some(Recorded::Data(entry)) => entry.footer().fetch(&self.store, path, entry.bytes).await,
            Some(Recorded::Fact(fact)) => fact.footer(&self.store).await,
            None => return internal_err!("{path} is read without what the ledger records of it"),
        };
        let footer = Arc::new(footer.map_err(|error| DataFusionError::External(Box::new(error)))?);
        let checked = Arc::new(Checked(footer.clone()));
        self.whole.put(path, CachedFileMetadataEntry::new(file.object_meta.clone(), checked));
        Ok(footer)
    }

    /// Returns whether facts are what they say; their footer is kept for the scan.
    pub async fn is_readable(&self, fact: &Arc<Fact>) -> bool {
        let file = PartitionedFile::new(fact.path.to_string(), fact.bytes);
        self.whole(&file.with_extension(Recorded::Fact(fact.clone()))).await.is_ok()
    }

    /// Counts bytes. Beyond the limit everything is forgotten: finding the least used would cost more than reading some
    /// of it again.
    fn count(&self, bytes: usize) {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.limit {
            self.bytes.store(0, Ordering::Relaxed);
            *self.kept() = Kept::default();
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Every change is one call: the content is consistent.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The footers of files, cut down to some columns.
#[derive(Clone)]
pub struct Narrow {
    footers: Arc<Footers>,
    columns: Arc<[String]>,
    with_index: bool,
    cuts: Cuts,
}

impl fmt::Debug for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Narrow({:?})", self.columns)
    }
}

impl Narrow {
    pub fn footers(&self) -> &Arc<Footers> {
        &self.footers
    }

    /// Returns the footer, if it was already read.
    pub fn known(&self, file: &Path) -> Option<Arc<ParquetMetaData>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned()
    }

    fn any(&self) -> Option<Arc<ParquetMetaData>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).values().next().cloned()
    }

    /// Returns the footer without the page index, whatever the scan wants.
    pub async fn footer(&self, file: &PartitionedFile) -> Result<Arc<ParquetMetaData>> {
        if let Some(known) = self.known(file.path()) {
            return Ok(known);
        }
        let like = self.any().map(|footer| footer.file_metadata().schema_descr_ptr());
        let cut = Arc::new(cut(self.footers.whole(file).await?.as_ref(), &self.columns, like)?);
        Ok(self.keep(file, cut))
    }

    fn keep(&self, file: &PartitionedFile, cut: Arc<ParquetMetaData>) -> Arc<ParquetMetaData> {
        self.footers.count(cut.memory_size());
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).insert(file.path().clone(), cut.clone());
        cut
    }

    /// Returns the footer as a scan wants it; `reader` reads the index.
    async fn for_scan(
        &self,
        file: &PartitionedFile,
        reader: &mut Box<dyn AsyncFileReader>,
    ) -> parquet::errors::Result<Arc<ParquetMetaData>> {
        let failed = |error| ParquetError::External(Box::new(error));
        if !self.with_index {
            return self.footer(file).await.map_err(failed);
        }
        if let Some(known) = self.known(file.path()) {
            return Ok(known);
        }
        let plain = self.footers.narrow(self.columns.clone(), false).footer(file).await.map_err(failed)?;
        let mut index = ParquetMetaDataReader::new_with_metadata(plain.as_ref().clone())
            .with_page_index_policy(PageIndexPolicy::Optional);
        index.load_page_index(reader).await?;
        Ok(self.keep(file, Arc::new(index.finish()?)))
    }
}

/// Returns a footer with some of its top-level columns. It shares the schema `like` if that is its own: files of one
/// schema can then be asked together.
fn cut(
    footer: &ParquetMetaData,
    columns: &[String],
    like: Option<SchemaDescPtr>,
) -> parquet::errors::Result<ParquetMetaData> {
    let file = footer.file_metadata();
    let has_arrow =
        |pairs: &Vec<_>| pairs.iter().any(|pair: &parquet::file::metadata::KeyValue| pair.key == ARROW_SCHEMA_META_KEY);
    // The Arrow schema of another writer would have to be cut as well.
    if file.key_value_metadata().is_some_and(has_arrow) {
        return Ok(footer.clone());
    }
    let whole = file.schema_descr();
    let is_wanted = |name: &str| columns.iter().any(|column| column == name);
    // At least one is left: the engine tells row groups apart by where their first column begins.
    let first = match file.schema().get_fields() {
        fields if fields.iter().any(|field| is_wanted(field.name())) => None,
        fields => fields.first().map(|field| field.name()),
    };
    let is_kept = |name: &str| is_wanted(name) || first == Some(name);
    let fields = file.schema().get_fields().iter().filter(|field| is_kept(field.name())).cloned().collect();
    let root = Type::group_type_builder(file.schema().name()).with_fields(fields).build()?;
    let schema = match like {
        Some(like) if *like.root_schema() == root => like,
        _ => Arc::new(SchemaDescriptor::new(Arc::new(root))),
    };
    let leaves: Vec<usize> = (0..whole.num_columns()).filter(|&at| is_kept(whole.get_column_root(at).name())).collect();
    let orders = file.column_orders().map(|orders| leaves.iter().map(|&at| orders[at]).collect());
    let cut_file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_string),
        file.key_value_metadata().cloned(),
        schema.clone(),
        orders,
    );
    let groups = footer.row_groups().iter().map(|group| {
        let columns = leaves.iter().map(|&at| group.column(at).clone()).collect();
        let mut made = RowGroupMetaData::builder(schema.clone())
            .set_num_rows(group.num_rows())
            .set_total_byte_size(group.total_byte_size())
            .set_column_metadata(columns);
        if let Some(ordinal) = group.ordinal() {
            made = made.set_ordinal(ordinal);
        }
        if let Some(offset) = group.file_offset() {
            made = made.set_file_offset(offset);
        }
        made.build()
    });
    Ok(ParquetMetaData::new(cut_file, groups.collect::<parquet::errors::Result<_>>()?))
}

/// Makes readers that see narrow footers.
#[derive(Debug)]
pub struct NarrowReaders {
    narrow: Narrow,
    inner: CachedParquetFileReaderFactory,
}

impl NarrowReaders {
    pub fn new(narrow: Narrow) -> NarrowReaders {
        let footers = &narrow.footers;
        let inner = CachedParquetFileReaderFactory::new(footers.store.clone(), footers.whole.clone());
        NarrowReaders { narrow, inner }
    }
}

impl ParquetFileReaderFactory for NarrowReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let inner = self.inner.create_reader(partition, file.clone(), hint, metrics)?;
        Ok(Box::new(NarrowReader { narrow: self.narrow.clone(), file, inner }))
    }
}

struct NarrowReader {
    narrow: Narrow,
    file: PartitionedFile,
    inner: Box<dyn AsyncFileReader>,
}

impl AsyncFileReader for NarrowReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        self.inner.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        self.inner.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        self.narrow.for_scan(&self.file, &mut self.inner).boxed()
    }
}
