//! Instants and clock times, in microseconds, over the whole calendar.
//!
//! The engine converts through nanoseconds, which reach from 1677 to 2262 only; directories write 1601 and 9999.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Offset, TimeZone};
use datafusion::common::{Result, exec_err, plan_err};

pub const SECOND_US: i64 = 1_000_000;
pub const HOUR_US: i64 = 3600 * SECOND_US;
pub const DAY_US: i64 = 24 * HOUR_US;

/// Returns the type of the lake's times.
pub fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The zone of a time, which converts between instants and clock times.
#[derive(Debug, Clone, Copy)]
pub enum Zone {
    /// UTC, and times without a zone.
    Plain,
    Local(Tz),
}

impl Zone {
    pub fn parse(name: &str) -> Result<Zone> {
        match name {
            "UTC" | "utc" | "Z" | "+00:00" | "Etc/UTC" => Ok(Zone::Plain),
            name => match name.parse::<Tz>() {
                Ok(zone) => Ok(Zone::Local(zone)),
                Err(_) => plan_err!("no time zone `{name}`; write it as 'Europe/Berlin' or '+02:00'"),
            },
        }
    }

    pub fn of(data_type: &DataType) -> Result<Zone> {
        match data_type {
            DataType::Timestamp(_, Some(name)) => Zone::parse(name),
            _ => Ok(Zone::Plain),
        }
    }

    /// Returns the clock time at an instant.
    pub fn clock(self, time_us: i64) -> Result<NaiveDateTime> {
        let Some(instant) = DateTime::from_timestamp_micros(time_us) else {
            return exec_err!("a time is out of range: {time_us} microseconds since 1970");
        };
        Ok(match self {
            Zone::Plain => instant.naive_utc(),
            Zone::Local(zone) => instant.with_timezone(&zone).naive_local(),
        })
    }

    /// Returns the microseconds that a clock is ahead of UTC at an instant.
    pub fn offset_us(self, time_us: i64) -> Result<i64> {
        match self {
            Zone::Plain => Ok(0),
            Zone::Local(zone) => {
                let utc = Zone::Plain.clock(time_us)?;
                Ok(i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * SECOND_US)
            }
        }
    }

    /// Returns the instant at which a clock shows a time.
    ///
    /// In the hour that comes twice it is the later one of the two, which is standard time; a time that is skipped is
    /// later by as much as clocks go forward. PostgreSQL does the same.
    pub fn instant(self, clock: NaiveDateTime) -> i64 {
        let us = clock.and_utc().timestamp_micros();
        let Zone::Local(zone) = self else { return us };
        let offset = match zone.offset_from_local_datetime(&clock) {
            LocalResult::Single(offset) => offset,
            LocalResult::Ambiguous(_, later) => later,
            LocalResult::None => {
                let before = clock.checked_sub_days(Days::new(1)).unwrap_or(clock);
                zone.offset_from_utc_datetime(&before)
            }
        };
        us - i64::from(offset.fix().local_minus_utc()) * SECOND_US
    }
}

/// Returns the microseconds of a clock's time as if it were UTC.
pub fn as_us(clock: NaiveDateTime) -> i64 {
    clock.and_utc().timestamp_micros()
}

pub fn from_us(us: i64) -> Result<NaiveDateTime> {
    Zone::Plain.clock(us)
}

/// A unit of time, as `date_trunc` and `date_diff` take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Fixed(i64),
    Day,
    Week,
    Months(i32),
}

impl Unit {
    pub fn parse(name: &str) -> Option<Unit> {
        let lower = name.trim().to_lowercase();
        Some(match lower.strip_suffix('s').filter(|one| !one.is_empty()).unwrap_or(&lower) {
            "u" | "microsecond" | "microsec" | "usec" => Unit::Fixed(1),
            "m" | "millisecond" | "millisec" | "msec" if lower != "m" => Unit::Fixed(1000),
            "second" | "sec" => Unit::Fixed(SECOND_US),
            "minute" | "min" => Unit::Fixed(60 * SECOND_US),
            "hour" | "hr" | "h" => Unit::Fixed(HOUR_US),
            "day" | "d" => Unit::Day,
            "week" | "w" => Unit::Week,
            "month" | "mon" => Unit::Months(1),
            "quarter" | "qtr" => Unit::Months(3),
            "year" | "yr" | "y" => Unit::Months(12),
            "decade" => Unit::Months(120),
            "century" | "centurie" => Unit::Months(1200),
            "millennium" | "millenium" => Unit::Months(12_000),
            _ => return None,
        })
    }

