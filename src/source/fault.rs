//! Input that is not a line: enough to find it again and to distinguish it from others, never the whole of it.

use crate::typed::hex;
use sha2::{Digest, Sha256};

/// At most this many of a fault's first bytes are kept, for a reject's excerpt.
const HEAD_BYTES: usize = 4096;

/// A piece of the stream that cannot be an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub number: u64,
    /// The offset of the first byte in the decompressed stream.
    pub offset: u64,
    /// One of `line-too-long`, `nul-run`, `syntax`, `truncated`.
    pub reason: &'static str,
    /// In bytes, without the line ending.
    pub length: u64,
    /// The first bytes, as they came.
    pub head: Vec<u8>,
    /// The hash of the whole piece, as hexadecimal digits.
    pub sha256: Option<String>,
}

impl Fault {
    /// A fault whose bytes are all here.
    pub(super) fn of(bytes: &[u8], number: u64, offset: u64, reason: &'static str) -> Fault {
        let mut passing = Passing::new(number, offset, reason);
        passing.push(bytes);
        passing.finish(false)
    }
}

/// A fault whose bytes pass by and are not kept.
pub(super) struct Passing {
    fault: Fault,
    hash: Sha256,
    /// The last byte was a carriage return, which may belong to the line ending.
    holds_return: bool,
}

impl Passing {
    pub fn new(number: u64, offset: u64, reason: &'static str) -> Passing {
        let fault = Fault { number, offset, reason, length: 0, head: Vec::new(), sha256: None };
        Passing { fault, hash: Sha256::new(), holds_return: false }
    }

    pub fn set_reason(&mut self, reason: &'static str) {
        self.fault.reason = reason;
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let Some((last, before)) = bytes.split_last() else { return };
        if std::mem::take(&mut self.holds_return) {
            self.take(b"\r");
        }
        self.holds_return = *last == b'\r';
        self.take(if self.holds_return { before } else { bytes });
    }

    /// Ends the piece; with `trims` a carriage return at its end belongs to the line ending.
    pub fn finish(mut self, trims: bool) -> Fault {
        if self.holds_return && !trims {
            self.take(b"\r");
        }
        self.fault.sha256 = Some(hex(&self.hash.finalize()));
        self.fault
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.fault.head.len();
        self.fault.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.fault.length += bytes.len() as u64;
        self.hash.update(bytes);
    }
}
