//! The depth of a check of a lake, and its progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// The depth of a check; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "u8")]
pub enum Level {
    /// The chain of entries, and that all files exist and no others.
    Chain,
    /// Sizes and footers, and the Delta tables.
    Files,
    /// The SHA-256 of each file.
    Bytes,
    /// Rows: their number, their digests, and that no event occurs twice.
    Rows,
}

impl From<Level> for u8 {
    fn from(level: Level) -> u8 {
        level as u8
    }
}

/// The progress of a check.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    done: Arc<AtomicU64>,
    /// Bytes of all files; known once the ledger was read.
    pub(super) all: Arc<AtomicU64>,
}

impl Progress {
    pub fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the bytes of checked files, and of all.
    pub fn bytes(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed))
    }
}
