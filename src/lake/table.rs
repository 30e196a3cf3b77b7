//! The Delta tables: the ledger's projection, so that every reader of Delta Lake sees the same rows.
//!
//! A table takes in an entry with one Delta commit that carries the entry's sequence as application transaction. The
//! commit is repeatable: the transaction is looked up on the very snapshot that is committed against, and after any
//! error we load again and look, since a commit can fail after it is in the log. delta-rs writes nothing here but
//! these commits and its checkpoints; log clean-up is off, in the table and in each commit.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, StructType, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::future::join_all;
use object_store::path::Path;
use url::Url;

use super::entry::FileEntry;
use super::layout::Partition;
use super::store::Durable;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;

/// Nothing may be cleaned up behind our back: history is evidence. Delta reads these values as intervals.
const PROPERTIES: [(&str, &str); 4] = [
    ("delta.enableExpiredLogCleanup", "false"),
    ("delta.logRetentionDuration", "interval 36500 days"),
    ("delta.deletedFileRetentionDuration", "interval 36500 days"),
    ("delta.checkpointInterval", "20"),
];

/// The ledger entry that is brought into a table.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef {
    pub sequence: u64,
    pub time_ms: i64,
}

/// How often a commit is tried again after an error before the error is returned.
const ATTEMPTS: u32 = 5;

/// The Delta tables of one lake, loaded when they are first needed.
#[derive(Debug)]
pub struct Projection {
    /// The lake's folder, with a trailing slash.
    root: Url,
    /// Rooted at the top of the file system, as delta-rs wants it.
    store: Arc<Durable>,
    /// Application id of our transactions.
    app: String,
    partition: Partition,
    loaded: HashMap<String, DeltaTable>,
}

impl Projection {
    pub fn new(root: Url, store: Arc<Durable>, lake_id: &str, partition: Partition) -> Self {
        Projection { root, store, app: format!("auditlake-{lake_id}"), partition, loaded: HashMap::new() }
    }

    /// The last entry that the table has taken in; `None` for a table that is not there yet.
    pub async fn applied(&mut self, table: &str) -> Result<Option<u64>> {
        let app = self.app.clone();
        match self.load(table).await? {
            Some(delta) => transaction(delta, &app).await.context(Kind::Unavailable, || cannot_read(table)),
            None => Ok(None),
        }
    }

    /// Brings one entry's files into their tables, each with its schema; the tables at the same time, since a commit is
    /// mostly waiting for the disk. Every table is tried, also when another one fails.
    pub async fn apply_all(&mut self, tables: Vec<(&str, SchemaRef, Vec<&FileEntry>)>, entry: EntryRef) -> Result<()> {
        let commits = tables.into_iter().map(|(table, schema, files)| {
            let mut alone = self.alone(table);
            async move { (alone.apply(table, &schema, entry, &files).await, alone.loaded) }
        });
        let commits: Vec<_> = commits.collect();
        let mut outcome = Ok(());
        for (result, loaded) in join_all(commits).await {
            self.loaded.extend(loaded);
            outcome = outcome.and(result);
        }
        outcome
    }

    /// This projection with nothing but `table` loaded, which is taken out of it.
    fn alone(&mut self, table: &str) -> Projection {
        Projection {
            root: self.root.clone(),
            store: self.store.clone(),
            app: self.app.clone(),
            partition: self.partition,
            loaded: self.loaded.remove_entry(table).into_iter().collect(),
        }
    }

