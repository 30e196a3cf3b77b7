//! The layout of a lake: names of tables, partitions and files, and nothing else.
//!
//! ```text
//! <table>/event_month=2026-01/<sequence>-<part>-<nonce>-<16 hex of sha256>.parquet
//! <table>/_delta_log/00000000000000000007.json
//! _ledger/00000000000000000042.json    _ledger/checkpoint-<sequence>-<16 hex of sha256>.json
//! _staging/<table>-<name of a data file>    _key    _lock
//! _replaced/<table>/event_month=2026-01/<name of a data file>
//! _anchors/00000000000000000003.json
//! _facts/<64 hex of a data file's sha256>-<what its facts are>.parquet
//! _fingerprints/<rows>-<16 hex>.bin
//! ```

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, Utc};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::name::FileName;
use crate::typed::{Hash32, hex};

pub const LEDGER: &str = "_ledger";
pub const STAGING: &str = "_staging";
/// The files of `auditlake serve`: keys, and reads that are not committed yet.
pub const SERVE: &str = "_serve";
/// Heads of the ledger that were recorded elsewhere, and the answers from there.
pub const ANCHORS: &str = "_anchors";
/// Files that are derived from data files: a cache, which no ledger entry names. Whoever removes a data file also
/// removes what was derived from it.
pub const FACTS: &str = "_facts";
/// Fingerprints of rows, by which batches are looked up: a cache, which no ledger entry names. Whoever takes a data file out
/// of its table takes its fingerprints away.
pub const FINGERPRINTS: &str = "_fingerprints";
/// The folder of the Delta log in each table.
pub const DELTA_LOG: &str = "_delta_log";
pub const KEY_FILE: &str = "_key";
pub const LOCK_FILE: &str = "_lock";
/// Files that left their tables, where readers of older states still find them.
pub const REPLACED: &str = "_replaced";
/// Locks and budgets of pulls.
pub const PULL: &str = "_pull";

/// Returns the path of an anchor.
pub fn anchor_path(sequence: u64) -> Path {
    Path::from(format!("{ANCHORS}/{sequence:020}.json"))
}

/// The tolerance for future events, a year: one that is later than the newest clock by more is not believed.
const AHEAD_MS: i64 = 366 * 86_400_000;

/// Returns the last time that is believed when the newest clock known says `now_ms`.
pub fn latest_time_ms(now_ms: i64) -> i64 {
    now_ms.saturating_add(AHEAD_MS)
}

/// How the tables of a lake are partitioned; chosen when the lake is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// `event_month=YYYY-MM`: audit volumes are thousands of rows per day, so days would give tiny files.
    #[default]
    Month,
    /// `event_day=YYYY-MM-DD`.
    Day,
}

impl Partition {
    pub fn column(self) -> &'static str {
        match self {
            Partition::Month => "event_month",
            Partition::Day => "event_day",
        }
    }

    /// Returns the meaning of the partition's column.
    pub fn comment(self) -> &'static str {
        match self {
            Partition::Month => "Month. The month of `time` in UTC, by which the files are laid out.",
            Partition::Day => "Day. The day of `time` in UTC, by which the files are laid out.",
        }
    }

    /// Returns the partition of all rows whose time is not believed: however they are spread, they make one file per batch.
    pub fn of_odd_times(self) -> &'static str {
        match self {
            Partition::Month => "0001-01",
            Partition::Day => "0001-01-01",
        }
    }

    /// Returns the partition of an instant, in UTC. Microseconds beyond chrono's calendar (year 262143) share one
    /// partition.
    pub fn value(self, time_us: i64) -> String {
        let format = match self {
            Partition::Month => "%Y-%m",
            Partition::Day => "%Y-%m-%d",
        };
        let limit = if time_us < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        DateTime::from_timestamp_micros(time_us).unwrap_or(limit).format(format).to_string()
    }

    /// Returns the first microsecond after the partition of an instant; `i64::MAX` at the end of chrono's calendar.
    pub fn end(self, time_us: i64) -> i64 {
        let end = DateTime::from_timestamp_micros(time_us).and_then(|time| {
            let day = time.date_naive();
            match self {
                Partition::Month => day.with_day(1)?.checked_add_months(Months::new(1)),
                Partition::Day => day.checked_add_days(Days::new(1)),
            }
        });
        match end {
            Some(day) => day.and_time(NaiveTime::MIN).and_utc().timestamp_micros(),
            // Out of the calendar: everything below it shares one partition, everything above another.
            None if time_us < 0 => DateTime::<Utc>::MIN_UTC.timestamp_micros(),
            None => i64::MAX,
        }
    }
}

/// The accounts that may read a lake beside its owner; chosen when the lake is created. Its own secrets are always private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    #[default]
    Owner,
    Group,
    World,
}

impl Access {
    pub fn is_owner(&self) -> bool {
        *self == Access::Owner
    }

    pub fn file_mode(self) -> u32 {
        match self {
            Access::Owner => 0o600,
            Access::Group => 0o640,
            Access::World => 0o644,
        }
    }

