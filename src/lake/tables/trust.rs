//! The Delta tables, compared with the ledger.
//!
//! On opening only the newest version of each table is looked at: that it is there, that no later one is, and that it was
//! made of the entry that the ledger has last for this table, with its files. That costs two looks a table, whatever the
//! age of the lake. All versions, and the list of files that a reader of Delta ends up with, are a matter of `verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};

use super::super::files::file::FileEntry;
use super::super::files::layout::{DELTA_LOG, delta_path, delta_version};
use super::super::ledger::entries::get;
use super::super::ledger::state::{State, TableState};
use super::super::{Lake, own_tables};
use super::commit::{Removes, check};
use super::described::described;
use super::recover::tables_of;
use super::table::{ahead, other};
use crate::error::{Context, Kind, Result};

impl Lake {
    /// The Arrow schema of a table's files.
    pub fn table_schema(&self, table: &str) -> Result<SchemaRef> {
        match own_tables().into_iter().find(|(name, _)| *name == table) {
            Some((_, schema)) => Ok(schema),
            None => Ok(self.class_of(table)?.arrow.clone()),
        }
    }

    /// Returns the columns of a table's Delta log, with comments.
    pub(in crate::lake) fn commented(&self, table: &str) -> Result<SchemaRef> {
        match described(&self.ocsf, table) {
            Some(schema) => Ok(schema),
            None => self.table_schema(table),
        }
    }

    /// All tables that this program can read: those of the loaded classes, and our own.
    pub fn loaded_tables(&self) -> Vec<String> {
        let classes = self.ocsf().classes().iter().map(|class| class.name.clone());
        classes.chain(own_tables().into_iter().map(|(name, _)| name.to_string())).collect()
    }

    /// Tables of which the lake has rows, and this program no schema: results leave them out. With their rows.
    pub fn unknown_tables(&self) -> Vec<(String, u64)> {
        self.unknown_tables_in(self.state())
    }

    /// The same for a state of the past.
    pub fn unknown_tables_in(&self, state: &State) -> Vec<(String, u64)> {
        let loaded = self.loaded_tables();
        let unknown = state.tables.iter().filter(|(name, table)| !loaded.contains(name) && table.rows() > 0);
        unknown.map(|(name, table)| (name.clone(), table.rows())).collect()
    }

    /// Whether every table has taken in what the ledger has for it.
    ///
    /// Errors with [`Kind::Integrity`] when a table has what the ledger does not have.
    pub(in crate::lake) async fn is_projected(&mut self) -> Result<bool> {
        loop {
            match self.compare_tables().await? {
                Compared::Same => return Ok(true),
                Compared::Behind => return Ok(false),
                Compared::Ahead { table, version } => {
                    self.catch_up_with(&table, version).await?;
                }
            }
        }
    }

    /// Takes in what was written since, which must be what put a table ahead of us.
    async fn catch_up_with(&mut self, table: &str, version: u64) -> Result<()> {
        let before = self.state().sequence;
        self.refresh().await?;
        if self.state().sequence > before { Ok(()) } else { Err(ahead(table, version, before)) }
    }

    async fn compare_tables(&self) -> Result<Compared> {
        let state = self.state();
        let none = TableState::default();
        let names: BTreeSet<String> = state.tables.keys().cloned().chain(self.loaded_tables()).collect();
        let compared = names.iter().map(|name| self.compare_table(name, state.tables.get(name).unwrap_or(&none)));
        let compared = futures::future::try_join_all(compared).await?;
        // A table that is ahead explains one that is behind: both are of an entry that we do not know yet.
        let worst = compared.into_iter().max_by_key(|compared| match compared {
            Compared::Same => 0,
            Compared::Behind => 1,
            Compared::Ahead { .. } => 2,
        });
        Ok(worst.unwrap_or(Compared::Same))
    }

