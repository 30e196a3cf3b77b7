//! Finishing what an entry began: its files into place, and into the Delta tables.
//!
//! An entry is complete when it is in the ledger, so any process can finish it, and finishing twice changes nothing.
//! Nobody deletes what may belong to a writer that is alive: with or without a lock, only that is cleared away of which
//! the ledger says that it is dead.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::super::Lake;
use super::super::files::file::FileEntry;
use super::super::files::layout::{DELTA_LOG, LEDGER, STAGING, entry_path, staged};
use super::super::ledger::entry::{Body, Entry};
use super::commit::EntryRef;
use super::table::{Projection, TableCommit};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;

impl Lake {
    pub(in crate::lake) fn projection(&self) -> Projection {
        Projection::new(self.store.clone(), self.state().lake.clone())
    }

    /// Makes the tables of all loaded classes that are not there yet, so that a reader of a quiet one sees its columns.
    pub(in crate::lake) async fn create_tables(&self) -> Result<()> {
        let (projection, time_ms) = (self.projection(), self.state().time_ms);
        let tables = self.loaded_tables();
        let made = tables.iter().map(|table| {
            let schema = self.commented(table);
            let projection = &projection;
            async move { projection.create(table, &schema?, time_ms).await }
        });
        futures::future::try_join_all(made).await.map(drop)
    }

    /// Brings one entry's files into place and into its tables; `versions` says which version of each it is.
    pub(in crate::lake) async fn apply(
        &self,
        projection: &Projection,
        entry: &EntryRef,
        body: &Body,
        versions: impl Fn(&str) -> u64,
    ) -> Result<()> {
        // Files that later entries replaced lie elsewhere, or are gone.
        let state = self.state();
        let live = body.files().iter().filter(|file| state.has_file(file.table(), file.name())).cloned();
        let missing = self.place(&live.collect::<Vec<_>>()).await?;
        if let Some(path) = missing.first() {
            let message = format!("{path} of ledger entry {} is neither in place nor staged", entry.sequence);
            return Err(Error::new(Kind::Integrity, message)
                .hint("it was removed, or the lake was copied while it was written; restore it from a backup"));
        }
        self.project(projection, entry, body, versions).await
    }

    /// Brings files that are in place into their tables.
    pub(in crate::lake) async fn project(
        &self,
        projection: &Projection,
        entry: &EntryRef,
        body: &Body,
        versions: impl Fn(&str) -> u64,
    ) -> Result<()> {
        failpoint::reached("commit.placed");
        if let Some(change) = body.change() {
            self.clear_away(change).await?;
        }
        let mut tables: BTreeMap<&str, Vec<&FileEntry>> =
            tables_of(body).into_iter().map(|name| (name, Vec::new())).collect();
        for file in body.files() {
            tables.entry(file.table()).or_default().push(file);
        }
        let commits: Vec<TableCommit<'_>> =
            tables.into_iter().map(|(table, files)| TableCommit { table, version: versions(table), files }).collect();
        for first in commits.iter().filter(|commit| commit.version == 1) {
            projection.create(first.table, &self.commented(first.table)?, self.state().time_ms).await?;
        }
        projection.apply_all(&commits, entry).await
    }

    /// Moves staged files into place; gives the paths of those that are neither here nor there.
    pub(in crate::lake) async fn place(&self, files: &[FileEntry]) -> Result<Vec<Path>> {
        let moves = files.iter().map(|file| (file.staging_path(), file.data_path())).collect();
        self.store.rename_all(moves).await.context(Kind::Unavailable, || "cannot move staged files into place")
    }

    /// Finishes every entry that some table has not taken in, and clears what uncommitted attempts left behind.
    pub(in crate::lake) async fn recover(&mut self, projection: &Projection) -> Result<()> {
        failpoint::reached("recover.begin");
        self.ledger.check_writable()?;
        self.create_tables().await?;
        let missing = self.missing_versions().await?;
        failpoint::reached("recover.compared");
        if !missing.is_empty() {
            self.fill(projection, &missing).await?;
        }
        // An entry that only removes files is no version of any table, so that nothing else says what it left undone.
        let (head, _) = self.entry(self.state().sequence).await?;
        if let Some(change) = head.body.change() {
            self.clear_away(change).await?;
        }
        self.sweep().await?;
        failpoint::reached("recover.swept");
        self.sync_names().await?;
        failpoint::reached("recover.synced");
        Ok(())
    }

