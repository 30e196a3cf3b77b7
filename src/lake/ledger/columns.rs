//! The long lists of a checkpoint as Parquet files: the files of all tables, and the streams.
//!
//! In this form half a million files take 50 MB, of which three quarters are hashes, and are read in a fifth of a
//! second; as JSON they took five times as much of both. Any reader of Parquet reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, StringDictionaryBuilder,
};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::super::files::file::{FileEntry, Footer, Parts, Place, RowDigest};
use super::super::files::footer::cannot_read;
use super::super::files::name::FileName;
use super::super::files::reader::ObjectReader;
use super::entry::{Head, Mark};
use super::state::TableState;
use super::streams::Stream;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::Hash32;

/// Rows that are held as columns at a time.
const ROWS: usize = 8 * 1024;
/// Rows in a row group, which a reader holds compressed.
const ROW_GROUP_ROWS: usize = 4 * ROWS;

/// Columns that no dictionary makes smaller.
const HASHES: [&str; 6] = ["nonce", "sha256", "footer_sha256", "digest", "blake3", "before_blake3"];

/// Writes the files of all tables, one per row, each table's in their order.
pub fn write_files(tables: &BTreeMap<String, TableState>) -> Result<Vec<u8>> {
    let all: Vec<&FileEntry> = tables.values().flat_map(|table| &table.files).map(Arc::as_ref).collect();
    write(&all, |files| {
        let number = |value: fn(&FileEntry) -> i64| -> ArrayRef {
            Arc::new(files.iter().map(|file| value(file)).collect::<Int64Array>())
        };
        let name = |value: fn(&FileEntry) -> &str| -> ArrayRef {
            let mut texts = StringDictionaryBuilder::<Int32Type>::new();
            files.iter().for_each(|file| texts.append_value(value(file)));
            Arc::new(texts.finish())
        };
        let hash = |bytes, value: fn(&FileEntry) -> Vec<u8>| hashes(files.iter().map(|file| value(file)), bytes);
        Ok(vec![
            ("table", name(|file| file.table())),
            ("folder", name(|file| &file.place.folder)),
            ("sequence", number(|file| file.name().sequence as i64)),
            ("part", number(|file| i64::from(file.name().part))),
            ("nonce", hash(6, |file| file.name().nonce.to_vec())?),
            ("rows", number(|file| file.rows as i64)),
            ("bytes", number(|file| file.bytes as i64)),
            ("sha256", hash(32, |file| file.sha256.0.to_vec())?),
            ("footer_bytes", number(|file| i64::from(file.footer().bytes))),
            ("footer_sha256", hash(32, |file| file.footer().sha256.0.to_vec())?),
            ("min_time_us", number(|file| file.min_time_us)),
            ("max_time_us", number(|file| file.max_time_us)),
            ("digest", hash(16, |file| file.digest.as_bytes().to_vec())?),
        ])
    })
}

/// Writes how far each stream was read, one per row.
pub fn write_streams(streams: &[Stream]) -> Result<Vec<u8>> {
    let all: Vec<&Stream> = streams.iter().collect();
    write(&all, |streams| {
        let number = |value: fn(&Stream) -> u64| -> ArrayRef {
            Arc::new(streams.iter().map(|stream| Some(value(stream) as i64)).collect::<Int64Array>())
        };
        let text = |value: fn(&Stream) -> &str| -> ArrayRef {
            Arc::new(streams.iter().map(|stream| Some(value(stream))).collect::<StringArray>())
        };
        let hash = |value: fn(&Stream) -> Hash32| hashes(streams.iter().map(|stream| value(stream).0), 32);
        Ok(vec![
            ("name", text(|stream| &stream.name)),
            ("head_bytes", number(|stream| stream.head.bytes)),
            ("head_sha256", text(|stream| &stream.head.sha256)),
            ("offset", number(|stream| stream.mark.offset)),
            ("line", number(|stream| stream.mark.line)),
            ("blake3", hash(|stream| stream.mark.blake3)?),
            ("before_offset", number(|stream| stream.before.offset)),
            ("before_line", number(|stream| stream.before.line)),
            ("before_blake3", hash(|stream| stream.before.blake3)?),
            ("state", text(|stream| &stream.state)),
            ("sequence", number(|stream| stream.sequence)),
        ])
    })
}

fn hashes(values: impl Iterator<Item = impl AsRef<[u8]>>, bytes: i32) -> Result<ArrayRef> {
    let hashes = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.map(Some), bytes);
    Ok(Arc::new(hashes.context(Kind::Internal, cannot_encode)?))
}

/// Writes the rows that `columns` makes from some items at a time; from no items too, so that the columns exist.
fn write<T>(all: &[&T], columns: impl Fn(&[&T]) -> Result<Vec<(&'static str, ArrayRef)>>) -> Result<Vec<u8>> {
    let batch = |items: &[&T]| RecordBatch::try_from_iter(columns(items)?).context(Kind::Internal, cannot_encode);
    let options = ArrowWriterOptions::new().with_properties(properties()?).with_skip_arrow_metadata(true);
    let first = batch(&all[..all.len().min(ROWS)])?;
    let writer = ArrowWriter::try_new_with_options(Vec::new(), first.schema(), options);
    let mut writer = writer.context(Kind::Internal, cannot_encode)?;
    writer.write(&first).context(Kind::Internal, cannot_encode)?;
    for items in all.chunks(ROWS).skip(1) {
        writer.write(&batch(items)?).context(Kind::Internal, cannot_encode)?;
    }
    writer.into_inner().context(Kind::Internal, cannot_encode)
}

fn properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).context(Kind::Internal, cannot_encode)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by(super::super::WRITER.to_string());
    for column in HASHES {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    Ok(properties.build())
}