    async fn compare_table(&self, name: &str, table: &TableState) -> Result<Compared> {
        let store: Arc<dyn ObjectStore> = self.store.clone();
        let next = delta_path(name, table.commits + 1);
        match store.head(&next).await {
            Ok(_) => return Ok(Compared::Ahead { table: name.to_string(), version: table.commits + 1 }),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error).context(Kind::Unavailable, || format!("cannot look for {next}")),
        }
        if table.commits == 0 {
            return Ok(Compared::Same);
        }
        let Some(bytes) = get(&store, &delta_path(name, table.commits)).await? else { return Ok(Compared::Behind) };
        let files = table.files.iter().rev().take_while(|file| file.name().sequence == table.sequence);
        let removes = if table.is_rewritten { Removes::Some } else { Removes::These(&[]) };
        check(&bytes, &self.state().lake, (table.sequence, &table.hash), removes, files.map(Arc::as_ref))
            .map_err(|why| other(name, table.commits, &why))?;
        Ok(Compared::Same)
    }

    /// The versions that tables lack, by table. One list of names for each table.
    pub(in crate::lake) async fn missing_versions(&mut self) -> Result<BTreeMap<String, BTreeSet<u64>>> {
        'again: loop {
            let mut missing = BTreeMap::new();
            let state = self.state().clone();
            let names: BTreeSet<String> = state.tables.keys().cloned().chain(self.loaded_tables()).collect();
            for name in names {
                let commits = state.tables.get(&name).map_or(0, |table| table.commits);
                let there = self.versions(&name).await?;
                if let Some(version) = there.last().copied().filter(|last| *last > commits) {
                    self.catch_up_with(&name, version).await?;
                    continue 'again;
                }
                let lacking: BTreeSet<u64> = (1..=commits).filter(|version| !there.contains(version)).collect();
                if !lacking.is_empty() {
                    missing.insert(name, lacking);
                }
            }
            return Ok(missing);
        }
    }

    async fn versions(&self, table: &str) -> Result<BTreeSet<u64>> {
        let log = Path::from(format!("{table}/{DELTA_LOG}"));
        let names = self.store.names(&log).await.context(Kind::Unavailable, || format!("cannot list {log}"))?;
        Ok(names.iter().filter_map(|name| delta_version(name)).collect())
    }

    /// Returns the faults of the tables: every version of every table is compared with the entry that it must have been made
    /// of. Empty when there are none.
    pub async fn table_problems(&self) -> Result<Vec<String>> {
        let store: Arc<dyn ObjectStore> = self.store.clone();
        let mut problems = Vec::new();
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for sequence in 1..=self.state().sequence {
            let (entry, hash) = self.entry(sequence).await?;
            for table in tables_of(&entry.body) {
                let version = counted.entry(table.to_string()).or_default();
                *version += 1;
                let path = delta_path(table, *version);
                let files = entry.body.files().iter().filter(|file| file.table() == table);
                let replaced = entry.body.change().and_then(|change| change.replaced.get(table));
                let removes = Removes::These(replaced.map_or(&[], Vec::as_slice));
                match get(&store, &path).await? {
                    None => problems.push(format!("{path} is missing")),
                    Some(bytes) => {
                        let checked = check(&bytes, &self.state().lake, (sequence, &hash), removes, files);
                        problems.extend(checked.err().map(|why| format!("{path} is not the ledger's: {why}")));
                    }
                }
            }
        }
        for table in self.loaded_tables() {
            let last = counted.get(&table).copied().unwrap_or_default();
            let later = self.versions(&table).await?.into_iter().filter(|version| *version > last);
            problems.extend(later.map(|version| format!("{} is not the ledger's", delta_path(&table, version))));
        }
        Ok(problems)
    }

    /// The files of all tables, each with where it stands.
    pub fn files(&self) -> impl Iterator<Item = &Arc<FileEntry>> {
        self.state().tables.values().flat_map(|table| &table.files)
    }
}

/// How a table stands to the ledger.
enum Compared {
    Same,
    Behind,
    Ahead { table: String, version: u64 },
}
