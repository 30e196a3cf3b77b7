//! Operations on several files at once, each directory synced once.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, Result};

use super::layout::{STAGING, set_aside};
use super::store::Durable;
use super::whole::{blocking, generic, is_temporary};
use crate::disk::{self, make_dir_below, parent_of, set_mode, sync_dir};
use crate::failpoint;

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

    /// Removes files; a missing one is fine.
    pub async fn remove_all(&self, paths: Vec<Path>) -> Result<()> {
        for path in paths {
            match self.delete(&path).await {
                Err(Error::NotFound { .. }) => {}
                removed => removed?,
            }
        }
        Ok(())
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
            for (path, from, to, aside) in places {
                let parent = parent_of(&to);
                make_dir_below(&root, &parent, Some(access.folder_mode())).map_err(|e| generic(path.as_ref(), e))?;
                failpoint::reached("move.begin");
                match fs::rename(&from, &to) {
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
