//! The Delta tables: the ledger's projection, so that every reader of Delta Lake sees the same rows.
//!
//! An entry that adds files to a table is one version of it, and which one follows from the ledger. A version is put if
//! it is absent, so bringing an entry in is repeatable, and what stands there already is compared with the entry. Log
//! clean-up is off. Checkpoints, which Delta's readers begin with, are written by delta-rs, and thinned as our own are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltalake_core::DeltaTableBuilder;
use deltalake_core::checkpoints::create_checkpoint;
use futures::future::join_all;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::Deserialize;
use url::Url;

use super::super::files::file::FileEntry;
use super::super::files::layout::{DELTA_LOG, delta_path};
use super::super::files::store::Durable;
use super::super::ledger::checkpoint::kept;
use super::super::ledger::entries::get;
use super::super::ledger::entry::LakeInfo;
use super::commit::{EntryRef, Removes, check, commit, creation};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;

/// How often a commit is tried again after an error before the error is returned.
const ATTEMPTS: u32 = 5;

/// Versions that are as quick to read as a checkpoint of them.
const CHECKPOINT_LEAST: u64 = 20;

/// The files that one entry adds to one table.
#[derive(Debug)]
pub struct TableCommit<'a> {
    pub table: &'a str,
    /// The version that the entry is of this table.
    pub version: u64,
    pub files: Vec<&'a FileEntry>,
}

/// The Delta tables of one lake.
#[derive(Debug, Clone)]
pub struct Projection {
    store: Arc<Durable>,
    lake: LakeInfo,
    /// The version of each table's newest Delta checkpoint, once it was looked for.
    checkpoints: HashMap<String, u64>,
}

impl Projection {
    /// `store` is rooted at the lake's folder.
    pub fn new(store: Arc<Durable>, lake: LakeInfo) -> Self {
        Projection { store, lake, checkpoints: HashMap::new() }
    }

    fn objects(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// Makes a table without files, if there is none.
    pub async fn create(&self, table: &str, schema: &SchemaRef, time_ms: i64) -> Result<()> {
        let path = delta_path(table, 0);
        if self.has(&path).await? {
            return Ok(());
        }
        failpoint::reached("table.create");
        let bytes = creation(table, schema, &self.lake, time_ms)?;
        match self.put(&path, bytes).await {
            Ok(()) | Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => {
                return Err(error).context(Kind::Unavailable, || format!("cannot create the Delta table `{table}`"));
            }
        }
        failpoint::reached("table.created");
        Ok(())
    }

    /// Brings one entry's files into their tables; the tables at the same time, since a commit is mostly waiting for the
    /// disk. Every table is tried, also when another one fails.
    pub async fn apply_all(&self, commits: &[TableCommit<'_>], entry: &EntryRef) -> Result<()> {
        let applied = join_all(commits.iter().map(|commit| self.apply(commit, entry))).await;
        applied.into_iter().collect()
    }

    /// Brings one entry's files into a table; a table that has taken it in already stays as it is.
    pub async fn apply(&self, one: &TableCommit<'_>, entry: &EntryRef) -> Result<()> {
        failpoint::reached("table.apply");
        let before = delta_path(one.table, one.version - 1);
        if !self.has(&before).await? {
            return Err(missing(one.table, one.version - 1));
        }
        let path = delta_path(one.table, one.version);
        let bytes = commit(&self.lake, entry, one.table, &one.files);
        let cannot = || format!("cannot commit ledger entry {} to the Delta table `{}`", entry.sequence, one.table);
        let mut last = None;
        for _ in 0..ATTEMPTS {
            failpoint::reached("table.commit");
            match self.put(&path, bytes.clone()).await {
                Ok(()) => {
                    failpoint::reached("table.committed");
                    return Ok(());
                }
                // Ours from an attempt before, or that of a process that finished the entry for us.
                Err(StoreError::AlreadyExists { .. }) => {
                    if let Some(there) = get(&self.objects(), &path).await? {
                        return self.compare(one, entry, &there);
                    }
                }
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error).context(Kind::Unavailable, cannot),
            None => Err(Error::new(Kind::Unavailable, cannot())),
        }
    }

    fn compare(&self, one: &TableCommit<'_>, entry: &EntryRef, there: &[u8]) -> Result<()> {
        let files = one.files.iter().copied();
        check(there, &self.lake, (entry.sequence, &entry.hash), Removes::These(entry.replaced_of(one.table)), files)
            .map_err(|why| other(one.table, one.version, &why))
    }

    async fn put(&self, path: &Path, bytes: Vec<u8>) -> object_store::Result<()> {
        self.store.put_opts(path, bytes.into(), PutOptions::from(PutMode::Create)).await.map(|_| ())
    }

    async fn has(&self, path: &Path) -> Result<bool> {
        match self.store.head(path).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error).context(Kind::Unavailable, || format!("cannot look for {path}")),
        }
    }

