//! The log of reads before it is in the lake: a file that is on the disk before the reader gets an answer.
//!
//! ```text
//! request -> Reading -> redacted line -> _serve/reads-<id>.ndjson, synced -> answer
//!                                              | every minute, or when it is large, and at the stop
//!                                              v
//!                                        one batch of the lake (commit.rs) -> file removed
//! ```
//!
//! A commit to the lake for each page would cost some 20 ms and a Parquet file; a line and one `fdatasync` cost a few
//! milliseconds, which all requests that wait at the moment share. So a page that was served is in the log whatever
//! happens then: a file that outlives its server is taken in by the next one, and twice adds nothing, since every event
//! has a uid. Who serves a file holds a lock on it. When the disk refuses, or too much waits for the lake, reads are
//! refused: nothing is read unseen.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::keys::{Holder, random_hex};
use super::query::Asked;
use super::reading::Reading;
use crate::decode::{self, Decoder, Encoder, RowOrigin};
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::plain;
use crate::redact::{Counts, Policy};
use crate::schema::Ocsf;

pub const FILE_PREFIX: &str = "reads-";
pub const FILE_SUFFIX: &str = ".ndjson";

/// A file of this size is committed, whatever its age: some ten thousand reads.
const FILE_BYTES: u64 = 16 << 20;
/// Bytes that may wait for the lake before reads are refused.
const BACKLOG_BYTES: u64 = 64 << 20;
/// Kinds of refusals that are counted apart; more users than this share one.
const REFUSALS: usize = 1000;
/// Requests that may wait for the disk; each connection has one at most.
const QUEUE: usize = 4096;

/// A file that is complete, to be committed. Its lock goes when this does.
#[derive(Debug)]
pub struct Sealed {
    pub place: PathBuf,
    pub bytes: u64,
    pub file: File,
}

enum Note {
    Read(Box<Reading>, oneshot::Sender<Result<(), String>>),
    Refused(Box<Reading>),
    Close,
}

/// Takes readings from requests; its thread writes them.
pub struct Journal {
    notes: SyncSender<Note>,
    /// Bytes that are written and not committed.
    backlog: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Starts the thread; files that are complete go to `sealed`.
    pub fn start(
        folder: PathBuf,
        ocsf: Arc<Ocsf>,
        policy: Arc<Policy>,
        interval: Duration,
        sealed: mpsc::UnboundedSender<Sealed>,
        backlog: Arc<AtomicU64>,
    ) -> Result<Journal> {
        let (notes, receiver) = sync_channel(QUEUE);
        let mut writer = Writer {
            folder,
            lines: Lines { decoder: Decoder::new(ocsf, decode::Options::default()), policy },
            interval,
            open: None,
            refused: HashMap::new(),
            refused_since: None,
            sealed,
            backlog: backlog.clone(),
        };
        let thread = std::thread::Builder::new().name("reads".to_string()).spawn(move || writer.run(&receiver));
        let thread = thread.context(Kind::Unavailable, || "cannot start the thread that logs reads")?;
        Ok(Journal { notes, backlog, thread: Mutex::new(Some(thread)) })
    }

    /// Returns when the reading is on the disk.
    pub async fn record(&self, reading: Reading) -> Result<()> {
        let refuse = |why: &str| Error::new(Kind::Unavailable, format!("cannot log a read: {why}"));
        if self.backlog.load(Ordering::Relaxed) > BACKLOG_BYTES {
            return Err(refuse("too much waits for the lake"));
        }
        let (done, is_done) = oneshot::channel();
        self.notes.try_send(Note::Read(Box::new(reading), done)).map_err(|error| match error {
            TrySendError::Full(_) => refuse("too many wait for the disk"),
            TrySendError::Disconnected(_) => refuse("the server stops"),
        })?;
        match is_done.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(refuse(&why)),
            Err(_) => Err(refuse("the server stops")),
        }
    }

    /// Counts a request that was refused before anything was read.
    pub fn refused(&self, reading: Reading) {
        // Losing a count when thousands wait is better than making the others wait.
        let _ = self.notes.try_send(Note::Refused(Box::new(reading)));
    }

    /// Writes what is left, hands the last file on, and ends.
    pub async fn close(&self) -> Result<()> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let notes = self.notes.clone();
        let closed = tokio::task::spawn_blocking(move || {
            let _ = notes.send(Note::Close);
            thread.is_none_or(|thread| thread.join().is_ok())
        });
        match closed.await.context(Kind::Internal, || "cannot close the log of reads")? {
            true => Ok(()),
            false => Err(Error::new(Kind::Internal, "the thread that logs reads stopped")),
        }
    }
}

