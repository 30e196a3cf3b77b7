//! One source: reads ahead, has the lines found, and hands them out in chunks.

use std::fs::File;
use std::io::Read;
use std::mem;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::IgnoredAny;

use memchr::memchr;
use sha2::{Digest, Sha256};

use super::blocks::Blocks;
use super::inflate::{Damage, Inflate};
use super::lines::Items;
use super::parquet::Parquet;
use super::pass::Until;
use super::pump::Pump;
use super::sniff::{Form, MARK, SNIFF_BYTES};
use super::{Chunk, Identity, Input, Mark, Options, Outcome, SPARE_BYTES, inner_events};
use crate::error::{Context, Error, Kind, Result};
use crate::typed::bytes;

/// The bytes that [`Source::identity`] covers.
const HEAD_BYTES: usize = 4096;

/// A remainder of at most this size is handed out in a block of its own size.
const SMALL_BYTES: usize = 64 << 10;

/// A stream of events, read from its start to its end.
pub struct Source {
    pub(super) name: String,
    /// Set when the source can be opened again.
    pub(super) path: Option<PathBuf>,
    size: Option<u64>,
    /// The stream is not the file's bytes but made of them.
    is_made: bool,
    pub(super) options: Options,
    pub(super) inflate: Inflate,
    pub(super) blocks: Blocks,
    /// Read and not handed out; the first byte is at `base` of the stream.
    pub(super) buffer: Vec<u8>,
    pub(super) base: u64,
    /// The hash of the stream up to `base`.
    pub(super) hasher: blake3::Hasher,
    /// The number of the last line that was found.
    pub(super) number: u64,
    /// Unknown until the first bytes are there.
    pub(super) form: Option<Form>,
    identity: Option<Identity>,
    head: Vec<u8>,
    /// Set by somebody who does not want to wait.
    stop: Arc<AtomicBool>,
    /// No more bytes will come.
    pub(super) is_ended: bool,
    pub(super) damage: Option<Damage>,
    /// Everything was handed out.
    pub(super) is_finished: bool,
    pub(super) outcome: Outcome,
}

impl Source {
    /// Opens a file, a pipe or standard input.
    pub fn open(input: &Input, options: Options) -> Result<Source> {
        let path = match input {
            Input::Stdin => return Ok(Source::from_reader("-", Box::new(Pump::new(std::io::stdin())), None, options)),
            Input::Pipe(path) => {
                let pipe = File::open(path).context(Kind::Unavailable, || format!("cannot open {}", path.display()))?;
                return Ok(Source::from_reader(&path.to_string_lossy(), Box::new(Pump::new(pipe)), None, options));
            }
            Input::File(path) => path,
        };
        let cannot = || format!("cannot open {}", path.display());
        // Opening what has become a pipe meanwhile would wait for its writer.
        if !path.metadata().context(Kind::Unavailable, cannot)?.is_file() {
            return Err(Error::new(Kind::Unavailable, format!("{}: it is not a file any more", cannot())));
        }
        let file = File::open(path).context(Kind::Unavailable, cannot)?;
        let size = file.metadata().context(Kind::Unavailable, cannot)?.len();
        let is_made = is_parquet(&file);
        let reader: Box<dyn Read + Send> = if is_made {
            let failed = |error| format!("cannot read {} as Parquet: {error}", path.display());
            Box::new(Parquet::open(file).map_err(|error| Error::new(Kind::Unavailable, failed(error)))?)
        } else {
            Box::new(file)
        };
        let mut source = Source::from_reader(&path.to_string_lossy(), reader, Some(size), options);
        source.is_made = is_made;
        source.path = Some(path.clone());
        Ok(source)
    }

