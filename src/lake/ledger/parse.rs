//! Reads entries of any format, so that a newer one is never taken for damage.

use serde::Deserialize;

use super::entry::{Body, Entry, KINDS};
use super::format::{FIRST, Format, SECOND, newer};
use crate::error::{Context, Error, Kind, Result};

/// Returns the format that an entry needs.
pub fn needed_by(body: &Body) -> Format {
    match body {
        Body::Create(_) | Body::Ingest(_) => FIRST,
        Body::Compact(_) | Body::Drop(_) | Body::Retain(_) | Body::Hold(_) | Body::Erase(_) => SECOND,
    }
}

/// The fields that every entry of every format has.
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

/// Reads entry `sequence` from the content of the file `name`.
pub fn parse(bytes: &[u8], sequence: u64, name: &str) -> Result<Entry> {
    if bytes.is_empty() {
        return Err(unreadable(name, sequence).caused_by("the file is empty"));
    }
    let parsed = serde_json::from_slice::<Entry>(bytes);
    let entry = match parsed {
        Ok(entry) => entry,
        Err(error) => {
            // A newer program may write fields that we do not even recognise; the constant part says so.
            if let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) {
                if let Some(format) = envelope.format {
                    format.check_readable(&envelope.writer)?;
                }
                // An older lake has no writer id: with one, the format was damaged.
                if envelope.sequence == 0 && envelope.format.is_none() && envelope.writer_id.is_none() {
                    return Err(without_format());
                }
                if !KINDS.contains(&envelope.kind.as_str()) {
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

/// Reads a file beside the ledger that is a copy of it.
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
        // A flipped bit in the name of the format, in an entry that is otherwise readable, and in one that is not.
        let first = r#"{"sequence":0,"time_ms":1,"writer":"auditlake 0.1.0","writer_id":"x","formau":1,"reads_from":1,
            "kind":"create","lake_id":"a","partition":"month","ocsf_version":"1.6.0","key_check":"c"}"#;
        for text in [first.to_string(), first.replace("lake_id", "lake_ie")] {
            assert_eq!(kind_of(&text, 0).0, Kind::Integrity, "{text}");
        }
    }
}
