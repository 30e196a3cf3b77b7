//! The names of files: whether a directory's file holds events, and which of a log's rotated files is older.
//!
//! Rotation puts a suffix after the ending of a log, and compression another one behind that. These are those of
//! logrotate (`audit.log.1`, `audit.log-20260101`, `audit.log.2.gz`), Docker (`json.log.1.gz`) and Kubernetes
//! (`0.log.20260101-120000.gz`).

use std::cmp::Reverse;

/// A file that is named by itself may be called anything.
pub(super) const ENDINGS: [&str; 5] = [".json", ".jsonl", ".ndjson", ".log", ".parquet"];
pub(super) const COMPRESSED: [&str; 5] = [".gz", ".zst", ".zstd", ".xz", ".bz2"];

/// The parts of a name, in lower case: the log, and the place of the file among its rotated ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Without rotation and compression.
    log: String,
    age: Age,
    whole: String,
}

/// Oldest first: what a date was put on, what was numbered, what is still written to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Dated(Vec<u64>),
    Numbered(Reverse<Vec<u64>>),
    Live,
}

impl Name {
    pub fn new(name: &str) -> Name {
        let whole = name.to_lowercase();
        let (log, age) = split(&whole).unwrap_or((&whole, Age::Live));
        Name { log: log.to_string(), age, whole }
    }

    /// Whether a file of this name, found in a directory, is expected to hold events.
    pub fn has_events(&self) -> bool {
        ENDINGS.iter().any(|ending| self.log.ends_with(ending))
    }
}

/// A log's own name and the age of one of its files; none when no part of the name is a known ending.
fn split(name: &str) -> Option<(&str, Age)> {
    let name = inflated(name);
    if is_log(name) {
        return Some((name, Age::Live));
    }
    let is_rotation =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_' | b':' | b't' | b'z' | b'+');
    let suffix = name.bytes().rposition(|byte| !is_rotation(byte)).map_or(0, |last| last + 1);
    let bytes = name.as_bytes();
    let starts = (suffix..name.len().saturating_sub(1))
        .filter(|&at| matches!(bytes[at], b'.' | b'-' | b'_') && bytes[at + 1].is_ascii_digit());
    for at in starts {
        let log = inflated(&name[..at]);
        if is_log(log) {
            return Some((log, age(&name[at..])));
        }
    }
    None
}

fn inflated(name: &str) -> &str {
    COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

fn is_log(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn age(rotation: &str) -> Age {
    let parts = rotation.split(|char: char| !char.is_ascii_digit()).filter(|part| !part.is_empty());
    let numbers: Vec<u64> = parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect();
    // A year at least: nobody keeps a thousand numbered files.
    if numbers.first().is_some_and(|first| *first >= 1000) {
        Age::Dated(numbers)
    } else {
        Age::Numbered(Reverse(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_logs_are_logs_in_any_case() {
        for name in [
            "a.log",
            "a.JSON",
            "a.log.1",
            "a.LOG.12.GZ",
            "a.log-20260101",
            "a.log-20260101.gz",
            "a.log.20260101.xz",
            "a.json-2026-01-01T00:00:00Z.bz2",
            "a.log-20260101-1767225600",
            "a.log.gz.1",
            "0.log.20260101-120000.gz",
            "c0ffee-json.log.1.zst",
            "part-0.snappy.parquet",
            "a-20260101.ndjson.gz",
        ] {
            assert!(Name::new(name).has_events(), "{name}");
        }
        for name in [
            "notes.txt",
            "x.bak",
            "a.log.bak",
            "a.log.old.gz",
            "a.gz",
            "1.2",
            "json",
            "a.logs",
            "a.log-",
            "a.log.x1",
            "",
        ] {
            assert!(!Name::new(name).has_events(), "{name}");
        }
    }

    #[test]
    fn rotated_files_come_oldest_first_and_other_files_by_name() {
        let oldest_first = [
            "a.json",
            "audit.log-20251231.gz",
            "audit.log-20260101",
            "audit.log.20260101.1",
            "audit.log.10.gz",
            "audit.LOG.9",
            "audit.log.1",
            "audit.log",
            "part-0001.json",
            "part-0002.json",
            "part-0010.json",
        ];
        let mut names = oldest_first;
        names.reverse();
        names.sort_by_cached_key(|name| Name::new(name));
        assert_eq!(names, oldest_first);
    }
}
