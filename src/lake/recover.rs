//! Finishing what an entry began: its files into place, and into the Delta tables.
//!
//! An entry is complete when it is in the ledger, so any process can finish it, and finishing twice changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::{fs, io};

use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::entry::{Body, FileEntry};
use super::layout::{APPLIED_HINT, LEDGER, STAGING, data_path, entry_path, staging_path};
use super::store::{Durable, TEMPORARY_PREFIX};
use super::table::{EntryRef, Projection};
use super::{Lake, lock, own_tables};
use crate::error::{Context, Kind, Result};
use crate::failpoint;

impl Lake {
    pub(super) fn projection(&self) -> Result<Projection> {
        let top = Durable::new(std::path::Path::new("/")).context(Kind::Unavailable, || "cannot open /")?;
        let info = &self.state().lake;
        Ok(Projection::new(self.url()?, Arc::new(top), &info.lake_id, info.partition))
    }

    /// The Arrow schema of a table's files.
    pub fn table_schema(&self, table: &str) -> Result<SchemaRef> {
        match own_tables().into_iter().find(|(name, _)| *name == table) {
            Some((_, schema)) => Ok(schema),
            None => Ok(self.class_of(table)?.arrow.clone()),
        }
    }

    /// Brings one entry's files into place and into its tables.
    pub(super) async fn apply(&self, projection: &mut Projection, entry: EntryRef, files: &[FileEntry]) -> Result<()> {
        self.place(files).await?;
        failpoint::reached("commit.placed");
        let mut tables: BTreeMap<&str, Vec<&FileEntry>> = BTreeMap::new();
        for file in files {
            tables.entry(&file.table).or_default().push(file);
        }
        let tables = tables.into_iter().map(|(table, files)| Ok((table, self.table_schema(table)?, files)));
        projection.apply_all(tables.collect::<Result<_>>()?, entry).await
    }

    async fn place(&self, files: &[FileEntry]) -> Result<()> {
        let moves = files
            .iter()
            .map(|file| (staging_path(&file.table, &file.path), data_path(&file.table, &file.path)))
            .collect();
        self.store.rename_all(moves).await.context(Kind::Unavailable, || "cannot move staged files into place")
    }

    /// Finishes every entry that some table has not taken in, and clears what uncommitted attempts left behind. The
    /// caller holds the lock.
    pub(super) async fn recover(&self, projection: &mut Projection) -> Result<()> {
        let state = self.state();
        failpoint::reached("recover.begin");
        self.clear_temporary()?;
        failpoint::reached("recover.cleared");
        let mut first = None;
        for (name, table) in &state.tables {
            let applied = projection.applied(name).await?;
            if applied.is_none_or(|applied| applied < table.sequence) {
                let next = applied.map_or(1, |applied| applied + 1);
                first = Some(first.map_or(next, |first: u64| first.min(next)));
            }
        }
        failpoint::reached("recover.compared");
        if let Some(first) = first {
            for sequence in first..=state.sequence {
                let (entry, _) = self.entry(sequence).await?;
                if let Body::Ingest(ingest) = &entry.body {
                    let entry = EntryRef { sequence, time_ms: entry.time_ms };
                    failpoint::reached("recover.entry");
                    self.apply(projection, entry, &ingest.files).await?;
                    failpoint::reached("recover.finished");
                }
            }
        }
        self.clear_staging().await?;
        failpoint::reached("recover.swept");
        self.sync_names().await?;
        failpoint::reached("recover.synced");
        self.note_applied()?;
        failpoint::reached("recover.noted");
        Ok(())
    }

    /// Syncs every directory in which a process that died may have left a name without a sync.
    async fn sync_names(&self) -> Result<()> {
        let mut dirs = vec![Path::from(""), Path::from(LEDGER)];
        for table in self.state().tables.keys() {
            dirs.extend([Path::from(table.as_str()), Path::from(format!("{table}/_delta_log"))]);
        }
        self.store.sync_dirs(dirs).await.context(Kind::Unavailable, || "cannot sync the lake's directories")
    }

    /// Notes that every table has taken in the head entry. Only a hint, not synced: without it somebody looks again.
    pub(super) fn note_applied(&self) -> Result<()> {
        let place = self.root.join(LEDGER).join(APPLIED_HINT);
        std::fs::write(&place, self.state().sequence.to_string())
            .context(Kind::Unavailable, || format!("cannot write {}", place.display()))
    }

    fn is_applied(&self) -> bool {
        let noted = std::fs::read_to_string(self.root.join(LEDGER).join(APPLIED_HINT));
        noted.is_ok_and(|noted| noted == self.state().sequence.to_string())
    }

    async fn clear_staging(&self) -> Result<()> {
        let cannot = || "cannot clear `_staging/`";
        let left: Vec<_> =
            self.store.list(Some(&Path::from(STAGING))).try_collect().await.context(Kind::Unavailable, cannot)?;
        for object in left {
            self.store.delete(&object.location).await.context(Kind::Unavailable, cannot)?;
        }
        Ok(())
    }

    /// Removes temporary files of writers that died. Everyone who writes holds the lock, so none is in use.
    fn clear_temporary(&self) -> Result<()> {
        let tables = self.state().tables.keys().map(|table| format!("{table}/_delta_log"));
        for folder in tables.chain([LEDGER.to_string(), STAGING.to_string()]) {
            let folder = self.root.join(folder);
            clear_temporary(&folder).context(Kind::Unavailable, || format!("cannot clear {}", folder.display()))?;
        }
        Ok(())
    }

    /// Makes sure that the head entry is in all its tables, so that a reader sees all of it.
    ///
    /// A writer that is at it right now is waited for; one that died is finished for.
    pub async fn settle(&mut self) -> Result<()> {
        if self.state().sequence == 0 || self.is_applied() {
            return Ok(());
        }
        self.finish().await
    }

    /// Like [`Lake::settle`], for those who may only read: it is enough that the head entry's files are in place.
    pub async fn settle_for_reading(&mut self) -> Result<()> {
        match self.settle().await {
            // Whoever may only read sees the entry all the same when its files are in place.
            Err(error) if self.is_in_place().await => {
                tracing::warn!(%error, "cannot finish the newest ledger entry; Delta readers may not see it yet");
                Ok(())
            }
            finished => finished,
        }
    }

    /// Whether there is an entry after `sequence`. One look at the disk, so cheap that it need not be awaited.
    pub fn has_entry_after(&self, sequence: u64) -> bool {
        self.root.join(entry_path(sequence + 1).as_ref()).exists()
    }

    /// Takes in the entries that others wrote since.
    pub async fn refresh(&mut self) -> Result<()> {
        self.ledger.refresh().await
    }

    /// Whether the files of the newest entry are all where readers look. They are not while its writer is at it right
    /// now, or when it died: then the next writer brings them there.
    pub async fn is_whole(&self) -> bool {
        self.state().sequence == 0 || self.is_applied() || self.is_in_place().await
    }

    async fn finish(&mut self) -> Result<()> {
        let _lock = lock(&self.root).await?;
        self.ledger.refresh().await?;
        let mut projection = self.projection()?;
        self.recover(&mut projection).await
    }

    async fn is_in_place(&self) -> bool {
        let Ok((entry, _)) = self.entry(self.state().sequence).await else { return false };
        let Body::Ingest(ingest) = &entry.body else { return true };
        for file in &ingest.files {
            if self.store.head(&data_path(&file.table, &file.path)).await.is_err() {
                return false;
            }
        }
        true
    }
}

fn clear_temporary(folder: &std::path::Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
