//! The range of an archive: whole partitions that are over.

use chrono::{DateTime, NaiveDate, NaiveTime};

use super::super::files::layout::Partition;
use crate::error::{Error, Result};

/// Some consecutive partitions, all of them over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveRange {
    partition: Partition,
    since_us: i64,
    until_us: i64,
}

impl ArchiveRange {
    /// Makes a range. Errors when it cuts a partition, has none, or is not over at `now_us`: such an archive would
    /// leave out requested rows, or would be different tomorrow.
    pub fn of(partition: Partition, since_us: i64, until_us: i64, now_us: i64) -> Result<ArchiveRange> {
        let unit = match partition {
            Partition::Month => "month",
            Partition::Day => "day",
        };
        for (flag, time_us) in [("--since", since_us), ("--until", until_us)] {
            let (before, after) = bounds(partition, time_us);
            if time_us != before {
                let (value, before, after) = (partition.value(time_us), date(before), date(after));
                return Err(Error::usage(format!(
                    "{flag} cuts the {unit} {value}, and an archive has whole partitions"
                ))
                .hint(format!("this lake has one partition per {unit}: write {flag} {before} or {flag} {after}")));
            }
        }
        if since_us >= until_us {
            return Err(Error::usage("the range of the archive ends before it begins"));
        }
        if until_us > now_us {
            return Err(Error::usage(format!("the range of the archive is not over before {}", date(until_us)))
                .hint(format!("events of it can still come: write --until {}", date(bounds(partition, now_us).0))));
        }
        Ok(ArchiveRange { partition, since_us, until_us })
    }

    /// Reads the range of a manifest; `None` when it is invalid.
    pub fn parse(partition: Partition, since: &str, until: &str) -> Option<ArchiveRange> {
        let micros = |text: &str| {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
        };
        ArchiveRange::of(partition, micros(since)?, micros(until)?, i64::MAX).ok()
    }

    /// Returns whether rows of the partition with this value are in the range. Those whose time is not believed never are.
    pub fn has(&self, value: &str) -> bool {
        let of = |time_us: i64| self.partition.value(time_us);
        value != self.partition.of_odd_times()
            && value >= of(self.since_us).as_str()
            && value < of(self.until_us).as_str()
    }

    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// Returns the first day, and the day after the last one.
    pub fn days(&self) -> (String, String) {
        (date(self.since_us), date(self.until_us))
    }

    /// Returns the folder that all members of the archive are in.
    pub fn folder(&self) -> String {
        format!("auditlake-{}-{}", date(self.since_us), date(self.until_us))
    }
}

/// Returns the beginning of the partition that a time is in, and its end.
fn bounds(partition: Partition, time_us: i64) -> (i64, i64) {
    let begin = DateTime::from_timestamp_micros(time_us).map(|time| match partition {
        Partition::Month => format!("{}-01", time.format("%Y-%m")),
        Partition::Day => time.format("%Y-%m-%d").to_string(),
    });
    let begin = begin.and_then(|text| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok());
    let begin = begin.map_or(i64::MIN, |day| day.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
    (begin, partition.end(time_us))
}

fn date(time_us: i64) -> String {
    DateTime::from_timestamp_micros(time_us).map(|time| time.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;
    /// 2026-01-01.
    const NEW_YEAR: i64 = 1_767_225_600_000_000;

    #[test]
    fn a_range_is_of_whole_partitions_that_are_over() {
        let of = |partition, since, until| ArchiveRange::of(partition, since, until, NEW_YEAR + 40 * DAY);
        let months = of(Partition::Month, NEW_YEAR, NEW_YEAR + 31 * DAY).unwrap();
        assert_eq!(months.folder(), "auditlake-2026-01-01-2026-02-01");
        assert!(months.has("2026-01") && !months.has("2026-02") && !months.has("2025-12") && !months.has("0001-01"));
        let error = of(Partition::Month, NEW_YEAR + 1, NEW_YEAR + 31 * DAY).unwrap_err();
        assert_eq!(error.to_string(), "--since cuts the month 2026-01, and an archive has whole partitions");
        assert!(error.hint_text().unwrap().ends_with("--since 2026-01-01 or --since 2026-02-01"), "{error:?}");
        assert!(of(Partition::Month, NEW_YEAR, NEW_YEAR + 30 * DAY).is_err());
        let days = of(Partition::Day, NEW_YEAR, NEW_YEAR + 30 * DAY).unwrap();
        assert!(days.has("2026-01-30") && !days.has("2026-01-31") && !days.has("0001-01-01"));
        assert!(of(Partition::Day, NEW_YEAR, NEW_YEAR).is_err(), "it has no day");
        let error = of(Partition::Day, NEW_YEAR, NEW_YEAR + 41 * DAY).unwrap_err();
        assert!(error.hint_text().unwrap().ends_with("--until 2026-02-10"), "{error:?}");
    }

    #[test]
    fn the_range_of_a_manifest_is_read_as_it_is_written() {
        let range = ArchiveRange::of(Partition::Month, NEW_YEAR, NEW_YEAR + 31 * DAY, i64::MAX).unwrap();
        let (since, until) = range.days();
        assert_eq!(ArchiveRange::parse(Partition::Month, &since, &until), Some(range));
        for (since, until) in [("", "2026-02-01"), ("2026-01-01", "2026-02-02"), ("2026-02-01", "2026-01-01")] {
            assert_eq!(ArchiveRange::parse(Partition::Month, since, until), None, "{since} {until}");
        }
    }
}
