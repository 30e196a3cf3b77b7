//! One Parquet file in the form that the ledger knows.
//!
//! A lake may have half a million of them, so the parts of a file's path are kept as numbers, and the path is put
//! together when it is needed.

use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::layout::{data_path, staging_path};
use super::name::FileName;
use crate::error::Result;
use crate::typed::{Hash32, parse_hex};

/// One Parquet file of a table.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Told", into = "Told")]
pub struct FileEntry {
    pub(in crate::lake) place: Arc<Place>,
    // Name and footer are kept apart: this way they need no padding.
    sequence: u64,
    part: u32,
    nonce: [u8; 6],
    footer_bytes: u32,
    footer_sha256: Hash32,
    pub rows: u64,
    pub bytes: u64,
    /// The hash of the whole file.
    pub sha256: Hash32,
    /// Smallest and greatest `time` of the rows, microseconds since the epoch.
    pub min_time_us: i64,
    pub max_time_us: i64,
    /// The digest over all columns of all rows, whatever their order: the same however the rows are encoded, sorted or
    /// split.
    pub digest: RowDigest,
}

/// The table and the partition that a file belongs to; files of one partition share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub table: String,
    /// The partition's folder: `event_month=2026-01`.
    pub folder: String,
    /// Bytes of the folder's name before the partition's value.
    prefix: u16,
}

/// The last bytes of a Parquet file: its metadata, their length and the magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    pub bytes: u32,
    pub sha256: Hash32,
}

/// The digest of some rows, a number modulo 2^128 that can be added up; `lake-format.md` defines it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RowDigest([u8; 16]);

impl RowDigest {
    /// Returns the digest of these rows and those.
    pub fn plus(self, other: RowDigest) -> RowDigest {
        RowDigest::from(self.value().wrapping_add(other.value()))
    }

    /// Returns the digest of these rows without those, which are among them.
    pub fn minus(self, other: RowDigest) -> RowDigest {
        RowDigest::from(self.value().wrapping_sub(other.value()))
    }

    fn value(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    pub fn from_bytes(bytes: [u8; 16]) -> RowDigest {
        RowDigest(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::iter::Sum for RowDigest {
    fn sum<I: Iterator<Item = RowDigest>>(digests: I) -> RowDigest {
        digests.fold(RowDigest::default(), RowDigest::plus)
    }
}

impl Serialize for RowDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<RowDigest, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes =
            parse_hex(&text).map_err(|_| serde::de::Error::custom(format!("`{text}` is not a digest of rows")))?;
        Ok(RowDigest(bytes))
    }
}

impl From<u128> for RowDigest {
    fn from(value: u128) -> RowDigest {
        RowDigest(value.to_be_bytes())
    }
}

impl fmt::Display for RowDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.value())
    }
}

impl fmt::Debug for RowDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Place {
    /// Makes a place; `column` is the partition's.
    pub fn new(table: &str, column: &str, partition: &str) -> Place {
        Place { table: table.to_string(), folder: format!("{column}={partition}"), prefix: (column.len() + 1) as u16 }
    }

    pub fn partition(&self) -> &str {
        &self.folder[usize::from(self.prefix)..]
    }
}

/// The table and partition that the rows of a file belong to.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    pub table: &'a str,
    /// The partition's column and its value.
    pub column: &'a str,
    pub partition: &'a str,
}

impl FileEntry {
    /// Makes an entry for the file that has these bytes.
    pub fn of(
        home: Home<'_>,
        name: FileName,
        bytes: &[u8],
        rows: u64,
        (min_time_us, max_time_us): (i64, i64),
        digest: RowDigest,
    ) -> Result<FileEntry> {
        let file = Parts {
            place: Arc::new(Place::new(home.table, home.column, home.partition)),
            name,
            footer: Footer::of(bytes)?,
            rows,
            bytes: bytes.len() as u64,
            sha256: Hash32::sha256(bytes),
            min_time_us,
            max_time_us,
            digest,
        };
        Ok(file.into())
    }

    /// Returns the parts of the file's name.
    pub fn name(&self) -> FileName {
        FileName { sequence: self.sequence, part: self.part, nonce: self.nonce }
    }

    /// Returns the end of the file, where a reader begins.
    pub fn footer(&self) -> Footer {
        Footer { bytes: self.footer_bytes, sha256: self.footer_sha256 }
    }

    pub fn table(&self) -> &str {
        &self.place.table
    }

    pub fn partition(&self) -> &str {
        self.place.partition()
    }

