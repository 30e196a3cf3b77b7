//! Functions of times.

use datafusion::sql::sqlparser::ast::{DataType, Expr, TimezoneInfo, Value, ValueWithSpan};

use super::super::super::grammar::call;
use super::build::{cast, minus, number, plus, text, times};

/// Returns a call in the engine's terms; `None` for one that stays.
pub fn rewritten(name: &str, args: &[Expr]) -> Option<Expr> {
    Some(match (name, args) {
        ("date", [value]) => cast(value.clone(), DataType::Date),
        ("from_iso8601_timestamp", [value]) => {
            cast(value.clone(), DataType::Timestamp(None, TimezoneInfo::WithTimeZone))
        }
        ("from_iso8601_date", [value]) => cast(value.clone(), DataType::Date),
        ("to_iso8601", [time]) => cast(time.clone(), DataType::Varchar(None)),
        ("to_date", [_, _, ..]) => cast(call("to_timestamp", args.to_vec()), DataType::Date),
        ("timezone", [zone, time]) | ("at_timezone" | "with_timezone", [time, zone]) => in_zone(time, zone),
        ("date_trunc" | "datetrunc", [unit, time, zone]) => call("date_trunc", vec![unit.clone(), in_zone(time, zone)]),
        ("time_bucket", [width, time, zone]) if is_zone(zone) => {
            call("time_bucket", vec![width.clone(), in_zone(time, zone)])
        }
        ("age", [later, earlier]) => minus(later.clone(), earlier.clone()),
        ("epoch", [time]) => part("epoch", time),
        ("unix_timestamp", []) => cast(part("epoch", &call("now", Vec::new())), DataType::BigInt(None)),
        ("dayname", [time]) => call("to_char", vec![time.clone(), text("%A")]),
        ("monthname", [time]) => call("to_char", vec![time.clone(), text("%B")]),
        (_, [time]) if part_of(name).is_some() => part(part_of(name)?, time),
        (_, [count]) if unit_of(name).is_some() => times(count.clone(), unit_of(name)?),
        ("last_day", [time]) => {
            let month = call("date_trunc", vec![text("month"), time.clone()]);
            let next = call("date_add", vec![text("month"), number("1"), month]);
            cast(call("date_add", vec![text("day"), number("-1"), next]), DataType::Date)
        }
        ("add_months", [time, months]) => call("date_add", vec![text("month"), months.clone(), time.clone()]),
        ("date_add", [time, by]) => plus(time.clone(), by.clone()),
        ("date_sub", [time, by]) => minus(time.clone(), by.clone()),
        _ => return None,
    })
}

fn in_zone(time: &Expr, zone: &Expr) -> Expr {
    call("at_time_zone", vec![time.clone(), zone.clone()])
}

/// Returns whether a text is the name of a zone rather than a time.
fn is_zone(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. })
        if !text.starts_with(|first: char| first.is_ascii_digit()))
}

/// Returns the field of `date_part` that a function of that name returns.
fn part_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "year" => "year",
        "isoyear" => "isoyear",
        "quarter" => "quarter",
        "month" => "month",
        "week" | "weekofyear" | "week_of_year" => "week",
        "day" | "dayofmonth" | "day_of_month" => "day",
        "dayofyear" | "day_of_year" | "doy" => "doy",
        "dayofweek" | "dow" | "weekday" => "dow",
        "isodow" | "day_of_week" => "isodow",
        "hour" => "hour",
        "minute" => "minute",
        "second" => "second",
        "millisecond" => "millisecond",
        "microsecond" => "microsecond",
        _ => return None,
    })
}

/// Returns the unit that a function of that name counts.
fn unit_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "to_years" => "1 year",
        "to_months" => "1 month",
        "to_weeks" => "7 days",
        "to_days" => "1 day",
        "to_hours" => "1 hour",
        "to_minutes" => "1 minute",
        "to_seconds" => "1 second",
        "to_milliseconds" => "1 millisecond",
        _ => return None,
    })
}

fn part(field: &str, time: &Expr) -> Expr {
    call("date_part", vec![text(field), time.clone()])
}
