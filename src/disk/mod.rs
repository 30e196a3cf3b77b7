//! Files that are either complete or absent, folders likewise, chains of entries, locks, and files that hold secrets.
//!
//! ```text
//! Whole    a file:     random name beside it, created exclusively -> written -> synced -> renamed -> folder synced
//! Draft    a folder:   the same, then exchanged with the folder that is there
//! Chain    entries:    a file each, created only where there is none, naming the hash of the one before
//! Lock     one process at a time, and who holds it, for those who wait
//! ```
//!
//! Everything that the program writes goes through here, so that a kill or a power cut at any moment leaves the old or
//! the new state, and a fault that a test injects here reaches every caller.
//!
//! Symbolic links: a file or folder that a user names may be one. Its target is replaced and the link stays, as with
//! the shell's `>`; but only links of our own user, or of root, are followed, since others could lead us anywhere. A
//! temporary file never follows a link, because it is created exclusively under a random name; and in the files that
//! the lake keeps for itself no link is followed at all.
//!
//! A writer that was killed leaves its temporary file behind. It held a lock on it, so the next writer of the same file
//! can tell that nobody works on it any more, and removes it.

mod chain;
mod draft;
mod links;
mod lock;
mod plain;
mod secret;
mod temporary;
mod unfinished;
mod whole;

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::failpoint;

pub use chain::{Chain, Entry};
pub use draft::Draft;
pub use links::our_user;
pub use lock::{Lock, Patience, Waiting};
pub use plain::{oddity, open_plain};
pub use secret::{create_private, keep_out_of_core_files, open_own, open_private, open_secret, replace_private};
pub use temporary::{Naming, Temporary, is_temporary_of, sweep};
pub use unfinished::Unfinished;
pub use whole::{Whole, create, write};

/// Makes a directory with its missing parents, so that it exists after a power cut.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    make_dir_below(Path::new("/"), &std::path::absolute(dir)?, None)
}

/// Makes a directory and its missing parents below `root`, and syncs the parent of each one that it made. New ones get
/// `mode` whatever the process's umask is, or what the umask leaves.
pub fn make_dir_below(root: &Path, dir: &Path, mode: Option<u32>) -> io::Result<()> {
    if dir == root || dir.is_dir() {
        return Ok(());
    }
    let parent = parent_of(dir);
    make_dir_below(root, &parent, mode)?;
    failpoint::reached("directory.begin");
    match DirBuilder::new().mode(mode.unwrap_or(0o777)).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
        Ok(()) => {
            if let Some(mode) = mode {
                fs::set_permissions(dir, Permissions::from_mode(mode))?;
            }
        }
    }
    failpoint::reached("directory.made");
    sync_dir(&parent)?;
    failpoint::reached("directory.synced");
    Ok(())
}

/// Makes a directory with the access of the folder that it is in, whatever the process's umask is.
pub fn make_dir_like_parent(dir: &Path) -> io::Result<()> {
    let parent = parent_of(dir);
    let mode = fs::metadata(&parent)?.permissions().mode() & 0o777;
    make_dir_below(&parent, dir, Some(mode))
}

/// Gives a new file its mode whatever the process's umask is.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    if file.metadata()?.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(mode))
}

/// Syncs a directory: names that were made, changed or removed in it are then on the disk.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Returns the bytes that are free to us on the disk of a folder, and its size.
pub fn space(place: &Path) -> io::Result<(u64, u64)> {
    let found = rustix::fs::statvfs(place)?;
    Ok((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

/// Removes a file, so that it stays removed.
pub fn remove(place: &Path) -> io::Result<()> {
    failpoint::reached("delete.begin");
    fs::remove_file(place)?;
    failpoint::reached("delete.removed");
    sync_dir(&parent_of(place))?;
    failpoint::reached("delete.synced");
    Ok(())
}

/// Returns the folder that `place` is in; a plain name is in the working directory.
pub fn parent_of(place: &Path) -> PathBuf {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_with_their_parents_and_twice() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        make_dir(&deep).unwrap();
        make_dir(&deep).unwrap();
        assert!(deep.is_dir());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(make_dir(&dir.path().join("file/below")).is_err());
        assert_eq!(parent_of(Path::new("plain")), Path::new("."));
        assert_eq!(parent_of(Path::new("/x")), Path::new("/"));
    }
}
