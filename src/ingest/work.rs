//! Turns a chunk of lines into redacted rows and rejects.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::load::{Begin, Load, Piece};
use crate::decode::{self, Decoder, Drift, RowOrigin, Times};
use crate::error::Result;
use crate::lake::{Hasher, RejectRow};
use crate::redact::{Counts, Policy};
use crate::schema::{EventBatch, Ocsf};
use crate::source::{Blocks, Chunk, Fault, Input, Mark, Outcome};
use crate::typed::Hash32;

/// The most bytes of a rejected line that are kept: enough to ingest any real event again after a fix.
const EXCERPT_BYTES: usize = 64 * 1024;

/// The state that worker threads share.
#[derive(Clone)]
pub struct Worker {
    pub ocsf: Arc<Ocsf>,
    pub policy: Arc<Policy>,
    /// Keys the hash of each line.
    pub lines: Hasher,
    pub times: Times,
}

/// A chunk after decoding and redaction.
#[derive(Debug)]
pub struct Worked {
    pub events: Vec<EventBatch>,
    pub rejects: Vec<RejectRow>,
    /// Lines that the source split off, blank ones included.
    pub read: u64,
    pub redacted: Counts,
    pub drift: BTreeMap<String, u64>,
}

/// A load after decoding and redaction.
#[derive(Debug)]
pub struct Loaded {
    /// The events of all pieces.
    pub events: Vec<EventBatch>,
    pub pieces: Vec<Told>,
    /// See [`Load::raw_bytes`].
    pub raw_bytes: u64,
    pub redacted: Counts,
    pub drift: BTreeMap<String, u64>,
}

/// The result of a piece of a source, without its rows.
#[derive(Debug, Default)]
pub struct Told {
    pub begin: Option<Begin>,
    /// Lines that the source split off, blank ones included.
    pub read: u64,
    pub blank: u64,
    pub rejects: Vec<RejectRow>,
    /// The position in the source after the piece's chunk, if it has one.
    pub mark: Option<Mark>,
    pub end: Option<Outcome>,
}

impl Worker {
    pub fn decoder(&self) -> Decoder {
        Decoder::new(
            self.ocsf.clone(),
            decode::Options { is_coded: true, times: self.times, ..decode::Options::default() },
        )
    }

    /// Decodes and redacts one chunk.
    pub fn work(&self, decoder: &mut Decoder, chunk: &Chunk) -> Result<Worked> {
        let mut redacted = Counts::default();
        let rejects = self.push(decoder, chunk, &mut redacted);
        let (events, drift) = self.flush(decoder, &mut redacted)?;
        Ok(Worked { events, rejects, read: read(chunk), redacted, drift })
    }

    /// Decodes and redacts all pieces of a load, and returns the blocks of its chunks to `blocks`.
    pub fn load(&self, decoder: &mut Decoder, load: Load, blocks: &Blocks) -> Result<Loaded> {
        let mut redacted = Counts::default();
        let mut pieces = Vec::with_capacity(load.pieces.len());
        for Piece { begin, chunk, end } in load.pieces {
            let mut told = Told { begin, end, ..Told::default() };
            if let Some(chunk) = chunk {
                told.rejects = self.push(decoder, &chunk, &mut redacted);
                (told.read, told.blank, told.mark) = (read(&chunk), chunk.blank, Some(chunk.end));
                blocks.give(chunk.bytes);
            }
            pieces.push(told);
        }
        let (events, drift) = self.flush(decoder, &mut redacted)?;
        Ok(Loaded { events, pieces, raw_bytes: load.raw_bytes, redacted, drift })
    }

