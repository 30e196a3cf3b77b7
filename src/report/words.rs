//! Numbers, instants and column names in the form that all texts for people use.

use chrono::DateTime;

use crate::typed::count;

/// Formats a share in percent: rounded up, so that a part never reads as nothing.
pub fn share(share: f64) -> String {
    format!("{} %", (share * 1000.0).ceil() / 10.0)
}

/// Formats a count with its noun: `1 finding`, `3,210 rows`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Formats an instant to the second, or finer where it has a fraction: `2026-01-05 09:12:03`.
pub fn instant(time_ms: i64) -> String {
    let format = match time_ms.rem_euclid(86_400_000) {
        0 => "%Y-%m-%d",
        _ if time_ms % 1000 == 0 => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    DateTime::from_timestamp_millis(time_ms).map_or(format!("{time_ms} ms"), |time| time.format(format).to_string())
}

/// Returns the heading of a column: `first_time` is `first time`, and `subject_label` the subject.
pub fn heading(name: &str) -> String {
    let plain = name.strip_suffix("_label").unwrap_or(name);
    match plain {
        _ if plain.ends_with("_pct") => format!("{} in %", plain.trim_end_matches("_pct").replace('_', " ")),
        "severity_id" => "severity".to_string(),
        plain => plain.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_headed_in_words() {
        assert_eq!(heading("subject_label"), "subject");
        assert_eq!(heading("first_time"), "first time");
    }
}
