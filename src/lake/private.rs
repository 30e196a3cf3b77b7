//! Actions that only writers may take: the lock, and the folders of files that are not part of the data.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::files::layout;
use super::{Lake, lock};
use crate::disk::{self, Lock};
use crate::error::{Context, Kind, Result};

impl Lake {
    /// Returns the folder of the server's own files, made when it does not exist yet.
    pub fn serve_folder(&self) -> Result<PathBuf> {
        private_folder(self.serve_path())
    }

    /// Returns the path of that folder, whether it exists or not.
    pub fn serve_path(&self) -> PathBuf {
        self.root().join(layout::SERVE)
    }

    /// Returns the folder of locks and budgets of pulls, made when it does not exist yet.
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