    /// Writes a Delta checkpoint of a table when enough versions came since the last one. Readers then read it and the
    /// versions since; without it they read all of them.
    pub async fn checkpoint_if_due(&mut self, table: &str, version: u64) -> Result<()> {
        let last = match self.checkpoints.get(table) {
            Some(last) => *last,
            None => self.last_checkpoint(table).await?,
        };
        self.checkpoints.insert(table.to_string(), last);
        // A version weighs about three times as much as its files do in a checkpoint: so all checkpoints that were ever
        // written add up to a multiple of the versions.
        if version < last + CHECKPOINT_LEAST.max(last / 3) {
            return Ok(());
        }
        let cannot = || format!("cannot write a checkpoint of the Delta table `{table}`");
        // The store is rooted at the lake, so the lake's own path is not in the address, and a table's name needs no
        // escape. Of an address that begins with `file:` the kernel wants the folder of that name on the disk.
        let url = Url::parse(&format!("memory:///{table}/")).context(Kind::Internal, cannot)?;
        let builder = DeltaTableBuilder::from_url(url.clone()).context(Kind::Internal, cannot)?;
        let delta = builder.with_storage_backend(self.objects(), url).with_version(version);
        let delta = delta.load().await.context(Kind::Unavailable, cannot)?;
        create_checkpoint(&delta, None).await.context(Kind::Unavailable, cannot)?;
        self.checkpoints.insert(table.to_string(), version);
        self.thin(table, version).await
    }

    /// The files that readers of Delta see, each with its size; by checkpoints, where there are some.
    pub async fn files(&self, table: &str) -> Result<BTreeSet<(String, u64)>> {
        let cannot = || format!("cannot open the Delta table `{table}`");
        let url = Url::parse(&format!("memory:///{table}/")).context(Kind::Internal, cannot)?;
        let builder = DeltaTableBuilder::from_url(url.clone()).context(Kind::Internal, cannot)?;
        let delta = builder.with_storage_backend(self.objects(), url).load().await.context(Kind::Integrity, cannot)?;
        let snapshot = delta.snapshot().context(Kind::Integrity, cannot)?;
        Ok(snapshot.log_data().iter().map(|file| (file.path().into_owned(), file.size().unsigned_abs())).collect())
    }

    async fn last_checkpoint(&self, table: &str) -> Result<u64> {
        #[derive(Deserialize)]
        struct Hint {
            version: u64,
        }
        let path = Path::from(format!("{table}/{DELTA_LOG}/_last_checkpoint"));
        let hint = get(&self.objects(), &path).await?;
        // A hint that cannot be read is written anew with the next checkpoint, which then is due.
        Ok(hint.and_then(|hint| serde_json::from_slice::<Hint>(&hint).ok()).map_or(0, |hint| hint.version))
    }

    async fn thin(&self, table: &str, version: u64) -> Result<()> {
        let cannot = || format!("cannot thin the checkpoints of the Delta table `{table}`");
        let log = Path::from(format!("{table}/{DELTA_LOG}"));
        let names = self.store.names(&log).await.context(Kind::Unavailable, cannot)?;
        let checkpoint = |name: &str| -> Option<u64> {
            let (version, rest) = name.split_once('.')?;
            (rest.starts_with("checkpoint.") && version.len() == 20).then(|| version.parse().ok())?
        };
        let there: BTreeSet<u64> = names.iter().filter_map(|name| checkpoint(name)).collect();
        let kept = kept(&there, version);
        let surplus = names.iter().filter(|name| checkpoint(name).is_some_and(|version| !kept.contains(&version)));
        let surplus = surplus.map(|name| log.clone().join(name.as_str())).collect();
        self.store.remove_all(surplus).await.context(Kind::Unavailable, cannot)
    }
}

/// A version of a table's log is not there, and a later one must be.
pub fn missing(table: &str, version: u64) -> Error {
    Error::new(Kind::Integrity, format!("version {version} of the Delta table `{table}` is missing"))
        .hint("the ledger has all it takes: run the command again, or `auditlake ingest`, which writes it anew")
}

/// A version of a table's log is not what the ledger makes of it.
pub fn other(table: &str, version: u64, why: &str) -> Error {
    Error::new(Kind::Integrity, format!("version {version} of the Delta table `{table}` is not the ledger's: {why}"))
        .hint("the entry or the table was changed after it was written: restore both from the same backup")
}

/// A table has versions that no ledger entry made.
pub fn ahead(table: &str, version: u64, sequence: u64) -> Error {
    let message = format!(
        "the Delta table `{table}` is ahead of the ledger: it has a version {version}, which ledger entry {sequence}, the newest, does not know"
    );
    Error::new(Kind::Integrity, message).hint(
        "`_ledger/` was put back to an older state, or something else wrote to the table; restore both from the same backup",
    )
}
