//! The commit protocol, step by step: what must not happen after a crash, a race or a lying store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};

use super::ledger::entry::checkpoint_path;
use super::ledger::log::{Appended, Ledger, Moment};
use super::ledger::{change, checkpoint};
use super::tables::commit::EntryRef;
use super::tables::table::TableCommit;
use super::writing::stage::Made;
use super::*;
use crate::schema::EventBatch;
use crate::typed::Hash32;

mod batches;
mod entries;
mod growth;
mod keeping;
mod lookup;

const JANUARY: i64 = 1_767_225_600_000_000;
const DAY: i64 = 86_400_000_000;

fn ocsf() -> Arc<Ocsf> {
    Arc::new(Ocsf::load(None).unwrap())
}

/// Makes events of one class with only a uid, a time, the digest of the line and a message: all but its last digit.
fn events(ocsf: &Ocsf, rows: &[(&str, i64, i64)]) -> Arrived {
    let class = ocsf.by_name("authentication").unwrap().clone();
    let columns = class.arrow.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "time" => {
                let times = rows.iter().map(|row| row.1);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            "_event_uid" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
            "_digest" => Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| (row.2 as u128).to_be_bytes()))),
            "message" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| (row.2 / 10).to_string()))),
            _ => new_null_array(field.data_type(), rows.len()),
        }
    });
    let batch = RecordBatch::try_new(class.arrow.clone(), columns.collect()).unwrap();
    let origins = (1..=rows.len() as u64).map(|line| (line, line * 100)).collect();
    Arrived { source: "test".into(), events: EventBatch { class, batch, origins } }
}

fn batch(ocsf: &Ocsf, rows: &[(&str, i64, i64)]) -> Batch {
    Batch { events: vec![events(ocsf, rows)], read: rows.len() as u64, ..Batch::default() }
}

/// Returns rows as JSON, as far as the test's events have anything.
fn restore() -> Restore {
    Arc::new(|_, batch, row| {
        let uid = batch.column_by_name("_event_uid").unwrap().as_any().downcast_ref::<StringArray>().unwrap();
        let message = batch.column_by_name("message").unwrap().as_any().downcast_ref::<StringArray>().unwrap();
        Ok(format!("{{\"uid\":\"{}\",\"message\":\"{}\"}}", uid.value(row), message.value(row)).into_bytes())
    })
}

/// A time after any real one: entries that are written by such a clock are in order.
const LATER: i64 = 4_000_000_000_000;

async fn append(ledger: &mut Ledger, writer: &str, now_ms: i64) -> Result<Appended> {
    let moment = Moment { time_ms: now_ms, skew_ms: None };
    ledger.append(writer, moment, Body::Ingest(Ingest::default())).await
}

struct Fixture {
    _dir: tempfile::TempDir,
    root: PathBuf,
    ocsf: Arc<Ocsf>,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        Fixture { root: dir.path().join("lake"), _dir: dir, ocsf: ocsf() }
    }

    async fn writer(&self) -> Writer {
        let lake = Lake::open_or_create(&self.root, &Options::default(), self.ocsf.clone(), Clock::Real).await.unwrap();
        Writer::new(lake, Clock::Real, 2, restore()).unwrap()
    }

    async fn ledger(&self, store: Arc<dyn ObjectStore>) -> Result<Ledger> {
        let names = Durable::new(&self.root).unwrap().names(&Path::from("_ledger")).await.unwrap();
        Ok(Ledger::open(store, &Listing::of(names), None).await?.unwrap())
    }

    async fn lake(&self) -> Lake {
        Lake::open(&self.root, self.ocsf.clone()).await.unwrap()
    }

    fn adds(&self, table: &str) -> usize {
        let log = self.root.join(table).join("_delta_log");
        let files = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
        let json = files.filter(|path| path.extension().is_some_and(|suffix| suffix == "json"));
        json.map(|path| fs::read_to_string(path).unwrap().matches("{\"add\":").count()).sum()
    }
}

async fn rows_of(lake: &Lake, file: &FileEntry) -> Vec<RecordBatch> {
    use futures::TryStreamExt;
    rows(&lake.store(), file).await.unwrap().try_collect().await.unwrap()
}
