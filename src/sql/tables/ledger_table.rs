//! The ledger as rows: the table `ingest_log`, one row per entry.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::lake::{Body, Entry, Ingest, Lake, Poll, SourceRange};

/// Entries up to the one that the session is bound to.
#[derive(Debug)]
pub struct IngestLog {
    lake: Lake,
    last: u64,
    schema: SchemaRef,
}

impl IngestLog {
    pub fn new(lake: Lake, last: u64) -> Self {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let long = |name| Field::new(name, DataType::Int64, true);
        let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
        let schema = Schema::new(vec![
            long("sequence"),
            time("time"),
            text("kind"),
            text("source"),
            text("state"),
            long("from_line"),
            long("to_line"),
            long("from_offset"),
            long("to_offset"),
            long("read"),
            long("accepted"),
            long("duplicate"),
            long("redelivered"),
            long("revised"),
            long("rejected"),
            long("blank"),
            long("shared_uids"),
            long("without_uid"),
            long("exact_doubles"),
            long("redacted"),
            long("drift"),
            long("files"),
            long("bytes"),
            text("redaction_version"),
            text("writer"),
            text("hash"),
            time("window_from"),
            time("window_to"),
            long("requests"),
            long("pages"),
            long("late"),
            text("cursor"),
            long("outside"),
        ]);
        IngestLog { lake, last, schema: Arc::new(schema) }
    }

    fn rows(&self, entries: &[(Entry, String)]) -> Result<RecordBatch> {
        let text = |value: fn(&Entry) -> Option<String>| -> ArrayRef {
            Arc::new(entries.iter().map(|(entry, _)| value(entry)).collect::<StringArray>())
        };
        let long = |value: fn(&Entry) -> Option<u64>| -> ArrayRef {
            Arc::new(entries.iter().map(|(entry, _)| value(entry).map(|value| value as i64)).collect::<Int64Array>())
        };
        let time = |value: fn(&Entry) -> Option<i64>| -> ArrayRef {
            let times = entries.iter().map(|(entry, _)| value(entry).and_then(|ms| ms.checked_mul(1000)));
            Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        let columns: Vec<ArrayRef> = vec![
            long(|e| Some(e.sequence)),
            time(|e| Some(e.time_ms)),
            text(|e| Some(kind(e).to_string())),
            text(|e| ingest(e).map(|i| names(&i.sources))),
            text(|e| ingest(e).and_then(|i| i.sources.last()).map(|source| source.state.clone())),
            long(|e| single(e).map(|source| source.from.line)),
            long(|e| single(e).map(|source| source.to.line)),
            long(|e| single(e).map(|source| source.from.offset)),
            long(|e| single(e).map(|source| source.to.offset)),
            long(|e| ingest(e).map(|i| i.counts.read)),
            long(|e| ingest(e).map(|i| i.counts.accepted)),
            long(|e| ingest(e).map(|i| i.counts.duplicate)),
            long(|e| ingest(e).map(|i| i.notes.redelivered)),
            long(|e| ingest(e).map(|i| i.counts.revised)),
            long(|e| ingest(e).map(|i| i.counts.rejected)),
            long(|e| ingest(e).map(|i| i.counts.blank)),
            long(|e| ingest(e).map(|i| i.notes.shared_uids)),
            long(|e| ingest(e).map(|i| i.notes.without_uid)),
            long(|e| ingest(e).map(|i| i.notes.exact_doubles)),
            long(|e| ingest(e).map(|i| i.redacted.values().sum())),
            long(|e| ingest(e).map(|i| i.drift.values().sum())),
            long(|e| (!matches!(e.body, Body::Create(_))).then(|| e.body.files().len() as u64)),
            long(|e| (!matches!(e.body, Body::Create(_))).then(|| e.body.files().iter().map(|file| file.bytes).sum())),
            text(|e| ingest(e).map(|i| i.redaction_version.clone())),
            text(|e| Some(e.writer.clone())),
            Arc::new(entries.iter().map(|(_, hash)| Some(hash.as_str())).collect::<StringArray>()),
            time(|e| polls(e).map(|poll| poll.from_ms).min()?),
            time(|e| polls(e).map(|poll| poll.to_ms).max()),
            long(|e| sum(e, |poll| poll.requests)),
            long(|e| sum(e, |poll| poll.pages)),
            long(|e| sum(e, |poll| poll.late.values().sum())),
            text(|e| polls(e).last()?.cursor.clone()),
            long(|e| ingest(e).map(|i| i.counts.outside)),
        ];
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

fn kind(entry: &Entry) -> &'static str {
    match &entry.body {
        Body::Create(_) => "create",
        Body::Ingest(ingest) if !ingest.retried.is_empty() => "retry",
        Body::Ingest(_) => "ingest",
        Body::Compact(_) => "compact",
        Body::Drop(_) => "drop",
        Body::Retain(_) => "retain",
        Body::Hold(_) => "hold",
        Body::Erase(_) => "erase",
    }
}

/// Returns the one source of an entry; positions in several have no sum.
fn single(entry: &Entry) -> Option<&SourceRange> {
    match ingest(entry)?.sources.as_slice() {
        [source] => Some(source),
        _ => None,
    }
}

/// Returns an entry's polls of API sources; several polls share one entry when they brought nothing new.
fn polls(entry: &Entry) -> impl Iterator<Item = &Poll> {
    ingest(entry).into_iter().flat_map(|ingest| &ingest.sources).filter_map(|source| source.poll.as_ref())
}

fn sum(entry: &Entry, value: fn(&Poll) -> u64) -> Option<u64> {
    polls(entry).next()?;
    Some(polls(entry).map(value).sum())
}

fn names(sources: &[SourceRange]) -> String {
    let mut names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    names.dedup();
    names.join(", ")
}

fn ingest(entry: &Entry) -> Option<&Ingest> {
    match &entry.body {
        Body::Ingest(ingest) => Some(ingest),
        _ => None,
    }
}

#[async_trait]
impl TableProvider for IngestLog {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut entries = Vec::new();
        let read = self.lake.entries(0, self.last, |entry, hash| {
            entries.push((entry, hash));
            Ok(())
        });
        read.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let rows = self.rows(&entries)?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![rows]], self.schema.clone(), projection.cloned())?)
    }
}
