//! Operations on several files at once, each directory synced once.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path as FsPath, PathBuf};

use object_store::Result;
use object_store::path::Path;

use super::layout::{STAGING, set_aside};
use super::store::Durable;
use super::whole::{blocking, generic, is_temporary};
use crate::disk::{self, make_dir_below, parent_of, set_mode, sync_dir};
use crate::failpoint;

/// Files of one folder from which on its names are listed once, instead of one look for each file.
const LISTED_FROM: usize = 32;

/// The names in folders of many files. Finishing an entry of thousands of files, which mostly is finished, asks for each
/// of them.
struct Folders(HashMap<PathBuf, Option<HashSet<OsString>>>);

impl Folders {
    /// Lists the folders in which many of these files are.
    fn of<'p>(places: impl Iterator<Item = &'p PathBuf>) -> Folders {
        let mut counted: HashMap<PathBuf, usize> = HashMap::new();
        places.for_each(|place| *counted.entry(parent_of(place)).or_default() += 1);
        counted.retain(|_, files| *files >= LISTED_FROM);
        Folders(counted.into_keys().map(|folder| (folder.clone(), names_in(&folder))).collect())
    }

    /// Whether a file may be where it is looked for; false when its folder was listed without it.
    fn may_have(&self, place: &FsPath) -> bool {
        let names = self.0.get(&parent_of(place)).and_then(Option::as_ref);
        names.is_none_or(|names| place.file_name().is_some_and(|name| names.contains(name)))
    }

    /// Whether the listing of a file's folder, which is made when it is not there, has the file.
    fn has(&mut self, place: &FsPath) -> bool {
        let folder = parent_of(place);
        let names = self.0.entry(folder).or_insert_with_key(|folder| names_in(folder));
        names.as_ref().is_some_and(|names| place.file_name().is_some_and(|name| names.contains(name)))
    }
}

/// The names in a folder; none when they cannot be listed, and then each file is looked for.
fn names_in(folder: &FsPath) -> Option<HashSet<OsString>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<_>>().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(HashSet::new()),
        Err(_) => None,
    }
}

impl Durable {
    /// Writes several new files and syncs their directory once; none may exist.
    pub async fn put_all(&self, files: Vec<(Path, bytes::Bytes)>) -> Result<()> {
        let mut places = Vec::with_capacity(files.len());
        for (path, bytes) in files {
            places.push((path.to_string(), self.place(&path)?, bytes));
        }
        let (root, access) = (self.root.clone(), self.access());
        blocking(move || {
            let mut parents = Vec::new();
            let mut written = Vec::with_capacity(places.len());
            for (name, place, bytes) in places {
                let parent = parent_of(&place);
                make_dir_below(&root, &parent, Some(access.folder_mode())).map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.begin");
                let mut options = OpenOptions::new();
                options.write(true).create_new(true).mode(access.file_mode());
                let mut file = options.open(&place).map_err(|e| generic(&name, e))?;
                set_mode(&file, access.file_mode()).map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.opened");
                file.write_all(&bytes).map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.written");
                written.push((name, file));
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            // All are written before the first is synced: one flush of a journal covers the others.
            for (name, file) in written {
                file.sync_all().map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.synced");
            }
            parents.iter().try_for_each(|parent| sync_dir(parent).map_err(|e| generic("directory", e)))?;
            failpoint::reached("stage.named");
            Ok(())
        })
        .await
    }

    /// Syncs existing directories: names in them may be the work of a process that died before its sync.
    pub async fn sync_dirs(&self, dirs: Vec<Path>) -> Result<()> {
        let places: Vec<PathBuf> = dirs.iter().map(|dir| self.root.join(dir.as_ref())).collect();
        blocking(move || {
            for place in places.iter().filter(|place| place.is_dir()) {
                sync_dir(place).map_err(|e| generic(&place.to_string_lossy(), e))?;
            }
            Ok(())
        })
        .await
    }

    /// Returns the names in a directory without opening the files; none when it does not exist.
    pub async fn names(&self, dir: &Path) -> Result<Vec<String>> {
        let place = self.root.join(dir.as_ref());
        blocking(move || {
            let failed = |error| generic(&place.to_string_lossy(), error);
            let entries = match fs::read_dir(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries.map_err(failed)?,
            };
            // A name that is not text is not one of ours.
            let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
            entries.filter_map(|entry| name(entry).transpose()).collect::<io::Result<_>>().map_err(failed)
        })
        .await
    }

    /// Removes unfinished files of processes that died.
    pub fn clear_temporary(&self) -> io::Result<()> {
        disk::sweep(&self.root.join(STAGING), is_temporary)
    }

    /// Removes files and syncs each directory once; a missing file is fine.
    pub async fn remove_all(&self, paths: Vec<Path>) -> Result<()> {
        let places = paths.iter().map(|path| self.place(path)).collect::<Result<Vec<_>>>()?;
        blocking(move || {
            let folders = Folders::of(places.iter());
            let (places, mut parents) = (places.iter().filter(|place| folders.may_have(place)), Vec::new());
            for place in places {
                failpoint::reached("delete.begin");
                match fs::remove_file(place) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    removed => removed.map_err(|e| generic(&place.to_string_lossy(), e))?,
                }
                failpoint::reached("delete.removed");
                let parent = parent_of(place);
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            parents.iter().try_for_each(|parent| sync_dir(parent).map_err(|e| generic("directory", e)))?;
            failpoint::reached("delete.synced");
            Ok(())
        })
        .await
    }

    /// Moves several files and syncs each directory once; returns those that are at neither place. A file that already
    /// moved is fine, even when it has left its table since: moving is repeatable.
    pub async fn rename_all(&self, moves: Vec<(Path, Path)>) -> Result<Vec<Path>> {
        let mut places = Vec::with_capacity(moves.len());
        for (from, to) in moves {
            let aside = set_aside(&to).map(|aside| self.place(&aside)).transpose()?;
            places.push((to.clone(), self.place(&from)?, self.place(&to)?, aside));
        }
        let (root, access) = (self.root.clone(), self.access());
        blocking(move || {
            let (mut parents, mut missing) = (Vec::new(), Vec::new());
            let mut folders = Folders::of(places.iter().map(|(_, from, ..)| from));
            for (path, from, to, aside) in places {
                let parent = parent_of(&to);
                make_dir_below(&root, &parent, Some(access.folder_mode())).map_err(|e| generic(path.as_ref(), e))?;
                failpoint::reached("move.begin");
                let is_moved = !folders.may_have(&from) && folders.has(&to);
                match if is_moved { Ok(()) } else { fs::rename(&from, &to) } {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        if !to.exists() && !aside.is_some_and(|aside| aside.exists()) {
                            missing.push(path);
                            continue;
                        }
                    }
                    Err(error) => return Err(generic(path.as_ref(), error)),
                }
                failpoint::reached("move.moved");
                for parent in [parent, parent_of(&from)] {
                    if !parents.contains(&parent) {
                        parents.push(parent);
                    }
                }
            }
            let parents = parents.iter().filter(|parent| parent.is_dir());
            parents.into_iter().try_for_each(|parent| sync_dir(parent).map_err(|e| generic("directory", e)))?;
            failpoint::reached("move.synced");
            Ok(missing)
        })
        .await
    }
}