/// The thread's own.
struct Writer {
    folder: PathBuf,
    lines: Lines,
    interval: Duration,
    open: Option<Open>,
    /// By code and user.
    refused: HashMap<(Option<&'static str>, Option<String>), Reading>,
    refused_since: Option<Instant>,
    sealed: mpsc::UnboundedSender<Sealed>,
    backlog: Arc<AtomicU64>,
}

struct Open {
    place: PathBuf,
    file: File,
    bytes: u64,
    since: Instant,
}

impl Writer {
    fn run(&mut self, notes: &Receiver<Note>) {
        loop {
            let mut waiting = Vec::new();
            let mut is_over = false;
            match notes.recv_timeout(self.until_due()) {
                Ok(note) => {
                    let mut next = Some(note);
                    // All that came while the last ones were synced share the next sync.
                    while let Some(note) = next {
                        match note {
                            Note::Read(reading, done) => waiting.push((reading, done)),
                            Note::Refused(reading) => self.count(*reading),
                            Note::Close => is_over = true,
                        }
                        next = notes.try_recv().ok();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => is_over = true,
            }
            if !waiting.is_empty() {
                let written = self.write(waiting.iter().map(|(reading, _)| reading.as_ref()));
                let written = written.map_err(|error| error.to_string());
                for (_, done) in waiting {
                    // Whoever asked may have gone away.
                    let _ = done.send(written.clone());
                }
            }
            if is_over || self.until_due().is_zero() {
                self.seal();
            }
            if is_over {
                return;
            }
        }
    }

    fn until_due(&self) -> Duration {
        let since = [self.open.as_ref().map(|open| open.since), self.refused_since].into_iter().flatten().min();
        let is_large = self.open.as_ref().is_some_and(|open| open.bytes >= FILE_BYTES);
        match since {
            _ if is_large => Duration::ZERO,
            Some(since) => self.interval.saturating_sub(since.elapsed()),
            None => self.interval,
        }
    }

    fn count(&mut self, reading: Reading) {
        self.refused_since.get_or_insert_with(Instant::now);
        let user = reading.user.as_ref().map(|(user, _)| user.clone());
        let is_known = self.refused.contains_key(&(reading.code, user.clone()));
        let user = user.filter(|_| is_known || self.refused.len() < REFUSALS);
        match self.refused.get_mut(&(reading.code, user.clone())) {
            Some(known) => {
                let (count, start_ms) = (known.count + 1, known.start_ms);
                // The last of them stands for all: its address, its agent.
                *known = Reading { count, start_ms, ..reading };
            }
            None => {
                self.refused.insert((reading.code, user), reading);
            }
        }
    }

    fn write<'a>(&mut self, readings: impl Iterator<Item = &'a Reading>) -> Result<()> {
        let bytes = self.lines.of(readings)?;
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::create(&self.folder)?),
        };
        match open.append(&bytes) {
            Ok(()) => {
                self.backlog.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                let place = open.place.display().to_string();
                // A line may be half there. What was acknowledged ends before it; if that cannot be made so, the file
                // is sealed as it is, and its reader leaves out what follows the last whole line.
                if open.cut().is_err() {
                    self.hand_on();
                }
                Err(error).context(Kind::Unavailable, || format!("cannot write {place}"))
            }
        }
    }

    /// Hands the open file on, with one event for each kind of refusal.
    fn seal(&mut self) {
        self.refused_since = None;
        let refused: Vec<Reading> = self.refused.drain().map(|(_, reading)| reading).collect();
        if !refused.is_empty()
            && let Err(error) = self.write(refused.iter())
        {
            tracing::error!(%error, "refused requests are missing in the log of reads");
        }
        self.hand_on();
    }

    fn hand_on(&mut self) {
        if let Some(Open { place, file, bytes, .. }) = self.open.take() {
            // When nobody takes it, the next server finds it.
            let _ = self.sealed.send(Sealed { place, bytes, file });
        }
    }
}

impl Open {
    /// Makes a file that has its name only when it is locked, so that nobody takes it for one without an owner.
    fn create(folder: &Path) -> Result<Open> {
        let place = folder.join(format!("{FILE_PREFIX}{}{FILE_SUFFIX}", random_hex::<8>()?));
        let file = disk::create_private(&place, b"")
            .context(Kind::Unavailable, || format!("cannot create {}", place.display()))?;
        Ok(Open { place, file, bytes: 0, since: Instant::now() })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes)).map(|_| ())
    }
}

