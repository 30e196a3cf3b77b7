//! Repairs what follows from the ledger, and removes what the ledger declares dead.
//!
//! The entries are never repaired: nothing tells what they were. When a copy of the lake was taken while the newest one
//! was written, the remedy is to step back to the entry before, and to ingest its lines again.

use std::collections::BTreeSet;
use std::path::Path as FsPath;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Serialize;

use super::super::files::file::FileEntry;
use super::super::files::layout::{
    DELTA_LOG, LEDGER, STAGING, checkpoint_sequence, data_path, delta_path, delta_version, entry_path, replaced_path,
    staged,
};
use super::super::files::store::Durable;
use super::super::ledger::change::{Change, each};
use super::super::ledger::entries::get;
use super::super::tables::commit::{commit, creation};
use super::super::{durable, existing, lock, own_tables};
use super::chain::{self, Chain};
use super::data::{aside_path, placed_by};
use super::faults::{Fault, Faults};
use super::level::{Level, Progress};
use super::recorded::Heads;
use super::verify::{Verify, verify};
use super::versions::{self, Expected};
use crate::disk::Patience;
use crate::error::{Context, Error, Kind, Result};
use crate::schema::Ocsf;

/// Options of a repair.
#[derive(Debug, Clone)]
pub struct Repair {
    /// Report what would be done, and do nothing.
    pub is_dry: bool,
    /// Step back from newest entries whose files are incomplete.
    pub drop_incomplete: bool,
    /// The number of faults that are listed.
    pub most: usize,
    pub patience: Patience,
}

/// The result of a repair, real or foreseen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Repaired {
    /// Paths, and the action for each.
    pub done: Vec<Fault>,
    /// Entries that were dropped, with what is lost with each.
    pub lost: Vec<String>,
    /// Faults that need a backup; not looked for in a dry run.
    pub left: Vec<Fault>,
    pub left_count: u64,
}

/// Repairs the lake at `root`.
///
/// Errors with [`Kind::Integrity`] when the ledger itself is damaged, since everything else follows from it.
pub async fn repair(root: &FsPath, ocsf: &Ocsf, asked: &Repair) -> Result<Repaired> {
    existing(root)?;
    let store = Arc::new(durable(root)?);
    let mut repaired = {
        let _lock = lock(root, &asked.patience).await?;
        let (mut faults, mut notes) = (Faults::new(usize::MAX), Faults::new(0));
        let objects: Arc<dyn ObjectStore> = store.clone();
        let names = chain::names(&store).await?;
        let mut chain = chain::walk(&objects, &names, Heads::default(), None, &mut faults, &mut notes).await?;
        store.open_to(chain.lake.access);
        let mut mending = Mending { store, asked, repaired: Repaired::default() };
        let tables = versions::expected(&chain, ocsf).into_keys().collect();
        mending.step_back(&mut chain, &tables).await?;
        ledger_is_sound(&faults, chain.last)?;
        mending.checkpoints(&faults).await?;
        mending.place(&chain).await?;
        mending.return_replaced(&chain).await?;
        mending.clear_replaced(&chain).await?;
        let expected = versions::expected(&chain, ocsf);
        for table in expected.keys() {
            mending.table(table, &chain, ocsf, &expected).await?;
        }
        mending.clear(&chain).await?;
        mending.repaired
    };
    if !asked.is_dry {
        let asked = Verify {
            level: Level::Files,
            anchor: None,
            public_key: None,
            most: asked.most,
            patience: asked.patience.clone(),
            progress: Progress::default(),
        };
        let verified = verify(root, ocsf, &asked).await?;
        (repaired.left, repaired.left_count) = (verified.faults, verified.fault_count);
    }
    Ok(repaired)
}

/// Errors when an entry up to `last` is not as it was written.
fn ledger_is_sound(faults: &Faults, last: u64) -> Result<()> {
    let is_of_entry = |fault: &&Fault| (0..=last).any(|sequence| entry_path(sequence).as_ref() == fault.path);
    match faults.listed.iter().find(is_of_entry) {
        None => Ok(()),
        Some(fault) => Err(Error::new(Kind::Integrity, format!("cannot repair {}: {}", fault.path, fault.fault)).hint(
            "nothing says what an entry was: restore `_ledger/` from a backup, then run `auditlake repair` again",
        )),
    }
}

struct Mending<'a> {
    store: Arc<Durable>,
    asked: &'a Repair,
    repaired: Repaired,
}

