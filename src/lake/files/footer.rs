//! The footer of a data file, checked before anything in it is trusted.
//!
//! The ledger records the length and the SHA-256 of the last bytes of each file: Parquet's metadata, their length and
//! the magic number. Every reader of data files begins here, so a file that was swapped, cut or replaced by an older
//! one is an error for its reader, and never other rows. The length also saves a request: nobody has to guess how much
//! of the end of a file is footer.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::file::Footer;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::Hash32;

/// The length of the metadata and the magic number after them.
const TAIL: usize = 8;

impl Footer {
    /// Returns the footer of a file that was just encoded.
    pub(in crate::lake) fn of(file: &[u8]) -> Result<Footer> {
        let bytes =
            length(file).ok_or_else(|| Error::new(Kind::Internal, "a Parquet file was written without a footer"))?;
        let footer = &file[file.len() - bytes..];
        let length = u32::try_from(bytes).context(Kind::Internal, || "the footer of a Parquet file is too long")?;
        Ok(Footer { bytes: length, sha256: Hash32::sha256(footer) })
    }

    /// Decodes `bytes`, the end of the file at `path`; errors when they are not this footer.
    pub fn decode(&self, path: &Path, bytes: &Bytes) -> Result<ParquetMetaData> {
        self.compare(path, bytes)?;
        let cannot = || format!("cannot read the footer of {path}");
        let metadata = ParquetMetaDataReader::decode_metadata(&bytes[..bytes.len() - TAIL]);
        without_ids(metadata.context(Kind::Integrity, cannot)?).context(Kind::Integrity, cannot)
    }

    fn compare(&self, path: &Path, bytes: &Bytes) -> Result<()> {
        if bytes.len() == self.bytes as usize && Hash32::sha256(bytes) == self.sha256 {
            return Ok(());
        }
        Err(Error::new(Kind::Integrity, format!("{path} is not the file that the ledger records"))
            .hint("it was changed or replaced after it was written; restore it from a backup"))
    }

    /// Reads the footer of a file of `size` bytes.
    pub async fn fetch(&self, store: &Arc<dyn ObjectStore>, path: &Path, size: u64) -> Result<ParquetMetaData> {
        self.decode(path, &self.read(store, path, size).await?)
    }

    /// Reads the footer of a file of `size` bytes and decodes the parts that `options` ask for, with the ids of fields.
    pub async fn fetch_part(
        &self,
        store: &Arc<dyn ObjectStore>,
        path: &Path,
        size: u64,
        options: &ParquetMetaDataOptions,
    ) -> Result<ParquetMetaData> {
        let bytes = self.read(store, path, size).await?;
        self.compare(path, &bytes)?;
        let metadata = ParquetMetaDataReader::decode_metadata_with_options(&bytes[..bytes.len() - TAIL], Some(options));
        metadata.context(Kind::Integrity, || format!("cannot read the footer of {path}"))
    }

    /// Errors when the file of `size` bytes does not exist, or does not end with this footer.
    pub async fn check(&self, store: &Arc<dyn ObjectStore>, path: &Path, size: u64) -> Result<()> {
        self.compare(path, &self.read(store, path, size).await?)
    }

    async fn read(&self, store: &Arc<dyn ObjectStore>, path: &Path, size: u64) -> Result<Bytes> {
        let range = size.saturating_sub(u64::from(self.bytes))..size;
        let bytes = store.get_ranges(path, std::slice::from_ref(&range)).await;
        let bytes = bytes.map_err(|error| unreadable(path, error))?;
        Ok(bytes.into_iter().next().unwrap_or_default())
    }
}

/// Returns the length of a file's footer in bytes.
fn length(file: &[u8]) -> Option<usize> {
    let tail = file.last_chunk::<TAIL>()?;
    let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize + TAIL;
    (tail.ends_with(b"PAR1") && length <= file.len()).then_some(length)
}

/// Makes an error of the store about a file that the ledger names: one that is gone, or shorter than before, is damage.
fn unreadable(path: &Path, error: StoreError) -> Error {
    let is_short = |error: &StoreError| matches!(error, StoreError::Generic { source, .. } if source.to_string().contains("end of file"));
    match error {
        StoreError::NotFound { .. } => {
            Error::new(Kind::Integrity, format!("{path} is missing, and the ledger names it"))
                .hint("restore it from a backup; `--as-of` an entry before it reads the rest")
        }
        error if is_short(&error) => {
            Error::new(Kind::Integrity, format!("{path} is shorter than the ledger records")).caused_by(error)
        }
        error => Error::new(Kind::Unavailable, format!("cannot read {path}")).caused_by(error),
    }
}

/// Makes an error about the data file at `path`, whether it is ours, the store's or the Parquet reader's.
pub fn cannot_read(path: &impl std::fmt::Display, error: ParquetError) -> Error {
    let kind = match (Error::within(&error), &error) {
        (Some(ours), _) => ours.kind(),
        // The store could not deliver something.
        (None, ParquetError::External(_)) => Kind::Unavailable,
        // The content of the file cannot be decoded.
        (None, _) => Kind::Integrity,
    };
    Error::new(kind, format!("cannot read {path}")).caused_by(error)
}

/// Returns the metadata without the ids of fields.
///
/// They exist for other readers, which may know a column by its id after it was renamed. We know columns by name; and
/// Arrow would take the ids for a part of each struct's type, which then differs from class to class.
fn without_ids(metadata: ParquetMetaData) -> parquet::errors::Result<ParquetMetaData> {
    let file = metadata.file_metadata();
    let schema = Arc::new(SchemaDescriptor::new(plain(file.schema_descr().root_schema())?));
    let groups = metadata.row_groups().iter().map(|group| {
        let mut made = RowGroupMetaData::builder(schema.clone())
            .set_num_rows(group.num_rows())
            .set_total_byte_size(group.total_byte_size())
            .set_sorting_columns(group.sorting_columns().cloned())
            .set_column_metadata(group.columns().to_vec());
        if let Some(ordinal) = group.ordinal() {
            made = made.set_ordinal(ordinal);
        }
        if let Some(offset) = group.file_offset() {
            made = made.set_file_offset(offset);
        }
        made.build()
    });
    let groups = groups.collect::<parquet::errors::Result<Vec<_>>>()?;
    let plain = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_string),
        file.key_value_metadata().cloned(),
        schema,
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaData::new(plain, groups))
}

fn plain(node: &Type) -> parquet::errors::Result<TypePtr> {
    let info = node.get_basic_info();
    let made = match node {
        Type::PrimitiveType { physical_type, type_length, scale, precision, .. } => {
            Type::primitive_type_builder(info.name(), *physical_type)
                .with_repetition(info.repetition())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_length(*type_length)
                .with_scale(*scale)
                .with_precision(*precision)
                .build()?
        }
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(|field| plain(field)).collect::<parquet::errors::Result<_>>()?;
            let mut made = Type::group_type_builder(info.name())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_fields(fields);
            // The root has none.
            if info.has_repetition() {
                made = made.with_repetition(info.repetition());
            }
            made.build()?
        }
    };
    Ok(Arc::new(made))
}
