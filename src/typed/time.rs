//! Times: `2026-01-05`, `2026-01-05 12:00`, `2026-01-05T12:00:00.5+02:00`, milliseconds since 1970.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::duration::parse_duration;
use crate::error::{Error, Result};

/// Milliseconds of the years 2001 to 2286 have this many digits. Seconds and microseconds have fewer or more, so
/// neither is taken for the other.
const DIGITS: usize = 13;
const HINT: &str = "write 2026-01-31, 2026-01-31 12:00 or 2026-01-31T12:00:00Z";

/// A time as the user wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// The time on the text's own clock: UTC if it does not name another.
    pub local: NaiveDateTime,
    /// Seconds that this clock is ahead of UTC; `None` when the text does not say.
    pub offset: Option<i32>,
}

/// A time, or a duration before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    At(Time),
    Ago(Duration),
}

impl Time {
    /// Returns microseconds since 1970; a time without an offset is UTC.
    pub fn micros(self) -> i64 {
        let utc = self.local - TimeDelta::seconds(i64::from(self.offset.unwrap_or(0)));
        utc.and_utc().timestamp_micros()
    }

    /// Returns milliseconds since 1970. Errors when there is a finer part: events have whole milliseconds, and a bound
    /// between two would silently be another one.
    pub fn millis(self) -> Result<i64> {
        let micros = self.micros();
        match micros.rem_euclid(1000) {
            0 => Ok(micros.div_euclid(1000)),
            _ => Err(Error::usage(format!("cannot use the time {}: it is finer than a millisecond", self.local))
                .hint("write at most three digits after the seconds")),
        }
    }
}

impl When {
    /// Returns milliseconds since 1970.
    pub fn millis(self, now_ms: i64) -> Result<i64> {
        match self {
            When::At(time) => time.millis(),
            When::Ago(duration) => Ok(now_ms.saturating_sub(milliseconds(duration))),
        }
    }

    /// Returns milliseconds since 1970 for a time in the future: a duration counts from now.
    pub fn millis_ahead(self, now_ms: i64) -> Result<i64> {
        match self {
            When::At(time) => time.millis(),
            When::Ago(duration) => Ok(now_ms.saturating_add(milliseconds(duration))),
        }
    }

    /// Returns microseconds since 1970.
    pub fn micros(self, now_ms: i64) -> i64 {
        match self {
            When::At(time) => time.micros(),
            When::Ago(duration) => now_ms.saturating_sub(milliseconds(duration)).saturating_mul(1000),
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl FromStr for When {
    type Err = Error;

    fn from_str(text: &str) -> Result<When> {
        // A time has its first sign after four digits, a duration has a letter somewhere before.
        match parse_duration(text) {
            Ok(duration) => Ok(When::Ago(duration)),
            Err(_) => parse_time(text).map(When::At).map_err(|error| {
                let hint = error.hint_text().map(str::to_string);
                match hint {
                    Some(hint) if hint == HINT => error.hint(format!("{HINT}; or 7d for seven days ago")),
                    _ => error,
                }
            }),
        }
    }
}

impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Time> {
        parse_time(text)
    }
}

/// Reads a time. Nothing is guessed: a text that is not a time of the calendar, or could mean several, is an error of
/// usage.
pub fn parse_time(text: &str) -> Result<Time> {
    let plain = text.trim();
    let wrong = |why: &str| {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Error::usage(format!("cannot read the time `{text}`{why}"))
    };
    if !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return match plain.parse().ok().filter(|_| plain.len() == DIGITS).and_then(DateTime::from_timestamp_millis) {
            Some(time) => Ok(Time { local: time.naive_utc(), offset: Some(0) }),
            None => Err(wrong("").hint(format!("{HINT}; milliseconds since 1970 have {DIGITS} digits"))),
        };
    }
    let Some((date, rest)) = date(plain) else { return Err(wrong("").hint(HINT)) };
    let day = date.ok_or_else(|| wrong("this day does not exist").hint(HINT))?;
    if rest.is_empty() {
        return Ok(Time { local: day.and_time(NaiveTime::MIN), offset: None });
    }
    let Some(clock) = rest.strip_prefix(['T', 't', ' ']) else { return Err(wrong("").hint(HINT)) };
    let (time, zone) = match clock.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))) {
        Some(end) => clock.split_at(end),
        None => (clock, ""),
    };
    let Some(time) = time_of_day(time) else { return Err(wrong("").hint(HINT)) };
    let time = time.ok_or_else(|| {
        wrong("this time of day does not exist")
            .hint("the last time of a day is 23:59:59.999999, and the next day begins at 00:00")
    })?;
    let offset = offset(zone).ok_or_else(|| {
        wrong(&format!("`{}` is not an offset from UTC", zone.trim()))
            .hint("write Z, +02 or +02:00 after the time, or nothing for UTC")
    })?;
    Ok(Time { local: day.and_time(time), offset })
}

/// Reads `2026-01-31` at the beginning of a text, and returns the rest; the inner `None` is a day that does not exist.
fn date(text: &str) -> Option<(Option<NaiveDate>, &str)> {
    let head = text.get(..10)?;
    let mut parts = head.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let is_over = parts.next().is_none();
    is_over.then(|| (NaiveDate::from_ymd_opt(year as i32, month, day), &text[10..]))
}

