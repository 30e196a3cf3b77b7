//! Lengths of time as people read them: `89 days 23:27:20`.
//!
//! The spelling is PostgreSQL's and DuckDB's. A difference of two times has a fixed length; an interval has months and
//! days that are as long as the calendar makes them, so its parts are never summed up.

use arrow::datatypes::TimeUnit;

use super::escape::write_to;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i128 = 86_400;

/// Appends a difference of two times.
pub(super) fn write_duration(ticks: i64, unit: TimeUnit, out: &mut String) {
    let nanos = i128::from(ticks)
        * match unit {
            TimeUnit::Second => NANOS_PER_SECOND,
            TimeUnit::Millisecond => 1_000_000,
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Nanosecond => 1,
        };
    let per_day = SECONDS_PER_DAY * NANOS_PER_SECOND;
    let days = nanos / per_day;
    let start = out.len();
    write_part(days, "day", out);
    write_clock(nanos % per_day, out.len() > start, out);
}

/// Appends an interval, whose parts may have signs of their own.
pub(super) fn write_interval(months: i32, days: i32, nanos: i64, out: &mut String) {
    let start = out.len();
    write_part((months / 12).into(), "year", out);
    write_part((months % 12).into(), "month", out);
    write_part(days.into(), "day", out);
    write_clock(nanos.into(), out.len() > start, out);
}

fn write_part(number: i128, unit: &str, out: &mut String) {
    if number != 0 {
        let plural = if number.abs() == 1 { "" } else { "s" };
        write_to(out, format_args!("{number} {unit}{plural} "));
    }
}

/// Appends hours, minutes and seconds; zero parts after larger ones are left out.
fn write_clock(nanos: i128, has_parts: bool, out: &mut String) {
    if nanos == 0 && has_parts {
        out.truncate(out.trim_end().len());
        return;
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, fraction) = (nanos.abs() / NANOS_PER_SECOND, nanos.abs() % NANOS_PER_SECOND);
    write_to(out, format_args!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    if fraction > 0 {
        // The digits are three, six or nine, like those of times.
        let digits = format!("{fraction:09}");
        let length = [3, 6].into_iter().find(|length| digits[*length..].bytes().all(|digit| digit == b'0'));
        let digits = &digits[..length.unwrap_or(9)];
        write_to(out, format_args!(".{digits}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duration(ticks: i64, unit: TimeUnit) -> String {
        let mut out = String::new();
        write_duration(ticks, unit, &mut out);
        out
    }

    fn interval(months: i32, days: i32, nanos: i64) -> String {
        let mut out = String::new();
        write_interval(months, days, nanos, &mut out);
        out
    }

    #[test]
    fn a_difference_of_times_reads_in_days_and_hours() {
        assert_eq!(duration(7_775_810_682, TimeUnit::Millisecond), "89 days 23:56:50.682");
        assert_eq!(duration(0, TimeUnit::Second), "00:00:00");
        assert_eq!(duration(86_400, TimeUnit::Second), "1 day");
        assert_eq!(duration(-90_061, TimeUnit::Second), "-1 day -01:01:01");
        assert_eq!(duration(1_500_001, TimeUnit::Microsecond), "00:00:01.500001");
        assert_eq!(duration(i64::MIN, TimeUnit::Second), "-106751991167300 days -15:30:08");
    }

    #[test]
    fn an_interval_keeps_its_parts() {
        assert_eq!(interval(14, 3, 14_706_789_000_000), "1 year 2 months 3 days 04:05:06.789");
        assert_eq!(interval(1, 0, 0), "1 month");
        assert_eq!(interval(0, 45, 0), "45 days");
        assert_eq!(interval(0, 0, 0), "00:00:00");
        assert_eq!(interval(0, 1, -1_000_000_000), "1 day -00:00:01");
    }
}
