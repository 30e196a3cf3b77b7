//! A folder that appears whole or not at all: written under a temporary name, synced, renamed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};

/// A folder that is being written.
pub struct Draft {
    parent: PathBuf,
    name: String,
    is_done: bool,
}

/// One file of a folder and what its bytes hash to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileHash {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Draft {
    /// Begins `parent/name`. A folder that is there stays, and is an error, unless it is to be replaced.
    pub fn begin(parent: &Path, name: &str, is_replacing: bool) -> Result<Draft> {
        let draft = Draft { parent: parent.to_path_buf(), name: name.to_string(), is_done: false };
        make_dir(parent)?;
        let cannot = || format!("cannot write {}", draft.place().display());
        // A replacement that was cut between its two renames left the old folder under its other name.
        if draft.old().exists() {
            match draft.place().exists() {
                true => fs::remove_dir_all(draft.old()).context(Kind::Unavailable, cannot)?,
                false => fs::rename(draft.old(), draft.place()).context(Kind::Unavailable, cannot)?,
            }
        }
        if draft.place().exists() && !is_replacing {
            return Err(Error::usage(format!("{} is there already", draft.place().display()))
                .hint("evidence is not written over: name another directory, or say --replace"));
        }
        if draft.temporary().exists() {
            fs::remove_dir_all(draft.temporary()).context(Kind::Unavailable, cannot)?;
        }
        fs::create_dir(draft.temporary()).context(Kind::Unavailable, cannot)?;
        Ok(draft)
    }

    /// The folder's path when it is done.
    pub fn place(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Where its files are written until then.
    pub fn temporary(&self) -> PathBuf {
        self.parent.join(format!(".{}.partial", self.name))
    }

    fn old(&self) -> PathBuf {
        self.parent.join(format!(".{}.old", self.name))
    }

    /// A new file of the folder.
    pub fn file(&self, name: &str) -> Result<File> {
        let path = self.temporary().join(name);
        File::create(&path).context(Kind::Unavailable, || format!("cannot write {}", path.display()))
    }

    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.temporary().join(name);
        fs::write(&path, content).context(Kind::Unavailable, || format!("cannot write {}", path.display()))
    }

    /// The files written so far, by name.
    pub fn hashes(&self) -> Result<Vec<FileHash>> {
        hashes(&self.temporary())
    }

    /// Syncs everything and gives the folder its name.
    pub fn finish(mut self) -> Result<PathBuf> {
        let (temporary, place) = (self.temporary(), self.place());
        let cannot = || format!("cannot write {}", place.display());
        for name in names(&temporary)? {
            File::open(temporary.join(name)).and_then(|file| file.sync_all()).context(Kind::Unavailable, cannot)?;
        }
        sync(&temporary)?;
        let is_replaced = place.exists();
        if is_replaced {
            fs::rename(&place, self.old()).context(Kind::Unavailable, cannot)?;
        }
        fs::rename(&temporary, &place).context(Kind::Unavailable, cannot)?;
        self.is_done = true;
        sync(&self.parent)?;
        if is_replaced {
            fs::remove_dir_all(self.old()).context(Kind::Unavailable, cannot)?;
        }
        Ok(place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_done {
            // What cannot be removed now is removed by the next run.
            let _ = fs::remove_dir_all(self.temporary());
        }
    }
}

/// Hashes of all files of a folder but `evidence.json`, by name.
pub fn hashes(folder: &Path) -> Result<Vec<FileHash>> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let (sha256, bytes) = hash_file(&folder.join(&name))?;
        found.push(FileHash { name, bytes, sha256 });
    }
    Ok(found)
}

/// SHA-256 and length of a file.
pub fn hash_file(path: &Path) -> Result<(String, u64)> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = File::open(path).context(Kind::Unavailable, cannot)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(&digest.finalize()), bytes)),
            Ok(read) => {
                digest.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context(Kind::Unavailable, cannot),
        }
    }
}

/// Names in a folder, sorted.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
        names.push(entry.context(Kind::Unavailable, cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Writes a file so that it is there whole or not at all.
pub fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let name = path.file_name().ok_or_else(|| Error::usage(format!("{} names no file", path.display())))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = parent.join(format!(".{}.partial", name.to_string_lossy()));
    let mut file = File::create(&temporary).context(Kind::Unavailable, cannot)?;
    io::Write::write_all(&mut file, content).and_then(|()| file.sync_all()).context(Kind::Unavailable, cannot)?;
    fs::rename(&temporary, path).context(Kind::Unavailable, cannot)?;
    sync(parent)
}

/// Makes a directory with its parents, each synced into its own.
pub fn make_dir(dir: &Path) -> Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).context(Kind::Unavailable, || format!("cannot create {}", dir.display()));
        }
        _ => {}
    }
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
        _ => Ok(()),
    }
}

fn sync(dir: &Path) -> Result<()> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.context(Kind::Unavailable, || format!("cannot sync {}", dir.display()))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let draft = Draft::begin(dir.path(), "r", false).unwrap();
        draft.write("a", b"one").unwrap();
        assert!(!dir.path().join("r").exists());
        drop(draft);
        assert_eq!(names(dir.path()).unwrap(), Vec::<String>::new());
        let draft = Draft::begin(dir.path(), "r", false).unwrap();
        draft.write("a", b"one").unwrap();
        draft.finish().unwrap();
        assert_eq!(hashes(&dir.path().join("r")).unwrap()[0].bytes, 3);
        assert!(Draft::begin(dir.path(), "r", false).err().unwrap().hint_text().unwrap().contains("--replace"));
    }

    #[test]
    fn a_replacement_that_was_cut_leaves_the_old_folder_or_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &[u8]| {
            let draft = Draft::begin(dir.path(), "r", true).unwrap();
            draft.write("a", text).unwrap();
            draft.finish().unwrap();
        };
        write(b"one");
        // Killed after the first rename, with the new folder still under its temporary name.
        fs::rename(dir.path().join("r"), dir.path().join(".r.old")).unwrap();
        fs::create_dir(dir.path().join(".r.partial")).unwrap();
        fs::write(dir.path().join(".r.partial/half"), "x").unwrap();
        assert!(Draft::begin(dir.path(), "r", false).is_err(), "the old folder counts as being there");
        assert_eq!(fs::read(dir.path().join("r/a")).unwrap(), b"one");
        // Killed after the second rename.
        fs::create_dir(dir.path().join(".r.old")).unwrap();
        write(b"two");
        assert_eq!(fs::read(dir.path().join("r/a")).unwrap(), b"two");
        assert_eq!(names(dir.path()).unwrap(), ["r"]);
    }
}