impl Mending<'_> {
    fn objects(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    async fn remove(&mut self, paths: Vec<Path>, why: &str) -> Result<()> {
        self.repaired.done.extend(paths.iter().map(|path| Fault { path: path.to_string(), fault: why.to_string() }));
        if self.asked.is_dry {
            return Ok(());
        }
        self.store.remove_all(paths).await.context(Kind::Unavailable, || "cannot remove what is dead")
    }

    async fn write(&mut self, path: Path, bytes: Vec<u8>, why: &str) -> Result<()> {
        self.repaired.done.push(Fault { path: path.to_string(), fault: why.to_string() });
        if self.asked.is_dry {
            return Ok(());
        }
        let put = self.store.put(&path, bytes.into()).await;
        put.map(drop).context(Kind::Unavailable, || format!("cannot write {path}"))
    }

    /// Drops incomplete newest entries, where the options ask for it.
    async fn step_back(&mut self, chain: &mut Chain, tables: &BTreeSet<String>) -> Result<()> {
        let before = chain.last;
        while let Some(why) = self.incomplete(chain).await? {
            if !self.asked.drop_incomplete {
                let message = format!("ledger entry {}, the newest, is not whole: {why}", chain.last);
                return Err(Error::new(Kind::Integrity, message).hint(format!(
                    "restore what is missing, or step back to entry {} with `--drop-incomplete`; then ingest again what it took in",
                    chain.last.saturating_sub(1)
                )));
            }
            let newest = chain.commits.last().filter(|commit| commit.entry.sequence == chain.last);
            self.repaired.lost.push(match newest {
                Some(commit) => format!(
                    "entry {}: {} lines were read, of which {} were accepted, {} revised and {} rejected",
                    chain.last,
                    commit.counts.read,
                    commit.counts.accepted,
                    commit.counts.revised,
                    commit.counts.rejected
                ),
                None => format!("entry {}: it cannot be read, so nothing is known of what it took in", chain.last),
            });
            let dropped = newest.is_some().then(|| chain.commits.pop()).flatten();
            if let Some(change) = dropped.as_ref().and_then(|commit| commit.change.as_ref()) {
                self.put_back(chain.last, change).await?;
            }
            let files = match dropped {
                Some(commit) => commit.files.iter().flat_map(|file| [file.data_path(), file.staging_path()]).collect(),
                None => placed_by(&self.objects(), chain.last, tables).await?,
            };
            chain.add_up();
            // The entry goes last: until then the same command finds the remaining work.
            self.drop_versions(chain).await?;
            self.remove(self.there(files).await?, "removed: it is of an entry that is dropped").await?;
            self.remove(vec![entry_path(chain.last)], "removed: the entry is not whole").await?;
            chain.last -= 1;
        }
        if before > chain.last {
            self.drop_versions(chain).await?;
        }
        Ok(())
    }

    /// Puts files back into their tables that a dropped entry had set aside.
    async fn put_back(&mut self, sequence: u64, change: &Change) -> Result<()> {
        if !change.dropped.is_empty() {
            let message = format!("cannot step back from ledger entry {sequence}: it removed files for good");
            return Err(Error::new(Kind::Integrity, message).hint("restore what is missing from a backup"));
        }
        let mut moves = Vec::new();
        for (table, path) in change.set_aside() {
            let (from, to) = (replaced_path(table, path), data_path(table, path));
            if self.store.root.join(from.as_ref()).exists() {
                self.repaired.done.push(Fault { path: to.to_string(), fault: "put back into its table".to_string() });
                moves.push((from, to));
            }
        }
        if self.asked.is_dry {
            return Ok(());
        }
        self.store.rename_all(moves).await.map(drop).context(Kind::Unavailable, || "cannot put files back")
    }

    /// Returns the paths that exist.
    async fn there(&self, paths: Vec<Path>) -> Result<Vec<Path>> {
        let mut there = Vec::new();
        for path in paths {
            match self.store.head(&path).await {
                Ok(_) => there.push(path),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error).context(Kind::Unavailable, || format!("cannot look for {path}")),
            }
        }
        Ok(there)
    }

    /// Returns why the newest entry is incomplete; `None` when it is complete.
    async fn incomplete(&self, chain: &Chain) -> Result<Option<String>> {
        if chain.last == 0 {
            return Ok(None);
        }
        if chain.unreadable.contains(&chain.last) {
            return Ok(Some(format!("{} cannot be read", entry_path(chain.last))));
        }
        let Some(newest) = chain.commits.last().filter(|commit| commit.entry.sequence == chain.last) else {
            return Ok(None);
        };
        for file in &newest.files {
            if self.there(vec![file.data_path(), file.staging_path()]).await?.is_empty() {
                return Ok(Some(format!("{} is neither in place nor staged", file.data_path())));
            }
        }
        Ok(None)
    }

    /// Removes versions of tables that entries after the last one made.
    async fn drop_versions(&mut self, chain: &Chain) -> Result<()> {
        let files = chain.commits.iter().flat_map(|commit| &commit.files);
        let tables: BTreeSet<String> = files.map(|file| file.table().to_string()).collect();
        let tables = tables.into_iter().chain(own_tables().map(|(name, _)| name.to_string()));
        for table in tables.collect::<BTreeSet<_>>() {
            let touching = |commit: &&chain::Commit| {
                commit.entry.replaced.contains_key(&table) || commit.files.iter().any(|file| file.table() == table)
            };
            let last = chain.commits.iter().filter(touching).count() as u64;
            let versions = self.log(&table).await?;
            let later = versions.iter().filter(|name| delta_version(name).is_some_and(|version| version > last));
            let later: Vec<Path> = later.map(|name| Path::from(format!("{table}/{DELTA_LOG}/{name}"))).collect();
            if !later.is_empty() {
                self.drop_checkpoints(&table).await?;
                self.remove(later, "removed: no ledger entry made it").await?;
            }
        }
        Ok(())
    }

    async fn log(&self, table: &str) -> Result<Vec<String>> {
        let log = Path::from(format!("{table}/{DELTA_LOG}"));
        self.store.names(&log).await.context(Kind::Unavailable, || format!("cannot list {log}"))
    }

    /// Removes the checkpoints of a Delta log: their content may differ from its versions.
    async fn drop_checkpoints(&mut self, table: &str) -> Result<()> {
        let names = self.log(table).await?;
        let copies = names.iter().filter(|name| *name == "_last_checkpoint" || versions::is_checkpoint(name));
        let copies: Vec<Path> = copies.map(|name| Path::from(format!("{table}/{DELTA_LOG}/{name}"))).collect();
        self.remove(copies, "removed: the versions say the same; the next one is written in time").await
    }

    /// Removes checkpoints of the ledger that are not as they were named: they are copies.
    async fn checkpoints(&mut self, faults: &Faults) -> Result<()> {
        let prefix = format!("{LEDGER}/");
        let name_of = |fault: &Fault| fault.path.strip_prefix(&prefix).map(str::to_string);
        let bad: BTreeSet<u64> =
            faults.listed.iter().filter_map(name_of).filter_map(|name| checkpoint_sequence(&name)).collect();
        if bad.is_empty() {
            return Ok(());
        }
        let names =
            self.store.names(&Path::from(LEDGER)).await.context(Kind::Unavailable, || "cannot list `_ledger/`")?;
        let dead = names.iter().filter(|name| checkpoint_sequence(name).is_some_and(|of| bad.contains(&of)));
        let dead = dead.map(|name| Path::from(format!("{LEDGER}/{name}"))).collect();
        self.remove(dead, "removed: it is not the checkpoint that the ledger names, and the entries say the same").await
    }

    /// Moves files from `_replaced/` back into their tables: the entry that replaced them was dropped without being read.
    async fn return_replaced(&mut self, chain: &Chain) -> Result<()> {
        let exists = |path: &Path| self.store.root.join(path.as_ref()).exists();
        let moves = chain.files().map(|file| (aside_path(file), file.data_path()));
        let moves: Vec<(Path, Path)> = moves.filter(|(from, to)| exists(from) && !exists(to)).collect();
        for (_, to) in &moves {
            self.repaired.done.push(Fault { path: to.to_string(), fault: "put back into its table".to_string() });
        }
        if self.asked.is_dry {
            return Ok(());
        }
        self.store.rename_all(moves).await.map(drop).context(Kind::Unavailable, || "cannot put files back")
    }

    /// Moves staged files of entries into place.
    async fn place(&mut self, chain: &Chain) -> Result<()> {
        let names =
            self.store.names(&Path::from(STAGING)).await.context(Kind::Unavailable, || "cannot list `_staging/`")?;
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let is_staged = |file: &&FileEntry| file.staging_path().filename().is_some_and(|name| names.contains(name));
        for file in chain.files().filter(is_staged) {
            let to = file.data_path();
            if !self.there(vec![to.clone()]).await?.is_empty() {
                continue;
            }
            self.repaired.done.push(Fault { path: to.to_string(), fault: "moved into place".to_string() });
            if !self.asked.is_dry {
                let moved = self.store.rename_all(vec![(file.staging_path(), to)]).await;
                moved.context(Kind::Unavailable, || "cannot move a staged file into place")?;
            }
        }
        Ok(())
    }

    /// Rewrites the versions of one table that differ from the ledger's.
    async fn table(&mut self, table: &str, chain: &Chain, ocsf: &Ocsf, expected: &Expected<'_>) -> Result<()> {
        let versions = &expected[table];
        let names = self.log(table).await?;
        let ahead = names.iter().filter_map(|name| delta_version(name)).any(|version| version > versions.len() as u64);
        if ahead && !self.asked.drop_incomplete {
            let message = format!("the Delta table `{table}` has versions that no ledger entry made");
            return Err(Error::new(Kind::Integrity, message).hint(
                "restore `_ledger/`, which may have been put back, from the newest backup; or drop what it does not \
                 know with `--drop-incomplete`",
            ));
        }
        if ahead {
            self.drop_versions(chain).await?;
        }
        let (objects, before) = (self.objects(), self.repaired.done.len());
        let own = own_tables().into_iter().find(|(name, _)| *name == table).map(|(_, schema)| schema);
        if let Some(schema) = own.or_else(|| ocsf.by_name(table).map(|class| class.arrow.clone())) {
            let mut faults = Faults::new(1);
            versions::begun(&objects, chain, ocsf, table, &mut faults).await?;
            if faults.count > 0 {
                let bytes = creation(table, &schema, &chain.lake, chain.head.time_ms)?;
                self.write(delta_path(table, 0), bytes, "written anew from the schema of the class").await?;
            }
        }
        for (at, (entry, files)) in versions.iter().enumerate() {
            let path = delta_path(table, at as u64 + 1);
            let there = get(&objects, &path).await?;
            if there.is_none_or(|there| versions::other(&there, chain, table, entry, files).is_some()) {
                let bytes = commit(&chain.lake, entry, table, files);
                self.write(path, bytes, &format!("written anew from ledger entry {}", entry.sequence)).await?;
            }
        }
        let mut faults = Faults::new(1);
        if !self.asked.is_dry {
            versions::seen(&self.store, chain, table, &mut faults).await?;
        }
        if faults.count > 0 || self.repaired.done.len() > before {
            self.drop_checkpoints(table).await?;
        }
        Ok(())
    }

    /// Sets files aside that an entry replaced, and removes those that one dropped.
    async fn clear_replaced(&mut self, chain: &Chain) -> Result<()> {
        let exists = |path: &Path| self.store.root.join(path.as_ref()).exists();
        let aside = chain.aside.iter().map(|file| (file.data_path(), aside_path(file)));
        let aside: Vec<(Path, Path)> = aside.filter(|(from, _)| exists(from)).collect();
        let dropped = chain.commits.iter().filter_map(|commit| commit.change.as_ref());
        let dropped = dropped.flat_map(|change| each(&change.dropped));
        let dropped = dropped.flat_map(|(table, path)| [data_path(table, path), replaced_path(table, path)]);
        let dropped: Vec<Path> = dropped.filter(exists).collect();
        for (from, _) in &aside {
            self.repaired.done.push(Fault { path: from.to_string(), fault: "set aside: it was replaced".to_string() });
        }
        if !self.asked.is_dry {
            self.store.rename_all(aside).await.context(Kind::Unavailable, || "cannot set a replaced file aside")?;
        }
        self.remove(dropped, "removed: a ledger entry dropped it").await
    }

    /// Removes staged files whose sequences are taken by entries that do not name them, and temporary files.
    async fn clear(&mut self, chain: &Chain) -> Result<()> {
        let names =
            self.store.names(&Path::from(STAGING)).await.context(Kind::Unavailable, || "cannot list `_staging/`")?;
        let live: BTreeSet<Path> = chain.files().map(FileEntry::staging_path).collect();
        let is_dead = |name: &&String| staged(name).is_some_and(|(_, name)| name.sequence <= chain.last);
        let dead = names.iter().filter(is_dead).map(|name| Path::from(format!("{STAGING}/{name}")));
        let dead = dead.filter(|path| !live.contains(path)).collect();
        self.remove(dead, "removed: no entry names it, and its sequence is taken").await?;
        if self.asked.is_dry {
            return Ok(());
        }
        self.store.clear_temporary().context(Kind::Unavailable, || "cannot clear `_staging/`")
    }
}
