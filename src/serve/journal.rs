//! The log of reads before it is in the lake: a file that is on the disk before the reader gets an answer.
//!
//! ```text
//! request -> Reading -> redacted line, numbered and sealed -> _serve/reads-<server>-<first>.log, synced -> answer
//!                                              | every minute, or when it is large, and at the stop
//!                                              v
//!                                        one batch of the lake (commit.rs) -> file removed
//! ```
//!
//! A commit to the lake for each page would cost some 20 ms and a Parquet file; a line and one `fdatasync` cost a few
//! milliseconds, which all waiting requests share. So a page that was served is in the log whatever happens then: a
//! file that outlives its server is ingested by the next one, and ingesting it twice adds nothing, since every event
//! has a uid. When the disk refuses, or too much waits for the lake, reads are refused: nothing is read unseen.
//!
//! The first line of a server says that it began, and its last one that it ended: a series in the lake without an end
//! is one whose last reads may be missing.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::life::{self, Turn};
use super::reading::Reading;
use super::refused::Refusals;
use crate::clock::Clock;
use crate::decode::{self, Decoder, Encoder, RowOrigin};
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{Seals, Series};
use crate::lake::plain;
use crate::redact::{Counts, Policy};
use crate::schema::Ocsf;

/// A file of this size is committed, whatever its age: some ten thousand reads.
const FILE_BYTES: u64 = 16 << 20;
/// Bytes that may wait for the lake before reads are refused.
const BACKLOG_BYTES: u64 = 64 << 20;
/// Requests that may wait for the disk; each connection has one at most.
const QUEUE: usize = 4096;

/// A complete file, to be committed.
#[derive(Debug)]
pub struct Sealed {
    pub place: PathBuf,
    /// The number of its first line.
    pub first: u64,
    /// The acknowledged bytes; after them a write may have left a remainder.
    pub bytes: u64,
}

enum Note {
    Read(Box<Reading>, oneshot::Sender<Result<(), String>>),
    Refused(Box<Reading>, oneshot::Sender<Result<(), String>>),
    Turn(Turn, oneshot::Sender<Result<(), String>>),
    Close,
}

/// Receives readings from requests; its thread writes them.
pub struct Journal {
    notes: SyncSender<Note>,
    /// Bytes that are written and not yet committed.
    backlog: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Starts the thread; complete files go to `sealed`.
    pub fn start(made: Made, sealed: mpsc::UnboundedSender<Sealed>, backlog: Arc<AtomicU64>) -> Result<Journal> {
        let (notes, receiver) = sync_channel(QUEUE);
        let mut writer = Writer {
            folder: made.folder,
            lines: Lines { decoder: Decoder::new(made.ocsf, decode::Options::default()), policy: made.policy },
            interval: made.interval,
            clock: made.clock,
            series: made.series,
            next: 1,
            open: None,
            refused: Refusals::default(),
            sealed,
            backlog: backlog.clone(),
        };
        let began = life::event(Turn::Began, writer.clock.now_ms())?;
        writer.write(vec![began])?;
        // The lake has the line before anything can be taken away.
        writer.hand_on();
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
        self.note(|done| Note::Read(Box::new(reading), done)).await.map_err(|why| refuse(&why))
    }

    /// Counts a request that was refused before anything was read; returns when it is on the disk, if it is the first of
    /// its kind. The requester gets the same refusal when it cannot be written: it is counted, and written later.
    pub async fn refused(&self, reading: Reading) {
        if let Err(why) = self.note(|done| Note::Refused(Box::new(reading), done)).await {
            tracing::error!(why, "a refused request is not in the log of reads yet");
        }
    }

    /// Writes a turn of the log itself; returns when it is on the disk.
    pub async fn tell(&self, turn: Turn) -> Result<()> {
        let told = self.note(|done| Note::Turn(turn, done)).await;
        told.map_err(|why| Error::new(Kind::Unavailable, format!("cannot write to the log of reads: {why}")))
    }

    async fn note(&self, note: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Note) -> Result<(), String> {
        let (done, is_done) = oneshot::channel();
        self.notes.try_send(note(done)).map_err(|error| match error {
            TrySendError::Full(_) => "too many reads wait for the disk",
            TrySendError::Disconnected(_) => "the server is stopping",
        })?;
        is_done.await.unwrap_or_else(|_| Err("the server is stopping".to_string()))
    }

    /// Writes the rest, hands the last file on, and ends.
    pub async fn close(&self) -> Result<()> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let notes = self.notes.clone();
        let closed = tokio::task::spawn_blocking(move || {
            let _ = notes.send(Note::Close);
            thread.is_none_or(|thread| thread.join().is_ok())
        });
        if closed.await.context(Kind::Internal, || "cannot close the log of reads")? {
            Ok(())
        } else {
            Err(Error::new(Kind::Internal, "the thread that logs reads stopped"))
        }
    }
}

