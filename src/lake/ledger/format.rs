//! The version of a lake's format: which programs may read it, and which may write to it.
//!
//! `format` is the version that an entry was written in; `reads_from` the lowest one that a program must know to read
//! the lake from that entry on. Both are in entry 0 and in each entry that raises one of them. A program that knows
//! less than `reads_from` would silently leave something out, so it stops; one that knows less than `format` may read,
//! but its entries would lack what the newer one keeps, so it does not write.

use serde::{Deserialize, Serialize};

use super::super::WRITER;
use crate::error::{Error, Kind, Result};

/// The format that this program knows. `lake-format.md` describes it.
pub const FORMAT: u32 = 2;

/// The format that a program must know to read everything that this one writes.
pub const READS_FROM: u32 = 2;

/// The format of a lake after some entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    pub format: u32,
    pub reads_from: u32,
}

/// The format of a lake in which files only come: every lake begins with it, and keeps it until files are compacted or
/// removed.
pub const FIRST: Format = Format { format: 1, reads_from: 1 };

/// The format of a lake in which files come and go: a program that does not know it would read rows twice.
pub const SECOND: Format = Format { format: FORMAT, reads_from: READS_FROM };

impl Format {
    /// Returns what must be raised when a writer of `other` adds to this lake.
    pub fn raised_by(self, other: Format) -> Option<Format> {
        let raised =
            Format { format: self.format.max(other.format), reads_from: self.reads_from.max(other.reads_from) };
        (raised != self).then_some(raised)
    }

    /// Errors with [`Kind::Unavailable`] when this program must not read what `writer` wrote.
    pub fn check_readable(self, writer: &str) -> Result<()> {
        if self.reads_from <= FORMAT {
            return Ok(());
        }
        Err(newer(writer, "read the lake"))
    }

    /// Errors with [`Kind::Unavailable`] when this program must not add to a lake of this format.
    pub fn check_writable(self, writer: &str) -> Result<()> {
        if self.format <= FORMAT {
            return Ok(());
        }
        Err(newer(writer, "write to the lake"))
    }
}

pub fn newer(writer: &str, what: &str) -> Error {
    Error::new(Kind::Unavailable, format!("cannot {what}: it was written by {writer}; this is {WRITER}"))
        .hint("upgrade this program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_may_be_read_may_still_not_be_written() {
        let newer = Format { format: FORMAT + 1, reads_from: READS_FROM };
        newer.check_readable("auditlake 9.0.0").unwrap();
        assert_eq!(newer.check_writable("auditlake 9.0.0").unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(newer.raised_by(FIRST), None);
        assert_eq!(FIRST.raised_by(newer), Some(newer));
    }
}
