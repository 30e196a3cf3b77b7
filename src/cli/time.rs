//! Instants and durations as they are typed: `2026-01-31`, `2026-01-31T12:00:00Z`, `24h`.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime};

/// Milliseconds since the epoch; a date is its midnight, UTC.
pub fn instant(text: &str) -> Result<i64, String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let time = || DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let time = date.or_else(|_| time());
    time.map(|time| time.timestamp_millis())
        .map_err(|_| "write a date such as 2026-01-31, or a time such as 2026-01-31T23:59:59Z".to_string())
}

/// A number and one of `s`, `m`, `h`, `d`; not zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parse = || {
        let unit = text.chars().last()?;
        let number: u64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        number.checked_mul(seconds).filter(|seconds| (1..=100 * 366 * 86_400).contains(seconds))
    };
    parse().map(Duration::from_secs).ok_or_else(|| "write a duration such as 60s, 15m, 24h or 7d".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        assert_eq!(instant("2026-01-01"), Ok(1_767_225_600_000));
        assert_eq!(instant("2026-01-01T01:00:00+01:00"), Ok(1_767_225_600_000));
        assert!(instant("yesterday").is_err());
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in ["", "5", "h", "-1h", "0s", "1w", "1.5h", "99999999d", "5ü"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
