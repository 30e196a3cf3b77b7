//! Bytes arrive and leave as lines: files, standard input and API answers, whatever form they have.
//!
//! ```text
//! file, stdin -> inflate (plain, gzip, zstd, bzip2, xz) -> sniff -> lines  (NDJSON) -> Chunk { bytes, lines, faults }
//!     parquet (rows as lines) -^                                 -> values (arrays, pages, concatenated JSON)
//!                                                                -> foreign (refused by name)
//! ```
//!
//! What is not an event may be an envelope around some: then these are the lines.
//!
//! A chunk is one contiguous piece of the decompressed stream, owned, so that it can go to a worker thread; its lines
//! are ranges of it. Whatever is not a line is counted: blank lines by number, damage as a [`Fault`], so that the
//! number of the last line equals lines + faults + blanks. Memory is bounded by the chunk size and the longest line
//! that is allowed, whatever the input. All of it is synchronous: a source runs on a thread of its own.

mod api;
mod blocks;
mod bzip2;
mod envelope;
mod fault;
mod gzip;
mod inflate;
mod input;
mod lines;
mod look;
mod magic;
mod names;
mod parquet;
mod pass;
mod pump;
mod reader;
mod resume;
mod sniff;
mod values;
mod xz;
mod zstd;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use api::{
    Budget, Client, Endpoint, Environment, Failure, Gate, Key, KeySource, Limits, Page, PageRequest, Recorder,
    Recording, Refusal, Taped, ask, read_secret,
};
pub use blocks::Blocks;
use envelope::inner_events;
pub use fault::Fault;
pub use input::{Input, Inputs, Search, Unreadable, expand};
pub use look::look;
pub use reader::Source;

/// Bounds of one source.
#[derive(Debug, Clone)]
pub struct Options {
    /// The size of a chunk, about, in bytes.
    pub chunk_bytes: usize,
    /// A longer line is a fault, and is never in memory as a whole.
    pub max_line_bytes: usize,
    /// Decompressed bytes per compressed byte above which a source is taken for a bomb, once it gave 64 MiB.
    pub max_ratio: u64,
    /// Decompressed bytes that one compressed source may give.
    pub max_output: Option<u64>,
    /// The end of a file is its end: what is not whole there will not become so, and is a fault.
    pub is_final: bool,
}

impl Default for Options {
    fn default() -> Self {
        // Measured: what a chunk costs besides its lines (columns that begin anew, dictionaries that learn the same texts
        // again) makes chunks of 4 MiB a tenth dearer than these; 32 MiB are no better.
        Options { chunk_bytes: 16 << 20, max_line_bytes: 16 << 20, max_ratio: 1000, max_output: None, is_final: false }
    }
}

/// A contiguous piece of the decompressed stream, with its lines.
///
/// `bytes` has at least [`SPARE_BYTES`] of capacity after its end.
#[derive(Debug)]
pub struct Chunk {
    pub bytes: Vec<u8>,
    pub lines: Vec<Line>,
    pub faults: Vec<Fault>,
    /// Lines of nothing but white space.
    pub blank: u64,
    /// Where the source is after this chunk.
    pub end: Mark,
}

/// The JSON parser reads whole vectors, beyond the end of a short line.
pub const SPARE_BYTES: usize = 64;

/// One event's bytes, without line ending, separators and envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// In the chunk's bytes.
    pub range: Range<usize>,
    /// Running number in the source, from 1; faults and blank lines have one too.
    pub number: u64,
    /// The offset of the first byte in the decompressed stream.
    pub offset: u64,
}

/// A place in a source that a later run can find again, in this file or in another one that begins with the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Decompressed bytes up to the end of the last whole line. What a file ends with that is not whole lies after it,
    /// so that it is read again when the rest has arrived.
    pub offset: u64,
    /// Lines so far, with blanks and faults.
    pub number: u64,
    /// BLAKE3 of the decompressed stream from its start to `offset`.
    pub hash: [u8; 32],
}

/// The identity of a source: SHA-256 of its first `head_len` decompressed bytes, at most 4096.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub head_len: u64,
    pub head: [u8; 32],
}

/// How a source ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Complete,
    /// `reason` is one of `pending`, `truncated`, `corrupt`, `bomb`, `unterminated`, `unreadable`, `refused`.
    Incomplete {
        reason: &'static str,
        detail: String,
    },
}
