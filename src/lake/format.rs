//! The version of a lake's format: which programs may read it, and which may write to it.
//!
//! `format` is the version that an entry was written in; `reads_from` the lowest one that a program must know to read
//! the lake from that entry on. Both stand in entry 0 and in each entry that raises one of them. A program that knows
//! less than `reads_from` would leave something out without a word, so it stops; one that knows less than `format` may
//! read, but what it wrote would lack what the newer one keeps, so it does not write.

use serde::{Deserialize, Serialize};

use super::WRITER;
use super::entry::{Body, Entry};
use crate::error::{Context, Error, Kind, Result};

/// The format that this program knows. `lake-format.md` describes it.
pub const FORMAT: u32 = 2;

/// What a program must know to read all that this one writes.
pub const READS_FROM: u32 = 2;

/// The format of a lake after some entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    pub format: u32,
    pub reads_from: u32,
}

/// A lake in which files only come: what it was first, and what it is as long as nothing was compacted or removed.
pub const FIRST: Format = Format { format: 1, reads_from: 1 };

/// A lake in which files come and go: a program that does not know it would read rows twice.
pub const SECOND: Format = Format { format: FORMAT, reads_from: READS_FROM };

/// The format that an entry needs.
pub fn needed_by(body: &Body) -> Format {
    match body {
        Body::Create(_) | Body::Ingest(_) => FIRST,
        Body::Compact(_) | Body::Drop(_) | Body::Retain(_) | Body::Hold(_) | Body::Erase(_) => SECOND,
    }
}

impl Format {
    /// What must be raised, when somebody who writes `other` adds to this lake.
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

fn newer(writer: &str, what: &str) -> Error {
    Error::new(Kind::Unavailable, format!("cannot {what}: it was written by {writer}; this is {WRITER}"))
        .hint("upgrade this program")
}

/// What every entry of every format has, whatever else it says.
#[derive(Deserialize)]
struct Envelope {
    sequence: u64,
    writer: String,
    kind: String,
    #[serde(default)]
    writer_id: Option<String>,
    #[serde(flatten)]
    format: Option<Format>,
}

/// Reads entry `sequence`, which stands in the file `name`.
pub fn parse(bytes: &[u8], sequence: u64, name: &str) -> Result<Entry> {
    if bytes.is_empty() {
        return Err(unreadable(name, sequence).caused_by("the file is empty"));
    }
    let parsed = serde_json::from_slice::<Entry>(bytes);
    let entry = match parsed {
        Ok(entry) => entry,
        Err(error) => {
            // A newer program may write what we do not even recognise; it says so in the part that never changes.
            if let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) {
                if let Some(format) = envelope.format {
                    format.check_readable(&envelope.writer)?;
                }
                // A lake that is older names no writer id: with one, the format was damaged.
                if envelope.sequence == 0 && envelope.format.is_none() && envelope.writer_id.is_none() {
                    return Err(without_format());
                }
                if !super::entry::KINDS.contains(&envelope.kind.as_str()) {
                    return Err(newer(
                        &envelope.writer,
                        &format!("read ledger entry {sequence} (`{}`)", envelope.kind),
                    ));
                }
            }
            return Err(unreadable(name, sequence).caused_by(error));
        }
    };
    if let Some(format) = entry.format {
        format.check_readable(&entry.writer)?;
    }
    if entry.sequence != sequence {
        return Err(Error::new(Kind::Integrity, format!("ledger entry {name} says it is entry {}", entry.sequence)));
    }
    if sequence == 0 && entry.format.is_none() {
        return Err(unreadable(name, sequence).caused_by("it names no format"));
    }
    Ok(entry)
}

fn unreadable(name: &str, sequence: u64) -> Error {
    let before = match sequence {
        0 => String::new(),
        _ => format!("; `--as-of {}` reads the lake as it was before", sequence - 1),
    };
    Error::new(Kind::Integrity, format!("cannot read ledger entry {name}"))
        .hint(format!("restore the file from a backup{before}"))
}

fn without_format() -> Error {
    Error::new(Kind::Unavailable, "cannot read the lake: it is older than the first fixed format of auditlake")
        .hint("name a new directory with `--lake DIR` and ingest the sources again")
}

/// Reads what stands beside the ledger and is a copy of it.
pub fn parse_copy<T: for<'de> Deserialize<'de>>(bytes: &[u8], name: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Head {
        writer: String,
        #[serde(flatten)]
        format: Format,
    }
    let cannot = || format!("cannot read {name}");
    let head: Head = serde_json::from_slice(bytes).context(Kind::Integrity, cannot)?;
    head.format.check_readable(&head.writer)?;
    serde_json::from_slice(bytes).context(Kind::Integrity, cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(text: &str, sequence: u64) -> (Kind, String) {
        let error = parse(text.as_bytes(), sequence, "x.json").unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn an_older_program_says_that_a_newer_one_wrote_and_never_that_data_is_damaged() {
        let newer = [
            r#"{"sequence":3,"writer":"auditlake 9.0.0","kind":"merge","format":9,"reads_from":9,"time_ms":1}"#,
            r#"{"sequence":3,"writer":"auditlake 9.0.0","kind":"merge","time_ms":1}"#,
            r#"{"sequence":3,"writer":"auditlake 9.0.0","kind":"create","format":9,"reads_from":9,"time_ms":1}"#,
            r#"{"sequence":3,"time_ms":1,"writer":"auditlake 9.0.0","writer_id":"x","kind":"ingest","sources":[],
                "counts":{"read":0,"accepted":0,"duplicate":0,"rejected":0,"blank":0},"files":[],
                "format":9,"reads_from":9,"removed_files":["a"]}"#,
        ];
        for text in newer {
            let (kind, message) = kind_of(text, 3);
            assert_eq!(kind, Kind::Unavailable, "{message}");
            assert!(message.contains("written by auditlake 9.0.0; this is auditlake"), "{message}");
        }
    }

    #[test]
    fn a_lake_without_a_format_is_refused_with_one_sentence() {
        let old = r#"{"sequence":0,"time_ms":1,"writer":"auditlake 0.1.0","kind":"create",
            "lake_id":"a","partition":"month","ocsf_version":"1.6.0"}"#;
        let (kind, message) = kind_of(old, 0);
        assert_eq!(kind, Kind::Unavailable);
        assert!(message.contains("older than the first fixed format"), "{message}");
    }

    #[test]
    fn what_is_no_entry_is_damage() {
        for text in ["", "{}", "\0\0\0", r#"{"sequence":3,"writer":"auditlake 0.1.0","kind":"ingest"}"#] {
            assert_eq!(kind_of(text, 3).0, Kind::Integrity, "{text}");
        }
        // A flipped bit in the name of the format, in an entry that can be read but for that, and in one that cannot.
        let first = r#"{"sequence":0,"time_ms":1,"writer":"auditlake 0.1.0","writer_id":"x","formau":1,"reads_from":1,
            "kind":"create","lake_id":"a","partition":"month","ocsf_version":"1.6.0","key_check":"c"}"#;
        for text in [first.to_string(), first.replace("lake_id", "lake_ie")] {
            assert_eq!(kind_of(&text, 0).0, Kind::Integrity, "{text}");
        }
    }

    #[test]
    fn a_format_that_may_be_read_may_still_not_be_written() {
        let newer = Format { format: FORMAT + 1, reads_from: READS_FROM };
        newer.check_readable("auditlake 9.0.0").unwrap();
        assert_eq!(newer.check_writable("auditlake 9.0.0").unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(newer.raised_by(FIRST), None);
        assert_eq!(FIRST.raised_by(newer), Some(newer));
    }
}
