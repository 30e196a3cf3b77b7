//! Logs of reads that are in no table: lines that could not be ingested, or that nobody has ingested yet.
//!
//! `_access/` has a file for each command that read the lake, and `_serve/` those of a server. In time they become rows
//! of the lake; a file that remains longer than such rows are kept is removed like them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{Context, Kind, Result};
use crate::lake::Lake;

/// The table of reads.
pub const TABLE: &str = "api_activity";

/// Logs of reads whose last write is older than a given time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Old {
    /// Files that nobody ingests any more, or that belong to a command that was killed.
    pub left: Vec<PathBuf>,
    /// Pieces of a server that has ended. Each is sealed and counted: the next server accounts for them, and counts
    /// rows that are too old without storing them.
    pub pieces: u64,
}

/// Finds the logs.
pub fn find(lake: &Lake, before_us: i64) -> Result<Old> {
    let before = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(before_us).unwrap_or_default());
    let mut old = Old::default();
    for (folder, suffix) in [("_access", ".ndjson"), ("_serve", ".log")] {
        for place in names(&lake.root().join(folder))? {
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.ends_with(suffix) || !is_left(&place, before)? {
                continue;
            }
            if folder == "_serve" && !name.starts_with("damaged-") { old.pieces += 1 } else { old.left.push(place) }
        }
    }
    Ok(old)
}

/// Returns whether a file is older, and nobody writes to it.
fn is_left(place: &Path, before: SystemTime) -> Result<bool> {
    let cannot = || format!("cannot look at {}", place.display());
    let file = match File::open(place) {
        // Another process ingested it, or it is another account's.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(false);
        }
        file => file.context(Kind::Unavailable, cannot)?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(false),
        locked => locked.context(Kind::Unavailable, cannot)?,
    }
    let found = file.metadata().context(Kind::Unavailable, cannot)?;
    Ok(found.is_file() && found.modified().context(Kind::Unavailable, cannot)? < before)
}

fn names(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot look into {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context(Kind::Unavailable, cannot)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.context(Kind::Unavailable, cannot)?.path());
    }
    names.sort();
    Ok(names)
}
