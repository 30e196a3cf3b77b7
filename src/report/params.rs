//! Values for a report's parameters: from text, typed, complete.
//!
//! Nothing here knows SQL; `literal` turns a value into a typed literal of the statement.

use std::collections::BTreeMap;
use std::str::FromStr;

use arrow::array::timezone::Tz;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};

use super::catalog::nearest;
use super::header::{Parameter, ParameterType, Report};
use super::month;
use crate::clock::Clock;
use crate::error::{Error, Result};

/// A day of the catalogue (C3), whatever the time zone does.
const DAY_MS: i64 = 86_400_000;

/// One typed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Milliseconds since 1970, UTC.
    Timestamp(i64),
    /// Milliseconds.
    Duration(i64),
    Int(i64),
    Double(f64),
    Boolean(bool),
    /// Strings, patterns and names of time zones.
    Text(String),
    Strings(Vec<String>),
    /// Names to patterns, in the order of their names.
    Map(Vec<(String, String)>),
}

/// All parameters of one report, in the order of its head: given ones and defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    values: Vec<(String, Value)>,
}

impl Params {
    /// Types what was given (`--param name=text`) and adds defaults; `period` fills `from` and `to`.
    ///
    /// Errors with usage for a parameter that is missing, unknown, given twice or of another type.
    pub fn new(report: &Report, given: &[(String, String)], period: Option<Period>) -> Result<Params> {
        let id = &report.id;
        for (index, (name, _)) in given.iter().enumerate() {
            if report.parameter(name).is_none() {
                let names = || report.parameters.iter().map(|parameter| parameter.name.as_str());
                let hint = match nearest(name, names()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
                };
                return Err(Error::usage(format!("report `{id}` has no parameter `{name}`")).hint(hint));
            }
            if given[..index].iter().any(|(other, _)| other == name) {
                return Err(Error::usage(format!("parameter `{name}` is given twice")));
            }
        }
        if period.is_some() && report.parameter("month").is_none_or(|_| given.iter().any(|(name, _)| name == "month")) {
            if report.parameter("from").is_none() || report.parameter("to").is_none() {
                return Err(Error::usage(format!("report `{id}` has no period")).hint("it has `as_of`: pass --param"));
            }
            if given.iter().any(|(name, _)| name == "from" || name == "to") {
                return Err(Error::usage("a period and `from` or `to` exclude each other"));
            }
        }
        let mut values = Vec::new();
        for parameter in &report.parameters {
            let name = &parameter.name;
            let text =
                given.iter().find(|(other, _)| other == name).map(|(_, text)| text).or(parameter.default.as_ref());
            let value = match (period, name.as_str(), text) {
                (Some(period), "month", None) => Value::Text(month::of(period)?),
                (Some(period), "from", _) => Value::Timestamp(period.from_ms),
                (Some(period), "to", _) => Value::Timestamp(period.to_ms),
                (_, _, Some(text)) => match relative(parameter, text, &values) {
                    Some(value) => value,
                    None => typed(parameter, text)?,
                },
                (_, _, None) => {
                    let error = Error::usage(format!("report `{id}` needs parameter `{name}`"));
                    return Err(error.hint(match parameter.ty {
                        ParameterType::Timestamp if name == "from" || name == "to" => {
                            format!("pass --param {name}=2026-01-01, or --period 2026-Q1")
                        }
                        ParameterType::Timestamp => format!("pass --param {name}=2026-01-01"),
                        ty => format!("pass --param {name}=..., a {}", ty.name()),
                    }));
                }
            };
            values.push((name.clone(), value));
        }
        if let Some(parameter) = report.parameters.iter().find(|parameter| parameter.ty == ParameterType::Month) {
            values.extend(month::bounds(&parameter.name, &values)?);
        }
        let params = Params { values };
        let is_empty = |name: &String| match params.get(name) {
            Some(Value::Text(text)) => text.trim().is_empty(),
            value => value.is_none(),
        };
        if !report.any_of.is_empty() && report.any_of.iter().all(is_empty) {
            let names = report.any_of.join(", ");
            return Err(Error::usage(format!("report `{id}` needs one of {names}"))
                .hint(format!("pass --param {}=...", report.any_of[0])));
        }
        if let (Some(from), Some(to)) = (params.timestamp("from"), params.timestamp("to"))
            && from >= to
        {
            return Err(Error::usage("the period is empty: `from` is not before `to`")
                .hint("`to` is the first instant after the period"));
        }
        Ok(params)
    }

