//! Merges the rows of some files into a new one, written like a batch: same schema, same order, same encoder.
//!
//! Most of a class's columns are null in all rows of most files. They are not read, and the rows are merged without them.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use object_store::ObjectStore;

use super::super::Lake;
use super::super::files::file::{FileEntry, RowDigest};
use super::super::files::name::FileName;
use super::super::files::row_digest::row_digest;
use super::super::fingerprints::Fingerprinter;
use super::super::parquet::{Part, encode, times};
use super::super::reading::piece::DataFile;
use super::super::reading::read::conformed;
use super::super::tables::reject::REJECT_TABLE;
use super::super::writing::indexed::Rows as Indexed;
use super::super::writing::stage::Made;
use crate::error::{Context, Kind, Result};

/// Decompressed bytes that are merged at a time.
pub const MERGED_BYTES: u64 = 256 << 20;

/// The rows of one file, without the columns that are null in all of them.
pub struct Rows {
    pub file: Arc<FileEntry>,
    batches: Vec<RecordBatch>,
    /// Their decompressed size.
    pub bytes: u64,
}

impl Rows {
    pub async fn read(store: &Arc<dyn ObjectStore>, file: &Arc<FileEntry>) -> Result<Rows> {
        let open = DataFile::open(store.clone(), file.clone()).await?;
        let (mut batches, mut bytes) = (Vec::new(), 0);
        for (number, group) in open.groups().iter().enumerate() {
            batches.push(open.rows(number, 0..group.rows).await?);
            bytes += group.bytes;
        }
        Ok(Rows { file: file.clone(), batches, bytes })
    }

    /// Splits the rows by the answer of `keep` for each batch; returns the digest and the number of those that go.
    pub fn filter(&mut self, keep: impl Fn(&RecordBatch) -> Result<BooleanArray>) -> Result<(u64, RowDigest)> {
        let (mut gone, mut digest) = (0, RowDigest::default());
        for batch in &mut self.batches {
            let kept = keep(batch)?;
            let dropped = arrow::compute::not(&kept).context(Kind::Internal, || "cannot choose rows")?;
            let cannot = || "cannot choose rows";
            let leaving = filter_record_batch(batch, &dropped).context(Kind::Internal, cannot)?;
            gone += leaving.num_rows() as u64;
            digest = digest.plus(row_digest([&leaving])?);
            *batch = filter_record_batch(batch, &kept).context(Kind::Internal, cannot)?;
        }
        Ok((gone, digest))
    }

    pub fn batches_mut(&mut self) -> &mut [RecordBatch] {
        &mut self.batches
    }

    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }
}

impl Lake {
    /// Writes the rows of some files of one table and partition as one file; returns `None` when there is no row.
    pub(super) async fn merged(&self, rows: Vec<Rows>, fingerprinter: Option<Fingerprinter>) -> Result<Option<Made>> {
        let Some(first) = rows.first() else { return Ok(None) };
        let (table, partition) = (first.file.table().to_string(), first.file.partition().to_string());
        let (schema, ids) = (self.table_schema(&table)?, self.field_ids(&table));
        let column = self.state().lake.partition.column();
        let work = move || {
            let batches: Vec<RecordBatch> = rows.into_iter().flat_map(|rows| rows.batches).collect();
            let Some(whole) = merge(&batches, &schema)? else { return Ok(None) };
            drop(batches);
            let part = Part { table, column, partition, batches: vec![whole] };
            let name = FileName { sequence: 0, part: 0, nonce: [0; 6] };
            let (file, bytes) = encode(&part, name, &ids)?;
            let fingerprints = match fingerprinter.filter(|_| file.table() != REJECT_TABLE) {
                None => None,
                Some(maker) => {
                    Indexed::of(file.table(), &part.batches, &maker.identity)?.map(|rows| rows.fingerprints())
                }
            };
            Ok(Some(Made { file, bytes: bytes.into(), fingerprints }))
        };
        tokio::task::spawn_blocking(work).await.context(Kind::Internal, || "a task that merges files stopped")?
    }
}

/// Returns all rows, sorted by time, in the schema of the table. Rows of one time keep the order of the files.
fn merge(batches: &[RecordBatch], schema: &SchemaRef) -> Result<Option<RecordBatch>> {
    let cannot = || "cannot merge files";
    let schemas: Vec<SchemaRef> = batches.iter().map(RecordBatch::schema).collect();
    let fields: Vec<&Fields> = schemas.iter().map(|schema| schema.fields()).collect();
    let narrow = Arc::new(Schema::new(common(schema.fields(), &fields)));
    let batches = batches.iter().filter(|batch| batch.num_rows() > 0);
    let batches: Vec<RecordBatch> = batches.map(|batch| conformed(batch, &narrow)).collect::<Result<_>>()?;
    if batches.is_empty() {
        return Ok(None);
    }
    let whole = concat_batches(&narrow, &batches).context(Kind::Internal, cannot)?;
    let order = times(&whole)?.values();
    let whole = if order.is_sorted() {
        whole
    } else {
        let mut rows: Vec<u32> = (0..whole.num_rows() as u32).collect();
        rows.sort_by_key(|&row| order[row as usize]);
        take_record_batch(&whole, &UInt32Array::from(rows)).context(Kind::Internal, cannot)?
    };
    conformed(&whole, schema).map(Some)
}

/// Returns the fields of a table that some of the files have.
fn common(all: &Fields, have: &[&Fields]) -> Fields {
    let pruned = |field: &FieldRef| {
        let found: Vec<&FieldRef> =
            have.iter().filter_map(|fields| fields.find(field.name()).map(|(_, field)| field)).collect();
        if found.is_empty() {
            return None;
        }
        let DataType::Struct(members) = field.data_type() else { return Some(field.clone()) };
        let inner: Vec<&Fields> = found
            .iter()
            .filter_map(|field| match field.data_type() {
                DataType::Struct(members) => Some(members),
                _ => None,
            })
            .collect();
        let narrow: Field = field.as_ref().clone().with_data_type(DataType::Struct(common(members, &inner)));
        Some(Arc::new(narrow))
    };
    all.iter().filter_map(pruned).collect()
}