/// A list that is read back.
pub struct Listed<'a> {
    pub store: &'a Arc<dyn ObjectStore>,
    pub path: Path,
    pub bytes: u64,
    pub footer: Footer,
}

impl Listed<'_> {
    /// Calls `take` with the rows, some at a time: all of them at once would take as much memory as the files again.
    async fn read(&self, mut take: impl FnMut(&RecordBatch) -> Option<()>) -> Result<()> {
        let failed = |error| cannot_read(&self.path, error);
        let reader =
            ObjectReader { store: self.store.clone(), path: self.path.clone(), size: self.bytes, footer: self.footer };
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
        let mut rows = builder.with_batch_size(ROWS).build().map_err(failed)?;
        while let Some(batch) = rows.try_next().await.map_err(failed)? {
            take(&batch).ok_or_else(|| {
                Error::new(Kind::Integrity, format!("{} does not have the columns of a checkpoint", self.path))
            })?;
        }
        Ok(())
    }

    /// Adds the files to their tables.
    pub async fn files(&self, tables: &mut BTreeMap<String, TableState>) -> Result<()> {
        let mut places: BTreeMap<(String, String), Arc<Place>> = BTreeMap::new();
        self.read(|batch| {
            let columns = Columns(batch);
            let (table, folder) = (columns.texts("table")?, columns.texts("folder")?);
            let (sequence, part) = (columns.numbers("sequence")?, columns.numbers("part")?);
            let (rows, bytes) = (columns.numbers("rows")?, columns.numbers("bytes")?);
            let (nonce, sha256) = (columns.hashes("nonce")?, columns.hashes("sha256")?);
            let (footer_bytes, footer_sha256) = (columns.numbers("footer_bytes")?, columns.hashes("footer_sha256")?);
            let (min, max) = (columns.numbers("min_time_us")?, columns.numbers("max_time_us")?);
            let digest = columns.hashes("digest")?;
            let mut place: Option<Arc<Place>> = None;
            for row in 0..batch.num_rows() {
                let (table, folder) = (table.value(row), folder.value(row));
                let same = place.filter(|place| place.table == table && place.folder == folder);
                let found = match same {
                    Some(same) => same,
                    None => {
                        let (column, partition) = folder.split_once('=')?;
                        let made = || Arc::new(Place::new(table, column, partition));
                        places.entry((table.to_string(), folder.to_string())).or_insert_with(made).clone()
                    }
                };
                place = Some(found.clone());
                let file = Parts {
                    place: found,
                    name: FileName {
                        sequence: sequence.value(row) as u64,
                        part: u32::try_from(part.value(row)).ok()?,
                        nonce: nonce.value(row).try_into().ok()?,
                    },
                    rows: rows.value(row) as u64,
                    bytes: bytes.value(row) as u64,
                    sha256: hash(sha256.value(row))?,
                    footer: Footer {
                        bytes: u32::try_from(footer_bytes.value(row)).ok()?,
                        sha256: hash(footer_sha256.value(row))?,
                    },
                    min_time_us: min.value(row),
                    max_time_us: max.value(row),
                    digest: RowDigest::from_bytes(digest.value(row).try_into().ok()?),
                };
                tables.get_mut(table)?.files.push(Arc::new(file.into()));
            }
            Some(())
        })
        .await
    }

    pub async fn streams(&self) -> Result<Vec<Stream>> {
        let mut streams = Vec::new();
        self.read(|batch| {
            let columns = Columns(batch);
            let (name, state) = (columns.texts("name")?, columns.texts("state")?);
            let (head_bytes, head_sha256) = (columns.numbers("head_bytes")?, columns.texts("head_sha256")?);
            let (mark, before) = (columns.marks("")?, columns.marks("before_")?);
            let sequence = columns.numbers("sequence")?;
            for row in 0..batch.num_rows() {
                streams.push(Stream {
                    name: name.value(row).to_string(),
                    head: Head { bytes: head_bytes.value(row) as u64, sha256: head_sha256.value(row).to_string() },
                    mark: mark(row)?,
                    before: before(row)?,
                    state: state.value(row).to_string(),
                    sequence: sequence.value(row) as u64,
                });
            }
            Some(())
        })
        .await?;
        Ok(streams)
    }
}

fn hash(bytes: &[u8]) -> Option<Hash32> {
    Some(Hash32(bytes.try_into().ok()?))
}

/// The columns of some rows, by name.
struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    fn texts(&self, name: &str) -> Option<&'a StringArray> {
        self.0.column_by_name(name)?.as_string_opt()
    }

    fn numbers(&self, name: &str) -> Option<&'a Int64Array> {
        self.0.column_by_name(name)?.as_primitive_opt::<Int64Type>()
    }

    fn hashes(&self, name: &str) -> Option<&'a FixedSizeBinaryArray> {
        self.0.column_by_name(name)?.as_fixed_size_binary_opt()
    }

    fn marks(&self, prefix: &str) -> Option<impl Fn(usize) -> Option<Mark> + use<'a>> {
        let offsets = self.numbers(&format!("{prefix}offset"))?;
        let lines = self.numbers(&format!("{prefix}line"))?;
        let hashes = self.hashes(&format!("{prefix}blake3"))?;
        Some(move |row| {
            let blake3 = hash(hashes.value(row))?;
            Some(Mark { offset: offsets.value(row) as u64, line: lines.value(row) as u64, blake3 })
        })
    }
}

fn cannot_encode() -> &'static str {
    "cannot encode a checkpoint of the ledger"
}
