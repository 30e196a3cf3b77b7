//! Values of rows as a chart counts them, and the bins of a time axis.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Days, Months, NaiveDateTime, NaiveTime, Timelike};
use chrono_tz::Tz;
use serde::Deserialize;

/// The most bins that still look like bars.
const MAX_BINS: i64 = 200;

/// The length of a bin of a time axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

impl Unit {
    /// Returns this unit, or the first coarser one that divides the range into few enough bins to see.
    pub fn fit(self, (from_ms, to_ms): (i64, i64)) -> Unit {
        let all = [Unit::Minute, Unit::Hour, Unit::Day, Unit::Week, Unit::Month];
        let fits = |unit: &Unit| *unit >= self && (to_ms - from_ms) / unit.about_ms() <= MAX_BINS;
        all.into_iter().find(fits).unwrap_or(Unit::Month)
    }

    pub fn word(self) -> &'static str {
        match self {
            Unit::Minute => "minute",
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
        }
    }

    fn about_ms(self) -> i64 {
        match self {
            Unit::Minute => 60_000,
            Unit::Hour => 3_600_000,
            Unit::Day => 86_400_000,
            Unit::Week => 7 * 86_400_000,
            Unit::Month => 30 * 86_400_000,
        }
    }

    /// Returns where the bin of an instant begins, in local milliseconds.
    pub fn bin(self, time_ms: i64, zone: Tz) -> Option<i64> {
        let local = local(time_ms, zone)?;
        let day = local.date();
        let begin = match self {
            Unit::Minute => day.and_hms_opt(local.hour(), local.minute(), 0)?,
            Unit::Hour => day.and_hms_opt(local.hour(), 0, 0)?,
            Unit::Day => day.and_time(NaiveTime::MIN),
            Unit::Week => day
                .checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday())))?
                .and_time(NaiveTime::MIN),
            Unit::Month => day.with_day(1)?.and_time(NaiveTime::MIN),
        };
        Some(begin.and_utc().timestamp_millis())
    }

    /// Returns the bin after this one.
    pub fn next(self, bin_ms: i64) -> Option<i64> {
        match self {
            Unit::Month => {
                let begin = DateTime::from_timestamp_millis(bin_ms)?.checked_add_months(Months::new(1))?;
                Some(begin.timestamp_millis())
            }
            unit => bin_ms.checked_add(unit.about_ms()),
        }
    }

    /// Returns a bin's name, short enough for an axis.
    pub fn name(self, bin_ms: i64) -> String {
        let format = match self {
            Unit::Minute | Unit::Hour => "%d %b %H:%M",
            Unit::Day | Unit::Week => "%d %b",
            Unit::Month => "%b %Y",
        };
        DateTime::from_timestamp_millis(bin_ms).map(|time| time.format(format).to_string()).unwrap_or_default()
    }
}

fn local(time_ms: i64, zone: Tz) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp_millis(time_ms)?.with_timezone(&zone).naive_local())
}

pub fn weekday_and_hour(time_ms: i64, zone: Tz) -> Option<(u8, u8)> {
    let local = local(time_ms, zone)?;
    Some((local.weekday().num_days_from_monday() as u8, local.hour() as u8))
}

pub fn time_ms(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    if let Some(days) = batch.column(column).as_primitive_opt::<Date32Type>() {
        return days.is_valid(row).then(|| i64::from(days.value(row)) * 86_400_000);
    }
    let times = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
    times.is_valid(row).then(|| times.value(row).div_euclid(1000))
}

/// Returns the local clock time at an instant, as if it were one in UTC.
pub fn local_ms(time_ms: i64, zone: Tz) -> Option<i64> {
    local(time_ms, zone).map(|local| local.and_utc().timestamp_millis())
}

pub fn text(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let texts = batch.column(column).as_string_opt::<i32>()?;
    texts.is_valid(row).then(|| texts.value(row).to_string())
}

pub fn number(batch: &RecordBatch, column: usize, row: usize) -> Option<f64> {
    let array = batch.column(column);
    if array.is_null(row) {
        return None;
    }
    let whole = array.as_primitive_opt::<Int64Type>().map(|numbers| numbers.value(row) as f64);
    whole
        .or_else(|| array.as_primitive_opt::<Float64Type>().map(|numbers| numbers.value(row)).filter(|n| n.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn bins_follow_the_local_calendar() {
        // 2026-03-01T23:30Z is 2 March in Berlin, a Monday.
        let time = 1_772_407_800_000;
        let bin = |unit: Unit, zone: Tz| unit.name(unit.bin(time, zone).unwrap());
        assert_eq!(bin(Unit::Day, Tz::UTC), "01 Mar");
        assert_eq!(bin(Unit::Day, Tz::Europe__Berlin), "02 Mar");
        assert_eq!(bin(Unit::Week, Tz::UTC), "23 Feb");
        assert_eq!(bin(Unit::Week, Tz::Europe__Berlin), "02 Mar");
        assert_eq!(bin(Unit::Month, Tz::UTC), "Mar 2026");
        assert_eq!(weekday_and_hour(time, Tz::Europe__Berlin), Some((0, 0)));
    }

    #[test]
    fn a_unit_grows_with_the_range() {
        assert_eq!(Unit::Minute.fit((0, 3_600_000)), Unit::Minute);
        assert_eq!(Unit::Minute.fit((0, 31 * DAY)), Unit::Day);
        assert_eq!(Unit::Day.fit((0, 365 * DAY)), Unit::Week);
        assert_eq!(Unit::Day.fit((0, 36_500 * DAY)), Unit::Month);
    }
}
