//! Counts: `12,345`.

use crate::error::{Error, Result};

/// Formats a count: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Reads `12345` and `12,345`. Errors with usage.
pub fn parse_count(text: &str) -> Result<u64> {
    let wrong = || Error::usage(format!("cannot read the number `{text}`")).hint("write 12345 or 12,345");
    let digits = text.trim();
    let groups: Vec<&str> = digits.split(',').collect();
    let is_grouped = match groups.as_slice() {
        [_] => true,
        [first, rest @ ..] => (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3),
        [] => false,
    };
    let plain = groups.concat();
    if !is_grouped || plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    plain.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_are_written() {
        for number in [0, 7, 999, 1000, 12_345, 1_234_567, u64::MAX] {
            assert_eq!(parse_count(&count(number)).unwrap(), number);
            assert_eq!(parse_count(&number.to_string()).unwrap(), number);
        }
        assert_eq!(count(1_234_567), "1,234,567");
        for wrong in
            ["", ",", "1,23", "1,2345", "1234,567", ",123", "123,", "1.5", "-1", "+1", "1e3", "99999999999999999999"]
        {
            assert!(parse_count(wrong).is_err(), "{wrong}");
        }
    }
}
