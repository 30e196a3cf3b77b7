//! The newest state of the lake that can be read, followed at the cost of one look for the next ledger entry.
//!
//! Every request sees what was committed before it came. An entry whose files are not in place yet is skipped for the
//! moment: its writer is still working, and if it died, the next writer (the commit of our own log of reads at the
//! latest) moves them there. So a reader never waits for a writer.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use crate::error::Result;
use crate::lake::{FileEntry, Lake, State};

/// The files that entries are served from.
#[derive(Debug, Default)]
pub struct View {
    pub sequence: u64,
    /// The files of the served tables.
    pub files: Vec<Arc<FileEntry>>,
}

/// Follows the ledger of one lake.
pub struct Follower {
    tables: HashSet<String>,
    /// A lake for looking at the next entry without waiting for whoever reads one.
    lake: Lake,
    following: Mutex<Lake>,
    view: RwLock<Arc<View>>,
}

impl Follower {
    /// Makes a follower; `lake` is settled: its newest entry can be read.
    pub fn new(lake: Lake, tables: HashSet<String>) -> Follower {
        let view = RwLock::new(Arc::new(View::of(lake.state(), &tables)));
        Follower { tables, following: Mutex::new(lake.clone()), lake, view }
    }

    pub async fn view(&self) -> Result<Arc<View>> {
        let view = self.known();
        if !self.lake.has_entry_after(view.sequence) {
            return Ok(view);
        }
        let mut lake = self.following.lock().await;
        // Others may have waited for the same entry.
        let view = self.known();
        if !self.lake.has_entry_after(view.sequence) {
            return Ok(view);
        }
        lake.refresh().await?;
        if !lake.is_whole().await {
            return Ok(view);
        }
        let view = Arc::new(View::of(lake.state(), &self.tables));
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        Ok(view)
    }

    fn known(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl View {
    fn of(state: &State, tables: &HashSet<String>) -> View {
        let served = state.tables.iter().filter(|(name, _)| tables.contains(*name));
        View { sequence: state.sequence, files: served.flat_map(|(_, table)| table.files.clone()).collect() }
    }
}
