//! The files of an attempt: staged, moved into place when the attempt is an entry, taken away when it is not.

use std::collections::BTreeSet;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::commit::EntryRef;
use super::entry::Body;
use super::file::FileEntry;
use super::writer::{Encoded, Writer};
use crate::error::{Context, Kind, Result};
use crate::failpoint;

impl Writer {
    pub(super) async fn stage(&self, encoded: &[Encoded]) -> Result<()> {
        let files = encoded.iter().map(|encoded| (encoded.file.staging_path(), encoded.bytes.clone())).collect();
        self.lake.store.put_all(files).await.context(Kind::Unavailable, || "cannot write to `_staging/`")
    }

    /// Removes our own staged files, of which others may have removed some: the sequence was theirs.
    pub(super) async fn unstage(&self, files: &[FileEntry]) -> Result<()> {
        let staged = files.iter().map(FileEntry::staging_path).collect();
        self.lake.store.remove_all(staged).await.context(Kind::Unavailable, || "cannot clear `_staging/`")
    }

    /// The same when an error is on its way already, which says more than one about the clearing would.
    pub(super) async fn unstage_after_trouble(&self, files: &[FileEntry]) {
        if let Err(error) = self.unstage(files).await {
            tracing::warn!(%error, "staged files are left; they are cleared away when their sequence is taken");
        }
    }

    /// Brings the files of an entry that is in the ledger into place and into the tables.
    pub(super) async fn project(&mut self, entry: &EntryRef, body: &Body, encoded: &[Encoded]) -> Result<()> {
        let bytes: Vec<_> = encoded.iter().map(|encoded| (encoded.file.data_path(), encoded.bytes.clone())).collect();
        let files = body.files();
        self.put_again(files, &bytes).await?;
        let state = self.lake.state().clone();
        let version = |table: &str| state.tables.get(table).map_or(0, |table| table.commits);
        self.lake.project(&self.projection, entry, body, version).await?;
        failpoint::reached("commit.applied");
        self.lake.sweep().await?;
        failpoint::reached("commit.swept");
        for table in files.iter().map(FileEntry::table).collect::<BTreeSet<_>>() {
            let version = version(table);
            if let Err(error) = self.projection.checkpoint_if_due(table, version).await {
                tracing::warn!(table, version, %error, "cannot write a checkpoint of a Delta table");
            }
        }
        Ok(())
    }

    /// Moves files into place. Those that somebody cleared away who took us for dead are written again: the entry stands,
    /// and we have their bytes.
    pub(super) async fn put_again(&self, files: &[FileEntry], bytes: &[(Path, Bytes)]) -> Result<()> {
        let missing = self.lake.place(files).await?;
        for (path, bytes) in bytes.iter().filter(|(path, _)| missing.contains(path)) {
            let put = self.lake.store.put(path, bytes.clone().into()).await;
            put.context(Kind::Unavailable, || format!("cannot write {path}"))?;
        }
        Ok(())
    }
}
