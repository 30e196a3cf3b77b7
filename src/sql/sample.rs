//! A session over a few events, for tests: decoded like in ingest, in memory, and none of them dropped.

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Conventions, Options, Session};
use crate::clock::Clock;
use crate::decode::{Decoder, Options as Decoding, RowOrigin};
use crate::lake::{self, Lake};
use crate::schema::Ocsf;

/// Tables for sessions.
pub struct Sample {
    /// The folder of the lake, kept as long as sessions may read its ledger.
    folder: TempDir,
    /// The lake, made by the first session.
    lake: OnceCell<Lake>,
    ocsf: Arc<Ocsf>,
    given: Mutex<Vec<(String, Arc<dyn TableProvider>)>>,
    conventions: Option<Arc<Conventions>>,
}

impl Sample {
    /// Makes events by class, two partitions each so that plans have something to merge. Events that cannot be rows are
    /// left out.
    pub fn new(events: &[Json]) -> Sample {
        let ocsf = Arc::new(Ocsf::load(None).unwrap());
        let mut given: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
        let (first, second) = events.split_at(events.len() / 2);
        let halves = [first, second].map(|events| decoded(events, &ocsf));
        for class in ocsf.classes() {
            let of = |half: &Vec<(String, RecordBatch)>| -> Vec<RecordBatch> {
                half.iter().filter(|(name, _)| *name == class.name).map(|(_, batch)| batch.clone()).collect()
            };
            let partitions: Vec<Vec<RecordBatch>> = halves.iter().map(of).collect();
            if partitions.iter().any(|partition| !partition.is_empty()) {
                let table = MemTable::try_new(class.arrow.clone(), partitions).unwrap();
                given.push((class.name.clone(), Arc::new(table)));
            }
        }
        let (folder, lake) = (tempfile::tempdir().unwrap(), OnceCell::new());
        Sample { folder, lake, ocsf, given: Mutex::new(given), conventions: None }
    }

    /// Returns the same with other conventions.
    pub fn under(mut self, conventions: Arc<Conventions>) -> Sample {
        self.set_conventions(conventions);
        self
    }

    /// Gives sessions other conventions from now on.
    pub fn set_conventions(&mut self, conventions: Arc<Conventions>) {
        self.conventions = Some(conventions);
    }

    /// Gives sessions a table, in place of an earlier one of this name.
    pub fn give(&self, name: &str, table: Arc<dyn TableProvider>) {
        let mut given = self.given.lock().unwrap();
        given.retain(|(known, _)| known != name);
        given.push((name.to_string(), table));
    }

    /// Opens a session over an empty lake that sees these tables.
    pub async fn session(&self) -> Session {
        let make = || async {
            let options = lake::Options::default();
            Lake::open_or_create(self.folder.path(), &options, self.ocsf.clone(), Clock::Real).await.unwrap()
        };
        let lake = self.lake.get_or_init(make).await;
        let options = Options {
            given: self.given.lock().unwrap().clone(),
            conventions: self.conventions.clone(),
            ..Options::default()
        };
        Session::new(lake, &options).await.unwrap()
    }
}

fn decoded(events: &[Json], ocsf: &Arc<Ocsf>) -> Vec<(String, RecordBatch)> {
    let mut decoder = Decoder::new(ocsf.clone(), Decoding::default());
    for (number, event) in events.iter().enumerate() {
        let origin = RowOrigin { number: number as u64 + 1, ..RowOrigin::default() };
        let _ = decoder.push(event.to_string().as_bytes(), origin);
    }
    decoder.flush().into_iter().map(|events| (events.class.name.clone(), events.batch)).collect()
}
