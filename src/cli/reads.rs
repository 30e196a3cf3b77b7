//! Logs of reads that are in no table: lines that could not be taken in, or that nobody has taken in yet.
//!
//! `_access/` has a file for each command that read the lake, and `_serve/` those of a server. In time they become rows of
//! the lake; a file that is left over for longer than such rows are kept is removed as they are.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{Context, Kind, Result};
use crate::lake::Lake;

/// The table of reads.
pub const TABLE: &str = "api_activity";

/// Logs of reads that were last written to before a time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Old {
    /// Nobody takes these in any more, or they are of a command that was killed.
    pub left: Vec<PathBuf>,
    /// Pieces of a server that has ended. Each is sealed and counted: the next server accounts for them, and rows that are
    /// too old are counted there and not stored.
    pub pieces: u64,
}

/// Finds them.
pub fn find(lake: &Lake, before_us: i64) -> Result<Old> {
    let before = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(before_us).unwrap_or_default());
    let mut old = Old::default();
    for (folder, suffix) in [("_access", ".ndjson"), ("_serve", ".log")] {
        for place in names(&lake.root().join(folder))? {
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.ends_with(suffix) || !is_left(&place, before)? {
                continue;
            }
            match folder == "_serve" && !name.starts_with("damaged-") {
                true => old.pieces += 1,
                false => old.left.push(place),
            }
        }
    }
    Ok(old)
}

/// Whether a file is older, and nobody writes to it.
fn is_left(place: &Path, before: SystemTime) -> Result<bool> {
    let cannot = || format!("cannot look at {}", place.display());
    let file = match File::open(place) {
        // Another process took it in, or it is another account's.
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
