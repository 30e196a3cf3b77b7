//! A copy of a lake while it is being written to: consistent at every moment; each run copies only new files.
//!
//! The order makes it consistent: data files first, then the versions of the Delta tables, then the entries of the
//! ledger, oldest first. A copy that is cut short is the lake as it was at an earlier entry, and the next run continues
//! it. Files that retention removed are removed from the copy as well.

use std::collections::BTreeSet;
use std::path::Path as FsPath;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Serialize;

use super::super::files::file::FileEntry;
use super::super::files::layout::{
    DELTA_LOG, LEDGER, REPLACED, anchor_path, checkpoint_sequence, data_path, delta_version, entry_path,
    entry_sequence, replaced_path,
};
use super::super::files::store::Durable;
use super::super::ledger::entries::get;
use super::super::{Lake, Place, durable, make_root, probe};
use super::keeper::Keeper;
use super::level::{Level, Progress};
use super::recorded::Anchors;
use super::verify::{Verified, Verify, verify};
use crate::disk::Patience;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::Hash32;

/// The result of a backup.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BackedUp {
    /// The copy is the lake as it was after this entry.
    pub sequence: u64,
    pub sha256: String,
    /// Files that were copied now, data files and others, and their bytes.
    pub copied: u64,
    pub bytes: u64,
    /// Files of the copy that no longer belong to the lake, and were removed.
    pub removed: u64,
}

impl Keeper {
    /// Copies the lake into `folder`, and checks the copy.
    pub async fn back_up(&mut self, folder: &FsPath) -> Result<(BackedUp, Verified)> {
        self.catch_up().await?;
        let lake = self.lake().clone();
        begin(&lake, folder).await?;
        let to = Arc::new(durable(folder)?);
        to.open_to(lake.state().lake.access);
        let mut copying = Copying { lake: &lake, to: to.clone(), done: BackedUp::default() };
        copying.history().await?;
        let aside = self.aside().await?;
        copying.data(&aside).await?;
        copying.deltas().await?;
        copying.ledger().await?;
        copying.anchors().await?;
        copying.tidy(&aside).await?;
        let mut done = copying.done;
        (done.sequence, done.sha256) = (lake.state().sequence, lake.state().hash.clone());
        let asked = Verify {
            level: Level::Bytes,
            anchor: None,
            public_key: None,
            most: 20,
            patience: Patience::default(),
            progress: Progress::default(),
        };
        let verified = verify(folder, lake.ocsf(), &asked).await?;
        Ok((done, verified))
    }

    /// Returns the paths of all files that were replaced and still exist.
    async fn aside(&self) -> Result<BTreeSet<(String, String)>> {
        let sequences: Vec<u64> = self.state().aside.iter().map(|aside| aside.sequence).collect();
        let paths = self.set_aside_by(&sequences).await?;
        Ok(paths
            .into_iter()
            .flat_map(|(table, paths)| paths.into_iter().map(move |path| (table.clone(), path)))
            .collect())
    }
}

/// Makes the folder of the copy, or checks that it is one.
async fn begin(lake: &Lake, folder: &FsPath) -> Result<()> {
    let inside = folder.canonicalize().is_ok_and(|folder| folder.starts_with(lake.root()));
    if inside
        || folder.parent().and_then(|parent| parent.canonicalize().ok()).is_some_and(|p| p.starts_with(lake.root()))
    {
        return Err(Error::usage(format!("cannot back up into {}: it is in the lake", folder.display())));
    }
    match probe(folder)? {
        Place::Missing | Place::Empty => make_root(folder, lake.state().lake.access),
        Place::Lake | Place::Begun => Ok(()),
        // The copy was cut short before the first entry.
        Place::Foreign if is_begun(folder) => Ok(()),
        Place::Foreign => Err(Error::usage(format!("{} is not empty, and not a backup", folder.display()))
            .hint("name an empty or a new folder; nothing was written")),
    }
}

/// Returns whether a copy has data files but no ledger yet.
fn is_begun(folder: &FsPath) -> bool {
    folder.join(REPLACED).is_dir() || folder.join(BEGUN).exists()
}

/// A marker in the folder of a copy until its ledger is complete.
const BEGUN: &str = "_backup";

struct Copying<'a> {
    lake: &'a Lake,
    to: Arc<Durable>,
    done: BackedUp,
}