    /// Brings one entry's files into a table; a table that has taken it in already stays as it is.
    pub async fn apply(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        entry: EntryRef,
        files: &[&FileEntry],
    ) -> Result<()> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.try_apply(table, schema, entry, files).await {
                Ok(()) if last.is_none() => return Ok(()),
                // The attempt before may have left a name whose directory was not synced.
                Ok(()) => match self.sync(table).await {
                    Ok(()) => return Ok(()),
                    Err(error) => last = Some(error.into()),
                },
                Err(error) => last = Some(error),
            }
            self.loaded.remove(table);
        }
        Err(last.expect("the loop ran")).context(Kind::Unavailable, || {
            format!("cannot commit ledger entry {} to the Delta table `{table}`", entry.sequence)
        })
    }

    async fn try_apply(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        entry: EntryRef,
        files: &[&FileEntry],
    ) -> Result<(), DeltaTableError> {
        failpoint::reached("table.apply");
        if self.load(table).await.map_err(|error| DeltaTableError::Generic(error.to_string()))?.is_none() {
            failpoint::reached("table.create");
            self.create(table, schema).await?;
            failpoint::reached("table.created");
        }
        let Some(delta) = self.loaded.get_mut(table) else {
            return Err(DeltaTableError::NotATable(table.to_string()));
        };
        if transaction(delta, &self.app).await?.is_some_and(|applied| applied >= entry.sequence) {
            // An attempt that failed, or died, may have written the commit without a sync of its directory.
            return Ok(self.sync(table).await?);
        }
        let adds = files.iter().map(|file| Action::Add(add(file, self.partition, entry.time_ms))).collect();
        let properties = CommitProperties::default()
            .with_application_transaction(Transaction::new(&self.app, entry.sequence as i64))
            .with_max_retries(0)
            .with_cleanup_expired_logs(Some(false));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![self.partition.column().to_string()]),
            predicate: None,
        };
        let log_store = delta.log_store();
        failpoint::reached("table.commit");
        CommitBuilder::from(properties).with_actions(adds).build(Some(delta.snapshot()?), log_store, operation).await?;
        failpoint::reached("table.committed");
        delta.update_state().await?;
        failpoint::reached("table.loaded");
        Ok(())
    }

    async fn sync(&self, table: &str) -> object_store::Result<()> {
        let folder = Path::from(self.root.path().trim_matches('/')).join(table);
        self.store.sync_dirs(vec![folder.clone().join("_delta_log"), folder]).await
    }

    async fn create(&mut self, table: &str, schema: &SchemaRef) -> Result<(), DeltaTableError> {
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(self.partition.column(), DataType::Utf8, true)));
        let kernel: StructType = (&Schema::new(fields)).try_into_kernel()?;
        let unloaded = self.builder(table)?.build()?;
        let created = CreateBuilder::new()
            .with_log_store(unloaded.log_store())
            .with_table_name(table)
            .with_columns(kernel.fields().cloned())
            .with_partition_columns([self.partition.column()])
            .with_configuration(PROPERTIES.map(|(name, value)| (name, Some(value))))
            .with_save_mode(SaveMode::ErrorIfExists)
            .await?;
        self.loaded.insert(table.to_string(), created);
        Ok(())
    }

    async fn load(&mut self, table: &str) -> Result<Option<&DeltaTable>> {
        if let Some(delta) = self.loaded.get_mut(table) {
            delta.update_state().await.context(Kind::Unavailable, || cannot_read(table))?;
        } else {
            let loaded = async {
                let mut delta = self.builder(table)?.build()?;
                if !delta.verify_deltatable_existence().await? {
                    return Ok(None);
                }
                delta.load().await?;
                Ok::<_, DeltaTableError>(Some(delta))
            };
            match loaded.await.context(Kind::Unavailable, || cannot_read(table))? {
                Some(delta) => self.loaded.insert(table.to_string(), delta),
                None => return Ok(None),
            };
        }
        Ok(self.loaded.get(table))
    }

    fn builder(&self, table: &str) -> Result<DeltaTableBuilder, DeltaTableError> {
        let url = self.root.join(table).map_err(|error| DeltaTableError::InvalidTableLocation(error.to_string()))?;
        Ok(DeltaTableBuilder::from_url(url.clone())?.with_storage_backend(self.store.clone(), url))
    }
}

async fn transaction(delta: &DeltaTable, app: &str) -> Result<Option<u64>, DeltaTableError> {
    let log_store = delta.log_store();
    let version = delta.snapshot()?.snapshot().transaction_version(log_store.as_ref(), app).await?;
    Ok(version.map(|version| version as u64))
}

fn add(file: &FileEntry, partition: Partition, time_ms: i64) -> Add {
    let stats = serde_json::json!({
        "numRecords": file.rows,
        "minValues": { "time": rfc3339(file.min_time_us) },
        "maxValues": { "time": rfc3339(file.max_time_us) },
        "nullCount": { "time": 0 },
    });
    Add {
        path: file.path.clone(),
        partition_values: HashMap::from([(partition.column().to_string(), Some(file.partition.clone()))]),
        size: file.bytes as i64,
        // The file's own time says nothing after a copy of the lake.
        modification_time: time_ms,
        data_change: true,
        stats: Some(stats.to_string()),
        tags: Some(HashMap::from([("sha256".to_string(), Some(file.sha256.clone()))])),
        ..Add::default()
    }
}

fn rfc3339(time_us: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(time_us)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

fn cannot_read(table: &str) -> String {
    format!("cannot read the Delta log of `{table}`")
}

/// An error of ours stays what it is when it passes through delta-rs.
impl From<Error> for DeltaTableError {
    fn from(error: Error) -> Self {
        DeltaTableError::Generic(error.to_string())
    }
}
