//! Calendars: cron's five fields, or systemd's notation for what both can express.
//!
//! `0 6 1 * *`, `@monthly`; `*-*-01 06:00`, `Mon..Fri 06:30`, `Sun *-*-* 04:00:00`, `monthly`. From systemd: weekdays,
//! dates and times with `*`, lists, `a..b` and `/step`; no seconds but 00, no `~`, no zone in the text (a schedule
//! names its own). Times are local: one that a clock skips counts at the first instant after, one that comes twice
//! counts once.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};

use crate::error::{Error, Result};

/// The instants of a schedule.
#[derive(Debug, Clone)]
pub struct Calendar {
    cron: Cron,
    zone: Tz,
}

impl Calendar {
    pub fn parse(text: &str, zone: Tz) -> Result<Calendar> {
        let wrong = |why: &str| {
            Error::usage(format!("`{text}` is not a calendar: {why}"))
                .hint("write cron's five fields, `0 6 1 * *`, or systemd's `*-*-01 06:00`, `Mon..Fri 06:30`, `monthly`")
        };
        let text = text.trim();
        let fields = text.split_whitespace().count();
        let (pattern, is_and) = if fields == 5 {
            (text.to_string(), false)
        } else {
            (systemd(text).ok_or_else(|| wrong("neither cron nor systemd"))?, true)
        };
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            // systemd requires both where a weekday and a date are given, cron either.
            .dom_and_dow(is_and)
            .build();
        let cron = parser.parse(&pattern).map_err(|error| wrong(&error.to_string()))?;
        let calendar = Calendar { cron, zone };
        match calendar.next(0) {
            Some(_) => Ok(calendar),
            None => Err(wrong("it never occurs")),
        }
    }

    /// Returns the first instant of the calendar after `time_ms`.
    pub fn next(&self, time_ms: i64) -> Option<i64> {
        let start = Local(DateTime::from_timestamp_millis(time_ms)?.with_timezone(&self.zone));
        self.cron.find_next_occurrence(&start, false).ok().map(|time| time.0.timestamp_millis())
    }

    /// Returns the last instant of the calendar at or before `time_ms`.
    pub fn last(&self, time_ms: i64) -> Option<i64> {
        let start = Local(DateTime::from_timestamp_millis(time_ms)?.with_timezone(&self.zone));
        // The search goes by whole seconds and would otherwise begin with the one before.
        let start = Local(start.0.with_nanosecond(0)?);
        self.cron.find_previous_occurrence(&start, true).ok().map(|time| time.0.timestamp_millis())
    }
}

/// Returns the cron pattern of a systemd calendar.
fn systemd(text: &str) -> Option<String> {
    let named = match text.trim_start_matches('@').to_ascii_lowercase().as_str() {
        "minutely" => Some("* * * * *"),
        "hourly" => Some("0 * * * *"),
        "daily" | "midnight" => Some("0 0 * * *"),
        "weekly" => Some("0 0 * * 1"),
        "monthly" => Some("0 0 1 * *"),
        "quarterly" => Some("0 0 1 1,4,7,10 *"),
        "semiannually" => Some("0 0 1 1,7 *"),
        "yearly" | "annually" => Some("0 0 1 1 *"),
        _ => None,
    };
    if let Some(pattern) = named {
        return Some(pattern.to_string());
    }
    if text.is_empty() {
        return None;
    }
    let (mut weekdays, mut date, mut time) = (None, None, None);
    for part in text.split_whitespace() {
        let place = if part.contains(':') {
            &mut time
        } else if part.contains('-') {
            &mut date
        } else if part.starts_with(|c: char| c.is_ascii_alphabetic()) {
            &mut weekdays
        } else {
            return None;
        };
        if place.replace(part).is_some() {
            return None;
        }
    }
    let weekdays = weekdays.map_or(Some("*".to_string()), weekday_list)?;
    let (month, day) = match date {
        None => ("*".to_string(), "*".to_string()),
        Some(date) => {
            let mut parts = date.split('-');
            let (year, month, day) = (parts.next()?, parts.next()?, parts.next());
            // `01-15` is a month and a day of every year.
            let (year, month, day) = day.map_or(("*", year, month), |day| (year, month, day));
            if year != "*" || parts.next().is_some() {
                return None;
            }
            (field(month, 1, 12)?, field(day, 1, 31)?)
        }
    };
    let (hour, minute) = match time {
        None => ("0".to_string(), "0".to_string()),
        Some(time) => {
            let mut parts = time.split(':');
            let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
            if second.parse() != Ok(0_u8) || parts.next().is_some() {
                return None;
            }
            (field(hour, 0, 23)?, field(minute, 0, 59)?)
        }
    };
    Some(format!("{minute} {hour} {day} {month} {weekdays}"))
}

/// Reads `*`, `1`, `1..5`, `*/10`, `0/15`, and lists of them; returns them as cron writes them.
fn field(text: &str, least: u32, most: u32) -> Option<String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
    let one = |part: &str| {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let range = match range.split_once("..") {
            _ if range == "*" => "*".to_string(),
            Some((from, to)) => format!("{}-{}", number(from)?, number(to)?),
            // systemd's `0/15` begins at 0 and continues to the end.
            None if step.is_some() => format!("{}-{most}", number(range)?),
            None => number(range)?.to_string(),
        };
        match step {
            None => Some(range),
            Some(step) => Some(format!("{range}/{}", step.parse::<u32>().ok().filter(|step| *step > 0)?)),
        }
    };
    text.split(',').map(one).collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
}