    pub fn folder_mode(self) -> u32 {
        match self {
            Access::Owner => 0o700,
            Access::Group => 0o750,
            Access::World => 0o755,
        }
    }
}

/// Returns the path of ledger entry `sequence`.
pub fn entry_path(sequence: u64) -> Path {
    Path::from(format!("{LEDGER}/{sequence:020}.json"))
}

/// Returns the sequence of the entry that a file of this name holds.
pub fn entry_sequence(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// Returns the path of a part of a checkpoint, which is named by its own hash.
pub fn checkpoint_part(sequence: u64, sha256: &Hash32, suffix: &str) -> Path {
    let hash = hex(&sha256.0[..8]);
    Path::from(format!("{LEDGER}/{CHECKPOINT}{sequence:020}-{hash}.{suffix}"))
}

/// Returns the entry to whose state a file of this name, or a part of it, belongs.
pub fn checkpoint_sequence(name: &str) -> Option<u64> {
    name.strip_prefix(CHECKPOINT)?.split('-').next()?.parse().ok()
}

const CHECKPOINT: &str = "checkpoint-";

/// Returns a data file's path below the lake's root, given its path below its table.
pub fn data_path(table: &str, path: &str) -> Path {
    Path::from(format!("{table}/{path}"))
}

/// Returns where a data file is that left its table.
pub fn replaced_path(table: &str, path: &str) -> Path {
    Path::from(format!("{REPLACED}/{table}/{path}"))
}

/// Returns the same for a path below the lake's root; `None` for one that is not a data file's.
pub fn set_aside(path: &Path) -> Option<Path> {
    let mut parts = path.as_ref().split('/');
    let (table, folder, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_data = parts.next().is_none() && folder.contains('=') && FileName::parse(name).is_some();
    is_data.then(|| replaced_path(table, &format!("{folder}/{name}")))
}

/// Returns where a data file waits until its entry is committed.
pub fn staging_path(table: &str, name: &str) -> Path {
    Path::from(format!("{STAGING}/{table}-{name}"))
}

/// Returns the table and the data file that a file of this name in `_staging/` will become.
pub fn staged(name: &str) -> Option<(&str, FileName)> {
    // No table has a `-` in its name.
    let (table, name) = name.split_once('-')?;
    FileName::parse(name).map(|(name, _)| (table, name))
}

/// Returns the path of the facts of a data file that were made by one definition.
pub fn fact_path(data: &Hash32, definition: &str) -> Path {
    Path::from(format!("{FACTS}/{data}-{definition}.parquet"))
}

/// Returns the path of a file with the fingerprints of `rows` rows, named by a hash of its bytes.
pub fn fingerprints_path(rows: u64, hash: u64) -> Path {
    Path::from(format!("{FINGERPRINTS}/{rows:010}-{hash:016x}.bin"))
}

/// Returns the number of rows that a file of this name has fingerprints of.
pub fn fingerprints_rows(name: &str) -> Option<u64> {
    name.strip_suffix(".bin")?.split_once('-')?.0.parse().ok()
}

/// Returns the path of version `version` of a table's Delta log.
pub fn delta_path(table: &str, version: u64) -> Path {
    Path::from(format!("{table}/{DELTA_LOG}/{version:020}.json"))
}

/// Returns the version that a file of this name in a Delta log is.
pub fn delta_version(name: &str) -> Option<u64> {
    entry_sequence(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_utc_dates_at_every_edge() {
        let new_year = 1_767_225_600_000_000;
        assert_eq!(Partition::Month.value(new_year), "2026-01");
        assert_eq!(Partition::Month.value(new_year - 1), "2025-12");
        assert_eq!(Partition::Day.value(new_year), "2026-01-01");
        assert_eq!(Partition::Month.value(1_767_225_600_000), "1970-01");
        assert_eq!(Partition::Month.end(new_year - 1), new_year);
        assert_eq!(Partition::Day.end(new_year), new_year + 86_400_000_000);
        assert_eq!(Partition::Month.end(i64::MAX - 1), i64::MAX);
        assert!(!Partition::Month.value(i64::MAX).is_empty());
        assert!(!Partition::Month.value(i64::MIN).is_empty());
    }

    #[test]
    fn names_are_read_as_they_are_made() {
        let checkpoint = checkpoint_part(7, &Hash32::sha256(b"x"), "json");
        assert_eq!(checkpoint_sequence(checkpoint.filename().unwrap()), Some(7));
        assert_eq!(entry_sequence(entry_path(42).filename().unwrap()), Some(42));
        for other in ["42.json", "0000000000000000004x.json", "00000000000000000042.json.bak", "checkpoint-7.json"] {
            assert_eq!(entry_sequence(other), None, "{other}");
        }
        let name = FileName { sequence: 12, part: 3, nonce: [9; 6] };
        let path = staging_path("user_access", &name.with_hash(&Hash32::sha256(b"x")));
        assert_eq!(staged(path.filename().unwrap()), Some(("user_access", name)));
        assert_eq!(staged("left-3"), None);
    }
}