    /// Writes versions of tables that are not there.
    async fn fill(&self, projection: &Projection, missing: &BTreeMap<String, BTreeSet<u64>>) -> Result<()> {
        let state = self.state();
        for (table, versions) in missing {
            let newest = state.tables.get(table).map_or(0, |table| table.commits);
            if versions.iter().any(|version| *version < newest) {
                tracing::warn!(table, ?versions, "versions of a Delta table were missing; writing them anew");
            }
        }
        let is_head_alone = missing.iter().all(|(table, versions)| {
            let table = state.tables.get(table);
            table.is_some_and(|table| table.sequence == state.sequence && versions.iter().eq([&table.commits]))
        });
        if is_head_alone {
            let (entry, hash) = self.entry(state.sequence).await?;
            return self.finish_entry(projection, &entry, &hash, |table| state.tables[table].commits).await;
        }
        // Which entry a version was follows from counting.
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for sequence in 1..=state.sequence {
            let (entry, hash) = self.entry(sequence).await?;
            let mut is_missing = false;
            for table in tables_of(&entry.body) {
                let version = counted.entry(table.to_string()).or_default();
                *version += 1;
                is_missing |= missing.get(table).is_some_and(|versions| versions.contains(version));
            }
            if is_missing {
                self.finish_entry(projection, &entry, &hash, |table| counted[table]).await?;
            }
        }
        Ok(())
    }

    async fn finish_entry(
        &self,
        projection: &Projection,
        entry: &Entry,
        hash: &str,
        versions: impl Fn(&str) -> u64,
    ) -> Result<()> {
        failpoint::reached("recover.entry");
        self.apply(projection, &EntryRef::of(entry, hash), &entry.body, versions).await?;
        failpoint::reached("recover.finished");
        Ok(())
    }

    /// Syncs every directory in which a process that died may have left a name without a sync.
    async fn sync_names(&self) -> Result<()> {
        let mut dirs = vec![Path::from(""), Path::from(LEDGER)];
        for table in self.state().tables.keys() {
            dirs.extend([Path::from(table.as_str()), Path::from(format!("{table}/{DELTA_LOG}"))]);
        }
        self.store.sync_dirs(dirs).await.context(Kind::Unavailable, || "cannot sync the lake's directories")
    }

    /// Clears `_staging/`. Staged files go whose sequence is taken by now, unless the entry that took it names them: then
    /// they are yet to be moved. What is staged for a sequence to come may belong to a writer that is about to commit it. Temporary files go, since
    /// a writer that is alive after all writes its file again.
    pub(in crate::lake) async fn sweep(&self) -> Result<()> {
        let cannot = || "cannot clear `_staging/`";
        let names = self.store.names(&Path::from(STAGING)).await.context(Kind::Unavailable, cannot)?;
        let head = self.state().sequence;
        let is_dead = |name: &&String| {
            staged(name).is_some_and(|(table, name)| name.sequence <= head && !self.state().has_file(table, name))
        };
        let dead = names.iter().filter(is_dead).map(|name| Path::from(format!("{STAGING}/{name}"))).collect();
        self.store.remove_all(dead).await.context(Kind::Unavailable, cannot)?;
        self.store.clear_temporary().context(Kind::Unavailable, cannot)
    }

    /// Makes sure that the head entry is in all its tables, so that a reader sees all of it, and that the tables have
    /// nothing that the ledger does not know.
    ///
    /// A writer that is at it right now is waited for; one that died is finished for.
    pub async fn settle(&mut self) -> Result<()> {
        if self.is_projected().await? { Ok(()) } else { self.finish().await }
    }

    /// Like [`Lake::settle`], for those who may only read: it is enough that the head entry's files are in place.
    pub async fn settle_for_reading(&mut self) -> Result<()> {
        match self.settle().await {
            // Those who may only read see the entry all the same when its files are in place.
            Err(error) if error.kind() != Kind::Integrity && self.is_whole().await => {
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
        let Ok((entry, _)) = self.entry(self.state().sequence).await else { return false };
        for file in entry.body.files() {
            if self.store.head(&file.data_path()).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn finish(&mut self) -> Result<()> {
        let _lock = self.lock().await?;
        self.ledger.refresh().await?;
        let projection = self.projection();
        self.recover(&projection).await
    }
}

/// The tables that an entry adds files to, or takes files from.
pub(in crate::lake) fn tables_of(body: &Body) -> BTreeSet<&str> {
    let replaced = body.change().into_iter().flat_map(|change| change.replaced.keys().map(String::as_str));
    body.files().iter().map(FileEntry::table).chain(replaced).collect()
}
