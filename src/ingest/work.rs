//! A chunk of lines becomes redacted rows and rejects.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::{self, Decoder, Drift, RowOrigin};
use crate::error::Result;
use crate::lake::{Hasher, RejectRow};
use crate::redact::{Counts, Policy};
use crate::schema::{EventBatch, Ocsf};
use crate::source::{Chunk, Fault, Mark};
use crate::typed::Hash32;

/// Bytes of a rejected line that are kept: enough for any real event to be taken in again after a fix.
const EXCERPT_BYTES: usize = 64 * 1024;

/// What each worker thread shares.
#[derive(Clone)]
pub struct Worker {
    pub ocsf: Arc<Ocsf>,
    pub policy: Arc<Policy>,
    /// Keys the hash of each line.
    pub lines: Hasher,
}

/// A chunk after decoding and redaction.
#[derive(Debug)]
pub struct Worked {
    pub events: Vec<EventBatch>,
    pub rejects: Vec<RejectRow>,
    /// Lines that the source split off, blank ones included.
    pub read: u64,
    pub blank: u64,
    /// Bytes of the (decompressed) stream.
    pub bytes: u64,
    /// Bytes of the file read so far, for the progress bar.
    pub raw_bytes: u64,
    pub end: Mark,
    pub redacted: Counts,
    pub drift: BTreeMap<String, u64>,
}

impl Worker {
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.ocsf.clone(), decode::Options { is_coded: true, ..decode::Options::default() })
    }

    pub fn work(&self, decoder: &mut Decoder, chunk: &Chunk, raw_bytes: u64) -> Result<Worked> {
        let mut redacted = Counts::default();
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
                    excerpt: self.excerpt(kept, &mut redacted),
                    sha256: (kept.len() < bytes.len()).then(|| sha256(bytes)),
                    digest: origin.digest,
                });
            }
        }
        rejects.extend(chunk.faults.iter().map(|fault| self.fault(fault, &mut redacted)));
        rejects.sort_by_key(|reject| reject.line);
        let mut events = decoder.flush();
        for batch in &mut events {
            batch.batch = self.policy.apply(batch.batch.clone(), &mut redacted)?;
        }
        Ok(Worked {
            events,
            read: chunk.lines.len() as u64 + chunk.faults.len() as u64 + chunk.blank,
            rejects,
            blank: chunk.blank,
            bytes: chunk.bytes.len() as u64,
            raw_bytes,
            end: chunk.end,
            redacted,
            drift: self.drift(decoder),
        })
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

    /// Drift as the ledger keeps it: one map of `what path` to count. Paths are redacted too, since whoever writes an event
    /// chooses the names of its attributes.
    pub fn drift(&self, decoder: &mut Decoder) -> BTreeMap<String, u64> {
        let Drift { misfits, unknown, foreign_era, suspicious_time, unusable_uid } = decoder.drift();
        let misfits = misfits.into_iter().map(|(path, count)| (format!("misfit {path}"), count));
        let unknown = unknown.into_iter().map(|(path, count)| (format!("unknown {path}"), count));
        let others =
            [("foreign-era", foreign_era), ("suspicious-time", suspicious_time), ("unusable-uid", unusable_uid)];
        let others = others.into_iter().map(|(name, count)| (name.to_string(), count));
        let all = misfits.chain(unknown).chain(others).filter(|(_, count)| *count > 0);
        all.map(|(what, count)| (self.policy.own(&what), count)).collect()
    }

    pub fn excerpt(&self, bytes: &[u8], redacted: &mut Counts) -> String {
        String::from_utf8_lossy(&self.policy.bytes(bytes, redacted)).into_owned()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Hash32::sha256(bytes).to_string()
}
