//! A folder that a user names: whole, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::links::follow;
use super::temporary::{END, hidden, is_hidden, is_same, is_temporary_of, random, sweep};
use super::{Unfinished, make_dir, parent_of, sync_dir};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;

/// Suffix of the name of a folder that makes room for another, where two folders cannot change places in one step.
const OLD: &str = "old";

/// A folder that is being written. It appears when it is finished; dropped before, it leaves everything as it was.
#[derive(Debug)]
pub struct Draft {
    /// The path as the user named it.
    path: PathBuf,
    /// The target of its links.
    target: PathBuf,
    temporary: PathBuf,
    /// The folder itself, locked, so that nobody sweeps it away.
    _folder: File,
    is_named: bool,
    unfinished: Unfinished,
}

impl Draft {
    /// Begins the folder `path`. An existing one stays, and is an error, unless it is to be replaced.
    pub fn begin(path: &Path, is_replacing: bool) -> Result<Draft> {
        let cannot = || format!("cannot write {}", path.display());
        let target = follow(path)?;
        let name = target.file_name().ok_or_else(|| Error::usage(format!("{} names no folder", path.display())))?;
        let (name, parent) = (name.to_string_lossy().into_owned(), parent_of(&target));
        make_dir(&parent).context(Kind::Unavailable, cannot)?;
        restore(&parent, &name, &target).context(Kind::Unavailable, cannot)?;
        sweep(&parent, |found| is_temporary_of(found, &name)).context(Kind::Unavailable, cannot)?;
        if target.exists() && !is_replacing {
            return Err(Error::usage(format!("{} already exists", path.display()))
                .hint("evidence is never overwritten: choose another directory, or pass --replace"));
        }
        let (temporary, folder) = make(&parent, &name).context(Kind::Unavailable, cannot)?;
        let unfinished = Unfinished::default();
        Ok(Draft { path: path.to_path_buf(), target, temporary, _folder: folder, is_named: false, unfinished })
    }

    /// Registers the folder with `unfinished` until it has its name or is gone.
    pub fn known_to(mut self, unfinished: &Unfinished) -> Draft {
        unfinished.add(&self.temporary);
        self.unfinished = unfinished.clone();
        self
    }