    /// No report's: what the conventions alone need.
    pub(super) fn as_of(as_of_ms: Option<i64>) -> Params {
        Params {
            values: as_of_ms.map(|time_ms| ("as_of".to_string(), Value::Timestamp(time_ms))).into_iter().collect(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// A timestamp parameter in milliseconds.
    pub fn timestamp(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Timestamp(time_ms)) => Some(*time_ms),
            _ => None,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// The value of a default like `as_of - P90D`, from the parameters before it.
fn relative(parameter: &Parameter, text: &str, values: &[(String, Value)]) -> Option<Value> {
    if parameter.default.as_deref() != Some(text) {
        return None;
    }
    let (base, duration) = text.split_once(" - ")?;
    let (_, base) = values.iter().find(|(name, _)| name == base)?;
    match base {
        Value::Timestamp(time_ms) => Some(Value::Timestamp(time_ms.checked_sub(parse_duration(duration)?)?)),
        _ => None,
    }
}

/// Types the text of a value; also the way a default takes.
pub(super) fn typed(parameter: &Parameter, text: &str) -> Result<Value> {
    let name = &parameter.name;
    if !parameter.values.is_empty() && !parameter.values.iter().any(|value| value == text) {
        return Err(Error::usage(format!("parameter `{name}` cannot be `{text}`"))
            .hint(format!("it is one of {}", parameter.values.join(", "))));
    }
    let value = match parameter.ty {
        ParameterType::Timestamp => parse_timestamp(text).map(Value::Timestamp),
        ParameterType::Duration => parse_duration(text).map(Value::Duration),
        ParameterType::Int => text.parse().ok().map(Value::Int),
        ParameterType::Double => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double),
        ParameterType::Boolean => text.parse().ok().map(Value::Boolean),
        ParameterType::String => Some(Value::Text(text.to_string())),
        ParameterType::Strings => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Some(Value::Strings(parts.map(str::to_string).collect()))
        }
        ParameterType::Regex => regex::Regex::new(text).ok().map(|_| Value::Text(text.to_string())),
        ParameterType::Timezone => Tz::from_str(text).ok().map(|_| Value::Text(text.to_string())),
        ParameterType::Time => parse_time(text).map(|time| Value::Text(time.format("%H:%M:%S").to_string())),
        ParameterType::Dates => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let dates: Option<Vec<_>> = parts.map(|part| part.parse::<NaiveDate>().ok()).collect();
            // Written again, because a report compares them as text.
            dates.map(|dates| Value::Strings(dates.iter().map(NaiveDate::to_string).collect()))
        }
        ParameterType::Patterns => parse_patterns(parameter.default.as_deref(), text).map(Value::Map),
        ParameterType::Month => month::first_day(text).map(|_| Value::Text(text.to_string())),
    };
    value.ok_or_else(|| {
        let hint = match parameter.ty {
            ParameterType::Timestamp => "write 2026-01-31, 2026-01-31T23:59:59.999Z or milliseconds since 1970",
            ParameterType::Duration => "write an ISO 8601 duration without months: PT15M, P1D, P1DT12H, PT0.5S",
            ParameterType::Int => "write a whole number",
            ParameterType::Double => "write a number",
            ParameterType::Boolean => "write true or false",
            ParameterType::Regex => "see docs.rs/regex for the syntax; there is no look-around and no back-reference",
            ParameterType::Timezone => "write an IANA name: UTC, Europe/Berlin",
            ParameterType::Time => "write a time of day: 08:00, 17:30:00",
            ParameterType::Dates => "write days, separated by commas: 2026-12-25,2026-12-26",
            ParameterType::Patterns => {
                "write a JSON object of names to patterns, such as {\"log_config\": \"audit.?log\"}"
            }
            ParameterType::Month => "write a month: 2026-01",
            ParameterType::String | ParameterType::Strings => "write text",
        };
        Error::usage(format!("parameter `{name}` has the type {}, not `{text}`", parameter.ty.name())).hint(hint)
    })
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    ["%H:%M", "%H:%M:%S"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())
}

/// The entries of `text`, a JSON object, in the place of those of the default, which has all the names that there are.
fn parse_patterns(default: Option<&str>, text: &str) -> Option<Vec<(String, String)>> {
    let read = |text: &str| serde_json::from_str::<BTreeMap<String, String>>(text).ok();
    let mut entries = read(default.unwrap_or(text))?;
    for (name, pattern) in read(text)? {
        regex::Regex::new(&pattern).ok()?;
        *entries.get_mut(&name)? = pattern;
    }
    Some(entries.into_iter().collect())
}

/// A half-open period `[from, to)` in UTC milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from_ms: i64,
    pub to_ms: i64,
}

