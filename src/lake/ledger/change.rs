//! The effect of an entry on existing files: they leave their tables, and in time the disk.
//!
//! ```text
//! compact   <table>/<path>  ->  _replaced/<table>/<path>     readers of older states find it there
//! drop                          _replaced/<table>/<path>  ->  gone
//! retain    <table>/<path>  ->  gone, and with it what lies in `_replaced/` and may hold the same rows
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path as FsPath;
use std::{fs, io};

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::super::Lake;
use super::super::files::file::FileEntry;
use super::super::files::layout::{FACTS, data_path, replaced_path};
use super::super::fingerprints::{Fingerprinter, Gone, forget};
use crate::error::{Context, Kind, Result};
use crate::failpoint;

/// Paths of data files below their table's folder, by table.
pub type Paths = BTreeMap<String, Vec<String>>;

/// Files that come and go with one entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Files that are added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// Files that no longer belong to their tables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: Paths,
    /// Files that are removed from the disk: those of `replaced` that nobody may read again, and those that earlier
    /// entries replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: Paths,
    /// The entries all of whose replaced files are gone with this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<u64>,
}

/// Files that an entry replaced and that are still in `_replaced/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// The entry that replaced them; the next field is the time when it was written.
    pub sequence: u64,
    pub time_ms: i64,
    pub files: u64,
    pub bytes: u64,
}

impl Change {
    /// Returns files that leave their table and stay on the disk.
    pub fn set_aside(&self) -> impl Iterator<Item = (&str, &str)> {
        let dropped: BTreeSet<(&str, &str)> = each(&self.dropped).collect();
        each(&self.replaced).filter(move |file| !dropped.contains(file))
    }
}

/// Returns tables and paths, one by one.
pub fn each(paths: &Paths) -> impl Iterator<Item = (&str, &str)> {
    paths.iter().flat_map(|(table, paths)| paths.iter().map(move |path| (table.as_str(), path.as_str())))
}

/// Returns the paths of some files.
pub fn paths_of<'a>(files: impl IntoIterator<Item = &'a FileEntry>) -> Paths {
    let mut paths = Paths::new();
    for file in files {
        paths.entry(file.table().to_string()).or_default().push(file.path());
    }
    paths
}

/// The files that are replaced or dropped.
fn gone(change: &Change) -> Gone {
    let hash_of = |(_, path): (&str, &str)| {
        let stem = path.strip_suffix(".parquet")?;
        stem.rsplit('-').next().filter(|hash| hash.len() == Gone::DIGITS).map(str::to_string)
    };
    Gone(each(&change.replaced).chain(each(&change.dropped)).filter_map(hash_of).collect())
}

impl Lake {
    /// Removes facts that a folder outside of the lake keeps about data files which the lake does not have: data that
    /// was removed from the lake is removed with them.
    pub fn forget_facts(&self, folder: &FsPath) -> io::Result<()> {
        let entries = match fs::read_dir(folder.join(FACTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let files = self.state().tables.values().flat_map(|table| &table.files);
        let known: HashSet<String> = files.map(|file| file.sha256.to_string()).collect();
        for entry in entries {
            let entry = entry?;
            let is_known = |name: &str| name.split_once('-').is_none_or(|(sha256, _)| known.contains(sha256));
            if !entry.file_name().to_str().is_none_or(is_known) {
                match fs::remove_file(entry.path()) {
                    // Another process was first.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed?,
                }
            }
        }
        Ok(())
    }

    /// Removes files from their places: sets them aside, or deletes them. Doing it twice changes nothing.
    pub(in crate::lake) async fn clear_away(&self, change: &Change) -> Result<()> {
        let aside = change.set_aside().map(|(table, path)| (data_path(table, path), replaced_path(table, path)));
        let aside: Vec<(Path, Path)> = aside.collect();
        let gone = gone(change);
        let facts = self.facts_of(&gone).await?;
        // Before the files: once those are away nothing else says that this is left to do.
        if !gone.0.is_empty() {
            let seal = || Fingerprinter::find(self).map(|found| found.seal);
            forget(&self.store, |data| gone.has(data), seal).await?;
        }
        if !aside.is_empty() {
            // A file at neither place was dropped since by a later entry.
            self.store.rename_all(aside).await.context(Kind::Unavailable, || "cannot set replaced files aside")?;
            failpoint::reached("keep.aside");
        }
        let gone = each(&change.dropped).flat_map(|(table, path)| [data_path(table, path), replaced_path(table, path)]);
        let gone: Vec<Path> = gone.collect();
        if !gone.is_empty() {
            self.store.remove_all(gone).await.context(Kind::Unavailable, || "cannot remove files")?;
            failpoint::reached("keep.dropped");
        }
        self.store.remove_all(facts).await.context(Kind::Unavailable, || "cannot remove derived facts")
    }

    /// Returns the facts of files that are gone: `_facts/<sha256 of the file>-...`.
    async fn facts_of(&self, gone: &Gone) -> Result<Vec<Path>> {
        let names = self.store.names(&Path::from(FACTS)).await;
        let names = names.context(Kind::Unavailable, || "cannot list `_facts/`")?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let is_gone = |name: &&String| name.get(..Gone::DIGITS).is_some_and(|hash| gone.0.contains(hash));
        Ok(names.iter().filter(is_gone).map(|name| Path::from(format!("{FACTS}/{name}"))).collect())
    }
}
