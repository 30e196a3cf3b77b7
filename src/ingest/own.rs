//! Lines that the program itself wrote, such as its log of reads: a batch like any other, without a stream to resume.

use std::sync::Arc;

use super::work::Worker;
use crate::decode::Times;
use crate::error::{Error, Kind, Result};
use crate::lake::{Arrived, Batch, Lake, Mark, SourceRange};
use crate::redact::Policy;
use crate::source::{Chunk, Line, Mark as SourceMark};

/// The origin of such lines in the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Producer {
    pub kind: &'static str,
    pub name: &'static str,
}

/// Makes one batch of whole lines; text after the last line feed was never acknowledged and is left out.
///
/// Ingesting the same lines twice adds nothing, as long as each has a uid.
pub fn batch_of_own(
    lake: &Lake,
    policy: &Arc<Policy>,
    redaction_version: &str,
    origin: Producer,
    mut bytes: Vec<u8>,
) -> Result<Batch> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(end);
    let mut lines = Vec::new();
    let mut start = 0;
    for newline in memchr::memchr_iter(b'\n', &bytes) {
        lines.push(Line { range: start..newline, number: lines.len() as u64 + 1, offset: start as u64 });
        start = newline + 1;
    }
    let number = lines.len() as u64;
    let end = SourceMark { offset: bytes.len() as u64, number, hash: [0; 32] };
    let worker = Worker {
        ocsf: lake.ocsf().clone(),
        policy: policy.clone(),
        lines: lake.hasher("line")?,
        times: Times::default(),
    };
    let chunk = Chunk { bytes, lines, faults: Vec::new(), blank: 0, end };
    let worked = worker.work(&mut worker.decoder(), &chunk)?;
    if let Some(reject) = worked.rejects.first() {
        let message = format!("cannot ingest line {} of our own: {} {}", reject.line, reject.reason, reject.detail);
        return Err(Error::new(Kind::Internal, message));
    }
    let source: Arc<str> = origin.name.into();
    let to = Mark { offset: end.offset, line: number, ..Mark::default() };
    Ok(Batch {
        events: worked.events.into_iter().map(|events| Arrived { source: source.clone(), events }).collect(),
        sources: vec![SourceRange {
            kind: origin.kind.to_string(),
            name: origin.name.to_string(),
            // Nothing will be resumed, so the state of the lake does not grow by it.
            head: None,
            to,
            state: "complete".to_string(),
            ..SourceRange::default()
        }],
        read: worked.read,
        redaction_version: redaction_version.to_string(),
        redacted: worked.redacted.iter().map(|(rule, count)| (rule.to_string(), count)).collect(),
        drift: worked.drift,
        ..Batch::default()
    })
}
