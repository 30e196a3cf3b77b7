//! What only those may do who may write: the lock, and the folders of files that are no part of the data.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::files::layout;
use super::{Lake, lock};
use crate::disk::{self, Lock};
use crate::error::{Context, Kind, Result};

impl Lake {
    /// The folder of the server's own files, made when it is not there yet.
    pub fn serve_folder(&self) -> Result<PathBuf> {
        private_folder(self.serve_path())
    }

    /// Where that folder is or would be.
    pub fn serve_path(&self) -> PathBuf {
        self.root().join(layout::SERVE)
    }

    /// The folder of locks and budgets of those who pull, made when it is not there yet.
    pub fn pull_folder(&self) -> Result<PathBuf> {
        private_folder(self.root().join(layout::PULL))
    }

    /// Waits for the lock that all writers of the lake take.
    pub async fn lock(&self) -> Result<Lock> {
        lock(self.root(), &self.patience).await
    }
}

fn private_folder(folder: PathBuf) -> Result<PathBuf> {
    disk::make_dir(&folder).context(Kind::Unavailable, || format!("cannot create {}", folder.display()))?;
    fs::set_permissions(&folder, Permissions::from_mode(0o700))
        .context(Kind::Unavailable, || format!("cannot restrict {}", folder.display()))?;
    Ok(folder)
}
