//! A file that a result goes to: whole, or not at all.
//!
//! The result is written beside the file under a temporary name, synced and renamed; a statement that fails, or a kill
//! at any moment, leaves the file as it was. What is no regular file (`/dev/null`, a pipe) is written as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::error::{Context, Error, Kind, Result};

/// The temporary file of the result that is being written, for whoever ends the process meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Unfinished(Arc<Mutex<Option<PathBuf>>>);

impl Unfinished {
    pub fn remove(&self) {
        if let Ok(mut path) = self.0.lock()
            && let Some(path) = path.take()
        {
            let _ = fs::remove_file(path);
        }
    }

    fn set(&self, path: Option<PathBuf>) {
        if let Ok(mut known) = self.0.lock() {
            *known = path;
        }
    }
}

pub struct ResultFile {
    /// Where links lead to.
    target: PathBuf,
    /// None when the target is written itself.
    temporary: Option<PathBuf>,
    file: File,
    unfinished: Unfinished,
}

impl ResultFile {
    /// Begins a result, with what is already in the file when it is appended to.
    pub fn create(path: &Path, is_append: bool, unfinished: &Unfinished) -> Result<ResultFile> {
        let cannot = || format!("cannot write {}", path.display());
        let begin = || -> io::Result<ResultFile> {
            let known = match fs::metadata(path) {
                Ok(known) => Some(known),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if known.as_ref().is_some_and(|known| !known.is_file()) {
                let file = OpenOptions::new().write(true).open(path)?;
                let target = path.to_path_buf();
                return Ok(ResultFile { target, temporary: None, file, unfinished: unfinished.clone() });
            }
            let target = if known.is_some() { path.canonicalize()? } else { path.to_path_buf() };
            let (temporary, mut file) = beside(&target)?;
            unfinished.set(Some(temporary.clone()));
            let result = |file| ResultFile { target, temporary: Some(temporary), file, unfinished: unfinished.clone() };
            if let Some(known) = &known {
                file.set_permissions(known.permissions())?;
            }
            if is_append && known.is_some() {
                io::copy(&mut File::open(path)?, &mut file)?;
            }
            Ok(result(file))
        };
        begin().map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            let error = Error::new(Kind::Unavailable, cannot()).caused_by(error);
            if is_missing { error.hint("the folder must be there") } else { error }
        })
    }

    pub fn writer(&self) -> Result<Box<dyn Write + '_>> {
        Ok(Box::new(BufWriter::with_capacity(256 * 1024, &self.file)))
    }

    /// Makes the result the file's content, also after a power cut.
    pub fn commit(mut self) -> Result<()> {
        let Some(temporary) = self.temporary.take() else { return Ok(()) };
        let done = self.file.sync_all().and_then(|()| fs::rename(&temporary, &self.target)).and_then(|()| {
            let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        });
        if done.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        self.unfinished.set(None);
        done.context(Kind::Unavailable, || format!("cannot write {}", self.target.display()))
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        if self.temporary.is_some() {
            self.unfinished.remove();
        }
    }
}

/// A new file in the folder of `target`; hidden, so that no pattern for results finds it.
fn beside(target: &Path) -> io::Result<(PathBuf, File)> {
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    let mut number = 0;
    loop {
        let path = target.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            // Of a process that had our number and was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, is_append: bool, text: &str, is_committed: bool) {
        let file = ResultFile::create(path, is_append, &Unfinished::default()).unwrap();
        file.writer().unwrap().write_all(text.as_bytes()).unwrap();
        if is_committed {
            file.commit().unwrap();
        }
    }

    #[test]
    fn a_file_changes_only_when_its_result_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        write(&path, false, "one\n", false);
        assert!(!path.exists());
        write(&path, false, "one\n", true);
        write(&path, false, "broken", false);
        write(&path, true, "two\n", true);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_modes_stay_and_devices_are_no_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.csv"), folder.path().join("link.csv"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, false, "new", true);
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        write(Path::new("/dev/null"), false, "gone", true);
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let missing = folder.path().join("no/such.csv");
        let error = ResultFile::create(&missing, false, &Unfinished::default()).err().unwrap();
        assert_eq!(error.hint_text(), Some("the folder must be there"));
    }
}
