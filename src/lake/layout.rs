//! Where things lie in a lake: names of tables, partitions and files, and nothing else.
//!
//! ```text
//! <table>/event_month=2026-01/<sequence>-<part>-<16 hex of sha256>.parquet    <table>/_delta_log/
//! _ledger/00000000000000000042.json    _ledger/checkpoint-...json    _staging/    _key    _lock
//! ```

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, Utc};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

pub const LEDGER: &str = "_ledger";
pub const STAGING: &str = "_staging";
/// The files of `auditlake serve`: keys, and reads that are not committed yet.
pub const SERVE: &str = "_serve";
/// In the ledger's folder: the last entry that all tables are known to have taken in.
pub const APPLIED_HINT: &str = "_applied";
pub const KEY_FILE: &str = "_key";
pub const LOCK_FILE: &str = "_lock";
/// Locks and budgets of those who pull.
pub const PULL: &str = "_pull";

/// No event is believed that is later than the newest clock by more than this, a year.
const AHEAD_MS: i64 = 366 * 86_400_000;

/// The last time that is believed when the newest clock known says `now_ms`.
pub fn latest_time_ms(now_ms: i64) -> i64 {
    now_ms.saturating_add(AHEAD_MS)
}

/// How the tables of a lake are partitioned; chosen when the lake is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// `event_month=YYYY-MM`: audit volumes are thousands of rows a day, so days would give tiny files.
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

    /// The partition of all rows whose time is not believed: however they are spread, they are one file a batch.
    pub fn of_odd_times(self) -> &'static str {
        match self {
            Partition::Month => "0001-01",
            Partition::Day => "0001-01-01",
        }
    }

    /// The partition of an instant, in UTC. Microseconds beyond chrono's calendar (year 262143) share one partition.
    pub fn value(self, time_us: i64) -> String {
        let format = match self {
            Partition::Month => "%Y-%m",
            Partition::Day => "%Y-%m-%d",
        };
        let limit = if time_us < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        DateTime::from_timestamp_micros(time_us).unwrap_or(limit).format(format).to_string()
    }

    /// The first microsecond after the partition of an instant; `i64::MAX` at the end of chrono's calendar.
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

/// The path of ledger entry `sequence`.
pub fn entry_path(sequence: u64) -> Path {
    Path::from(format!("{LEDGER}/{sequence:020}.json"))
}

/// The path of the checkpoint that holds the state after entry `sequence`.
pub fn checkpoint_path(sequence: u64) -> Path {
    Path::from(format!("{LEDGER}/checkpoint-{sequence:020}.json"))
}

pub fn last_checkpoint_path() -> Path {
    Path::from(format!("{LEDGER}/_last_checkpoint"))
}

/// A data file's name within its partition.
pub fn file_name(sequence: u64, part: usize, sha256: &str) -> String {
    format!("{sequence:010}-{part:04}-{}.parquet", &sha256[..16])
}

/// A data file's path below the lake's root, given its path below its table.
pub fn data_path(table: &str, path: &str) -> Path {
    Path::from(format!("{table}/{path}"))
}

/// Where a data file waits until its entry is committed.
pub fn staging_path(table: &str, path: &str) -> Path {
    let name = path.rsplit('/').next().unwrap_or(path);
    Path::from(format!("{STAGING}/{table}-{name}"))
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
}