impl Period {
    /// Reads `2026`, `2026-Q1`, `2026-01`, `2026-01-15`, `last-year|quarter|month|week|day` (all UTC) or
    /// `FIRST..END`, whose end is not part of it: `2026-01-15..2026-02-15` has 31 days.
    pub fn parse(text: &str, clock: &Clock) -> Result<Period> {
        let wrong = || {
            Error::usage(format!("`{text}` is no period"))
                .hint("write 2026-01, 2026-Q1, 2026, 2026-01-15, 2026-01-15..2026-02-15 (end excluded) or last-month")
        };
        let period = if let Some((from, to)) = text.split_once("..") {
            match (parse_timestamp(from), parse_timestamp(to)) {
                (Some(from_ms), Some(to_ms)) => Some(Period { from_ms, to_ms }),
                _ => None,
            }
        } else if let Some(unit) = text.strip_prefix("last-") {
            last(unit, clock.now())
        } else {
            calendar(text)
        };
        period.filter(|period| period.from_ms < period.to_ms).ok_or_else(wrong)
    }
}

fn midnight_ms(date: NaiveDate) -> i64 {
    date.and_time(NaiveTime::MIN).and_utc().timestamp_millis()
}

/// `count` whole months beginning with month `month` (1 to 12) of `year`.
fn months(year: i32, month: u32, count: u32) -> Option<Period> {
    let from = NaiveDate::from_ymd_opt(year, month, 1)?;
    let to = from.checked_add_months(chrono::Months::new(count))?;
    Some(Period { from_ms: midnight_ms(from), to_ms: midnight_ms(to) })
}

fn calendar(text: &str) -> Option<Period> {
    let parts: Vec<&str> = text.split('-').collect();
    // Signs and single digits are typing errors more often than meant.
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u32>().ok())?
    };
    let year = i32::try_from(number(parts.first()?, 4)?).ok()?;
    match parts[1..] {
        [] => months(year, 1, 12),
        ["Q1" | "q1"] => months(year, 1, 3),
        ["Q2" | "q2"] => months(year, 4, 3),
        ["Q3" | "q3"] => months(year, 7, 3),
        ["Q4" | "q4"] => months(year, 10, 3),
        [month] => months(year, number(month, 2)?, 1),
        [month, day] => {
            let from_ms = midnight_ms(NaiveDate::from_ymd_opt(year, number(month, 2)?, number(day, 2)?)?);
            Some(Period { from_ms, to_ms: from_ms + DAY_MS })
        }
        _ => None,
    }
}

/// The last whole unit before now; a week begins on Monday.
fn last(unit: &str, now: DateTime<Utc>) -> Option<Period> {
    let today = now.date_naive();
    let days = |first: NaiveDate, count: i64| {
        Some(Period { from_ms: midnight_ms(first), to_ms: midnight_ms(first) + count * DAY_MS })
    };
    match unit {
        "day" => days(today.pred_opt()?, 1),
        "week" => days(today - chrono::Days::new(u64::from(today.weekday().num_days_from_monday()) + 7), 7),
        "month" => {
            let end = today.with_day(1)?.pred_opt()?;
            months(end.year(), end.month(), 1)
        }
        "quarter" => {
            let end = today.with_day(1)?.with_month(today.month0() / 3 * 3 + 1)?.pred_opt()?;
            months(end.year(), end.month0() / 3 * 3 + 1, 3)
        }
        "year" => months(today.year() - 1, 1, 12),
        _ => None,
    }
}

/// A date (its midnight, UTC), an RFC 3339 time, a time without zone (UTC) or milliseconds since 1970.
fn parse_timestamp(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return whole_ms(time.with_timezone(&Utc));
    }
    let local = text.strip_suffix('Z').unwrap_or(text);
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(local, format) {
            return whole_ms(Utc.from_utc_datetime(&time));
        }
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(midnight_ms(date));
    }
    // A bare year is a period; milliseconds of today have 13 digits.
    if text.len() >= 9 { text.parse().ok() } else { None }
}

/// Events have whole milliseconds: a finer bound would silently be another one.
fn whole_ms(time: DateTime<Utc>) -> Option<i64> {
    time.timestamp_subsec_nanos().is_multiple_of(1_000_000).then(|| time.timestamp_millis())
}

