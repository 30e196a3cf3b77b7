//! Periods: calendar units and ranges, also relative ones, in the time zone of the user.
//!
//! A boundary is a local midnight. Where a clock was set forward over it, the day begins at the first instant after.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone};
use chrono_tz::Tz;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::typed::parse_time;

/// A half-open period `[from, to)` in UTC milliseconds, and the zone whose calendar it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from_ms: i64,
    pub to_ms: i64,
    zone: Tz,
}

impl Period {
    /// Reads `2026`, `2026-Q1`, `2026-01`, `2026-01-15`, `last-year|quarter|month|week|day` or `FIRST..END`, whose end
    /// is not part of it: `2026-01-15..2026-02-15` has 31 days. Days begin at midnight in `zone`.
    pub fn parse(text: &str, zone: Tz, clock: &Clock) -> Result<Period> {
        let wrong = || {
            Error::usage(format!("`{text}` is no period"))
                .hint("write 2026-01, 2026-Q1, 2026, 2026-01-15, 2026-01-15..2026-02-15 (end excluded) or last-month")
        };
        let ends = if let Some((from, to)) = text.split_once("..") {
            instant(from, zone).zip(instant(to, zone))
        } else {
            let days = match text.strip_prefix("last-") {
                Some(unit) => last(unit, clock.now().with_timezone(&zone).date_naive()),
                None => calendar(text),
            };
            days.and_then(|(from, to)| begin_of(from, zone).zip(begin_of(to, zone)))
        };
        let period = ends.map(|(from_ms, to_ms)| Period { from_ms, to_ms, zone });
        period.filter(|period| period.from_ms < period.to_ms).ok_or_else(wrong)
    }

    /// Returns the period between two instants.
    pub fn between(from_ms: i64, to_ms: i64, zone: Tz) -> Period {
        Period { from_ms, to_ms, zone }
    }

    /// Returns `2026-01` when the period is exactly that month.
    pub fn month(&self) -> Option<String> {
        let name = self.name();
        (name.len() == 7 && !name.contains('Q')).then_some(name)
    }

    /// Returns the calendar months that lie completely within the period.
    pub fn months(&self) -> Vec<Period> {
        let local = |ms: i64| Some(DateTime::from_timestamp_millis(ms)?.with_timezone(&self.zone).date_naive());
        let mut found = Vec::new();
        let mut first = local(self.from_ms).and_then(|day| day.with_day(1));
        while let Some((from, to)) = first.and_then(|day| months(day.year(), day.month(), 1)) {
            let ends = begin_of(from, self.zone).zip(begin_of(to, self.zone));
            match ends {
                Some((from_ms, to_ms)) if to_ms <= self.to_ms => {
                    if from_ms >= self.from_ms {
                        found.push(Period { from_ms, to_ms, zone: self.zone });
                    }
                }
                _ => break,
            }
            first = Some(to);
        }
        found
    }

    /// Returns the shortest text that means this period, fit for the name of a folder.
    pub fn name(&self) -> String {
        let local = |ms: i64| Some(DateTime::from_timestamp_millis(ms)?.with_timezone(&self.zone).naive_local());
        let (Some(from), Some(to)) = (local(self.from_ms), local(self.to_ms)) else {
            return format!("{}..{}", self.from_ms, self.to_ms);
        };
        let (first, end) = (from.date(), to.date());
        let is_whole = begin_of(first, self.zone) == Some(self.from_ms) && begin_of(end, self.zone) == Some(self.to_ms);
        if !is_whole {
            let text = |time: NaiveDateTime| time.and_utc().to_rfc3339_opts(SecondsFormat::AutoSi, false);
            let plain = |time| text(time).replace("+00:00", "").replace(':', "");
            return format!("{}..{}", plain(from), plain(to));
        }
        let quarter = format!("{}-Q{}", first.year(), first.month0() / 3 + 1);
        let candidates =
            [first.format("%Y").to_string(), quarter, first.format("%Y-%m").to_string(), first.to_string()];
        let mut same = candidates.into_iter().filter(|name| calendar(name) == Some((first, end)));
        same.next().unwrap_or_else(|| format!("{first}..{end}"))
    }
}

/// Looks up an IANA time zone by name.
pub fn zone(name: &str) -> Result<Tz> {
    Tz::from_str(name).map_err(|_| {
        Error::usage(format!("no time zone `{name}`")).hint("write an IANA name: UTC, Europe/Berlin, America/New_York")
    })
}

/// Reads an end of a range: an instant, or a local date or time.
fn instant(text: &str, zone: Tz) -> Option<i64> {
    let time = parse_time(text).ok()?;
    let time_ms = time.millis().ok()?;
    if time.offset.is_some() { Some(time_ms) } else { resolve(time.local, zone) }
}

/// Returns the first instant of a local day.
fn begin_of(day: NaiveDate, zone: Tz) -> Option<i64> {
    resolve(day.and_time(NaiveTime::MIN), zone)
}

/// Resolves a local time to an instant: the earlier of two, or the first one after a gap.
fn resolve(local: NaiveDateTime, zone: Tz) -> Option<i64> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.timestamp_millis()),
        LocalResult::None => {
            // No zone ever skipped more than a day, and they move by whole quarters of an hour.
            let later = (1..=96).filter_map(|step| local.checked_add_signed(chrono::TimeDelta::minutes(15 * step)));
            let mut found = later.filter_map(|local| zone.from_local_datetime(&local).earliest());
            let after = found.next()?;
            // The first instant after the gap, not merely one within a quarter of an hour of it.
            let offset = zone.offset_from_utc_datetime(&(after.naive_utc() - chrono::TimeDelta::minutes(15)));
            let candidate = local - chrono::Offset::fix(&offset);
            Some(candidate.and_utc().timestamp_millis().min(after.timestamp_millis()))
        }
    }
}