    /// Gives the lines of a chunk to the decoder; returns those that are not rows.
    fn push(&self, decoder: &mut Decoder, chunk: &Chunk, redacted: &mut Counts) -> Vec<RejectRow> {
        let mut rejects = Vec::new();
        for line in &chunk.lines {
            let bytes = &chunk.bytes[line.range.clone()];
            let origin = RowOrigin { digest: self.lines.hash(bytes), number: line.number, offset: line.offset };
            if let Err(reject) = decoder.push(bytes, origin) {
                let kept = &bytes[..bytes.len().min(EXCERPT_BYTES)];
                rejects.push(RejectRow {
                    source: String::new(),
                    line: line.number,
                    offset: line.offset,
                    reason: reject.reason.to_string(),
                    detail: self.policy.own(&reject.detail),
                    length: bytes.len() as u64,
                    excerpt: self.excerpt(kept, redacted),
                    sha256: (kept.len() < bytes.len()).then(|| sha256(bytes)),
                    digest: origin.digest,
                });
            }
        }
        rejects.extend(chunk.faults.iter().map(|fault| self.fault(fault, redacted)));
        rejects.sort_by_key(|reject| reject.line);
        rejects
    }

    /// Takes the rows from the decoder, redacted.
    fn flush(&self, decoder: &mut Decoder, redacted: &mut Counts) -> Result<(Vec<EventBatch>, BTreeMap<String, u64>)> {
        let mut events = decoder.flush();
        for batch in &mut events {
            batch.batch = self.policy.apply(batch.batch.clone(), redacted)?;
        }
        Ok((events, self.drift(decoder)))
    }

    /// Returns the name of an input as it is shown and stored: names of files hold secrets, too.
    pub fn name(&self, input: &Input) -> Arc<str> {
        match input {
            Input::Stdin => "-".into(),
            Input::File(path) | Input::Pipe(path) => self.policy.own(&path.to_string_lossy()).into(),
        }
    }

    /// Returns where a file can be found again; `None` when that would reveal a secret.
    pub fn url(&self, input: &Input) -> Option<String> {
        let Input::File(path) = input else { return None };
        let path = std::path::absolute(path).ok()?;
        let text = path.to_string_lossy();
        if self.policy.own(&text) != text {
            return None;
        }
        Some(Url::from_file_path(&path).ok()?.to_string())
    }

    fn fault(&self, fault: &Fault, redacted: &mut Counts) -> RejectRow {
        RejectRow {
            source: String::new(),
            line: fault.number,
            offset: fault.offset,
            reason: fault.reason.to_string(),
            detail: String::new(),
            length: fault.length,
            excerpt: self.excerpt(&fault.head, redacted),
            sha256: fault.sha256.clone(),
            digest: 0,
        }
    }

    /// Returns drift in the ledger's form: one map of `what path` to count. Paths are redacted too, since anyone who
    /// writes an event chooses the names of its attributes.
    pub fn drift(&self, decoder: &mut Decoder) -> BTreeMap<String, u64> {
        let Drift { misfits, unknown, foreign_era, suspicious_time, odd_time, unusable_uid } = decoder.drift();
        let misfits = misfits.into_iter().map(|(path, count)| (format!("misfit {path}"), count));
        let unknown = unknown.into_iter().map(|(path, count)| (format!("unknown {path}"), count));
        let others = [
            ("foreign-era", foreign_era),
            ("suspicious-time", suspicious_time),
            ("odd-time", odd_time),
            ("unusable-uid", unusable_uid),
        ];
        let others = others.into_iter().map(|(name, count)| (name.to_string(), count));
        let all = misfits.chain(unknown).chain(others).filter(|(_, count)| *count > 0);
        all.map(|(what, count)| (self.policy.own(&what), count)).collect()
    }

    pub fn excerpt(&self, bytes: &[u8], redacted: &mut Counts) -> String {
        String::from_utf8_lossy(&self.policy.bytes(bytes, redacted)).into_owned()
    }
}

fn read(chunk: &Chunk) -> u64 {
    chunk.lines.len() as u64 + chunk.faults.len() as u64 + chunk.blank
}

fn sha256(bytes: &[u8]) -> String {
    Hash32::sha256(bytes).to_string()
}
