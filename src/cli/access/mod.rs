//! The lake's own access log: who read it with `sql`, `export` and `report`, as events of the lake.
//!
//! ```text
//! begin: a sealed line in _access/<piece>.log, its number in _access/record.log -> the read -> end: a line with the result
//!                                                                 | when the command ends
//!                                                                 v
//!                                                     one batch of the lake -> piece removed
//! ```
//!
//! So a read is on the disk before its first row is seen, even when its process is killed; lines that a process left
//! behind are ingested by the next one that logs. A read does not wait for writers: lines that cannot be committed now
//! stay where they are. No message says so, since they are safe there.
//!
//! All reads of a lake are numbered in one chain, like those of a server: its record notices a piece that was taken
//! away, and seals show that a line was changed, removed or inserted. `auditlake verify` checks both.

mod event;
mod record;

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::App;
use crate::config::AccessLog;
use crate::disk::{self, Patience};
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{Producer, SealedFile, batch_of_own, put_aside, restore};
use crate::lake::{Lake, Writer, random_hex};
use crate::redact::Policy;
use record::Record;

pub use record::faults;
use record::lost;

pub const FOLDER: &str = "_access";
/// The purpose of the key that seals lines.
pub const PURPOSE: &str = "access log";
const ORIGIN: Producer = Producer { kind: "access", name: "access log" };
/// The time that a finished read waits for writers before its lines are left to others.
const PATIENCE: Duration = Duration::from_secs(1);

/// A read to be logged.
pub enum Read<'a> {
    Query { sql: &'a str, parameters: &'a [(String, String)] },
    Export { tables: &'a [String] },
    Archive { since: &'a str, until: &'a str },
    Reports { ids: Vec<&'a str>, parameters: &'a [(String, String)] },
}

/// The log of one command; it does nothing where reads are not logged.
pub struct Access(Option<Log>);

struct Log {
    policy: Arc<Policy>,
    redaction_version: String,
    key: [u8; 32],
    /// The name of our piece.
    piece: String,
    file: SealedFile,
    /// The line of the read that has begun.
    open: Option<Value>,
    has_lines: bool,
}

impl Access {
    /// Returns a log that logs nothing.
    pub fn none() -> Access {
        Access(None)
    }

    /// Begins the log of a command that reads this lake.
    pub fn of(app: &App, lake: &Lake) -> Result<Access> {
        let wanted = app.config.access_log();
        if wanted == AccessLog::Never || (wanted == AccessLog::Shared && !is_shared(lake)?) {
            return Ok(Access(None));
        }
        let begun = app.policy(lake).and_then(|(policy, redaction_version)| {
            let key = lake.derive_key(PURPOSE)?;
            let (piece, file) = create(lake.root(), key)?;
            Ok(Log { policy, redaction_version, key, piece, file, open: None, has_lines: false })
        });
        match begun {
            Ok(log) => Ok(Access(Some(log))),
            // A user who may only read the lake reads it; a warning says that this is not logged.
            Err(error) if wanted == AccessLog::Shared => {
                app.screen.warn(format!("this read is not in the lake's access log: {error}"));
                Ok(Access(None))
            }
            Err(error) => Err(Error::new(Kind::Unavailable, "cannot log this read, so nothing was read")
                .caused_by(error)
                .hint("`[access] log` asks for a log of reads, which needs write permission to the lake")),
        }
    }

    /// Puts a line on the disk. The read may happen once this has returned.
    pub fn begin(&mut self, app: &App, read: &Read<'_>, ledger_entry: u64) -> Result<()> {
        let Some(log) = &mut self.0 else { return Ok(()) };
        let mut event = event::event(&log.policy, read, app.clock.now_ms(), ledger_entry)?;
        // Processes that begin meanwhile wait: numbers are given in the order in which they are recorded. The line
        // comes first: a number that is recorded counts as lost when its line does not exist.
        let mut record = Record::lock(&disk::parent_of(log.file.place()), log.key, &warn_of(app))?;
        event["metadata"]["sequence"] = json!(record.next());
        log.write(&event)?;
        record.began(&log.piece)?;
        log.open = Some(event);
        Ok(())
    }

