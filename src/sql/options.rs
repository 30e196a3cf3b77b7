//! How a session runs its queries, and which part of the lake it sees.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::conventions::Conventions;
use crate::error::{Error, Result};

/// How a session runs its queries.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes that all queries of the session may hold before they spill; none is no limit.
    pub memory_limit: Option<usize>,
    /// Where queries spill to, and how many bytes may lie there; none is the system's folder for temporary files.
    pub spill_folder: Option<PathBuf>,
    pub spill_limit: Option<u64>,
    /// How long a statement may take, from its text to its last row.
    pub timeout: Option<Duration>,
    /// The state of the lake to see; none is the newest.
    pub as_of: Option<AsOf>,
    /// Events before `since_us` and at or after `until_us` do not exist for the session.
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    /// The catalogue's conventions, which another module has.
    pub conventions: Option<Arc<dyn Conventions>>,
}

/// A state of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this ledger entry.
    Sequence(u64),
    /// After the last entry that was written at or before this time.
    Time { time_ms: i64 },
}

impl FromStr for AsOf {
    type Err = Error;

    fn from_str(text: &str) -> Result<AsOf> {
        if let Ok(sequence) = text.parse() {
            return Ok(AsOf::Sequence(sequence));
        }
        Ok(AsOf::Time { time_ms: parse_time(text)?.div_euclid(1000) })
    }
}

/// An instant, microseconds: `2026-01-31`, `2026-01-31T12:00`, `2026-01-31 12:00:00Z`, with an offset; else UTC.
pub fn parse_time(text: &str) -> Result<i64> {
    if let Some(clock) = parse_local_time(text) {
        return Ok(clock.and_utc().timestamp_micros());
    }
    let spelling = text.trim().replacen(' ', "T", 1);
    for form in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"] {
        if let Ok(time) = DateTime::parse_from_str(&spelling, form) {
            return Ok(time.timestamp_micros());
        }
    }
    if let Some(Ok(time)) = spelling.strip_suffix(['Z', 'z']).map(|plain| parse_local_time(plain).ok_or(())) {
        return Ok(time.and_utc().timestamp_micros());
    }
    Err(Error::usage(format!("cannot read the time `{}`", text.trim()))
        .hint("write 2026-01-31, or 2026-01-31T12:00:00Z"))
}

/// What a clock shows: a time without an offset; `None` for anything else.
pub fn parse_local_time(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_time(chrono::NaiveTime::MIN));
    }
    let spelling = text.replacen(' ', "T", 1);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&spelling, form).ok())
}

/// A length of time: `30s`, `5m`, `2h`, `7d`, `1w`, `250ms`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => f64::NAN,
    };
    let length = number.parse::<f64>().map(|number| number * seconds).unwrap_or(f64::NAN);
    Duration::try_from_secs_f64(length)
        .map_err(|_| Error::usage(format!("cannot read the length of time `{text}`")).hint("write 30s, 5m, 2h or 7d"))
}

/// Bytes: `512MB`, `2GiB`, `800MiB`; a bare number is bytes.
pub fn parse_bytes(text: &str) -> Result<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => f64::NAN,
    };
    match number.parse::<f64>().map(|number| number * factor) {
        Ok(bytes) if bytes >= 1.0 => Ok(bytes as usize),
        _ => Err(Error::usage(format!("cannot read the size `{text}`")).hint("write 512MB or 2GiB")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lengths_and_sizes_as_people_write_them() {
        let noon = 1_767_268_800_000_000;
        for text in [
            "2026-01-01T12:00:00Z",
            "2026-01-01 12:00",
            "2026-01-01T13:00:00+01:00",
            "2026-01-01T12:00:00.000Z",
            "2026-01-01 14:00:00+02",
            "2026-01-01 14:00+0200",
            "2026-01-01T12:00",
        ] {
            assert_eq!(parse_time(text).unwrap(), noon, "{text}");
        }
        assert_eq!(parse_time("2026-01-01").unwrap(), noon - 43_200_000_000);
        for wrong in ["yesterday", "2026-01-01 24:00", "2026-02-30", "04/24/2026", "2026-01-01T12:00:60Z+1", ""] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        assert_eq!("17".parse::<AsOf>().unwrap(), AsOf::Sequence(17));
        assert_eq!("2026-01-01T12:00Z".parse::<AsOf>().unwrap(), AsOf::Time { time_ms: noon / 1000 });
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse_duration("1.5h").unwrap(), Duration::from_secs(5400));
        assert!(parse_duration("-1s").is_err() && parse_duration("soon").is_err());
        assert_eq!(parse_bytes("2GiB").unwrap(), 2 << 30);
        assert_eq!(parse_bytes("512MB").unwrap(), 512_000_000);
        assert!(parse_bytes("0").is_err() && parse_bytes("much").is_err());
    }
}