/// Makes lines of readings, redacted as the lake's rows are: a query string may hold anything.
struct Lines {
    decoder: Decoder,
    policy: Arc<Policy>,
}

impl Lines {
    fn of<'a>(&mut self, readings: impl Iterator<Item = &'a Reading>) -> Result<Vec<u8>> {
        for reading in readings {
            let line = reading.to_event().to_string();
            let pushed = self.decoder.push(line.as_bytes(), RowOrigin::default());
            pushed.map_err(|reject| Error::new(Kind::Internal, format!("cannot log a read: {}", reject.reason)))?;
        }
        let (mut bytes, mut counts) = (Vec::new(), Counts::default());
        for events in self.decoder.flush() {
            let encoder = Encoder::new(&events.class);
            let batch = plain(&self.policy.apply(events.batch, &mut counts)?)?;
            for row in 0..batch.num_rows() {
                encoder.write(&batch, row, &mut bytes)?;
                bytes.push(b'\n');
            }
        }
        Ok(bytes)
    }
}

/// A reading of nobody, to be filled in.
pub fn blank(uid: String, peer: std::net::SocketAddr, time_ms: i64, path: &'static str) -> Reading {
    Reading {
        uid,
        time_ms,
        duration_ms: 0,
        peer,
        user: None::<(String, Holder)>,
        key_id: None,
        path,
        query: None,
        asked: Asked::default(),
        user_agent: None,
        forwarded_for: Vec::new(),
        status: 0,
        code: None,
        entries: 0,
        has_more: false,
        newest_ms: None,
        oldest_ms: None,
        ledger_entry: 0,
        count: 1,
        start_ms: time_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(folder: &Path) -> (Journal, mpsc::UnboundedReceiver<Sealed>) {
        let ocsf = Arc::new(Ocsf::load(None).unwrap());
        let (sealed, receiver) = mpsc::unbounded_channel();
        let (policy, interval) = (Arc::new(Policy::off()), Duration::from_secs(3600));
        let backlog = Arc::new(AtomicU64::new(0));
        (Journal::start(folder.to_path_buf(), ocsf, policy, interval, sealed, backlog).unwrap(), receiver)
    }

    fn reading(uid: &str) -> Reading {
        blank(uid.to_string(), "192.0.2.1:1".parse().unwrap(), 1_767_225_600_000, "/p")
    }

    fn lines(sealed: &Sealed) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&sealed.place).unwrap();
        assert_eq!(text.len() as u64, sealed.bytes);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_read_that_cannot_be_logged_is_an_error_and_the_next_one_is_logged() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("later");
        let (journal, mut sealed) = start(&folder);
        assert_eq!(journal.record(reading("lost")).await.unwrap_err().kind(), Kind::Unavailable);
        std::fs::create_dir(&folder).unwrap();
        let all = (0..20).map(|number| journal.record(reading(&number.to_string())));
        assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
        journal.close().await.unwrap();
        assert!(journal.record(reading("late")).await.is_err());
        let file = sealed.recv().await.unwrap();
        let mut uids: Vec<u64> =
            lines(&file).iter().map(|line| line["metadata"]["uid"].as_str().unwrap().parse().unwrap()).collect();
        uids.sort_unstable();
        assert_eq!(uids, (0..20).collect::<Vec<_>>());
        assert!(File::open(&file.place).unwrap().try_lock().is_err(), "others would take it for abandoned");
    }

    #[tokio::test]
    async fn refusals_of_a_kind_are_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, mut sealed) = start(dir.path());
        for number in 0..100 {
            let code = Some(if number % 2 == 0 { "missing_api_key" } else { "invalid_api_key" });
            journal.refused(Reading { code, status: 401, ..reading(&number.to_string()) });
        }
        journal.close().await.unwrap();
        let mut told: Vec<_> =
            lines(&sealed.recv().await.unwrap()).iter().map(|line| line["count"].as_u64().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(told, [50, 50]);
    }

    #[tokio::test]
    async fn what_waits_for_the_lake_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _sealed) = start(dir.path());
        journal.backlog.store(BACKLOG_BYTES + 1, Ordering::Relaxed);
        assert_eq!(journal.record(reading("1")).await.unwrap_err().kind(), Kind::Unavailable);
        journal.backlog.store(0, Ordering::Relaxed);
        journal.record(reading("1")).await.unwrap();
        assert!(journal.backlog.load(Ordering::Relaxed) > 0);
    }
}
