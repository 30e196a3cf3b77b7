//! A lock that one process at a time holds, and that names its holder.
//!
//! It is advisory (`flock`), and gone with the process that holds it. It saves work; correctness must not depend on it,
//! since on some file systems a lock locks nothing.

use std::fmt;
use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use super::secret::open_private;
use super::temporary::is_same;
use crate::error::{Context, Error, Kind, Result};

/// A shorter wait is not worth a message.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// A lock that is held; it is released when this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// How long to wait for a lock, and whom to inform.
#[derive(Clone)]
pub struct Patience {
    pub limit: Duration,
    /// Called once, when the wait takes longer than a second.
    pub tell: Arc<dyn Fn(&Waiting) + Send + Sync>,
}

/// The holder of a lock: its process, and since when, as far as the lock's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub process: Option<u32>,
    pub since: Option<SystemTime>,
}

impl Lock {
    /// Takes the lock if nobody holds it.
    pub fn attempt(place: &Path) -> Result<Option<Lock>> {
        loop {
            let file = open(place)?;
            match file.try_lock() {
                Ok(()) if is_same(place, &file) => return Lock::taken(file, place).map(Some),
                // Somebody removed the file between our opening and our locking it: others lock another one.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(no_locks(place, error)),
            }
        }
    }

    /// Waits for the lock, on this thread. Errors with [`Kind::Locked`] when patience ends.
    pub fn wait(place: &Path, patience: &Patience) -> Result<Lock> {
        let begin = Instant::now();
        let mut is_told = false;
        loop {
            if let Some(lock) = Lock::attempt(place)? {
                return Ok(lock);
            }
            let file = open(place)?;
            let (sender, receiver) = channel();
            // The system wakes waiters in turn, which polling would not do. When patience ends the thread stays behind;
            // once it has the lock, nobody takes it, and the thread ends.
            let locking = move || {
                let locked = file.lock().map(|()| file);
                let _ = sender.send(locked);
            };
            let started = std::thread::Builder::new().name("lock".to_string()).spawn(locking);
            started.context(Kind::Unavailable, || cannot(place))?;
            loop {
                let next = if is_told { patience.limit } else { patience.limit.min(WORTH_A_WORD) };
                match receiver.recv_timeout(next.saturating_sub(begin.elapsed())) {
                    Ok(Ok(file)) if is_same(place, &file) => return Lock::taken(file, place),
                    // Another file has this name by now.
                    Ok(Ok(_)) => break,
                    Ok(Err(error)) => return Err(no_locks(place, error)),
                    Err(RecvTimeoutError::Timeout) if begin.elapsed() >= patience.limit => {
                        return Err(out_of_patience(place, patience.limit));
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        (patience.tell)(&holder(place));
                        is_told = true;
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Error::new(Kind::Internal, format!("{}: the thread stopped", cannot(place))));
                    }
                }
            }
        }
    }

    /// Writes the holder into the file; the file's own time says since when.
    fn taken(mut file: File, place: &Path) -> Result<Lock> {
        let mut note = || {
            // A lock of an earlier version was readable by everybody, and whoever can open it can hold it.
            if file.metadata()?.mode() & 0o077 != 0 {
                file.set_permissions(Permissions::from_mode(0o600))?;
            }
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(format!("{}\n", std::process::id()).as_bytes())
        };
        match note() {
            Ok(()) => Ok(Lock { file }),
            // A full disk must not hide from anybody that it is full.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(Lock { file }),
            Err(error) => Err(error).context(Kind::Unavailable, || cannot(place)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nobody holds it from here on. Closing alone would leave it to a child that is just being started, which has
        // our descriptors until it becomes another program.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

impl Default for Patience {
    /// Waits ten minutes, without a message.
    fn default() -> Patience {
        Patience { limit: Duration::from_secs(600), tell: Arc::new(|_| {}) }
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another run")?;
        let since = self.since.map(|since| DateTime::<Utc>::from(since).to_rfc3339_opts(SecondsFormat::Secs, true));
        match (self.process, since) {
            (Some(process), Some(since)) => write!(f, " (process {process}, since {since})"),
            (Some(process), None) => write!(f, " (process {process})"),
            (None, _) => Ok(()),
        }
    }
}

fn open(place: &Path) -> Result<File> {
    open_private(place).context(Kind::Unavailable, || cannot(place))
}

fn holder(place: &Path) -> Waiting {
    let mut text = String::new();
    let mut read = || {
        let file = File::open(place).ok()?;
        let since = file.metadata().and_then(|known| known.modified()).ok();
        file.take(32).read_to_string(&mut text).ok()?;
        Some((text.trim().parse().ok()?, since))
    };
    match read() {
        Some((process, since)) => Waiting { process: Some(process), since },
        None => Waiting { process: None, since: None },
    }
}

fn out_of_patience(place: &Path, limit: Duration) -> Error {
    let who = holder(place);
    let hint = match who.process {
        Some(process) => format!("see what process {process} does, or wait longer with --lock-timeout"),
        None => "wait longer with --lock-timeout".to_string(),
    };
    Error::new(Kind::Locked, format!("{}: {who} still holds it after {} s", cannot(place), limit.as_secs_f64()))
        .hint(hint)
}

fn no_locks(place: &Path, error: io::Error) -> Error {
    Error::new(Kind::Unavailable, cannot(place))
        .caused_by(error)
        .hint("the file system must support locks (flock); local disks do, most network shares do not")
}

fn cannot(place: &Path) -> String {
    format!("cannot lock {}", place.display())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use super::*;

    fn patience(limit: Duration) -> (Patience, Arc<Mutex<Vec<Waiting>>>) {
        let told: Arc<Mutex<Vec<Waiting>>> = Arc::default();
        let heard = told.clone();
        (Patience { limit, tell: Arc::new(move |waiting| heard.lock().unwrap().push(waiting.clone())) }, told)
    }

    #[test]
    fn one_at_a_time_and_only_the_owner_can_open_it() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("_lock");
        fs::write(&place, "").unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o644)).unwrap();
        let held = Lock::attempt(&place).unwrap().unwrap();
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o600);
        assert!(Lock::attempt(&place).unwrap().is_none());
        drop(held);
        assert!(Lock::attempt(&place).unwrap().is_some());
    }

    #[test]
    fn those_who_wait_hear_for_whom_and_patience_ends() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("_lock");
        let held = Lock::attempt(&place).unwrap().unwrap();
        let (short, told) = patience(Duration::from_millis(10));
        let error = Lock::wait(&place, &short).unwrap_err();
        assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Locked, 5));
        let process = std::process::id();
        assert!(error.to_string().contains(&format!("another run (process {process}, since ")), "{error}");
        assert!(error.hint_text().unwrap().contains("--lock-timeout"));
        assert!(told.lock().unwrap().is_empty(), "it was too short for a word");

        let (long, told) = patience(Duration::from_secs(600));
        let heard = told.clone();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| Lock::wait(&place, &long).unwrap());
            while heard.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            drop(held);
            drop(waiter.join().unwrap());
        });
        assert_eq!(told.lock().unwrap().iter().map(|waiting| waiting.process).collect::<Vec<_>>(), [Some(process)]);
        assert_eq!(Waiting { process: None, since: None }.to_string(), "another run");
    }

    #[test]
    fn a_lock_whose_file_was_removed_is_not_taken_for_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("_lock");
        let held = Lock::attempt(&place).unwrap().unwrap();
        let (long, told) = patience(Duration::from_secs(600));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| Lock::wait(&place, &long).unwrap());
            while told.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            // Somebody removes the file while it is waited for, and a third process takes a lock of the same name.
            fs::remove_file(&place).unwrap();
            let third = Lock::attempt(&place).unwrap().unwrap();
            drop(held);
            assert!(!waiter.is_finished());
            drop(third);
            let waited = waiter.join().unwrap();
            assert!(is_same(&place, &waited.file));
        });
    }
}
