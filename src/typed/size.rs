//! Sizes: `80MiB`, `1GB`, plain bytes.

use super::count::parse_count;
use crate::error::{Error, Result};

const UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Formats a size in decimal units: `12.3 MB`.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// Reads a number of bytes: `80MiB` (powers of 1024), `1.5GB` (powers of 1000), or `4096`. Errors with usage.
pub fn parse_size(text: &str) -> Result<u64> {
    let wrong = || Error::usage(format!("cannot read the size `{text}`"));
    let hint = "write 80MiB, 1.5GB, or a number of bytes";
    let plain = text.trim();
    let digits = plain.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(plain.len());
    let (number, unit) = (&plain[..digits], plain[digits..].trim());
    if unit.is_empty() {
        return parse_count(number).map_err(|_| wrong().hint(hint));
    }
    let known = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
    let Some((_, factor)) = known else {
        let is_short = ["k", "m", "g", "t"].iter().any(|short| unit.eq_ignore_ascii_case(short));
        let letter = unit.to_ascii_uppercase();
        return Err(wrong().hint(if is_short {
            format!("write {number}{letter}iB (powers of 1024) or {number}{letter}B (powers of 1000)")
        } else {
            hint.to_string()
        }));
    };
    scaled(number, *factor).ok_or_else(|| wrong().hint(hint))
}

/// Multiplies a decimal number by a factor, rounded down.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u64 = format!("{fraction:0<9}").parse().ok()?;
    let part = u128::from(part) * u128::from(factor) / 1_000_000_000;
    let total = u128::from(parse_count(whole).ok()?) * u128::from(factor) + part;
    u64::try_from(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("4096", 4096),
            ("12,345", 12_345),
            ("80MiB", 80 << 20),
            ("80 mib", 80 << 20),
            ("0.5MiB", 1 << 19),
            ("1GB", 1_000_000_000),
            ("1.5kB", 1500),
            ("2TiB", 2 << 40),
            ("7B", 7),
        ] {
            assert_eq!(parse_size(text).unwrap(), expected, "{text}");
        }
        for wrong in ["", "MiB", "-1", "1.5", "much", ".5MiB", "1.MiB", "99999999999TiB", "5 5MB", "1e3"] {
            assert!(parse_size(wrong).unwrap_err().hint_text().unwrap().contains("80MiB"), "{wrong}");
        }
        let error = parse_size("80m").unwrap_err();
        assert_eq!(error.hint_text(), Some("write 80MiB (powers of 1024) or 80MB (powers of 1000)"));
    }

    #[test]
    fn sizes_as_people_read_them() {
        assert_eq!([bytes(0), bytes(999), bytes(1500), bytes(80 << 20)], ["0 B", "999 B", "1.5 kB", "83.9 MB"]);
    }
}
