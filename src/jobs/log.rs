//! What was done: an append-only, hash-chained list of files, one an entry, under one lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};

const LOCK: &str = "_lock";
const TEMPORARY: &str = ".new";

/// The log of one lake, locked as long as this lives.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    entries: Vec<Entry>,
    /// Of the last entry's bytes.
    hash: Option<String>,
    _lock: Option<File>,
}

/// One entry, as it stands in its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub sequence: u64,
    /// SHA-256 of the bytes of the entry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    pub time_ms: i64,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// A job was done for the time at which it was due.
    Done { job: String, due_ms: i64, summary: serde_json::Value },
    /// It was tried and could not be done; the next run tries again.
    Failed { job: String, due_ms: i64, reason: String },
    /// What was to run after entry `of` has run.
    Afterwards { of: u64, is_fine: bool, detail: String },
}

impl Log {
    /// Takes the lock and reads the log; it is an error when another process has it.
    pub fn open(dir: &Path) -> Result<Log> {
        let cannot = || format!("cannot open the run log {}", dir.display());
        if !dir.is_dir() {
            fs::create_dir(dir).context(Kind::Unavailable, cannot)?;
            let parent = dir.parent().unwrap_or(dir);
            File::open(parent).and_then(|parent| parent.sync_all()).context(Kind::Unavailable, cannot)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK));
        let file = file.context(Kind::Unavailable, cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(Kind::Locked, "another run of the schedules is at work")
                    .hint("it does what is due; nothing is left for this one"));
            }
            Err(TryLockError::Error(error)) => return Err(error).context(Kind::Unavailable, cannot),
        }
        Ok(Log { _lock: Some(file), ..Log::read(dir)? })
    }

    /// Reads the log without the lock, to look at it; it need not be there.
    pub fn read(dir: &Path) -> Result<Log> {
        let mut log = Log { dir: dir.to_path_buf(), entries: Vec::new(), hash: None, _lock: None };
        loop {
            let sequence = log.entries.len() as u64 + 1;
            let path = log.path(sequence);
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(log),
                Err(error) => {
                    return Err(error).context(Kind::Unavailable, || format!("cannot read {}", path.display()));
                }
            };
            let broken = |why: &str| {
                Error::new(Kind::Integrity, format!("the run log is broken at {}: {why}", path.display()))
                    .hint("an entry was changed or removed; restore `_runs/` from a backup")
            };
            let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| broken(&error.to_string()))?;
            if entry.sequence != sequence || entry.previous != log.hash {
                return Err(broken("it does not follow the entry before"));
            }
            log.hash = Some(hash(&bytes));
            log.entries.push(entry);
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The last time at which a job was due and for which it was done.
    pub fn last_done(&self, name: &str) -> Option<i64> {
        let due = self.entries.iter().filter_map(|entry| match &entry.body {
            Body::Done { job, due_ms, .. } if job == name => Some(*due_ms),
            _ => None,
        });
        due.max()
    }

    /// Entries of a job after which something is still to run.
    pub fn open_ends(&self, name: &str) -> Vec<u64> {
        let is_ended = |sequence: u64| {
            self.entries
                .iter()
                .any(|entry| matches!(entry.body, Body::Afterwards { of, is_fine: true, .. } if of == sequence))
        };
        let done = self.entries.iter().filter(|entry| matches!(&entry.body, Body::Done { job, .. } if job == name));
        done.map(|entry| entry.sequence).filter(|sequence| !is_ended(*sequence)).collect()
    }

    /// Appends an entry; it is on the disk when this returns.
    pub fn append(&mut self, time_ms: i64, body: Body) -> Result<&Entry> {
        let sequence = self.entries.len() as u64 + 1;
        let entry = Entry { sequence, previous: self.hash.clone(), time_ms, body };
        let mut bytes = serde_json::to_vec(&entry).context(Kind::Internal, || "cannot encode an entry")?;
        bytes.push(b'\n');
        let (path, temporary) = (self.path(sequence), self.dir.join(TEMPORARY));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            // A link is refused where the name is taken; a rename would write over it.
            .and_then(|()| fs::hard_link(&temporary, &path))
            .and_then(|()| fs::remove_file(&temporary))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        written.context(Kind::Unavailable, || format!("cannot write {}", path.display()))?;
        self.hash = Some(hash(&bytes));
        self.entries.push(entry);
        self.entries.last().ok_or_else(|| Error::new(Kind::Internal, "an entry was lost"))
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.dir.join(format!("{sequence:020}.json"))
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(due_ms: i64) -> Body {
        Body::Done { job: "j".to_string(), due_ms, summary: serde_json::json!({ "findings": 1 }) }
    }

    #[test]
    fn entries_come_back_in_a_chain_and_a_changed_one_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("_runs");
        let mut log = Log::open(&place).unwrap();
        log.append(1, done(10)).unwrap();
        log.append(2, Body::Afterwards { of: 1, is_fine: false, detail: "exit 1".to_string() }).unwrap();
        log.append(3, done(20)).unwrap();
        log.append(4, Body::Afterwards { of: 3, is_fine: true, detail: String::new() }).unwrap();
        assert_eq!(Log::open(&place).unwrap_err().kind(), Kind::Locked);
        drop(log);
        let log = Log::open(&place).unwrap();
        assert_eq!((log.entries().len(), log.last_done("j"), log.last_done("k")), (4, Some(20), None));
        assert_eq!(log.open_ends("j"), [1]);
        drop(log);
        let first = log_file(&place, 1);
        fs::write(&first, fs::read_to_string(&first).unwrap().replace("\"findings\":1", "\"findings\":0")).unwrap();
        assert_eq!(Log::open(&place).unwrap_err().kind(), Kind::Integrity);
    }

    fn log_file(dir: &Path, sequence: u64) -> PathBuf {
        dir.join(format!("{sequence:020}.json"))
    }

    #[test]
    fn an_entry_that_was_half_written_is_no_entry() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("_runs");
        drop(Log::open(&place).unwrap());
        fs::write(place.join(TEMPORARY), "{\"seq").unwrap();
        let mut log = Log::open(&place).unwrap();
        assert!(log.entries().is_empty());
        log.append(1, done(10)).unwrap();
        assert_eq!(Log::read(&place).unwrap().entries().len(), 1);
    }
}
