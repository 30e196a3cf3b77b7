//! Values as people write them: times in UTC, numbers with separators and few digits, shares in percent, lists with commas.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::DateTime;

use crate::report::catalog::header::ColumnType;
use crate::typed::count;

/// Returns whether a number of that name is a share, shown in percent: `share`, `coverage`, `failure_rate`.
pub fn is_share(name: &str) -> bool {
    let is_word = |word: &str| matches!(word, "share" | "rate" | "coverage" | "agreement");
    name.split('_').next_back().is_some_and(is_word) || name.starts_with("share_")
}

/// Formats one value; a share becomes a percentage.
pub fn cell(column: &ArrayRef, row: usize, ty: ColumnType, is_share: bool) -> String {
    let found = match ty {
        ColumnType::Timestamp => {
            column.as_primitive_opt::<TimestampMicrosecondType>().map(|times| time_text(times.value(row)))
        }
        ColumnType::Int | ColumnType::Bigint => {
            column.as_primitive_opt::<Int64Type>().map(|numbers| whole(numbers.value(row)))
        }
        ColumnType::Double => {
            column.as_primitive_opt::<Float64Type>().map(|numbers| number(numbers.value(row), is_share))
        }
        ColumnType::Date => column.as_primitive_opt::<Date32Type>().map(|days| day_text(days.value(row))),
        ColumnType::Boolean => {
            column.as_boolean_opt().map(|flags| if flags.value(row) { "yes" } else { "no" }.to_string())
        }
        ColumnType::String => column.as_string_opt::<i32>().map(|texts| texts.value(row).to_string()),
        ColumnType::Strings => column.as_list_opt::<i32>().map(|lists| {
            let items = lists.value(row);
            let items = items.as_string_opt::<i32>().map(|items| items.iter().flatten().collect::<Vec<_>>().join(", "));
            items.unwrap_or_default()
        }),
    };
    found.unwrap_or_default()
}

/// Formats a whole number: `12,345`; a negative one has a minus sign.
fn whole(number: i64) -> String {
    let text = count(number.unsigned_abs());
    if number < 0 { format!("\u{2212}{text}") } else { text }
}

/// Formats a number: a share as `6.2 %`, else `12,345`, `1.25`, and three digits of a small one: `0.00321`.
pub fn number(number: f64, is_share: bool) -> String {
    if !number.is_finite() {
        return number.to_string();
    }
    if is_share {
        return format!("{} %", self::number((number * 1000.0).round() / 10.0, false));
    }
    let sign = if number < 0.0 { "\u{2212}" } else { "" };
    let size = number.abs();
    let places = match size {
        _ if size >= 1000.0 || size == 0.0 => 0,
        _ if size >= 1.0 => 2,
        _ => 2 - (size.log10().floor() as i32),
    };
    let text = format!("{size:.*}", places.clamp(0, 12) as usize);
    let (before, after) = text.split_once('.').unwrap_or((&text, ""));
    let before = before.parse().map_or_else(|_| before.to_string(), count);
    match after.trim_end_matches('0') {
        "" => format!("{sign}{before}"),
        after => format!("{sign}{before}.{after}"),
    }
}

fn day_text(days: i32) -> String {
    let day = DateTime::from_timestamp(i64::from(days) * 86_400, 0);
    day.map_or(format!("{days} days"), |day| day.format("%Y-%m-%d").to_string())
}

/// Formats `2026-01-05 09:12:03`: to the second, since nobody reads milliseconds in a table; the CSV has them.
fn time_text(time_us: i64) -> String {
    match DateTime::from_timestamp_micros(time_us) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => format!("{time_us} us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_people_write_them() {
        let cases = [
            (50_000.0, "50,000"),
            (0.062_206_352_189_438_076, "0.0622"),
            (1.5, "1.5"),
            (0.0, "0"),
            (-12.345, "\u{2212}12.35"),
            (1_234_567.8, "1,234,568"),
            (0.000_001_234, "0.00000123"),
            (999.999, "1,000"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value, false), text, "{value}");
        }
        assert_eq!(number(0.062_206_352, true), "6.2 %");
        assert_eq!(number(1.0, true), "100 %");
        assert_eq!(whole(-1_234), "\u{2212}1,234");
        assert_eq!(number(f64::NAN, false), "NaN");
    }

    #[test]
    fn shares_are_known_by_their_names() {
        assert!(is_share("logon_failure_rate") && is_share("share_without") && !is_share("shared_keys"));
    }
}
