//! Temporary files and folders that a process has open, for an end without unwinding.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Paths of unfinished files; whoever ends the process removes them first.
#[derive(Debug, Clone, Default)]
pub struct Unfinished(Arc<Mutex<Vec<PathBuf>>>);

impl Unfinished {
    /// Removes all unfinished files and folders.
    pub fn remove(&self) {
        for path in self.paths().drain(..) {
            // The next writer sweeps away what cannot be removed now.
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