/// Returns `count` whole months beginning with month `month` (1 to 12) of `year`.
fn months(year: i32, month: u32, count: u32) -> Option<(NaiveDate, NaiveDate)> {
    let from = NaiveDate::from_ymd_opt(year, month, 1)?;
    Some((from, from.checked_add_months(chrono::Months::new(count))?))
}

fn calendar(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let parts: Vec<&str> = text.split('-').collect();
    // Signs and single digits are typing errors more often than intended.
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u32>().ok())?
    };
    let year = i32::try_from(number(parts.first()?, 4)?).ok()?;
    match parts[1..] {
        [] => months(year, 1, 12),
        ["Q1" | "q1"] => months(year, 1, 3),
        ["Q2" | "q2"] => months(year, 4, 3),
        ["Q3" | "q3"] => months(year, 7, 3),
        ["Q4" | "q4"] => months(year, 10, 3),
        [month] => months(year, number(month, 2)?, 1),
        [month, day] => {
            let first = NaiveDate::from_ymd_opt(year, number(month, 2)?, number(day, 2)?)?;
            Some((first, first.succ_opt()?))
        }
        _ => None,
    }
}

/// Returns the last whole unit before `today`; a week begins on Monday.
fn last(unit: &str, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    match unit {
        "day" => Some((today.pred_opt()?, today)),
        "week" => {
            let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
            Some((monday - Days::new(7), monday))
        }
        "month" => {
            let end = today.with_day(1)?.pred_opt()?;
            months(end.year(), end.month(), 1)
        }
        "quarter" => {
            let end = today.with_day(1)?.with_month(today.month0() / 3 * 3 + 1)?.pred_opt()?;
            months(end.year(), end.month0() / 3 * 3 + 1, 3)
        }
        "year" => months(today.year() - 1, 1, 12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, zone: &str) -> Option<Period> {
        let clock = Clock::Fixed("2026-05-11T12:00:00Z".parse().unwrap());
        Period::parse(text, super::zone(zone).unwrap(), &clock).ok()
    }

    fn period(text: &str, zone: &str) -> Option<(String, String)> {
        let print = |ms| DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(SecondsFormat::Secs, true);
        parse(text, zone).map(|period| (print(period.from_ms), print(period.to_ms)))
    }

    #[test]
    fn periods() {
        let is = |text, from: &str, to: &str| {
            let midnight = |day: &str| format!("{day}T00:00:00Z");
            assert_eq!(period(text, "UTC"), Some((midnight(from), midnight(to))), "{text}");
        };
        is("2026", "2026-01-01", "2027-01-01");
        is("2026-Q4", "2026-10-01", "2027-01-01");
        is("2024-02", "2024-02-01", "2024-03-01");
        is("2026-01-15", "2026-01-15", "2026-01-16");
        is("2026-01-15..2026-02-15", "2026-01-15", "2026-02-15");
        is("last-day", "2026-05-10", "2026-05-11");
        is("last-week", "2026-05-04", "2026-05-11");
        is("last-month", "2026-04-01", "2026-05-01");
        is("last-quarter", "2026-01-01", "2026-04-01");
        is("last-year", "2025-01-01", "2026-01-01");
        for wrong in ["", "26", "2026-13", "2026-Q5", "2026-1", "2026-02-30", "2026-02-02..2026-02-02", "last-moon"] {
            assert_eq!(period(wrong, "UTC"), None, "{wrong}");
        }
    }

    #[test]
    fn days_begin_at_local_midnight_whatever_the_clocks_do() {
        let is = |text, zone, from: &str, to: &str| {
            assert_eq!(period(text, zone), Some((from.to_string(), to.to_string())), "{text} {zone}");
        };
        is("2026-03", "Europe/Berlin", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");
        is("last-day", "Pacific/Auckland", "2026-05-10T12:00:00Z", "2026-05-11T12:00:00Z");
        is("2026-01-01T00:00Z..2026-01-02", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T23:00:00Z");
        // Cairo had no midnight on that day: 00:00 became 01:00.
        is("2024-04-26", "Africa/Cairo", "2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z");
        // Samoa had no 30 December at all.
        assert_eq!(period("2011-12-30", "Pacific/Apia"), None);
    }

    #[test]
    fn whole_months_of_a_period() {
        let names = |text: &str, zone: &str| -> Vec<String> {
            parse(text, zone).unwrap().months().iter().map(Period::name).collect()
        };
        assert_eq!(names("2026-Q1", "Europe/Berlin"), ["2026-01", "2026-02", "2026-03"]);
        assert_eq!(names("2025-12", "UTC"), ["2025-12"]);
        assert_eq!(names("2025-11-15..2026-01-31", "UTC"), ["2025-12"]);
        assert_eq!(names("2026-01-02..2026-02-28", "UTC"), [""; 0]);
        assert_eq!(names("2026", "Pacific/Auckland").len(), 12);
    }

    #[test]
    fn a_period_has_its_shortest_name() {
        for name in ["2026", "2026-Q2", "2026-02", "2026-02-03", "2026-01-15..2026-02-15"] {
            assert_eq!(parse(name, "Europe/Berlin").unwrap().name(), name);
        }
        assert_eq!(
            parse("2026-01-01T06:00Z..2026-01-02", "UTC").unwrap().name(),
            "2026-01-01T060000..2026-01-02T000000"
        );
        assert_eq!(parse("2026-02", "UTC").unwrap().month().as_deref(), Some("2026-02"));
        assert_eq!(parse("2026-Q1", "UTC").unwrap().month(), None);
    }
}
