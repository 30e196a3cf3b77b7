//! Receipts of rows that were removed, made from the ledger entry alone: so they can be made again at any time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::Lake;
use super::super::files::file::FileEntry;
use super::super::ledger::change::Paths;
use super::super::ledger::entry::{Body, Erased, Removed};
use crate::error::{Error, Result};

/// The receipt of one entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Receipt {
    /// `retain` or `erase`.
    pub receipt: &'static str,
    pub lake_id: String,
    /// The entry, and the SHA-256 of its bytes.
    pub entry: u64,
    pub entry_sha256: String,
    /// Milliseconds since 1970, and program and version.
    pub time_ms: i64,
    pub writer: String,
    /// How long each table is kept, and what was too old, microseconds since 1970.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub policy: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub before_us: BTreeMap<String, i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// For each table: rows that are gone, their digest, and rows that a hold kept.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<String, Removed>,
    /// Why identifiers were replaced, by what, and by table in how many rows, with their digests before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pseudonyms: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub erased: BTreeMap<String, Erased>,
    /// Files that are off the disk; the next field has those that hold the remaining rows.
    pub files_removed: Paths,
    pub files_written: Vec<Written>,
}

/// A file that was rewritten.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    pub table: String,
    pub path: String,
    pub rows: u64,
    pub sha256: String,
    pub digest: String,
}

impl Lake {
    /// Returns the receipt of an entry that removed rows.
    pub async fn receipt(&self, sequence: u64) -> Result<Receipt> {
        let (entry, entry_sha256) = self.entry(sequence).await?;
        let change = entry.body.change().cloned().unwrap_or_default();
        let mut receipt = Receipt {
            receipt: "retain",
            lake_id: self.state().lake.lake_id.clone(),
            entry: sequence,
            entry_sha256,
            time_ms: entry.time_ms,
            writer: entry.writer,
            files_written: change.files.iter().map(Written::of).collect(),
            files_removed: change.dropped,
            ..Receipt::default()
        };
        match entry.body {
            Body::Retain(retain) => {
                receipt.policy = retain.policy;
                receipt.before_us = retain.before_us;
                receipt.holds = retain.holds;
                receipt.removed = retain.removed;
            }
            Body::Erase(erase) => {
                receipt.receipt = "erase";
                receipt.reason = Some(erase.reason);
                receipt.pseudonyms = erase.pseudonyms;
                receipt.erased = erase.erased;
            }
            _ => {
                return Err(Error::input(format!(
                    "ledger entry {sequence} did not remove or replace anything in rows"
                ))
                .hint("`select sequence from ingest_log where kind in ('retain', 'erase')` lists those that did"));
            }
        }
        Ok(receipt)
    }
}

impl Written {
    fn of(file: &FileEntry) -> Written {
        Written {
            table: file.table().to_string(),
            path: file.path(),
            rows: file.rows,
            sha256: file.sha256.to_string(),
            digest: file.digest.to_string(),
        }
    }
}
