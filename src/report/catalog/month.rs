//! A parameter of the type month: where it begins and ends in its zone, and the month before.

use std::str::FromStr;

use arrow::array::timezone::Tz;
use chrono::{Months, NaiveDate, NaiveTime, TimeDelta, TimeZone};

use super::params::Value;
use crate::error::{Error, Result};

/// Returns `$from`, `$to` and `$previous_from` of a month: local midnight of its first day, of the next month's and of
/// the one before.
pub(in crate::report) fn bounds(name: &str, values: &[(String, Value)]) -> Result<[(String, Value); 3]> {
    let text = |name: &str| match values.iter().find(|(other, _)| other == name) {
        Some((_, Value::Text(text))) => Some(text.as_str()),
        _ => None,
    };
    let wrong = || Error::usage(format!("parameter `{name}` is no month that a calendar has"));
    let first = text(name).and_then(first_day).ok_or_else(wrong)?;
    let zone = Tz::from_str(text("tz").unwrap_or("UTC")).map_err(|_| wrong())?;
    let at = |date: Option<NaiveDate>| first_instant(zone, date?);
    let bound = |name: &str, date| Ok((name.to_string(), Value::Timestamp(at(date).ok_or_else(wrong)?)));
    let month = Months::new(1);
    Ok([
        bound("from", Some(first))?,
        bound("to", first.checked_add_months(month))?,
        bound("previous_from", first.checked_sub_months(month))?,
    ])
}

/// Returns the first millisecond of a day in a zone.
pub(in crate::report) fn first_instant(zone: Tz, date: NaiveDate) -> Option<i64> {
    let midnight = date.and_time(NaiveTime::MIN);
    // Where clocks jump at midnight, the day begins later, by whole quarters of an hour.
    let mut quarters = (0..96).map(|quarter| midnight + TimeDelta::minutes(15 * quarter));
    quarters.find_map(|time| Some(zone.from_local_datetime(&time).earliest()?.timestamp_millis()))
}

/// Returns the first day of `2026-01`.
pub(in crate::report) fn first_day(text: &str) -> Option<NaiveDate> {
    let (year, month) = text.split_once('-')?;
    let is_digits = |part: &str, digits| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(year, 4) || !is_digits(month, 2) {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_month(month: &str, zone: &str) -> Vec<String> {
        let values = [("month", month), ("tz", zone)].map(|(name, text)| (name.to_string(), Value::Text(text.into())));
        let print = |(name, value)| format!("{name} {value}");
        bounds("month", &values).unwrap().map(print).to_vec()
    }

    #[test]
    fn month_begins_at_local_midnight() {
        let berlin = ["from 2026-02-28T23:00:00Z", "to 2026-03-31T22:00:00Z", "previous_from 2026-01-31T23:00:00Z"];
        assert_eq!(of_month("2026-03", "Europe/Berlin"), berlin);
        assert_eq!(of_month("2026-01", "UTC")[2], "previous_from 2025-12-01T00:00:00Z");
        // In Paraguay clocks went from 00:00 to 01:00 on 1 October 2017, and back to UTC-4 in March.
        assert_eq!(of_month("2017-10", "America/Asuncion")[0], "from 2017-10-01T04:00:00Z");
    }

    #[test]
    fn a_month_is_written_in_full() {
        assert_eq!(first_day("2026-1"), None);
        assert_eq!(first_day("2026-13"), None);
    }
}