    /// Returns the beginning of the unit that a clock's time is in.
    pub fn floor(self, clock: NaiveDateTime) -> NaiveDateTime {
        let day = clock.date();
        let midnight = |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN);
        match self {
            Unit::Fixed(us) => {
                let rest = as_us(clock).rem_euclid(us);
                clock - chrono::TimeDelta::microseconds(rest)
            }
            Unit::Day => midnight(day),
            Unit::Week => {
                let back = Days::new(u64::from(day.weekday().num_days_from_monday()));
                midnight(day.checked_sub_days(back).unwrap_or(day))
            }
            Unit::Months(months) => {
                let since = months_of(day);
                let first = since - since.rem_euclid(months);
                month(first).map_or(clock, midnight)
            }
        }
    }

    /// Counts units from one time to the other: how often a unit begins between them.
    pub fn between(self, from: NaiveDateTime, to: NaiveDateTime) -> i64 {
        let (from, to) = (self.floor(from), self.floor(to));
        match self {
            Unit::Fixed(us) => (as_us(to) - as_us(from)) / us,
            Unit::Day => (to - from).num_days(),
            Unit::Week => (to - from).num_days() / 7,
            Unit::Months(months) => i64::from(months_of(to.date()) - months_of(from.date())) / i64::from(months),
        }
    }

    /// Returns the time this many units later, on the last day of a month where the day does not exist.
    pub fn later(self, clock: NaiveDateTime, units: i64) -> Option<NaiveDateTime> {
        let by_us = |us: i64| clock.checked_add_signed(chrono::TimeDelta::microseconds(us));
        match self {
            Unit::Fixed(us) => by_us(us.checked_mul(units)?),
            Unit::Day => by_us(DAY_US.checked_mul(units)?),
            Unit::Week => by_us((7 * DAY_US).checked_mul(units)?),
            Unit::Months(months) => add_months(clock, i64::from(months).checked_mul(units)?),
        }
    }
}

pub fn add_months(clock: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { clock.checked_sub_months(count) } else { clock.checked_add_months(count) }
}

/// Returns the months since the year 0.
pub fn months_of(day: NaiveDate) -> i32 {
    day.year() * 12 + day.month0() as i32
}

/// Returns the first day of a month since the year 0.
fn month(since: i32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(since.div_euclid(12), since.rem_euclid(12) as u32 + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap()
    }

    fn said(zone: &str, text: &str) -> String {
        let zone = Zone::parse(zone).unwrap();
        DateTime::from_timestamp_micros(zone.instant(clock(text))).unwrap().to_rfc3339()
    }

    #[test]
    fn clocks_that_go_forward_and_back() {
        assert_eq!(said("Europe/Berlin", "2026-03-29T01:30:00"), "2026-03-29T00:30:00+00:00");
        assert_eq!(said("Europe/Berlin", "2026-03-29T02:30:00"), "2026-03-29T01:30:00+00:00");
        assert_eq!(said("Europe/Berlin", "2026-03-29T03:30:00"), "2026-03-29T01:30:00+00:00");
        assert_eq!(said("Europe/Berlin", "2026-10-25T02:30:00"), "2026-10-25T01:30:00+00:00");
        assert_eq!(said("+05:30", "2026-01-01T00:00:00"), "2025-12-31T18:30:00+00:00");
        // Midnight itself was skipped.
        assert_eq!(said("America/Sao_Paulo", "2018-11-04T00:00:00"), "2018-11-04T03:00:00+00:00");
        assert!(Zone::parse("Europe/Atlantis").is_err());
    }

    #[test]
    fn units_begin_where_calendars_say() {
        let floor = |unit: &str, text: &str| Unit::parse(unit).unwrap().floor(clock(text)).to_string();
        assert_eq!(floor("month", "9999-12-31T23:59:59"), "9999-12-01 00:00:00");
        assert_eq!(floor("week", "1601-01-01T12:00:00"), "1601-01-01 00:00:00");
        assert_eq!(floor("quarter", "2026-05-31T00:00:01"), "2026-04-01 00:00:00");
        assert_eq!(floor("hours", "1969-12-31T23:59:59"), "1969-12-31 23:00:00");
        assert_eq!(floor("decade", "2026-05-31T00:00:01"), "2020-01-01 00:00:00");
        let between = |unit: &str, a: &str, b: &str| Unit::parse(unit).unwrap().between(clock(a), clock(b));
        assert_eq!(between("day", "2026-01-01T23:59:59", "2026-01-02T00:00:00"), 1);
        assert_eq!(between("month", "2026-01-31T00:00:00", "2025-12-31T00:00:00"), -1);
        assert_eq!(between("year", "1601-06-01T00:00:00", "9999-01-01T00:00:00"), 8398);
        assert_eq!(
            Unit::parse("month").unwrap().later(clock("2026-01-31T01:00:00"), 1),
            Some(clock("2026-02-28T01:00:00"))
        );
        assert_eq!(Unit::parse("fortnight"), None);
        assert_eq!(Unit::parse("ms"), Some(Unit::Fixed(1000)));
    }
}
