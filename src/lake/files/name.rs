//! The names of data files.

use crate::typed::{Hash32, hex, parse_hex};

/// The name of a file: the entry that added it, its number in that entry, its writer, and a piece of its hash.
///
/// The nonce is the writer's own, and different for each attempt: two writers that encode the same rows for the same
/// sequence must not take one file for the other, since the one that loses the race deletes its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileName {
    pub sequence: u64,
    pub part: u32,
    pub nonce: [u8; 6],
}

impl FileName {
    /// Returns the name within the partition's folder.
    pub fn with_hash(&self, sha256: &Hash32) -> String {
        self.with(&sha256.0[..8])
    }

    fn with(&self, hash: &[u8]) -> String {
        format!("{:010}-{:04}-{}-{}.parquet", self.sequence, self.part, hex(&self.nonce), hex(hash))
    }

    /// Reads a name, with the first eight bytes of the file's hash that it ends with.
    pub fn parse(name: &str) -> Option<(FileName, [u8; 8])> {
        let mut parts = name.strip_suffix(".parquet")?.split('-');
        let (sequence, part) = (parts.next()?, parts.next()?);
        let (nonce, hash) = (parse_hex(parts.next()?).ok()?, parse_hex(parts.next()?).ok()?);
        let read = FileName { sequence: sequence.parse().ok()?, part: part.parse().ok()?, nonce };
        // Only the spelling that we write is accepted: a path is later put together again from its parts.
        (read.with(&hash) == name).then_some((read, hash))
    }
}
