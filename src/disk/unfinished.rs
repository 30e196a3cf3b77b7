//! Temporary files and folders that a process has open, for the moment when it ends without unwinding.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Names of what is being written; those who end the process remove it first.
#[derive(Debug, Clone, Default)]
pub struct Unfinished(Arc<Mutex<Vec<PathBuf>>>);

impl Unfinished {
    /// Removes everything that is being written.
    pub fn remove(&self) {
        for path in self.paths().drain(..) {
            // What cannot be removed now is swept away by the next writer.
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }

    pub(super) fn add(&self, path: &Path) {
        self.paths().push(path.to_path_buf());
    }

    pub(super) fn done(&self, path: &Path) {
        self.paths().retain(|other| other != path);
    }

    fn paths(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