    /// A source over any reader; `size` is in bytes as the reader gives them.
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>, size: Option<u64>, options: Options) -> Source {
        Source {
            name: name.to_owned(),
            path: None,
            size,
            is_made: false,
            inflate: Inflate::new(reader, &options),
            options,
            blocks: Blocks::default(),
            buffer: Vec::new(),
            base: 0,
            hasher: blake3::Hasher::new(),
            number: 0,
            form: None,
            identity: None,
            head: Vec::new(),
            stop: Arc::default(),
            is_ended: false,
            damage: None,
            is_finished: false,
            outcome: Outcome::Complete,
        }
    }

    /// Reads into these blocks, which whoever is done with a chunk gives back.
    pub fn read_into(&mut self, blocks: Blocks) {
        self.blocks = blocks;
    }

    /// Gives up passing over what is known as soon as this is set.
    pub fn heed(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The first few kilobytes of the decompressed stream.
    pub fn head(&mut self) -> &[u8] {
        self.begin();
        &self.head
    }

    /// The path as it was given, `-` for standard input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file as it is stored.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The raw bytes read so far, for the progress bar.
    pub fn raw_bytes_read(&self) -> u64 {
        self.inflate.raw_bytes().min(self.size.unwrap_or(u64::MAX))
    }

    /// Beyond this no earlier run can have read.
    pub(super) fn reach(&self) -> u64 {
        if self.inflate.is_plain() && !self.is_made { self.size.unwrap_or(u64::MAX) } else { u64::MAX }
    }

    /// How the source ended; final once [`Source::next`] gave `None`.
    pub fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    /// Reads the identity of the source.
    pub fn identity(&mut self) -> Result<Identity> {
        self.begin();
        // `begin` sets it.
        Ok(self.identity.unwrap_or(Identity { head_len: 0, head: Sha256::digest([]).into() }))
    }

    /// The next piece with its lines; `None` is the end, and then the outcome says of what kind.
    #[allow(clippy::should_implement_trait, reason = "an iterator of results would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Chunk>> {
        Ok(self.advance(u64::MAX))
    }

    /// Reads the head, and tells the form.
    pub(super) fn begin(&mut self) {
        if self.form.is_some() {
            return;
        }
        self.fill(SNIFF_BYTES);
        self.head = self.buffer[..self.buffer.len().min(HEAD_BYTES)].to_vec();
        let head = Sha256::digest(&self.head).into();
        self.identity = Some(Identity { head_len: self.head.len() as u64, head });
        if self.buffer.starts_with(MARK) {
            self.consume(MARK.len());
        }
        let form = Form::of(&self.buffer, self.base, self.options.max_line_bytes);
        if let Form::Foreign(foreign) = form {
            let detail = format!("this is {}: {}", foreign.name, foreign.advice);
            self.outcome = Outcome::Incomplete { reason: "refused", detail };
            self.is_finished = true;
        }
        self.form = Some(form);
    }

    /// The next chunk of what lies before `limit`; `None` when nothing is left there.
    pub(super) fn advance(&mut self, limit: u64) -> Option<Chunk> {
        self.begin();
        let mut target = self.options.chunk_bytes.max(1);
        while !self.is_finished {
            let room = usize::try_from(limit.saturating_sub(self.base)).unwrap_or(usize::MAX);
            self.fill(target.min(room));
            let end = self.buffer.len().min(room).min(target);
            let is_last = self.is_ended && end == self.buffer.len();
            let is_whole = self.damage.as_ref().is_none_or(|damage| damage.is_behind);

            let (may_grow, is_plain) = (self.may_grow(), self.inflate.is_plain());
            let mut items = self.items();
            let (bytes, base) = (&self.buffer[..end], self.base);
            let (cut, is_broken) = match &mut self.form {
                Some(Form::Lines(lines)) => {
                    // A last line without newline comes in a chunk of its own: it may be half of a line that is still
                    // being written, and then a later run continues from the mark before it.
                    let is_tail = bytes.ends_with(b"\n") || memchr::memrchr(b'\n', bytes).is_none();
                    // Who compresses a file is done with it.
                    let is_final = !may_grow || !is_plain || bytes.ends_with(b"\n") || is_line(bytes);
                    (lines.scan(bytes, base, is_last && is_whole && is_tail && is_final, &mut items), false)
                }
                Some(Form::Values(values)) => {
                    let scan = values.scan(bytes, base, is_last && is_whole, &mut items);
                    (scan.cut, scan.is_broken)
                }
                Some(Form::Foreign(_)) | None => (0, true),
            };
            if !items.is_empty() {
                return Some(self.hand_out(cut, items));
            }
            self.consume(cut);
            let left = end - cut;
            if is_broken {
                return Some(self.pass("syntax", Until::StreamEnds));
            }
            if is_last {
                if left > 0 && !may_grow {
                    return Some(self.pass_over("truncated"));
                }
                self.finish();
                self.leave(left);
            } else if left > self.options.max_line_bytes.saturating_add(1) {
                return Some(self.pass_over("line-too-long"));
            } else if end == room && cut == 0 {
                return None;
            }
            // A line that is longer than a chunk: twice as much each time, so that the copies stay few.
            target =
                target.max(left.saturating_mul(2)).min(self.options.max_line_bytes.saturating_add(2)).max(left + 1);
        }
        None
    }

    pub(super) fn items(&self) -> Items {
        Items { number: self.number, max_line_bytes: self.options.max_line_bytes, ..Items::default() }
    }

    /// Reads until the buffer has `target` bytes, the stream ends, or nothing comes for a while.
    pub(super) fn fill(&mut self, target: usize) {
        let mut have = self.buffer.len();
        if have >= target || self.is_ended {
            return;
        }
        if self.buffer.capacity() == 0 {
            self.buffer = self.blocks.take(target + SPARE_BYTES);
        }
        self.buffer.reserve(target - have + SPARE_BYTES);
        while have < target {
            match self.inflate.read(&mut self.buffer, target - have) {
                // Whole lines do not wait for others that may come in an hour.
                Ok(0) if self.inflate.is_idle() => {
                    if memchr(b'\n', &self.buffer).is_some() {
                        break;
                    }
                }
                Ok(0) => {
                    self.is_ended = true;
                    break;
                }
                Ok(count) => have += count,
                Err(damage) => {
                    self.damage = Some(damage);
                    self.is_ended = true;
                    break;
                }
            }
        }
    }

    /// Takes the first `cut` bytes of the buffer, with the lines found in them.
    pub(super) fn hand_out(&mut self, cut: usize, mut items: Items) -> Chunk {
        let mut bytes = if self.is_ended && self.buffer.len() <= SMALL_BYTES {
            // Of a small file, of which there may be thousands on the way at once.
            let mut bytes = Vec::with_capacity(cut + SPARE_BYTES);
            bytes.extend_from_slice(&self.buffer[..cut]);
            self.buffer.drain(..cut);
            bytes
        } else {
            // Room for the next chunk at once, so that it need not move when it is read.
            let room = if self.is_ended { 0 } else { self.options.chunk_bytes };
            let mut rest = self.blocks.take(room.max(self.buffer.len() - cut) + SPARE_BYTES);
            rest.extend_from_slice(&self.buffer[cut..]);
            let mut bytes = mem::replace(&mut self.buffer, rest);
            bytes.truncate(cut);
            bytes
        };
        self.hasher.update(&bytes);
        self.base += cut as u64;
        self.number = items.number;
        items.bring_in(&mut bytes);
        bytes.reserve(SPARE_BYTES);
        Chunk { bytes, lines: items.lines, faults: items.faults, blank: items.blank, end: self.mark() }
    }

    /// Drops the first `count` bytes of the buffer.
    pub(super) fn consume(&mut self, count: usize) {
        self.hasher.update(&self.buffer[..count]);
        self.buffer.drain(..count);
        self.base += count as u64;
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { offset: self.base, number: self.number, hash: self.hasher.finalize().into() }
    }

    /// Whether what is not whole at the end may become so: somebody still writes the file, or sends it once more.
    fn may_grow(&self) -> bool {
        self.path.is_some() && !self.options.is_final
    }

    /// Says that the last bytes were left alone, since nobody can tell yet what they will be.
    fn leave(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let what = match &self.form {
            Some(Form::Values(_)) => "value",
            _ => "line",
        };
        let left = format!("{} of an unfinished {what} at the end are left for the next run", bytes(count as u64));
        self.outcome = match mem::replace(&mut self.outcome, Outcome::Complete) {
            Outcome::Complete => Outcome::Incomplete { reason: "pending", detail: left },
            Outcome::Incomplete { reason, detail } => {
                Outcome::Incomplete { reason, detail: format!("{detail}; {left}") }
            }
        };
    }

    /// Takes back that nothing is left.
    pub(super) fn reopen(&mut self) {
        if !matches!(self.form, Some(Form::Foreign(_))) {
            self.is_finished = false;
            self.outcome = Outcome::Complete;
        }
    }

    /// Nothing is left.
    pub(super) fn finish(&mut self) {
        self.is_finished = true;
        let is_open = matches!(&self.form, Some(Form::Values(values)) if values.is_open());
        if let Some(damage) = &self.damage {
            self.outcome = Outcome::Incomplete { reason: damage.reason, detail: damage.detail.clone() };
        } else if is_open {
            let detail = "the array or page is not closed".into();
            self.outcome = Outcome::Incomplete { reason: "unterminated", detail };
        }
    }
}

fn is_parquet(file: &File) -> bool {
    let mut magic = [0; 4];
    // What cannot be read is told when it is read.
    file.read_exact_at(&mut magic, 0).is_ok() && magic == *b"PAR1"
}

/// Whether bytes without a line end are a line anyway: an object that is closed, with whatever is around it.
fn is_line(bytes: &[u8]) -> bool {
    let line = bytes.trim_ascii();
    line.is_empty()
        || matches!(line.last(), Some(b'}' | b']'))
            && (serde_json::from_slice::<IgnoredAny>(line).is_ok() || inner_events(line).is_some())
}

impl Drop for Source {
    fn drop(&mut self) {
        self.blocks.give(mem::take(&mut self.buffer));
    }
}