/// The context of a journal.
pub struct Made {
    pub folder: PathBuf,
    pub series: Arc<Series>,
    pub ocsf: Arc<Ocsf>,
    pub policy: Arc<Policy>,
    pub clock: Clock,
    pub interval: Duration,
}

/// The state of the thread.
struct Writer {
    folder: PathBuf,
    lines: Lines,
    interval: Duration,
    clock: Clock,
    series: Arc<Series>,
    /// The next line's number.
    next: u64,
    open: Option<Open>,
    refused: Refusals,
    sealed: mpsc::UnboundedSender<Sealed>,
    backlog: Arc<AtomicU64>,
}

struct Open {
    place: PathBuf,
    file: File,
    first: u64,
    seals: Seals,
    bytes: u64,
    since: Instant,
}

impl Writer {
    fn run(&mut self, notes: &Receiver<Note>) {
        loop {
            let mut waiting = Vec::new();
            // Lines of refusals that are due, whose requesters wait too.
            let mut due: Vec<(Reading, oneshot::Sender<_>)> = Vec::new();
            let mut is_over = false;
            match notes.recv_timeout(self.until_due()) {
                Ok(note) => {
                    let mut next = Some(note);
                    // Everything that came while the last ones were synced shares the next sync.
                    while let Some(note) = next {
                        match note {
                            Note::Read(reading, done) => waiting.push((reading, done)),
                            Note::Refused(reading, done) => match self.refused.count(*reading) {
                                Some(line) => due.push((line, done)),
                                None => drop(done.send(Ok(()))),
                            },
                            Note::Turn(turn, done) => {
                                let told = life::event(turn, self.clock.now_ms());
                                let told = told.and_then(|event| self.write(vec![event]));
                                drop(done.send(told.map_err(|error| error.to_string())));
                            }
                            Note::Close => is_over = true,
                        }
                        next = notes.try_recv().ok();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => is_over = true,
            }
            if !waiting.is_empty() || !due.is_empty() {
                let lines = waiting.iter().map(|(reading, _)| reading.as_ref()).chain(due.iter().map(|(line, _)| line));
                let written = self.write(lines.map(Reading::to_event).collect()).map_err(|error| error.to_string());
                // The requester may have gone away.
                for (_, done) in waiting {
                    let _ = done.send(written.clone());
                }
                for (line, done) in due {
                    if written.is_err() {
                        self.refused.restore(line);
                    }
                    let _ = done.send(written.clone());
                }
            }
            if is_over || self.until_due().is_zero() {
                self.seal(is_over);
            }
            if is_over {
                return;
            }
        }
    }

    fn until_due(&self) -> Duration {
        let since = [self.open.as_ref().map(|open| open.since), self.refused.since()].into_iter().flatten().min();
        let is_large = self.open.as_ref().is_some_and(|open| open.bytes >= FILE_BYTES);
        match since {
            _ if is_large => Duration::ZERO,
            Some(since) => self.interval.saturating_sub(since.elapsed()),
            None => self.interval,
        }
    }

    fn write(&mut self, events: Vec<Value>) -> Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::create(&self.folder, &self.series, self.next)?),
        };
        let mut seals = open.seals.clone();
        let bytes = self.lines.of(events, &self.series.server, &mut seals)?;
        match open.append(&bytes) {
            Ok(()) => {
                self.next = seals.number;
                open.seals = seals;
                self.backlog.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            // A line may be half written. The acknowledged bytes end before it, and so does the part that is handed on.
            Err(error) => Err(error).context(Kind::Unavailable, || format!("cannot write {}", open.place.display())),
        }
    }

    /// Hands the open file on, with the remaining counts of refusals, and at the stop with the line that ends the series.
    fn seal(&mut self, is_over: bool) {
        let refused = self.refused.drain();
        let mut events: Vec<Value> = refused.iter().map(Reading::to_event).collect();
        let ended = is_over.then(|| life::event(Turn::Ended, self.clock.now_ms())).transpose();
        match ended {
            Ok(ended) => events.extend(ended),
            Err(error) => tracing::error!(%error, "the log of reads gets no end"),
        }
        if !events.is_empty()
            && let Err(error) = self.write(events)
        {
            tracing::error!(%error, "refused requests are missing in the log of reads");
        }
        self.hand_on();
    }