    /// Writes the result: the number of rows, or that the read failed.
    pub fn end(&mut self, app: &App, rows: Result<u64, &Error>) -> Result<()> {
        let Some(log) = &mut self.0 else { return Ok(()) };
        let Some(mut event) = log.open.take() else { return Ok(()) };
        let (status_id, status) = if rows.is_ok() { (1, "Success") } else { (2, "Failure") };
        event["status_id"] = json!(status_id);
        event["status"] = json!(status);
        let begun_ms = event["time"].as_i64().unwrap_or_default();
        event["duration"] = json!(app.clock.now_ms().saturating_sub(begun_ms).max(0));
        match rows {
            Ok(rows) => event["unmapped"]["rows"] = json!(rows),
            Err(error) => event["status_detail"] = json!(log.policy.own(&error.to_string())),
        }
        log.write(&event)
    }

    /// Ingests the lines into the lake, and those that earlier processes left behind.
    pub fn close(self, app: &App) -> Result<()> {
        let Some(log) = self.0 else { return Ok(()) };
        let Log { policy, redaction_version, key, piece, file, has_lines, .. } = log;
        let place = file.place().to_path_buf();
        if !has_lines {
            return remove(&place);
        }
        let clock = app.clock;
        // The lake's newest state: the read may have seen an older one.
        let lake = app.open_lake()?.with_patience(Patience { limit: PATIENCE, tell: Arc::new(|_| {}) });
        let warn = warn_of(app);
        app.wait(async move {
            let folder = lake.root().join(FOLDER);
            let mut pieces = left(&folder)?;
            pieces.push((piece, file.into_file()));
            let record = Record::lock(&folder, key, &warn)?;
            let mut taken: Vec<Taken> = Vec::new();
            for (piece, _) in &pieces {
                taken.push(Taken::of(&folder, piece, key, &record)?);
            }
            drop(record);
            let lines: Vec<u8> = taken.iter().flat_map(|taken| taken.lines.bytes()).collect();
            let batch = batch_of_own(&lake, &policy, &redaction_version, ORIGIN, last_of_each(&lines))?;
            match Writer::new(lake, clock, 1, restore())?.commit(batch).await {
                Err(error) if error.kind() == Kind::Locked => return Ok(()),
                committed => committed.map(drop)?,
            }
            let numbers = taken.iter().flat_map(|taken| taken.numbers.iter().copied()).collect();
            Record::lock(&folder, key, &warn)?.committed(&numbers)?;
            for Taken { place, is_whole, .. } in &taken {
                if *is_whole {
                    remove(place)?;
                } else {
                    put_aside(place)?;
                    warn(&format!(
                        "{}: a line of the access log is not as it was written; see `auditlake verify`",
                        place.display()
                    ));
                }
            }
            Ok(())
        })
    }
}

impl Log {
    fn write(&mut self, event: &Value) -> Result<()> {
        self.has_lines = true;
        let place = self.file.place().to_path_buf();
        self.file
            .append(&event.to_string())
            .context(Kind::Unavailable, || format!("cannot log this read in {}", place.display()))
    }
}

/// The lines of one piece.
struct Taken {
    place: PathBuf,
    lines: String,
    numbers: BTreeSet<u64>,
    is_whole: bool,
}

impl Taken {
    fn of(folder: &Path, piece: &str, key: [u8; 32], record: &Record) -> Result<Taken> {
        let place = record::place(folder, piece);
        let bytes = fs::read(&place).context(Kind::Unavailable, || format!("cannot read {}", place.display()))?;
        let (lines, is_whole) = record::seals(key, piece).open(&bytes);
        let lines = String::from_utf8_lossy(&lines).into_owned();
        let numbers = record::numbers(&lines);
        let is_whole = is_whole && record.open_of(piece).is_subset(&numbers);
        Ok(Taken { place, lines, numbers, is_whole })
    }
}

fn warn_of(app: &App) -> impl Fn(&str) + Send + Sync + use<> {
    let screen = app.screen;
    move |text| screen.warn(text)
}

/// Returns the numbers of reads that are neither in a piece of the log nor in the lake.
pub fn lost_reads(app: &App) -> Result<BTreeSet<u64>> {
    find_lost(&app.open_lake()?)
}

fn find_lost(lake: &Lake) -> Result<BTreeSet<u64>> {
    let folder = lake.root().join(FOLDER);
    match lake.find_key(PURPOSE)? {
        Some(key) if folder.is_dir() => lost(&folder, key),
        _ => Ok(BTreeSet::new()),
    }
}

