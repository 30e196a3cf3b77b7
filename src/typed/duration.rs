//! Durations: `30s`, `1.5h`, `2d`, `1h30m`, and ISO 8601's `PT15M`.

use std::time::Duration;

use crate::error::{Error, Result};

const UNITS: [(&str, u64); 7] = [
    ("ms", 1_000_000),
    ("s", SECOND),
    ("min", 60 * SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("d", 86_400 * SECOND),
    ("w", 7 * 86_400 * SECOND),
];
/// One second in nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// Times are counted in microseconds in 64 bits; nobody means more than a thousand years.
const LONGEST: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// Formats a duration: `45 s`, `12 min`, `3.5 h`.
pub fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5999 => format!("{} min", seconds / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// Reads a duration. A day has 24 hours; months and years have no length. Errors with usage.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let plain = text.trim();
    let parsed = match plain.strip_prefix(['P', 'p']) {
        Some(rest) => iso(&rest.to_ascii_uppercase()),
        None => written(plain),
    };
    parsed.filter(|duration| *duration <= LONGEST).ok_or_else(|| {
        let wrong = Error::usage(format!("cannot read the duration `{text}`"));
        let is_number =
            !plain.is_empty() && plain.parse::<f64>().is_ok_and(|number| number.is_finite() && number >= 0.0);
        if is_number {
            wrong.hint(format!("it has no unit: write {plain}s, {plain}m, {plain}h or {plain}d"))
        } else {
            wrong.hint("write 30s, 15m, 1.5h, 7d, 1w or PT15M")
        }
    })
}

/// Reads numbers, each with its unit, the longest first: `1h30m`.
fn written(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0_u128;
    let mut before = u64::MAX;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(end);
        let tail = tail.trim_start();
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let unit = UNITS.iter().find(|(name, _)| tail[..end].eq_ignore_ascii_case(name))?.1;
        if unit >= before {
            return None;
        }
        before = unit;
        total += scaled(number, unit)?;
        rest = tail[end..].trim_start();
    }
    (before != u64::MAX).then(|| nanoseconds(total))?
}

/// Reads ISO 8601 without its `P`, without years and months, whose length varies: `2W`, `1DT12H30M`, `T0.5S`.
fn iso(text: &str) -> Option<Duration> {
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = components(date, &[('W', 7 * 86_400 * SECOND), ('D', 86_400 * SECOND)])?;
    nanoseconds(days + components(time, &[('H', 3600 * SECOND), ('M', 60 * SECOND), ('S', SECOND)])?)
}

fn components(mut text: &str, units: &[(char, u64)]) -> Option<u128> {
    let mut total = 0;
    for &(name, unit) in units {
        let Some((number, rest)) = text.split_once(name) else { continue };
        text = rest;
        total += scaled(number, unit)?;
    }
    text.is_empty().then_some(total)
}

/// Multiplies a decimal number by a unit; returns `None` when the result is not a whole number of nanoseconds.
fn scaled(number: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.len() <= 15 && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let scale = 10_u128.pow(fraction.len() as u32);
    let part = fraction.parse::<u128>().ok()? * u128::from(unit);
    let total = whole.parse::<u128>().ok()?.checked_mul(u128::from(unit))?;
    part.is_multiple_of(scale).then(|| total + part / scale)
}

fn nanoseconds(total: u128) -> Option<Duration> {
    u64::try_from(total / u128::from(SECOND))
        .ok()
        .map(|seconds| Duration::new(seconds, (total % u128::from(SECOND)) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, expected) in [
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("30 s", 30_000),
            ("5min", 300_000),
            ("15m", 900_000),
            ("1.5h", 5_400_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("24H", 86_400_000),
            ("2d", 172_800_000),
            ("1w", 604_800_000),
            ("PT15M", 900_000),
            ("P1W", 604_800_000),
            ("P1DT12H", 129_600_000),
            ("PT0.5S", 500),
            ("pt1h", 3_600_000),
            ("P0D", 0),
        ] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(expected), "{text}");
        }
        for wrong in [
            "",
            "h",
            "-1h",
            "1y",
            "1mo",
            "30m1h",
            "1h1h",
            "5ü",
            "1.h",
            ".5h",
            "P",
            "PT",
            "P1M",
            "P1Y",
            "PT15",
            "P1H",
            "1h30",
            "99999999d",
            "999999999999999w",
            "1e3s",
            "soon",
        ] {
            let error = parse_duration(wrong).unwrap_err();
            assert!(error.hint_text().unwrap().contains("PT15M"), "{wrong}");
        }
        assert_eq!(parse_duration("90").unwrap_err().hint_text(), Some("it has no unit: write 90s, 90m, 90h or 90d"));
    }

    #[test]
    fn durations_as_people_read_them() {
        let told = [5, 130, 12_600].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(told, ["5 s", "2 min", "3.5 h"]);
    }
}