    /// Returns the path below the table's folder: `event_month=2026-01/...parquet`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.place.folder, self.file_name())
    }

    /// Returns the same file under another name.
    pub fn renamed(&self, name: FileName) -> FileEntry {
        FileEntry { sequence: name.sequence, part: name.part, nonce: name.nonce, ..self.clone() }
    }

    /// Returns the path below the lake's root.
    pub fn data_path(&self) -> Path {
        data_path(self.table(), &self.path())
    }

    /// Returns where the file waits until its entry is committed.
    pub fn staging_path(&self) -> Path {
        staging_path(self.table(), &self.file_name())
    }

    fn file_name(&self) -> String {
        self.name().with_hash(&self.sha256)
    }
}

/// The parts of a [`FileEntry`].
pub(in crate::lake) struct Parts {
    pub place: Arc<Place>,
    pub name: FileName,
    pub footer: Footer,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: Hash32,
    pub min_time_us: i64,
    pub max_time_us: i64,
    pub digest: RowDigest,
}

impl From<Parts> for FileEntry {
    fn from(parts: Parts) -> FileEntry {
        let Parts { place, name, footer, rows, bytes, sha256, min_time_us, max_time_us, digest } = parts;
        let FileName { sequence, part, nonce } = name;
        let (footer_bytes, footer_sha256) = (footer.bytes, footer.sha256);
        FileEntry {
            place,
            sequence,
            part,
            nonce,
            footer_bytes,
            footer_sha256,
            rows,
            bytes,
            sha256,
            min_time_us,
            max_time_us,
            digest,
        }
    }
}

/// Shows a file as people name it: `authentication/event_month=2026-01/...parquet`.
impl fmt::Display for FileEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table(), self.path())
    }
}

impl fmt::Debug for FileEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({} rows, {} bytes, sha256 {})", self.rows, self.bytes, self.sha256)
    }
}

/// A file as an entry writes it.
#[derive(Serialize, Deserialize)]
struct Told {
    table: String,
    path: String,
    partition: String,
    rows: u64,
    bytes: u64,
    sha256: Hash32,
    footer: Footer,
    min_time_us: i64,
    max_time_us: i64,
    digest: String,
}

impl From<FileEntry> for Told {
    fn from(file: FileEntry) -> Told {
        Told {
            path: file.path(),
            table: file.place.table.clone(),
            partition: file.partition().to_string(),
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256,
            footer: file.footer(),
            min_time_us: file.min_time_us,
            max_time_us: file.max_time_us,
            digest: file.digest.to_string(),
        }
    }
}

impl TryFrom<Told> for FileEntry {
    type Error = String;

    fn try_from(told: Told) -> std::result::Result<FileEntry, String> {
        let wrong = || format!("`{}` is not the path of a data file", told.path);
        let (folder, name) = told.path.split_once('/').ok_or_else(wrong)?;
        let (column, partition) = folder.split_once('=').ok_or_else(wrong)?;
        let (name, hash) = FileName::parse(name).ok_or_else(wrong)?;
        if partition != told.partition || hash != told.sha256.0[..8] {
            return Err(wrong());
        }
        let digest: [u8; 16] =
            parse_hex(&told.digest).map_err(|_| format!("`{}` is not a digest of rows", told.digest))?;
        let parts = Parts {
            place: Arc::new(Place::new(&told.table, column, partition)),
            name,
            footer: told.footer,
            rows: told.rows,
            bytes: told.bytes,
            sha256: told.sha256,
            min_time_us: told.min_time_us,
            max_time_us: told.max_time_us,
            digest: RowDigest(digest),
        };
        Ok(parts.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_and_read_back_and_small_in_memory() {
        let file: FileEntry = Parts {
            place: Arc::new(Place::new("authentication", "event_month", "2026-01")),
            name: FileName { sequence: 42, part: 3, nonce: [1, 2, 3, 4, 0, 5] },
            rows: 7,
            bytes: 1000,
            sha256: Hash32::sha256(b"file"),
            footer: Footer { bytes: 300, sha256: Hash32::sha256(b"footer") },
            min_time_us: -1,
            max_time_us: 1,
            digest: RowDigest::from(255),
        }
        .into();
        let text = serde_json::to_string(&file).unwrap();
        assert!(text.contains(r#""path":"event_month=2026-01/0000000042-0003-010203040005-"#), "{text}");
        assert!(text.contains(r#""digest":"000000000000000000000000000000ff""#), "{text}");
        assert_eq!(serde_json::from_str::<FileEntry>(&text).unwrap(), file);
        for (from, to) in [("0000000042", "42"), ("-0003-", "-3-"), (".parquet", ".txt"), ("2026-01/", "2026-02/")] {
            assert!(serde_json::from_str::<FileEntry>(&text.replace(from, to)).is_err(), "{to}");
        }
        // Half a million of them are in memory when a lake of a hundred thousand commits is opened.
        assert!(size_of::<FileEntry>() <= 144, "{}", size_of::<FileEntry>());
    }
}
