//! The threads of an ingest: one reads, some decode, and the results come out in the order in which they were read.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use tokio::sync::mpsc as channel;

use super::load::{Begin, Load, Piece, Resumed};
use super::work::{Loaded, Worker};
use super::{Options, stopped};
use crate::error::{Kind, Result};
use crate::lake::{Head, Stream, Streams};
use crate::source::{Blocks, Identity, Input, Mark, Outcome, Source};
use crate::typed::hex;

/// The running threads' output.
pub struct Feed {
    results: channel::Receiver<(u64, Result<Box<Loaded>>)>,
    /// Results that came before their turn.
    early: BTreeMap<u64, Result<Box<Loaded>>>,
    next: u64,
}

impl Feed {
    /// Starts reading. The threads end when the inputs do, when `stop` is set, or when this is dropped.
    pub fn start(
        inputs: Vec<Input>,
        streams: Arc<Streams>,
        worker: Worker,
        options: &Options,
        stop: Arc<AtomicBool>,
    ) -> Feed {
        let threads = options.threads.max(1);
        let (task_sender, tasks) = mpsc::sync_channel::<(u64, Result<Load>)>(1);
        let (sender, results) = channel::channel(threads * 2);
        let tasks = Arc::new(Mutex::new(tasks));
        let blocks = Blocks::default();
        let names = worker.clone();
        for _ in 0..threads {
            let (tasks, sender, worker, blocks) = (tasks.clone(), sender.clone(), worker.clone(), blocks.clone());
            thread::spawn(move || {
                let mut decoder = worker.decoder();
                loop {
                    let task = match tasks.lock() {
                        Ok(tasks) => tasks.recv(),
                        Err(_) => return,
                    };
                    let Ok((number, task)) = task else { return };
                    let worked = task.and_then(|load| worker.load(&mut decoder, load, &blocks)).map(Box::new);
                    if sender.blocking_send((number, worked)).is_err() {
                        return;
                    }
                }
            });
        }
        let (options, batch_bytes) = (options.source.clone(), options.batch_bytes);
        thread::spawn(move || {
            let load = Load::default();
            let (number, raw_before, worker) = (0, 0, names);
            let mut reader =
                Reader { tasks: task_sender, blocks, number, raw_before, streams, stop, load, batch_bytes, worker };
            for input in &inputs {
                match reader.read(input, &options) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        reader.send(Err(error));
                        return;
                    }
                }
            }
            reader.flush();
        });
        Feed { results, early: BTreeMap::new(), next: 0 }
    }

    /// Returns the next piece of input, decoded; `None` at the end of all inputs.
    pub async fn next(&mut self) -> Option<Result<Box<Loaded>>> {
        loop {
            if let Some(worked) = self.early.remove(&self.next) {
                self.next += 1;
                return Some(worked);
            }
            match self.results.recv().await {
                Some((number, worked)) => {
                    self.early.insert(number, worked);
                }
                // A gap at the end means that a worker died with its load.
                None if self.early.is_empty() => return None,
                None => {
                    self.early.clear();
                    return Some(Err(stopped("decoder")));
                }
            }
        }
    }
}

struct Reader {
    tasks: mpsc::SyncSender<(u64, Result<Load>)>,
    blocks: Blocks,
    number: u64,
    raw_before: u64,
    /// The streams of the lake, and of this run.
    streams: Arc<Streams>,
    stop: Arc<AtomicBool>,
    /// Input that was read and not sent yet.
    load: Load,
    batch_bytes: u64,
    /// Redacts the names of sources, which may hold secrets.
    worker: Worker,
}

impl Reader {
    /// Reads one source to its end; returns false when nobody listens any more or we were told to stop.
    fn read(&mut self, input: &Input, options: &crate::source::Options) -> Result<bool> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let mut source = match Source::open(input, options.clone()) {
            Ok(source) => source,
            // A source that cannot be read does not keep the others from being read.
            Err(error) if error.kind() == Kind::Unavailable => {
                let begin = Begin::unread(self.worker.name(input));
                // The source's name is printed beside the reason.
                let why = error.source().map_or_else(|| error.to_string(), |cause| cause.to_string());
                let end = Some(Outcome::Incomplete { reason: "unreadable", detail: self.worker.policy.own(&why) });
                self.load.push(Piece { begin: Some(begin), chunk: None, end });
                return Ok(self.flush_if_large());
            }
            Err(error) => return Err(error),
        };
        source.read_into(self.blocks.clone());
        source.heed(self.stop.clone());
        let resumed = self.resume(input, &mut source)?;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let name = self.worker.name(input);
        let begin = Begin { url: self.worker.url(input), head: source.head().to_vec(), resumed: resumed.clone(), name };
        let mut piece = Piece { begin: Some(begin), ..Piece::default() };
        let mut last = None;
        while let Some(chunk) = source.next()? {
            last = Some(chunk.end);
            piece.chunk = Some(chunk);
            self.load.push(std::mem::take(&mut piece));
            self.load.raw_bytes = self.raw_before + source.raw_bytes_read();
            // A slow stream is handed on as it comes.
            let is_sent = if source.size().is_some() { self.flush_if_large() } else { self.flush() };
            if !is_sent || self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
        self.raw_before += source.raw_bytes_read();
        if let (Some(identity), Some(last)) = (resumed.identity, last) {
            // The same stream may come again in this very run, under another name.
            Arc::make_mut(&mut self.streams).push(Stream {
                head: head(&identity),
                mark: (&last).into(),
                state: "complete".to_string(),
                ..Stream::default()
            });
        }
        piece.end = Some(source.outcome());
        self.load.push(piece);
        Ok(self.flush_if_large())
    }

    /// Moves the source past what the lake has already ingested, under whatever name.
    fn resume(&self, input: &Input, source: &mut Source) -> Result<Resumed> {
        if !matches!(input, Input::File(_)) {
            return Ok(Resumed::default());
        }
        let identity = source.identity()?;
        // Most files have nothing new: the whole file is tried first.
        let size = source.size();
        let head = head(&identity);
        let whole = self.streams.with_head(&head).map(|stream| &stream.mark);
        let whole: Vec<Mark> =
            whole.filter(|mark| Some(mark.offset) == size && mark.offset > 0).map(Mark::from).collect();
        let mut mark = if whole.is_empty() { None } else { source.skip_to(&whole)? };
        if mark.is_none() {
            // A stream whose head was shorter than a full one may have grown since; its mark decides.
            let known = self.streams.like(source.head()).into_iter().flat_map(|stream| [&stream.mark, &stream.before]);
            let marks: Vec<Mark> = known.filter(|mark| mark.offset > 0).map(Mark::from).collect();
            mark = if marks.is_empty() { None } else { source.skip_to(&marks)? };
        }
        let here = mark.as_ref().and_then(|mark| self.streams.at(&mark.into()).next());
        let state = here.map(|stream| stream.state.clone()).unwrap_or_default();
        Ok(Resumed { mark, identity: Some(identity), state })
    }

    /// Sends the input read so far, once it is worth a hand-over; returns false when nobody listens any more.
    fn flush_if_large(&mut self) -> bool {
        if self.load.is_large(self.batch_bytes) { self.flush() } else { true }
    }

    fn flush(&mut self) -> bool {
        let load = std::mem::take(&mut self.load);
        load.pieces.is_empty() || self.send(Ok(load))
    }

    fn send(&mut self, task: Result<Load>) -> bool {
        self.number += 1;
        self.tasks.send((self.number - 1, task)).is_ok()
    }
}

fn head(identity: &Identity) -> Head {
    Head { bytes: identity.head_len, sha256: hex(&identity.head) }
}
