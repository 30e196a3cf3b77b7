//! The threads: one reads, some decode, and what they made comes out in the order in which it was read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use tokio::sync::mpsc as channel;

use super::work::{Worked, Worker};
use super::{Options, stopped};
use crate::error::Result;
use crate::lake::{Head, Stream, Streams};
use crate::source::{Blocks, Chunk, Identity, Input, Mark, Outcome, Source};
use crate::typed::hex;

/// What comes out of the threads.
#[derive(Debug)]
pub enum Fed {
    /// A source begins; with the mark where an earlier run stopped.
    Begin {
        name: Arc<str>,
        resumed: Resumed,
    },
    Chunk(Box<Worked>),
    End(Outcome),
}

/// Where a source is picked up.
#[derive(Debug, Clone)]
pub struct Resumed {
    pub mark: Option<Mark>,
    /// None for what cannot be read again.
    pub identity: Option<Identity>,
}

/// What the reader hands to the workers.
enum Task {
    Begin { name: Arc<str>, resumed: Resumed },
    Chunk { chunk: Chunk, raw_bytes: u64 },
    End(Outcome),
}

/// The running threads' output.
pub struct Feed {
    results: channel::Receiver<(u64, Result<Fed>)>,
    /// Results that came before their turn.
    early: BTreeMap<u64, Result<Fed>>,
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
        let (task_sender, tasks) = mpsc::sync_channel::<(u64, Result<Task>)>(1);
        let (sender, results) = channel::channel(threads * 2);
        let tasks = Arc::new(Mutex::new(tasks));
        let blocks = Blocks::default();
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
                    let fed = task.and_then(|task| match task {
                        Task::Begin { name, resumed } => {
                            Ok(Fed::Begin { name: worker.policy.own(&name).into(), resumed })
                        }
                        Task::End(outcome) => Ok(Fed::End(outcome)),
                        Task::Chunk { chunk, raw_bytes } => {
                            let worked = worker.work(&mut decoder, &chunk, raw_bytes);
                            blocks.give(chunk.bytes);
                            worked.map(|worked| Fed::Chunk(Box::new(worked)))
                        }
                    });
                    if sender.blocking_send((number, fed)).is_err() {
                        return;
                    }
                }
            });
        }
        let options = options.source.clone();
        thread::spawn(move || {
            let mut reader = Reader { tasks: task_sender, blocks, number: 0, raw_before: 0, streams, stop };
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
        });
        Feed { results, early: BTreeMap::new(), next: 0 }
    }

    /// What was read next, decoded; `None` at the end of all inputs.
    pub async fn next(&mut self) -> Option<Result<Fed>> {
        loop {
            if let Some(fed) = self.early.remove(&self.next) {
                self.next += 1;
                return Some(fed);
            }
            match self.results.recv().await {
                Some((number, fed)) => {
                    self.early.insert(number, fed);
                }
                // A gap at the end means that a worker died with its chunk.
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
    tasks: mpsc::SyncSender<(u64, Result<Task>)>,
    blocks: Blocks,
    number: u64,
    raw_before: u64,
    /// Of the lake, and of this run.
    streams: Arc<Streams>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    /// Reads one source to its end; false when nobody listens any more or we were told to stop.
    fn read(&mut self, input: &Input, options: &crate::source::Options) -> Result<bool> {
        let mut source = Source::open(input, options.clone())?;
        source.read_into(self.blocks.clone());
        let name: Arc<str> = source.name().into();
        let resumed = self.resume(input, &mut source)?;
        if !self.send(Ok(Task::Begin { name, resumed: resumed.clone() })) {
            return Ok(false);
        }
        let damage = self.damage(&resumed);
        let mut last = None;
        while let Some(chunk) = source.next()? {
            last = Some(chunk.end);
            // The piece that an earlier run found cut off, and that is still cut off: it is a reject already.
            let is_known = chunk.lines.is_empty() && chunk.blank == 0 && chunk.faults.len() == 1 && damage.is_some();
            if is_known && damage == chunk.faults.first().map(|fault| fault.reason) {
                continue;
            }
            let raw_bytes = self.raw_before + source.raw_bytes_read();
            if !self.send(Ok(Task::Chunk { chunk, raw_bytes })) || self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
        self.raw_before += source.raw_bytes_read();
        if let (Some(identity), Some(last)) = (resumed.identity, last) {
            // The same stream may come again in this very run, under another name.
            let head = Head { bytes: identity.head_len, sha256: hex(&identity.head) };
            let (mark, state) = ((&last).into(), "complete".to_string());
            Arc::make_mut(&mut self.streams).push(Stream { head, mark, state, ..Stream::default() });
        }
        Ok(self.send(Ok(Task::End(source.outcome()))))
    }

    /// Moves the source behind what the lake has taken in already, under whatever name.
    fn resume(&self, input: &Input, source: &mut Source) -> Result<Resumed> {
        if matches!(input, Input::Stdin) {
            return Ok(Resumed { mark: None, identity: None });
        }
        let identity = source.identity()?;
        let head = hex(&identity.head);
        // A stream whose head was shorter than a full one may have grown since; its mark decides.
        let known = self.streams.like(&head, identity.head_len).flat_map(|stream| [&stream.mark, &stream.before]);
        let marks: Vec<Mark> = known.filter(|mark| mark.offset > 0).map(Mark::from).collect();
        let mark = if marks.is_empty() { None } else { source.skip_to(&marks)? };
        Ok(Resumed { mark, identity: Some(identity) })
    }

    /// The reason of the piece that the stream ended with when it was read up to here before, if it ended early.
    fn damage(&self, resumed: &Resumed) -> Option<&'static str> {
        let identity = resumed.identity?;
        let head = Head { bytes: identity.head_len, sha256: hex(&identity.head) };
        let here = match resumed.mark {
            Some(mark) => self.streams.at(&(&mark).into()).next(),
            // It was cut off within its first line, so that there is no mark.
            None => self.streams.with_head(&head).find(|stream| stream.mark.offset == 0),
        };
        match here?.state.as_str() {
            "truncated" | "corrupt" | "bomb" | "unreadable" => Some("truncated"),
            "unterminated" => Some("syntax"),
            "utf-16" => Some("utf-16"),
            _ => None,
        }
    }

    fn send(&mut self, task: Result<Task>) -> bool {
        self.number += 1;
        self.tasks.send((self.number - 1, task)).is_ok()
    }
}
