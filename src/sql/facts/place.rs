//! A folder of facts: which are there, and new ones.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use datafusion::error::Result;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::OnceCell;

use super::super::engine::fact::Fact;
use super::super::engine::footers::Footers;
use crate::lake::{FACTS, FileEntry, fact_path};

/// A store with a folder of facts.
pub struct Place {
    store: Arc<dyn ObjectStore>,
    footers: Arc<Footers>,
    /// Files by name, with their sizes.
    listed: OnceCell<Mutex<HashMap<String, u64>>>,
    /// Facts that were looked at and are what they say.
    known: Mutex<HashMap<String, Arc<Fact>>>,
    is_closed: AtomicBool,
}

impl Place {
    pub fn new(store: Arc<dyn ObjectStore>, footers: Arc<Footers>, may_be_written: bool) -> Place {
        let (listed, known) = Default::default();
        Place { store, footers, listed, known, is_closed: AtomicBool::new(!may_be_written) }
    }

    pub fn footers(&self) -> &Arc<Footers> {
        &self.footers
    }

    /// Whether facts that are missing here can be added, as far as that is known.
    pub fn may_be_written(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    async fn listed(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        let list = async || {
            let mut found = HashMap::new();
            let mut objects = self.store.list(Some(&Path::from(FACTS)));
            while let Some(object) = objects.next().await {
                // What cannot be listed is not there: it is made anew, or the tables answer.
                let Ok(object) = object else { break };
                if let Some(name) = object.location.filename() {
                    found.insert(name.to_string(), object.size);
                }
            }
            Mutex::new(found)
        };
        lock(self.listed.get_or_init(list).await)
    }

    /// The facts of a data file, if they are there and whole.
    pub async fn look(
        &self,
        entry: &Arc<FileEntry>,
        class_uid: Option<i64>,
        definition: &str,
    ) -> Result<Option<Arc<Fact>>> {
        let path = fact_path(&entry.sha256, definition);
        let Some(name) = path.filename().map(str::to_string) else { return Ok(None) };
        if let Some(known) = lock(&self.known).get(&name) {
            return Ok(Some(known.clone()));
        }
        let Some(bytes) = self.listed().await.get(&name).copied() else { return Ok(None) };
        let fact = Arc::new(Fact { entry: entry.clone(), path, bytes, class_uid });
        Ok(if self.footers.is_readable(&fact).await {
            lock(&self.known).insert(name, fact.clone());
            Some(fact)
        } else {
            None
        })
    }

    /// Keeps the facts of a data file; `false` when that cannot be done here.
    pub async fn put(&self, entry: &FileEntry, definition: &str, bytes: Vec<u8>) -> bool {
        let path = fact_path(&entry.sha256, definition);
        let size = bytes.len() as u64;
        if let Err(error) = self.store.put(&path, bytes.into()).await {
            tracing::debug!(%error, "cannot keep facts");
            self.is_closed.store(true, Ordering::Relaxed);
            return false;
        }
        let mut listed = self.listed().await;
        if let Some(name) = path.filename() {
            listed.insert(name.to_string(), size);
        }
        true
    }
}

/// Opens the place that is used when the lake cannot be written.
type Open = dyn Fn() -> Option<Arc<Place>> + Send + Sync;

/// The lake, and a folder for caches that is opened when it is needed.
pub struct Places {
    lake: Arc<Place>,
    open: Box<Open>,
    elsewhere: OnceLock<Option<Arc<Place>>>,
}

impl Places {
    pub fn new(lake: Arc<Place>, open: Box<Open>) -> Places {
        Places { lake, open, elsewhere: OnceLock::new() }
    }

    pub fn lake(&self) -> &Arc<Place> {
        &self.lake
    }

    /// The folder for caches, if there is one.
    pub fn elsewhere(&self) -> Option<&Arc<Place>> {
        self.elsewhere.get_or_init(|| (self.open)()).as_ref()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
