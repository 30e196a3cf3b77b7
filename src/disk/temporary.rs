//! A new file or folder with a random name, until it gets its final name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Unfinished, parent_of, sync_dir};
use crate::failpoint;

/// Suffix of the name of an unfinished file or folder.
pub(super) const END: &str = "tmp";

/// How a file gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// A file of that name is replaced.
    Replace,
    /// A file of that name stays, and is the error `AlreadyExists`.
    Create,
}

/// A file under a temporary name; removed when it is dropped before it got its own.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    file: File,
    is_named: bool,
    unfinished: Unfinished,
}

impl Temporary {
    /// Creates a file in `folder` exclusively: `name` makes its name from a random number.
    ///
    /// The file is locked as long as it is open, so that [`sweep`] leaves it alone.
    pub fn create(folder: &Path, mode: u32, name: impl Fn(u64) -> String) -> io::Result<Temporary> {
        failpoint::reached("write.begin");
        loop {
            let path = folder.join(name(random()?));
            let file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            failpoint::reached("write.opened");
            // Where locks do not work nobody sweeps either.
            let _ = file.try_lock();
            // Somebody may have swept it away before it was locked.
            if is_same(&path, &file) {
                return Ok(Temporary { path, file, is_named: false, unfinished: Unfinished::default() });
            }
        }
    }

    /// Registers the file with `unfinished` until it has its name or is gone.
    pub fn known_to(&mut self, unfinished: &Unfinished) {
        unfinished.add(&self.path);
        self.unfinished = unfinished.clone();
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Syncs the file and gives it its name, which is on the disk when this returns. The file stays open and locked.
    pub fn name(mut self, place: &Path, naming: Naming) -> io::Result<File> {
        failpoint::reached("write.written");
        self.file.sync_all()?;
        failpoint::reached("write.synced");
        // A link fails when the name is taken, a rename replaces it: both are atomic.
        let named = match naming {
            Naming::Create => fs::hard_link(&self.path, place),
            Naming::Replace => fs::rename(&self.path, place),
        };
        if named.is_ok() {
            failpoint::reached("write.named");
        }
        let cleaned = match (naming, &named) {
            (Naming::Replace, Ok(())) => Ok(()),
            _ => fs::remove_file(&self.path),
        };
        self.is_named = true;
        failpoint::reached("write.cleaned");
        match named {
            // A caller that learns that the name is taken relies on it: it must be on the disk, although another wrote it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                sync_dir(&parent_of(place))?;
                return Err(error);
            }
            named => named?,
        }
        match cleaned {
            // Another process swept it, where locks do nothing.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        sync_dir(&parent_of(place))?;
        failpoint::reached("write.done");
        self.file.try_clone()
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_named {
            // The next writer sweeps away what cannot be removed now.
            let _ = fs::remove_file(&self.path);
        }
        self.unfinished.done(&self.path);
    }
}

/// Removes the temporary files and folders in `folder` whose writers are gone; `is_temporary` recognises their names.
///
/// It removes only those of our own user: others may have left a name there to mislead us.
pub fn sweep(folder: &Path, is_temporary: impl Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&is_temporary) {
            remove_abandoned(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_abandoned(path: &Path) -> io::Result<()> {
    let known = match fs::symlink_metadata(path) {
        // Its writer has just given it its name, or another process swept.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        known => known?,
    };
    if known.is_symlink() || known.uid() != super::links::our_user()? {
        return Ok(());
    }
    let Ok(file) = File::open(path) else { return Ok(()) };
    if file.try_lock().is_err() || !is_same(path, &file) {
        return Ok(());
    }
    let removed = if known.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns whether `found` is the temporary name of a file called `name`, whether or not its writer is alive.
pub fn is_temporary_of(found: &str, name: &str) -> bool {
    is_hidden(found, name, END)
}

/// Returns the temporary name of `name` in its folder, which hides it; `end` tells its kind.
pub(super) fn hidden(name: &str, number: u64, end: &str) -> String {
    // A name may have 255 bytes, ours included.
    let mut length = name.len().min(200);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    format!(".{}.{number:016x}.{end}", &name[..length])
}

/// Returns whether `found` is a name that [`hidden`] makes of `name`.
pub(super) fn is_hidden(found: &str, name: &str, end: &str) -> bool {
    let probe = hidden(name, 0, end);
    let head = probe.len() - 17 - end.len();
    found.len() == probe.len()
        && found.is_char_boundary(head)
        && found.is_char_boundary(head + 16)
        && found[..head] == probe[..head]
        && found[head + 16..] == probe[head + 16..]
        && found[head..head + 16].bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether `path` still names the open file.
pub(super) fn is_same(path: &Path, file: &File) -> bool {
    let (Ok(there), Ok(here)) = (fs::symlink_metadata(path), file.metadata()) else { return false };
    (there.dev(), there.ino()) == (here.dev(), here.ino())
}

pub(super) fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_name_that_is_taken_is_told_and_no_temporary_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("x");
        let put = |text: &str, naming| {
            let mut file = Temporary::create(dir.path(), 0o600, |number| format!("#{number}")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.name(&place, naming).map(drop)
        };
        put("one", Naming::Create).unwrap();
        assert_eq!(put("two", Naming::Create).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&place).unwrap(), "one");
        put("three", Naming::Replace).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "three");
        drop(Temporary::create(dir.path(), 0o600, |number| format!("#{number}")).unwrap());
        assert_eq!(names(dir.path()), ["x"]);
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "precious").unwrap();
        std::os::unix::fs::symlink(dir.path().join("precious"), dir.path().join("planted")).unwrap();
        // The first name is the planted one, as if it had been guessed.
        let tries = std::cell::Cell::new(0);
        let name = |number: u64| {
            tries.set(tries.get() + 1);
            if tries.get() == 1 { "planted".to_string() } else { format!("#{number}") }
        };
        let mut file = Temporary::create(dir.path(), 0o600, name).unwrap();
        file.write_all(b"ours").unwrap();
        assert_eq!(tries.get(), 2);
        assert_eq!(fs::read_to_string(dir.path().join("precious")).unwrap(), "precious");
    }

    #[test]
    fn a_sweep_removes_what_the_dead_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let is_ours = |name: &str| is_temporary_of(name, "r.csv");
        let living = Temporary::create(dir.path(), 0o600, |number| hidden("r.csv", number, "tmp")).unwrap();
        fs::write(dir.path().join(hidden("r.csv", 7, "tmp")), "half").unwrap();
        fs::create_dir(dir.path().join(hidden("r.csv", 8, "tmp"))).unwrap();
        fs::write(dir.path().join(hidden("r.csv", 8, "tmp")).join("half"), "half").unwrap();
        let kept = [".r.csv.tmp", ".r.csv.000000000000000x.tmp", ".other.0000000000000007.tmp"];
        for name in kept {
            fs::write(dir.path().join(name), "").unwrap();
        }
        sweep(dir.path(), is_ours).unwrap();
        let mut left = names(dir.path());
        left.retain(|name| !kept.contains(&name.as_str()));
        assert_eq!(left, [living.path.file_name().unwrap().to_string_lossy()]);
        sweep(&dir.path().join("missing"), is_ours).unwrap();
    }

    #[test]
    fn hidden_names_fit_whatever_the_name() {
        for name in ["a", "ä".repeat(127).as_str(), "x".repeat(255).as_str()] {
            let made = hidden(name, u64::MAX, "tmp");
            assert!(made.len() <= 255 && is_hidden(&made, name, "tmp"), "{made}");
            assert!(!is_hidden(&made, "b", "tmp") && !is_hidden(&made, name, "old"));
        }
    }
}
