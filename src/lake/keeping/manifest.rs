//! An archive's description of itself. All of it except the range follows from the ledger beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::files::file::{FileEntry, RowDigest};
use super::super::files::layout::Partition;
use super::super::ledger::entry::LakeInfo;
use super::anchor::Head;
use super::range::ArchiveRange;
use crate::error::{Context, Kind, Result};

/// The version of the form of archives.
const FORM: u32 = 1;

/// `archive.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub archive: u32,
    pub lake_id: String,
    pub partition: Partition,
    /// The first day, and the day after the last one, in UTC.
    pub since: String,
    pub until: String,
    /// The newest entry of the ledger that the archive has: the tables are as they were after it.
    pub entry: u64,
    pub entry_sha256: String,
    pub time_ms: i64,
    /// The content of each table in the range.
    pub tables: BTreeMap<String, Packed>,
}

/// The part of a table that is in the range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packed {
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    pub digest: RowDigest,
}

impl Manifest {
    pub fn of<'a>(
        range: &ArchiveRange,
        lake: &LakeInfo,
        head: &Head,
        files: impl IntoIterator<Item = &'a FileEntry>,
    ) -> Manifest {
        let mut tables: BTreeMap<String, Packed> = BTreeMap::new();
        for file in files {
            let packed = tables.entry(file.table().to_string()).or_default();
            packed.files += 1;
            packed.rows += file.rows;
            packed.bytes += file.bytes;
            packed.digest = packed.digest.plus(file.digest);
        }
        let (since, until) = range.days();
        Manifest {
            archive: FORM,
            lake_id: lake.lake_id.clone(),
            partition: lake.partition,
            since,
            until,
            entry: head.sequence,
            entry_sha256: head.sha256.clone(),
            time_ms: head.time_ms,
            tables,
        }
    }

    /// Returns the bytes of the member: the same manifest is never written in two ways.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes =
            serde_json::to_vec_pretty(self).context(Kind::Internal, || "cannot encode the manifest of an archive")?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the member; errors with the reason when it is not a manifest.
    pub fn parse(bytes: &[u8]) -> std::result::Result<(Manifest, ArchiveRange), String> {
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read: {error}"))?;
        if manifest.archive != FORM {
            return Err(format!("it is of form {}, which this version of auditlake does not know", manifest.archive));
        }
        match ArchiveRange::parse(manifest.partition, &manifest.since, &manifest.until) {
            Some(range) => Ok((manifest, range)),
            None => Err(format!("{} to {} are no whole partitions", manifest.since, manifest.until)),
        }
    }

    pub fn files(&self) -> u64 {
        self.tables.values().map(|packed| packed.files).sum()
    }

    pub fn rows(&self) -> u64 {
        self.tables.values().map(|packed| packed.rows).sum()
    }
}
