//! Options of an ingest: the size of batches, threads, and the limit of rejects.

use std::time::Duration;

use crate::source;

/// Options of an ingest.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of input that make a batch: more make fewer and better compressed files, and take more memory.
    pub batch_bytes: u64,
    /// A batch is committed at this age even when it is small, so that a slow stream becomes visible.
    pub batch_age: Duration,
    /// Threads that decode, and files that are encoded at the same time.
    pub threads: usize,
    pub source: source::Options,
    /// More rejects than this stop the run: it is clearly the wrong file.
    pub max_rejects: Option<RejectLimit>,
    /// Events with an impossible time are stored as they were sent, and are not rejects.
    pub keep_odd_times: bool,
}

/// The limit of rejects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RejectLimit {
    Count(u64),
    /// A share of the lines read, 0 to 1; it applies from the 1000th line on.
    Share(f64),
}

impl RejectLimit {
    pub fn is_exceeded(self, rejects: u64, lines: u64) -> bool {
        match self {
            RejectLimit::Count(limit) => rejects > limit,
            RejectLimit::Share(share) => lines >= 1000 && rejects as f64 > share * lines as f64,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            batch_bytes: 64 << 20,
            batch_age: Duration::from_secs(10),
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            source: source::Options::default(),
            max_rejects: None,
            keep_odd_times: false,
        }
    }
}
