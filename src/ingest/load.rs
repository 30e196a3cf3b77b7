//! The unit that the reader hands to the workers: a chunk of a large source, or very many small sources.
//!
//! Every hand-over makes columns of its own, some hundreds of them. Small sources share theirs, so that memory and time
//! follow the bytes read and not the number of files.

use std::sync::Arc;

use crate::source::{Chunk, Identity, Mark, Outcome};

/// A load of this size is worth its columns.
const LOAD_BYTES: usize = 1 << 20;

/// The most pieces of a load: sources are reported and forgotten, even those that have nothing new.
const LOAD_PIECES: usize = 1 << 10;

/// Pieces of sources, in the order in which they were read.
#[derive(Debug, Default)]
pub struct Load {
    pub pieces: Vec<Piece>,
    bytes: usize,
    /// Bytes of all files read so far, as they are stored; for the progress bar.
    pub raw_bytes: u64,
}

impl Load {
    pub fn push(&mut self, piece: Piece) {
        self.bytes += piece.chunk.as_ref().map_or(0, |chunk| chunk.bytes.len());
        self.pieces.push(piece);
    }

    /// Returns whether it is worth its columns, or as much as a batch of `batch_bytes`.
    pub fn is_large(&self, batch_bytes: u64) -> bool {
        self.pieces.len() >= LOAD_PIECES || self.bytes >= LOAD_BYTES || self.bytes as u64 >= batch_bytes
    }
}

/// A part of one source: its beginning, one chunk, its end.
#[derive(Debug, Default)]
pub struct Piece {
    pub begin: Option<Begin>,
    pub chunk: Option<Chunk>,
    pub end: Option<Outcome>,
}

/// The beginning of a source.
#[derive(Debug)]
pub struct Begin {
    pub name: Arc<str>,
    /// The place where the file can be found again, from any directory.
    pub url: Option<String>,
    /// Its first bytes, to recognise what it looks like if needed.
    pub head: Vec<u8>,
    pub resumed: Resumed,
}

impl Begin {
    /// Returns the beginning of a source that could not be opened.
    pub fn unread(name: Arc<str>) -> Begin {
        Begin { name, url: None, head: Vec::new(), resumed: Resumed::default() }
    }
}

/// The position from which a source continues.
#[derive(Debug, Clone, Default)]
pub struct Resumed {
    /// The position where an earlier run stopped.
    pub mark: Option<Mark>,
    /// None for a stream that cannot be read again.
    pub identity: Option<Identity>,
    /// The state in which an earlier run left it after reading it up to here.
    pub state: String,
}
