//! A directory for what is made only to be looked at.

use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};

/// It goes when this does.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Result<Scratch> {
        let cannot = || "cannot make a temporary directory";
        let base = std::env::temp_dir();
        for number in 0..1000 {
            let place = base.join(format!("auditlake-{}-{number}", std::process::id()));
            match std::fs::create_dir(&place) {
                Ok(()) => return Ok(Scratch(place)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context(Kind::Unavailable, cannot),
            }
        }
        Err(Error::new(Kind::Unavailable, cannot()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is in the system's own place for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