    /// Returns where its files are until it is finished.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Creates a new file of the folder.
    pub fn file(&self, name: &str) -> Result<File> {
        let path = self.temporary.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o666).open(&path);
        file.context(Kind::Unavailable, || format!("cannot write {name} of {}", self.path.display()))
    }

    /// Writes a new file of the folder.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let written = io::Write::write_all(&mut self.file(name)?, content);
        written.context(Kind::Unavailable, || format!("cannot write {name} of {}", self.path.display()))
    }

    /// Syncs everything and gives the folder its name; returns its path as the user named it.
    ///
    /// A folder that is replaced changes places with the new one in one step: at every moment one of them exists, and
    /// never files of both.
    pub fn finish(mut self) -> Result<PathBuf> {
        let cannot = || format!("cannot write {}", self.path.display());
        failpoint::reached("folder.written");
        sync_below(&self.temporary).context(Kind::Unavailable, cannot)?;
        failpoint::reached("folder.synced");
        let parent = parent_of(&self.target);
        let left = place(&self.temporary, &self.target, exchange).context(Kind::Unavailable, cannot)?;
        self.is_named = true;
        self.unfinished.done(&self.temporary);
        failpoint::reached("folder.named");
        sync_dir(&parent).context(Kind::Unavailable, cannot)?;
        if let Some(left) = left {
            fs::remove_dir_all(left).context(Kind::Unavailable, cannot)?;
            failpoint::reached("folder.cleaned");
            sync_dir(&parent).context(Kind::Unavailable, cannot)?;
        }
        Ok(std::mem::take(&mut self.path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_named {
            // The next run sweeps away what cannot be removed now.
            let _ = fs::remove_dir_all(&self.temporary);
            self.unfinished.done(&self.temporary);
        }
    }
}

/// Makes a hidden folder beside its destination, and locks it.
fn make(parent: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    failpoint::reached("folder.begin");
    loop {
        let temporary = parent.join(hidden(name, random()?, END));
        match fs::DirBuilder::new().mode(0o777).create(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        failpoint::reached("folder.made");
        let folder = File::open(&temporary)?;
        // Where locks do not work nobody sweeps either.
        let _ = folder.try_lock();
        // Somebody may have swept it away before it was locked.
        if is_same(&temporary, &folder) {
            return Ok((temporary, folder));
        }
    }
}

/// Gives the new folder its name; returns the present name of the old one, if there was one.
fn place(
    temporary: &Path,
    target: &Path,
    exchange: impl Fn(&Path, &Path) -> rustix::io::Result<()>,
) -> io::Result<Option<PathBuf>> {
    if !target.exists() {
        fs::rename(temporary, target)?;
        return Ok(None);
    }
    match exchange(temporary, target) {
        Ok(()) => return Ok(Some(temporary.to_path_buf())),
        // The file system cannot do it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        Err(error) => return Err(error.into()),
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let old = target.with_file_name(hidden(&name, random()?, OLD));
    fs::rename(target, &old)?;
    fs::rename(temporary, target)?;
    Ok(Some(old))
}

fn exchange(one: &Path, other: &Path) -> rustix::io::Result<()> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Finishes a replacement in two steps that was cut short: between the two the old folder comes back, after both it is
/// removed.
fn restore(parent: &Path, name: &str, target: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|found| is_hidden(found, name, OLD)) {
            continue;
        }
        if target.exists() { fs::remove_dir_all(entry.path())? } else { fs::rename(entry.path(), target)? }
    }
    Ok(())
}

/// Syncs a folder and everything in it.
fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { sync_below(&entry.path())? } else { File::open(entry.path())?.sync_all()? }
    }
    sync_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    fn write(path: &Path, text: &[u8]) {
        let draft = Draft::begin(path, true).unwrap();
        draft.write("a", text).unwrap();
        draft.finish().unwrap();
    }

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/r");
        let draft = Draft::begin(&path, false).unwrap();
        draft.write("a", b"one").unwrap();
        assert!(draft.write("a", b"two").is_err(), "a file is written once");
        assert!(!path.exists());
        drop(draft);
        assert!(names(path.parent().unwrap()).is_empty());
        write(&path, b"one");
        let error = Draft::begin(&path, false).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--replace"), "{error}");
        write(&path, b"two");
        assert_eq!(fs::read(path.join("a")).unwrap(), b"two");
        assert_eq!(names(path.parent().unwrap()), ["r"]);
    }

    #[test]
    fn a_link_to_a_folder_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("2026-01"), dir.path().join("latest"));
        write(&real, b"one");
        std::os::unix::fs::symlink("2026-01", &link).unwrap();
        write(&link, b"two");
        assert!(link.is_symlink());
        assert_eq!(fs::read(real.join("a")).unwrap(), b"two");
    }

    #[test]
    fn what_a_killed_run_left_goes_with_the_next_one_and_what_lives_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let living = Draft::begin(&path, true).unwrap();
        living.write("a", b"living").unwrap();
        fs::create_dir(dir.path().join(hidden("r", 1, END))).unwrap();
        write(&path, b"one");
        assert_eq!(names(dir.path()).len(), 2);
        living.finish().unwrap();
        assert_eq!(fs::read(path.join("a")).unwrap(), b"living");
        assert_eq!(names(dir.path()), ["r"]);
    }

    #[test]
    fn a_replacement_in_two_steps_that_was_cut_leaves_the_old_folder_or_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        write(&path, b"one");
        let cannot = |_: &Path, _: &Path| Err(Errno::INVAL);
        // Both steps, and a kill before the old folder was removed.
        let new = dir.path().join(hidden("r", 1, END));
        fs::create_dir(&new).unwrap();
        fs::write(new.join("a"), "two").unwrap();
        let old = place(&new, &path, cannot).unwrap().unwrap();
        assert_eq!(fs::read(path.join("a")).unwrap(), b"two");
        assert_eq!(fs::read(old.join("a")).unwrap(), b"one");
        drop(Draft::begin(&path, true).unwrap());
        assert_eq!(names(dir.path()), ["r"]);
        // A kill between the two steps.
        fs::rename(&path, &old).unwrap();
        assert!(Draft::begin(&path, false).is_err(), "the old folder counts as being there");
        assert_eq!(fs::read(path.join("a")).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["r"]);
    }
}