/// Reads `12:00`, `12:00:30`, `12:00:30.5`; the inner `None` is a time that no day has.
fn time_of_day(text: &str) -> Option<Option<NaiveTime>> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let parts: Vec<u32> = clock.split(':').map(|part| digits(part, 2)).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts[..] {
        [hour, minute] if fraction.is_none() => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let fraction = fraction.unwrap_or("0");
    // Microseconds are the finest that is stored; zeros after them do not matter.
    let kept = fraction.len().min(6);
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if fraction.bytes().skip(kept).any(|byte| byte != b'0') {
        return None;
    }
    let micro: u32 = format!("{:0<6}", &fraction[..kept]).parse().ok()?;
    Some(NaiveTime::from_hms_micro_opt(hour, minute, second, micro))
}

/// Reads an empty text, `Z`, `+02`, `+0200`, `+02:00`; the outer `None` is something else.
fn offset(text: &str) -> Option<Option<i32>> {
    let text = text.trim_start();
    if text.is_empty() {
        return Some(None);
    }
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
        return Some(Some(0));
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match &text[1..] {
        rest if rest.len() == 2 => (digits(rest, 2)?, 0),
        rest if rest.len() == 4 => (digits(rest.get(..2)?, 2)?, digits(rest.get(2..)?, 2)?),
        rest => {
            let (hours, minutes) = rest.split_once(':')?;
            (digits(hours, 2)?, digits(minutes, 2)?)
        }
    };
    // All zones lie between -12:00 and +14:00.
    let is_known = hours <= 14 && minutes < 60;
    is_known.then(|| Some(sign * (hours * 3600 + minutes * 60) as i32))
}

/// Reads a number of exactly this many digits.
fn digits(text: &str, length: usize) -> Option<u32> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_767_268_800_000_000;

    #[test]
    fn times_as_people_write_them() {
        for text in [
            "2026-01-01 12:00",
            "2026-01-01T12:00",
            "2026-01-01t12:00z",
            "2026-01-01 12:00:00",
            "2026-01-01T12:00:00Z",
            "2026-01-01T12:00:00.000Z",
            "2026-01-01T12:00:00.000000000Z",
            "2026-01-01 12:00:00 UTC",
            "2026-01-01T13:00:00+01:00",
            "2026-01-01 14:00+02",
            "2026-01-01 14:00 +0200",
            "2026-01-01T06:30-05:30",
            "1767268800000",
            " 2026-01-01 12:00 ",
        ] {
            assert_eq!(parse_time(text).map(Time::micros).unwrap_or_else(|error| panic!("{error}")), NOON, "{text}");
        }
        assert_eq!(parse_time("2026-01-01").unwrap().micros(), NOON - 43_200_000_000);
        assert_eq!(parse_time("1969-12-31T23:59:59.999999Z").unwrap().micros(), -1);
        assert_eq!(parse_time("2024-02-29").unwrap().offset, None);
        assert_eq!(
            parse_time("2026-01-01 12:00:00.0005").unwrap().millis().unwrap_err().hint_text(),
            Some("write at most three digits after the seconds")
        );
    }

    #[test]
    fn nothing_is_guessed() {
        for (wrong, hint) in [
            ("", HINT),
            ("yesterday", HINT),
            ("04/24/2026", HINT),
            ("24.04.2026", HINT),
            ("2026-1-5", HINT),
            ("2026-01", HINT),
            ("26-01-05", HINT),
            ("2026-02-30", HINT),
            ("2026-13-01", HINT),
            ("2026-01-05-06", HINT),
            ("2026-01-05T", HINT),
            ("2026-01-05  12:00", HINT),
            ("2026-01-05 12", HINT),
            ("2026-01-05 1:00", HINT),
            ("2026-01-05 12:00.5", HINT),
            ("2026-01-05 12:00:00.", HINT),
            ("2026-01-05 12:00:00.0000001", HINT),
            ("2026-01-05 24:00", "the last time of a day"),
            ("2026-01-05 12:60", "the last time of a day"),
            ("2026-01-05 23:59:60", "the last time of a day"),
            ("2026-01-05 12:00 PM", "write Z, +02"),
            ("2026-01-05 12:00 Europe/Berlin", "write Z, +02"),
            ("2026-01-05 12:00+2", "write Z, +02"),
            ("2026-01-05 12:00+25:00", "write Z, +02"),
            ("2026-01-05Z", HINT),
            // Seconds, microseconds, a year.
            ("1767268800", "have 13 digits"),
            ("1767268800000000", "have 13 digits"),
            ("2026", "have 13 digits"),
            ("-1767268800000", HINT),
            ("２０２６-01-05", HINT),
        ] {
            let error = parse_time(wrong).expect_err(wrong);
            assert!(error.hint_text().unwrap().contains(hint), "{wrong}: {error}, {:?}", error.hint_text());
            assert!(error.to_string().starts_with(&format!("cannot read the time `{wrong}`")), "{error}");
        }
    }

    #[test]
    fn so_long_ago_is_a_time_too() {
        let now_ms = NOON / 1000;
        let when = |text: &str| text.parse::<When>().unwrap();
        assert_eq!(when("7d").millis(now_ms).unwrap(), now_ms - 7 * 86_400_000);
        assert_eq!(when("PT15M").micros(now_ms), NOON - 900_000_000);
        assert_eq!(when("90d").millis_ahead(now_ms).unwrap(), now_ms + 90 * 86_400_000);
        assert_eq!(when("2026-01-01 12:00").millis(0).unwrap(), now_ms);
        assert_eq!(when("2026-01-01 12:00").millis_ahead(0).unwrap(), now_ms);
        let error = "last week".parse::<When>().unwrap_err();
        assert!(error.hint_text().unwrap().ends_with("or 7d for seven days ago"));
    }
}