    fn hand_on(&mut self) {
        // Nothing in it was acknowledged: the disk was full. Its number and its name can still be used.
        if let Some(open) = self.open.as_mut().filter(|open| open.bytes == 0) {
            open.since = Instant::now();
            return;
        }
        if let Some(Open { place, first, bytes, .. }) = self.open.take() {
            // When nobody takes it, the next server finds it.
            let _ = self.sealed.send(Sealed { place, first, bytes });
        }
    }
}

impl Open {
    /// Makes a file, and records it first: its later absence is then noticed.
    fn create(folder: &Path, series: &Series, first: u64) -> Result<Open> {
        let place = series.piece(folder, first);
        let file = disk::create_private(&place, b"")
            .context(Kind::Unavailable, || format!("cannot create {}", place.display()))?;
        if let Err(error) = series.began(first) {
            // The next attempt makes it again.
            let _ = disk::remove(&place);
            return Err(error);
        }
        Ok(Open { place, file, first, seals: series.seals(first), bytes: 0, since: Instant::now() })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // The remainder of a failed attempt goes first.
        self.file.set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Makes lines from readings, redacted like the lake's rows: a query string may hold anything.
struct Lines {
    decoder: Decoder,
    policy: Arc<Policy>,
}

impl Lines {
    fn of(&mut self, events: Vec<Value>, server: &str, seals: &mut Seals) -> Result<Vec<u8>> {
        let first = seals.number;
        for (number, mut event) in (first..).zip(events) {
            event["metadata"]["sequence"] = json!(number);
            event["unmapped"]["server"] = json!(server);
            let line = event.to_string();
            let pushed = self.decoder.push(line.as_bytes(), RowOrigin::default());
            pushed.map_err(|reject| Error::new(Kind::Internal, format!("cannot log a read: {}", reject.reason)))?;
        }
        let (mut bytes, mut counts, mut event) = (Vec::new(), Counts::default(), Vec::new());
        for events in self.decoder.flush() {
            let encoder = Encoder::new(&events.class);
            let batch = plain(&self.policy.apply(events.batch, &mut counts)?)?;
            for row in 0..batch.num_rows() {
                event.clear();
                encoder.write(&batch, row, &mut event)?;
                bytes.extend_from_slice(seals.seal(&event).as_bytes());
                bytes.push(b'\t');
                bytes.extend_from_slice(&event);
                bytes.push(b'\n');
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::blank;
    use super::*;

    const KEY: [u8; 32] = [1; 32];

    fn start(folder: &Path) -> Result<(Journal, mpsc::UnboundedReceiver<Sealed>)> {
        let (sealed, receiver) = mpsc::unbounded_channel();
        let made = Made {
            folder: folder.to_path_buf(),
            series: Arc::new(Series::begin(folder, KEY)?),
            ocsf: Arc::new(Ocsf::load(None).unwrap()),
            policy: Arc::new(Policy::off()),
            clock: Clock::Real,
            interval: Duration::from_secs(3600),
        };
        Ok((Journal::start(made, sealed, Arc::new(AtomicU64::new(0)))?, receiver))
    }

    fn reading(uid: &str) -> Reading {
        blank(uid.to_string(), "192.0.2.1:1".parse().unwrap(), 1_767_225_600_000, "/p")
    }

    fn lines(sealed: &Sealed) -> Vec<Value> {
        let bytes = std::fs::read(&sealed.place).unwrap();
        assert_eq!(bytes.len() as u64, sealed.bytes);
        let name = sealed.place.file_stem().unwrap().to_str().unwrap();
        let server = name.split('-').nth(1).unwrap();
        let (events, is_whole) = Seals::new(KEY, server, sealed.first).open(&bytes);
        assert!(is_whole);
        String::from_utf8(events).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Collects all lines of a closed journal, in their order.
    async fn all(mut sealed: mpsc::UnboundedReceiver<Sealed>) -> Vec<Value> {
        let mut told = Vec::new();
        while let Some(file) = sealed.recv().await {
            told.extend(lines(&file));
        }
        told
    }

    #[tokio::test]
    async fn lines_are_numbered_from_the_beginning_to_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, sealed) = start(dir.path()).unwrap();
        let readings = (0..20).map(|number| journal.record(reading(&number.to_string())));
        assert!(futures::future::join_all(readings).await.iter().all(Result::is_ok));
        journal.close().await.unwrap();
        assert!(journal.record(reading("late")).await.is_err());
        drop(journal);
        let told = all(sealed).await;
        let numbers: Vec<_> = told.iter().map(|line| line["metadata"]["sequence"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=22).collect::<Vec<_>>());
        let operation = |line: &Value| line["api"]["operation"].as_str().unwrap().to_string();
        assert_eq!((operation(&told[0]), operation(&told[21])), ("BeginServing".into(), "EndServing".into()));
        let mut uids: Vec<u64> =
            told[1..21].iter().map(|line| line["metadata"]["uid"].as_str().unwrap().parse().unwrap()).collect();
        uids.sort_unstable();
        assert_eq!(uids, (0..20).collect::<Vec<_>>());
        assert!(told.iter().all(|line| line["unmapped"]["server"] == told[0]["unmapped"]["server"]));
    }

    #[tokio::test]
    async fn a_read_that_cannot_be_logged_is_an_error_and_the_next_one_is_logged() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("serve");
        std::fs::create_dir(&folder).unwrap();
        let (journal, sealed) = start(&folder).unwrap();
        let away = dir.path().join("away");
        std::fs::rename(&folder, &away).unwrap();
        assert_eq!(journal.record(reading("lost")).await.unwrap_err().kind(), Kind::Unavailable);
        std::fs::rename(&away, &folder).unwrap();
        journal.record(reading("kept")).await.unwrap();
        journal.close().await.unwrap();
        drop(journal);
        let uids: Vec<_> = all(sealed).await.iter().map(|line| line["metadata"]["uid"].clone()).collect();
        assert!(uids.contains(&json!("kept")) && !uids.contains(&json!("lost")), "{uids:?}");
    }

    #[tokio::test]
    async fn a_piece_that_a_full_disk_left_empty_is_used_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let (sealed, mut receiver) = mpsc::unbounded_channel();
        let series = Arc::new(Series::begin(dir.path(), KEY).unwrap());
        let ocsf = Arc::new(Ocsf::load(None).unwrap());
        let decoder = Decoder::new(ocsf, decode::Options::default());
        let mut writer = Writer {
            folder: dir.path().to_path_buf(),
            lines: Lines { decoder, policy: Arc::new(Policy::off()) },
            interval: Duration::from_secs(3600),
            clock: Clock::Real,
            series: series.clone(),
            next: 1,
            open: Some(Open::create(dir.path(), &series, 1).unwrap()),
            refused: Refusals::default(),
            sealed,
            backlog: Arc::default(),
        };
        let place = series.piece(dir.path(), 1);
        // Nothing can be written to it, as when the disk is full.
        writer.open.as_mut().unwrap().file = File::open(&place).unwrap();
        assert!(writer.write(vec![reading("lost").to_event()]).is_err());
        writer.hand_on();
        assert!(receiver.try_recv().is_err(), "an empty piece is nobody's");
        writer.open.as_mut().unwrap().file = File::options().write(true).open(&place).unwrap();
        std::fs::write(&place, "half a li").unwrap();
        writer.write(vec![reading("kept").to_event()]).unwrap();
        writer.hand_on();
        let told = lines(&receiver.try_recv().unwrap());
        assert_eq!(
            (told.len(), &told[0]["metadata"]["uid"], &told[0]["metadata"]["sequence"]),
            (1, &json!("kept"), &json!(1))
        );
    }

    #[tokio::test]
    async fn refusals_are_on_the_disk_before_the_answer_and_counted_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, sealed) = start(dir.path()).unwrap();
        for number in 0..40 {
            let code = Some(if number % 2 == 0 { "missing_api_key" } else { "invalid_api_key" });
            journal.refused(Reading { code, status: 401, ..reading(&number.to_string()) }).await;
        }
        let files = files(dir.path());
        let open: String = files.iter().map(|place| std::fs::read_to_string(place).unwrap()).collect();
        assert_eq!(open.matches("_api_key").count(), 4, "the first and the tenth of each kind");
        journal.close().await.unwrap();
        drop(journal);
        let mut told: Vec<(String, u64)> = all(sealed)
            .await
            .iter()
            .filter(|line| line["status_code"] == "401")
            .map(|line| (line["status_detail"].as_str().unwrap().to_string(), line["count"].as_u64().unwrap()))
            .collect();
        told.sort_unstable();
        let counts: Vec<u64> = told.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 9, 10, 1, 9, 10]);
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|place| place.file_name().unwrap().to_str().unwrap().starts_with("reads-")).collect()
    }

    #[tokio::test]
    async fn what_waits_for_the_lake_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _sealed) = start(dir.path()).unwrap();
        journal.backlog.store(BACKLOG_BYTES + 1, Ordering::Relaxed);
        assert_eq!(journal.record(reading("1")).await.unwrap_err().kind(), Kind::Unavailable);
        journal.backlog.store(0, Ordering::Relaxed);
        journal.record(reading("1")).await.unwrap();
        assert!(journal.backlog.load(Ordering::Relaxed) > 0);
    }
}
