//! The log of runs: an append-only, hash-chained list of files, one file per entry, under one lock.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::{self, Chain, Lock};
use crate::error::{Context, Error, Kind, Result};

const LOCK: &str = "_lock";
const WHAT: &str = "the run log";

/// The log of one lake, locked as long as this lives.
pub struct Log {
    chain: Chain<Body>,
    _lock: Option<Lock>,
    redact: Redact,
}

/// Replaces the secrets of a reason: a command line that failed may hold some.
type Redact = Box<dyn Fn(&str) -> String>;

/// One entry, as its file holds it.
pub type Entry = disk::Entry<Body>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// A job was done for the time at which it was due.
    Done { job: String, due_ms: i64, summary: serde_json::Value },
    /// The job was tried and failed; the next run tries again.
    Failed { job: String, due_ms: i64, reason: String },
    /// The commands that follow entry `of` have run.
    Afterwards { of: u64, is_fine: bool, detail: String },
}

impl Log {
    /// Takes the lock and reads the log; errors when another process has the lock. Reasons pass through `redact` on
    /// their way in.
    pub fn open(dir: &Path, redact: impl Fn(&str) -> String + 'static) -> Result<Log> {
        disk::make_dir_like_parent(dir)
            .context(Kind::Unavailable, || format!("cannot open {WHAT} {}", dir.display()))?;
        let Some(lock) = Lock::attempt(&dir.join(LOCK))? else {
            return Err(Error::new(Kind::Locked, "another `report due` is running")
                .hint("it runs what is due; there is nothing else to do"));
        };
        Ok(Log { _lock: Some(lock), redact: Box::new(redact), ..Log::read(dir)? })
    }

    /// Reads the log without the lock; it need not exist.
    pub fn read(dir: &Path) -> Result<Log> {
        Ok(Log { chain: Chain::read(dir, WHAT)?, _lock: None, redact: Box::new(str::to_owned) })
    }

    pub fn entries(&self) -> &[Entry] {
        self.chain.entries()
    }

    /// Returns the last due time for which the job was done.
    pub fn last_done(&self, name: &str) -> Option<i64> {
        let due = self.entries().iter().filter_map(|entry| match &entry.body {
            Body::Done { job, due_ms, .. } if job == name => Some(*due_ms),
            _ => None,
        });
        due.max()
    }

    /// Returns entries of a job after which a command still has to run.
    pub fn open_ends(&self, name: &str) -> Vec<u64> {
        let is_ended = |sequence: u64| {
            self.entries()
                .iter()
                .any(|entry| matches!(entry.body, Body::Afterwards { of, is_fine: true, .. } if of == sequence))
        };
        let done = self.entries().iter().filter(|entry| matches!(&entry.body, Body::Done { job, .. } if job == name));
        done.map(|entry| entry.sequence).filter(|sequence| !is_ended(*sequence)).collect()
    }

    /// Appends an entry; it is on the disk when this returns.
    pub fn append(&mut self, time_ms: i64, mut body: Body) -> Result<&Entry> {
        if let Body::Failed { reason: text, .. } | Body::Afterwards { detail: text, .. } = &mut body {
            *text = (self.redact)(text);
        }
        self.chain.append(time_ms, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(due_ms: i64) -> Body {
        Body::Done { job: "j".to_string(), due_ms, summary: serde_json::json!({ "findings": 1 }) }
    }

    /// `doctor` once found the folder of runs open to others in a lake that was its owner's alone.
    #[test]
    fn the_log_is_as_open_as_the_folder_that_it_is_in() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o700, 0o750] {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let place = dir.path().join(format!("{mode:o}"));
            let mut log = Log::open(&place, |text| text.to_string()).unwrap();
            log.append(1, done(1)).unwrap();
            let mode_of = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode_of(&place), mode);
            assert_eq!(mode_of(&place.join("00000000000000000001.json")), mode & 0o666);
        }
    }

    #[test]
    fn a_log_is_one_processs_and_knows_what_was_done() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("_runs");
        let mut log = Log::open(&place, str::to_owned).unwrap();
        log.append(1, done(10)).unwrap();
        log.append(2, Body::Afterwards { of: 1, is_fine: false, detail: "exit 1".to_string() }).unwrap();
        log.append(3, done(20)).unwrap();
        log.append(4, Body::Afterwards { of: 3, is_fine: true, detail: String::new() }).unwrap();
        assert_eq!(Log::open(&place, str::to_owned).map(|_| ()).unwrap_err().kind(), Kind::Locked);
        drop(log);
        let log = Log::open(&place, str::to_owned).unwrap();
        assert_eq!((log.entries().len(), log.last_done("j"), log.last_done("k")), (4, Some(20), None));
        assert_eq!(log.open_ends("j"), [1]);
    }
}