fn weekday_list(text: &str) -> Option<String> {
    let day = |name: &str| {
        let name = name.to_ascii_lowercase();
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let place = days.iter().position(|day| name.len() >= 3 && day.starts_with(&name))?;
        Some(place as u32 + 1)
    };
    let mut list = Vec::new();
    for part in text.trim_end_matches(',').split(',') {
        match part.split_once("..") {
            None => list.push(day(part)?),
            Some((from, to)) => {
                let (from, to) = (day(from)?, day(to)?);
                // `Sat..Mon` goes around the end of the week.
                let to = if to < from { to + 7 } else { to };
                list.extend((from..=to).map(|day| (day - 1) % 7 + 1));
            }
        }
    }
    Some(list.iter().map(|day| (day % 7).to_string()).collect::<Vec<_>>().join(","))
}

/// A local time for croner's search. Its own support of chrono is a feature that we have off.
#[derive(Clone)]
struct Local(DateTime<Tz>);

impl CronDateTime for Local {
    fn to_civil(&self) -> CivilDateTime {
        let local = self.0.naive_local();
        let date = CivilDate::from_ymd_opt(local.year(), local.month(), local.day());
        let time = CivilTime::from_hms_opt(local.hour(), local.minute(), local.second());
        CivilDateTime::new(date.expect("chrono's dates are dates"), time.expect("chrono's times are times"))
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(self.0.naive_local().weekday().num_days_from_sunday())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let local = NaiveDate::from_ymd_opt(civil.year(), civil.month(), civil.day())
            .ok_or(CronError::InvalidDate)?
            .and_hms_opt(civil.hour(), civil.minute(), civil.second())
            .ok_or(CronError::InvalidTime)?;
        Ok(match self.0.timezone().from_local_datetime(&local) {
            LocalResult::Single(time) => Resolution::Single(Local(time)),
            LocalResult::Ambiguous(earlier, later) => Resolution::Ambiguous(Local(earlier), Local(later)),
            LocalResult::None => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add_signed(TimeDelta::try_seconds(seconds)?).map(Local)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis()
    }

    fn next(text: &str, zone: Tz, after: &str) -> String {
        let next = Calendar::parse(text, zone).unwrap().next(ms(after)).unwrap();
        DateTime::from_timestamp_millis(next).unwrap().format("%Y-%m-%dT%H:%MZ").to_string()
    }

    #[test]
    fn cron_and_systemd_say_the_same() {
        let pairs = [
            ("0 6 1 * *", "*-*-01 06:00"),
            ("30 6 * * 1-5", "Mon..Fri 06:30:00"),
            ("0 4 * * 0", "Sun *-*-* 04:00"),
            ("0 0 1 1,4,7,10 *", "quarterly"),
            ("0 0 1 * *", "@monthly"),
            ("0,15,30,45 8-18 * * *", "*-*-* 08..18:0/15"),
            ("0 0 1 2 *", "02-01"),
            ("0 0 * * 0,1,6", "Sat..Mon"),
        ];
        for (cron, systemd) in pairs {
            for after in ["2026-01-01T00:00:00Z", "2026-01-31T06:00:00Z", "2026-06-15T12:34:56Z"] {
                assert_eq!(next(cron, Tz::UTC, after), next(systemd, Tz::UTC, after), "{cron} | {systemd} {after}");
            }
        }
        // Both, for systemd: the first Monday of the month.
        assert_eq!(next("Mon *-*-01..07 06:00", Tz::UTC, "2026-01-06T00:00:00Z"), "2026-02-02T06:00Z");
    }

    #[test]
    fn times_are_local_and_a_clock_that_moves_loses_none() {
        let zone = Tz::Europe__Berlin;
        assert_eq!(next("0 6 * * *", zone, "2026-01-10T05:00:00Z"), "2026-01-11T05:00Z");
        assert_eq!(next("0 6 * * *", zone, "2026-07-10T04:00:00Z"), "2026-07-11T04:00Z");
        // 02:30 does not exist on 29 March; the job runs when the clock has moved.
        assert_eq!(next("30 2 * * *", zone, "2026-03-28T12:00:00Z"), "2026-03-29T01:00Z");
        // It exists twice on 25 October; the job runs once.
        let first = next("30 2 * * *", zone, "2026-10-24T12:00:00Z");
        assert_eq!(first, "2026-10-25T00:30Z");
        assert_eq!(next("30 2 * * *", zone, "2026-10-25T00:30:00Z"), "2026-10-26T01:30Z");
    }

    #[test]
    fn the_last_instant_may_be_now() {
        let calendar = Calendar::parse("0 6 1 * *", Tz::UTC).unwrap();
        let first = ms("2026-02-01T06:00:00Z");
        assert_eq!(calendar.last(first), Some(first));
        assert_eq!(calendar.last(first + 999), Some(first));
        assert_eq!(calendar.last(first - 1), Some(ms("2026-01-01T06:00:00Z")));
        assert_eq!(calendar.next(first), Some(ms("2026-03-01T06:00:00Z")));
    }

    #[test]
    fn what_is_no_calendar_is_refused() {
        for wrong in ["", "soon", "60 * * * *", "0 0 30 2 *", "* * *", "2026-01-01", "*-*-* 06:00:30", "Foo 06:00"] {
            assert!(Calendar::parse(wrong, Tz::UTC).is_err(), "{wrong}");
        }
        let error = Calendar::parse("soon", Tz::UTC).unwrap_err();
        assert_eq!(error.message(), "`soon` is not a calendar: neither cron nor systemd");
    }
}