/// ISO 8601 without years and months, whose length depends on when: `P2W`, `P1DT12H30M`, `PT0.5S`.
fn parse_duration(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = components(date, &[('W', 7 * DAY_MS), ('D', DAY_MS)])?;
    days.checked_add(components(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?)
}

fn components(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0i64;
    for &(unit, unit_ms) in units {
        let Some((number, rest)) = text.split_once(unit) else { continue };
        text = rest;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        // Only seconds have a fraction, of at most three digits: milliseconds are the finest we know.
        if !digits(whole) || !digits(fraction) || fraction.len() > 3 || (number.contains('.') && unit != 'S') {
            return None;
        }
        let fraction_ms: i64 = format!("{fraction:0<3}").parse().ok()?;
        let fraction_ms = if unit == 'S' { fraction_ms } else { 0 };
        total = total.checked_add(whole.parse::<i64>().ok()?.checked_mul(unit_ms)?)?.checked_add(fraction_ms)?;
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Catalog;

    fn period(text: &str) -> Option<(String, String)> {
        let clock = Clock::Fixed("2026-05-11T12:00:00Z".parse().unwrap());
        let print =
            |ms| DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Period::parse(text, &clock).ok().map(|period| (print(period.from_ms), print(period.to_ms)))
    }

    #[test]
    fn periods() {
        let is = |text, from: &str, to: &str| {
            let midnight = |day: &str| format!("{day}T00:00:00Z");
            assert_eq!(period(text), Some((midnight(from), midnight(to))), "{text}");
        };
        is("2026", "2026-01-01", "2027-01-01");
        is("2026-Q4", "2026-10-01", "2027-01-01");
        is("2024-02", "2024-02-01", "2024-03-01");
        is("2026-01-15", "2026-01-15", "2026-01-16");
        is("2026-01-15..2026-02-15", "2026-01-15", "2026-02-15");
        is("last-day", "2026-05-10", "2026-05-11");
        is("last-week", "2026-05-04", "2026-05-11");
        is("last-month", "2026-04-01", "2026-05-01");
        is("last-quarter", "2026-01-01", "2026-04-01");
        is("last-year", "2025-01-01", "2026-01-01");
        for wrong in ["", "26", "2026-13", "2026-Q5", "2026-1", "2026-02-30", "2026-02-02..2026-02-02", "last-moon"] {
            assert_eq!(period(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations() {
        let half = DAY_MS + 3_600_500;
        for (text, ms) in [("P1D", DAY_MS), ("PT15M", 900_000), ("P1W", 7 * DAY_MS), ("P1DT1H0.5S", half)] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
        }
        for wrong in ["", "P", "PT", "P1DT", "P1M", "P1Y", "PT1.5H", "15M", "P-1D", "PT1S1M", "PT0.0001S"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    fn error(report: &str, given: &[(&str, &str)]) -> String {
        let catalog = Catalog::load(None).unwrap();
        let given: Vec<_> = given.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        let error = Params::new(catalog.get(report).unwrap(), &given, None).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        format!("{} | {}", error.message(), error.hint_text().unwrap_or_default())
    }

    #[test]
    fn errors_say_what_to_pass() {
        assert_eq!(
            error("brute-force-by-user", &[("from", "2026-01-01")]),
            "report `brute-force-by-user` needs parameter `to` | pass --param to=2026-01-01, or --period 2026-Q1"
        );
        assert_eq!(
            error("brute-force-by-user", &[("treshold", "3")]),
            "report `brute-force-by-user` has no parameter `treshold` | did you mean `threshold`?"
        );
        let period = [("from", "2026-01-01"), ("to", "2026-02-01")];
        let with = |name, text| [period[0], period[1], (name, text)];
        assert_eq!(
            error("brute-force-by-user", &with("window", "15m")),
            "parameter `window` has the type duration, not `15m` | \
             write an ISO 8601 duration without months: PT15M, P1D, P1DT12H, PT0.5S"
        );
        assert_eq!(
            error("auth-outcome-summary", &with("by", "country")),
            "parameter `by` cannot be `country` | it is one of all, user, ip, protocol"
        );
        assert!(
            error("auth-outcome-summary", &with("tz", "Mars/Phobos"))
                .starts_with("parameter `tz` has the type timezone")
        );
        assert!(error("user-provisioning-log", &with("privileged_pattern", "(")).starts_with("parameter `privileged"));
        assert!(
            error("brute-force-by-user", &[("from", "2026-01-02"), ("to", "2026-01-02")]).contains("period is empty")
        );
    }
}