impl Copying<'_> {
    fn objects(&self) -> Arc<dyn ObjectStore> {
        self.to.clone()
    }

    /// Errors when the copy is of another lake, or of another history of this one.
    async fn history(&mut self) -> Result<()> {
        let names = self.to.names(&Path::from(LEDGER)).await.context(Kind::Unavailable, || "cannot list the backup")?;
        let Some(last) = names.iter().filter_map(|name| entry_sequence(name)).max() else {
            let put = self.to.put(&Path::from(BEGUN), "A backup of a lake is being made here.\n".into()).await;
            return put.map(drop).context(Kind::Unavailable, || "cannot write the backup");
        };
        let there = get(&self.objects(), &entry_path(last)).await?;
        let ours = get(&self.lake.store(), &entry_path(last)).await?;
        if there.is_some() && there == ours {
            Ok(())
        } else {
            Err(Error::new(Kind::Integrity, format!("the backup holds a ledger entry {last} that is not the lake's"))
                .hint("it is a backup of another lake, or the lake was put back to an older state; name a new folder"))
        }
    }

    async fn copy(&mut self, from: &Path, to: &Path, bytes: Vec<u8>) -> Result<()> {
        self.done.copied += 1;
        self.done.bytes += bytes.len() as u64;
        let put = self.to.put(to, bytes.into()).await;
        put.map(drop).context(Kind::Unavailable, || format!("cannot copy {from}"))
    }

    fn is_there(&self, path: &Path, bytes: Option<u64>) -> bool {
        let found = std::fs::metadata(self.to.root.join(path.as_ref()));
        found.is_ok_and(|found| bytes.is_none_or(|bytes| found.len() == bytes))
    }

    async fn data(&mut self, aside: &BTreeSet<(String, String)>) -> Result<()> {
        let live: Vec<Arc<FileEntry>> = self.lake.files().cloned().collect();
        for file in live {
            let path = file.data_path();
            if self.is_there(&path, Some(file.bytes)) {
                continue;
            }
            let bytes = self.read(&path).await?;
            if Hash32::sha256(&bytes) != file.sha256 {
                return Err(Error::new(Kind::Integrity, format!("{path} is not what was written"))
                    .hint("`auditlake verify` lists what is damaged; the backup stays as it was"));
            }
            self.copy(&path, &path, bytes).await?;
        }
        for (table, path) in aside {
            let (from, to) = (data_path(table, path), replaced_path(table, path));
            if self.is_there(&to, None) {
                continue;
            }
            let old = self.to.root.join(from.as_ref());
            if old.exists() {
                let moved = self.to.rename_all(vec![(from, to)]).await;
                moved.map(drop).context(Kind::Unavailable, || "cannot set a replaced file aside in the backup")?;
                continue;
            }
            let bytes = self.read(&from).await?;
            self.copy(&from, &to, bytes).await?;
        }
        Ok(())
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        get(&self.lake.store(), path).await?.ok_or_else(|| {
            Error::new(Kind::Unavailable, format!("{path} was removed while the backup was made"))
                .hint("another run merged or removed files; run the command again")
        })
    }

    async fn deltas(&mut self) -> Result<()> {
        let tables: BTreeSet<String> =
            self.lake.state().tables.keys().cloned().chain(self.lake.loaded_tables()).collect();
        for table in tables {
            let commits = self.lake.state().tables.get(&table).map_or(0, |table| table.commits);
            let log = Path::from(format!("{table}/{DELTA_LOG}"));
            let names =
                self.lake.store.names(&log).await.context(Kind::Unavailable, || format!("cannot list {log}"))?;
            let mut versions: Vec<&String> =
                names.iter().filter(|name| delta_version(name).is_some_and(|version| version <= commits)).collect();
            versions.sort();
            for name in versions {
                let path = log.clone().join(name.as_str());
                if !self.is_there(&path, None) {
                    let bytes = self.read(&path).await?;
                    self.copy(&path, &path, bytes).await?;
                }
            }
        }
        Ok(())
    }

    async fn ledger(&mut self) -> Result<()> {
        let folder = Path::from(LEDGER);
        let names = self.lake.store.names(&folder).await.context(Kind::Unavailable, || "cannot list `_ledger/`")?;
        let head = self.lake.state().sequence;
        let newest = self.lake.state().checkpoint.map(|checkpoint| checkpoint.sequence);
        for name in names.iter().filter(|name| newest.is_some() && checkpoint_sequence(name) == newest) {
            let path = folder.clone().join(name.as_str());
            if !self.is_there(&path, None) {
                let bytes = self.read(&path).await?;
                self.copy(&path, &path, bytes).await?;
            }
        }
        for sequence in 0..=head {
            let path = entry_path(sequence);
            if !self.is_there(&path, None) {
                let bytes = self.read(&path).await?;
                self.copy(&path, &path, bytes).await?;
            }
        }
        self.to.remove_all(vec![Path::from(BEGUN)]).await.context(Kind::Unavailable, || "cannot finish the backup")
    }

    /// Copies heads that were recorded elsewhere, as far as the copy has their entries.
    async fn anchors(&mut self) -> Result<()> {
        let head = self.lake.state().sequence;
        let (anchors, _) = Anchors::of(self.lake.root()).all()?;
        for anchor in anchors.iter().take_while(|anchor| anchor.body.head.sequence <= head) {
            let path = anchor_path(anchor.sequence);
            if !self.is_there(&path, None) {
                let bytes = self.read(&path).await?;
                self.copy(&path, &path, bytes).await?;
            }
        }
        Ok(())
    }

    /// Removes files that the lake no longer has, and checkpoints that are not the newest.
    async fn tidy(&mut self, aside: &BTreeSet<(String, String)>) -> Result<()> {
        let cannot = || "cannot tidy the backup";
        let mut known: BTreeSet<Path> = self.lake.files().map(|file| file.data_path()).collect();
        known.extend(aside.iter().map(|(table, path)| replaced_path(table, path)));
        let tables = self.lake.state().tables.keys().map(|table| Path::from(table.as_str()));
        let mut gone = Vec::new();
        for folder in tables.chain([Path::from(REPLACED)]) {
            let log = folder.clone().join(DELTA_LOG);
            let listed: Vec<_> = futures::TryStreamExt::try_collect(self.to.list(Some(&folder)))
                .await
                .context(Kind::Unavailable, cannot)?;
            let is_gone = |path: &Path| !path.prefix_matches(&log) && !known.contains(path);
            gone.extend(listed.into_iter().map(|object| object.location).filter(is_gone));
        }
        let newest = self.lake.state().checkpoint.map(|checkpoint| checkpoint.sequence);
        let names = self.to.names(&Path::from(LEDGER)).await.context(Kind::Unavailable, cannot)?;
        let is_old = |name: &&String| checkpoint_sequence(name).is_some_and(|sequence| Some(sequence) != newest);
        gone.extend(names.iter().filter(is_old).map(|name| Path::from(LEDGER).join(name.as_str())));
        self.done.removed = gone.len() as u64;
        self.to.remove_all(gone).await.context(Kind::Unavailable, cannot)
    }
}