/// Records in the lake which reads are lost for good; they no longer count as missing. Returns the numbers.
pub fn tell_lost(app: &App) -> Result<BTreeSet<u64>> {
    let lake = app.open_lake()?;
    let numbers = find_lost(&lake)?;
    if numbers.is_empty() {
        return Ok(numbers);
    }
    let (folder, key) = (lake.root().join(FOLDER), lake.derive_key(PURPOSE)?);
    let (policy, redaction_version) = app.policy(&lake)?;
    let (clock, warn, told) = (app.clock, warn_of(app), numbers.clone());
    app.wait(async move {
        let listed: Vec<u64> = told.iter().copied().collect();
        let line = format!("{}\n", event::missing(&listed, clock.now_ms())?);
        let batch = batch_of_own(&lake, &policy, &redaction_version, ORIGIN, line.into_bytes())?;
        Writer::new(lake, clock, 1, restore())?.commit(batch).await?;
        Record::lock(&folder, key, &warn)?.committed(&told)
    })?;
    Ok(numbers)
}

/// Returns whether accounts share the lake: it belongs to another account, or was created for others to read.
fn is_shared(lake: &Lake) -> Result<bool> {
    let cannot = || format!("cannot look at {}", lake.root().display());
    let known = fs::metadata(lake.root()).context(Kind::Unavailable, cannot)?;
    let ours = disk::our_user().context(Kind::Unavailable, cannot)?;
    Ok(known.uid() != ours || !lake.state().lake.access.is_owner())
}

/// Creates a piece, locked for as long as this process writes to it.
fn create(root: &Path, key: [u8; 32]) -> Result<(String, SealedFile)> {
    let folder = root.join(FOLDER);
    let cannot = || format!("cannot create a file in {}", folder.display());
    if !folder.exists() {
        disk::make_dir(&folder).context(Kind::Unavailable, cannot)?;
        // Everybody who may write to the lake may log in it.
        let mode = fs::metadata(root).context(Kind::Unavailable, cannot)?.mode() & 0o7770;
        fs::set_permissions(&folder, Permissions::from_mode(mode)).context(Kind::Unavailable, cannot)?;
    }
    let piece = random_hex::<16>()?;
    let place = record::place(&folder, &piece);
    let file = disk::create_private(&place, b"").context(Kind::Unavailable, cannot)?;
    let file = SealedFile::new(&place, file, record::seals(key, &piece));
    Ok((piece, file))
}

/// Returns pieces of processes that have ended, locked. Those of other accounts are left to those accounts.
fn left(folder: &Path) -> Result<Vec<(String, File)>> {
    let mut found = Vec::new();
    for piece in record::pieces(folder)? {
        let place = record::place(folder, &piece);
        let cannot = || format!("cannot open {}", place.display());
        let file = match File::open(&place) {
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => continue,
            file => file.context(Kind::Unavailable, cannot)?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => continue,
            locked => locked.context(Kind::Unavailable, cannot)?,
        }
        found.push((piece, file));
    }
    Ok(found)
}

/// Returns the last line of each read: the one with its result, if the read ended.
fn last_of_each(bytes: &[u8]) -> Vec<u8> {
    let mut order: Vec<String> = Vec::new();
    let mut last: Map<String, Value> = Map::new();
    // A line that was cut short comes from a crash; the line that began the read is before it.
    let lines = String::from_utf8_lossy(bytes);
    for event in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let uid = event["metadata"]["uid"].as_str().unwrap_or_default().to_string();
        if last.insert(uid.clone(), event).is_none() {
            order.push(uid);
        }
    }
    order.iter().flat_map(|uid| format!("{}\n", last[uid]).into_bytes()).collect()
}

fn remove(place: &Path) -> Result<()> {
    disk::remove(place).context(Kind::Unavailable, || format!("cannot remove {}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_read_says_what_came_of_it() {
        let line = |uid: &str, status: &str| json!({"metadata": {"uid": uid}, "status": status}).to_string();
        let lines = [line("a", "Unknown"), line("b", "Unknown"), line("a", "Success"), line("b", "Succ")];
        let text = lines.join("\n");
        let kept = String::from_utf8(last_of_each(&text.as_bytes()[..text.len() - 3])).unwrap();
        assert_eq!(kept.lines().collect::<Vec<_>>(), [line("a", "Success"), line("b", "Unknown")]);
    }
}
