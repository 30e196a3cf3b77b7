//! Values for a report's parameters: from text, typed, complete.
//!
//! Statements take them as typed scalars (`sql::Params`), never as text.

use std::collections::BTreeMap;
use std::str::FromStr;

use arrow::array::timezone::Tz;
use chrono::{NaiveDate, NaiveTime};
use datafusion::scalar::ScalarValue;

use super::header::{Parameter, ParameterType, Report};
use super::month;
use super::period::Period;
use crate::error::{Error, Result};
use crate::sql;
use crate::typed::{Time, nearest, parse_duration, parse_time};

/// The parameter of every run that says how many events may lack what a report needs (C18).
pub const MAX_MISSING: &str = "max_missing";

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

impl Value {
    fn scalar(&self) -> ScalarValue {
        match self {
            // A time beyond the calendar becomes the furthest time that exists.
            Value::Timestamp(time_ms) => {
                ScalarValue::TimestampMicrosecond(Some(time_ms.saturating_mul(1000)), Some("UTC".into()))
            }
            Value::Duration(length_ms) => sql::duration(*length_ms),
            Value::Int(number) => ScalarValue::Int64(Some(*number)),
            Value::Double(number) => ScalarValue::Float64(Some(*number)),
            Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
            Value::Text(text) => ScalarValue::Utf8(Some(text.clone())),
            Value::Strings(texts) => sql::list(texts),
            Value::Map(entries) => sql::map(entries),
        }
    }
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
                let names = || report.all_parameters().map(|parameter| parameter.name.as_str());
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
        let filled = period.map_or(Vec::new(), |period| fill(report, period));
        if period.is_some() {
            let month = report.parameters.iter().find(|parameter| parameter.ty == ParameterType::Month);
            if let (true, Some(month)) = (filled.is_empty(), month) {
                return Err(Error::usage(format!("report `{id}` is about one month, and the period is none"))
                    .hint(format!("pass --period 2026-01, or --param {}=2026-01", month.name)));
            }
            if filled.is_empty() {
                return Err(Error::usage(format!("report `{id}` has no period"))
                    .hint("leave out --period, and see `report show` for what it takes"));
            }
            if let Some((name, _)) = given.iter().find(|(name, _)| filled.iter().any(|(other, _)| other == name)) {
                let both = if matches!(name.as_str(), "from" | "to") {
                    "`from` or `to`".to_string()
                } else {
                    format!("`{name}`")
                };
                return Err(Error::usage(format!("a period and {both} exclude each other")));
            }
        }
        let mut values = Vec::new();
        for parameter in report.all_parameters() {
            let name = &parameter.name;
            let text =
                given.iter().find(|(other, _)| other == name).map(|(_, text)| text).or(parameter.default.as_ref());
            let from_period = filled.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
            let value = match (from_period, text) {
                (Some(value), _) => value,
                (None, Some(text)) => match relative(parameter, text, &values) {
                    Some(value) => value,
                    None if name == "as_of" => end_of_day(report, given, parameter, text)?,
                    None => typed(parameter, text)?,
                },
                (None, None) => {
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
        if let Some(Value::Double(share)) = params.get(MAX_MISSING)
            && !(0.0..=1.0).contains(share)
        {
            return Err(Error::usage(format!("parameter `{MAX_MISSING}` is a share, and cannot be {share}"))
                .hint("write a number from 0 to 1: 0.2 lets a fifth of the events lack what the report needs"));
        }
        if let (Some(from), Some(to)) = (params.timestamp("from"), params.timestamp("to"))
            && from >= to
        {
            return Err(Error::usage("the period is empty: `from` is not before `to`")
                .hint("`to` is the first instant after the period"));
        }
        Ok(params)
    }

    /// Returns the values in the form that a statement takes.
    pub fn scalars(&self) -> sql::Params {
        self.values.iter().map(|(name, value)| (name.clone(), value.scalar())).collect()
    }

    /// Returns whether a period determines any of the report's parameters.
    pub fn has_period(report: &Report, period: Period) -> bool {
        !fill(report, period).is_empty()
    }

    /// Returns the parameter that names the subject of a report, where neither a period nor a default can: `--tier 1`
    /// alone does not mean such a report.
    pub fn subject<'a>(report: &'a Report, given: &[(String, String)]) -> Option<&'a str> {
        let is_given = |name: &str| given.iter().any(|(given, _)| given == name);
        let is_period = |ty| matches!(ty, ParameterType::Timestamp | ParameterType::Month);
        let open = report.parameters.iter().filter(|one| one.default.is_none() && !is_period(one.ty));
        let mut names = open.map(|one| one.name.as_str());
        let missing = names.find(|name| !is_given(name));
        let is_choice_open = !report.any_of.iter().any(|name| is_given(name));
        missing.or_else(|| report.any_of.first().filter(|_| is_choice_open).map(String::as_str))
    }

    /// Returns the first parameter that a run with these values would miss.
    pub fn missing<'a>(report: &'a Report, given: &[(String, String)], period: Option<Period>) -> Option<&'a str> {
        let filled = period.map_or(Vec::new(), |period| fill(report, period));
        let is_there = |name: &str| {
            given.iter().any(|(given, _)| given == name) || filled.iter().any(|(filled, _)| *filled == name)
        };
        let open = report.parameters.iter().filter(|parameter| parameter.default.is_none());
        let missing = open.map(|parameter| parameter.name.as_str()).find(|name| !is_there(name));
        let is_choice_open = || !report.any_of.iter().any(|name| given.iter().any(|(given, _)| given == name));
        missing.or_else(|| report.any_of.first().filter(|_| is_choice_open()).map(String::as_str))
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Returns a timestamp parameter in milliseconds.
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

/// Computes the value of a default like `as_of - P90D` from the parameters before it.
fn relative(parameter: &Parameter, text: &str, values: &[(String, Value)]) -> Option<Value> {
    if parameter.default.as_deref() != Some(text) {
        return None;
    }
    let (base, duration) = text.split_once(" - ")?;
    let (_, base) = values.iter().find(|(name, _)| name == base)?;
    match base {
        Value::Timestamp(time_ms) => {
            let length_ms = parse_duration(duration).ok().and_then(milliseconds)?;
            Some(Value::Timestamp(time_ms.checked_sub(length_ms)?))
        }
        _ => None,
    }
}

/// Computes the value of `as_of`, which is inclusive: a date means the last millisecond of that day, in the zone of the
/// parameter `tz`, or in UTC without one (C3).
fn end_of_day(report: &Report, given: &[(String, String)], parameter: &Parameter, text: &str) -> Result<Value> {
    let value = typed(parameter, text)?;
    let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") else { return Ok(value) };
    let zone = match report.parameter("tz").filter(|tz| tz.ty == ParameterType::Timezone) {
        Some(tz) => match given.iter().find(|(name, _)| *name == tz.name).map(|(_, zone)| zone).or(tz.default.as_ref())
        {
            Some(zone) => Tz::from_str(zone).ok(),
            None => None,
        },
        None => Tz::from_str("UTC").ok(),
    };
    let end_ms = zone.zip(date.succ_opt()).and_then(|(zone, next)| month::first_instant(zone, next));
    match (parameter.ty, end_ms) {
        (ParameterType::Timestamp, Some(end_ms)) => Ok(Value::Timestamp(end_ms - 1)),
        _ => Ok(value),
    }
}

/// Returns what a period determines: `from` and `to`, or, for a report about one instant, the period's last
/// millisecond: `as_of` is inclusive (C3), so it sees what a report over the period sees.
fn fill(report: &Report, period: Period) -> Vec<(&'static str, Value)> {
    let has = |name: &str| report.parameter(name).is_some_and(|found| found.ty == ParameterType::Timestamp);
    let mut filled = Vec::new();
    if has("to") && has("from") {
        filled.push(("to", Value::Timestamp(period.to_ms)));
    } else if has("as_of") {
        filled.push(("as_of", Value::Timestamp(period.to_ms - 1)));
    }
    if !filled.is_empty() && has("from") {
        filled.push(("from", Value::Timestamp(period.from_ms)));
    }
    // A report about one month takes its name.
    let wants_month = report.parameters.iter().find(|parameter| parameter.ty == ParameterType::Month);
    if wants_month.is_some()
        && let Some(month) = period.month()
    {
        filled.push(("month", Value::Text(month)));
    }
    filled
}

/// Types the text of a value; defaults go through it as well.
pub(in crate::report) fn typed(parameter: &Parameter, text: &str) -> Result<Value> {
    let name = &parameter.name;
    if !parameter.values.is_empty() && !parameter.values.iter().any(|value| value == text) {
        return Err(Error::usage(format!("parameter `{name}` cannot be `{text}`"))
            .hint(format!("it is one of {}", parameter.values.join(", "))));
    }
    let wrong = |hint: &str| {
        Error::usage(format!("parameter `{name}` has the type {}, not `{text}`", parameter.ty.name())).hint(hint)
    };
    // The parser of a time or a duration explains best what is wrong with it.
    let explained = |error: Error| wrong(error.hint_text().unwrap_or_default());
    let value = match parameter.ty {
        ParameterType::Timestamp => Some(Value::Timestamp(parse_time(text).and_then(Time::millis).map_err(explained)?)),
        ParameterType::Duration => milliseconds(parse_duration(text).map_err(explained)?).map(Value::Duration),
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
        ParameterType::Time => time_of_day(text).map(|time| Value::Text(time.format("%H:%M:%S").to_string())),
        ParameterType::Dates => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let dates: Option<Vec<_>> = parts.map(|part| part.parse::<NaiveDate>().ok()).collect();
            // Dates are written again, because a report compares them as text.
            dates.map(|dates| Value::Strings(dates.iter().map(NaiveDate::to_string).collect()))
        }
        ParameterType::Patterns => parse_patterns(parameter.default.as_deref(), text).map(Value::Map),
        ParameterType::Month => month::first_day(text).map(|_| Value::Text(text.to_string())),
    };
    value.ok_or_else(|| {
        let hint = match parameter.ty {
            ParameterType::Timestamp => "write 2026-01-31 or 2026-01-31T23:59:59.999Z",
            ParameterType::Duration => "write a duration of whole milliseconds: 15m, 1.5h, 7d, PT15M",
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
        wrong(hint)
    })
}

fn time_of_day(text: &str) -> Option<NaiveTime> {
    ["%H:%M", "%H:%M:%S"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())
}

/// Puts the entries of `text`, a JSON object, in place of those of the default, which has all valid names.
fn parse_patterns(default: Option<&str>, text: &str) -> Option<Vec<(String, String)>> {
    let read = |text: &str| serde_json::from_str::<BTreeMap<String, String>>(text).ok();
    let mut entries = read(default.unwrap_or(text))?;
    for (name, pattern) in read(text)? {
        regex::Regex::new(&pattern).ok()?;
        *entries.get_mut(&name)? = pattern;
    }
    Some(entries.into_iter().collect())
}

/// Returns a duration in milliseconds, which is as fine as events are.
fn milliseconds(duration: std::time::Duration) -> Option<i64> {
    let is_whole = duration.subsec_nanos().is_multiple_of(1_000_000);
    i64::try_from(duration.as_millis()).ok().filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Catalog;

    #[test]
    fn durations_have_whole_milliseconds() {
        let read = |text| milliseconds(parse_duration(text).unwrap());
        assert_eq!(read("P1DT1H0.5S"), Some(86_400_000 + 3_600_500));
        assert_eq!(read("15m"), Some(900_000));
        assert_eq!(read("PT0.0001S"), None);
    }

    fn at(text: &str) -> Option<i64> {
        Some(parse_time(text).unwrap().millis().unwrap())
    }

    fn error(report: &str, given: &[(&str, &str)]) -> String {
        let catalog = Catalog::load(None).unwrap();
        let given: Vec<_> = given.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        let error = Params::new(catalog.get(report).unwrap(), &given, None).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        format!("{} | {}", error.message(), error.hint_text().unwrap_or_default())
    }

    #[test]
    fn one_of_some_parameters_is_enough_and_blank_text_is_none() {
        let period = [("from", "2026-01-01"), ("to", "2026-02-01")];
        let needs = "report `actor-timeline` needs one of subject, ip, session, entity | pass --param subject=...";
        assert_eq!(error("actor-timeline", &period), needs);
        assert_eq!(error("actor-timeline", &[period[0], period[1], ("ip", " "), ("entity", "")]), needs);
        let catalog = Catalog::load(None).unwrap();
        let report = catalog.get("actor-timeline").unwrap();
        let given = |given: &[(&str, &str)]| -> Vec<(String, String)> {
            period.iter().chain(given).map(|(name, text)| (name.to_string(), text.to_string())).collect()
        };
        for name in ["subject", "ip", "session", "entity"] {
            let params = Params::new(report, &given(&[(name, "x")]), None).unwrap();
            assert_eq!(params.get(name), Some(&Value::Text("x".to_string())));
            assert_eq!(Params::missing(report, &given(&[(name, "x")]), None), None);
        }
        assert_eq!(Params::missing(report, &given(&[]), None), Some("subject"));
    }

    #[test]
    fn a_month_and_a_period_that_is_one_mean_the_same() {
        let catalog = Catalog::load(None).unwrap();
        let report = catalog.get("monthly-executive-summary").unwrap();
        let zone = |tz: &str| tz.parse::<chrono_tz::Tz>().unwrap();
        let period = |text: &str, tz: &str| Period::parse(text, zone(tz), &crate::clock::Clock::Real).unwrap();
        let given = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
        };
        let by_name = Params::new(report, &given(&[("month", "2026-01")]), None).unwrap();
        let by_period = Params::new(report, &[], Some(period("2026-01", "UTC"))).unwrap();
        assert_eq!(by_name, by_period);
        assert_eq!(by_name.timestamp("from"), at("2026-01-01"));
        assert_eq!(by_name.timestamp("to"), at("2026-02-01"));
        assert_eq!(by_name.timestamp("previous_from"), at("2025-12-01"));
        let berlin = Params::new(report, &given(&[("tz", "Europe/Berlin")]), Some(period("2026-07", "Europe/Berlin")));
        assert_eq!(berlin.unwrap().timestamp("from"), at("2026-06-30T22:00:00Z"));
        for wrong in ["2026-13", "2026-1", "2026", "January"] {
            assert_eq!(
                error("monthly-executive-summary", &[("month", wrong)]),
                format!("parameter `month` has the type month, not `{wrong}` | write a month: 2026-01")
            );
        }
        let refused = |given: &[(String, String)], text: &str| {
            let error = Params::new(report, given, Some(period(text, "UTC"))).unwrap_err();
            error.message().to_string()
        };
        assert_eq!(
            refused(&[], "2026-Q1"),
            "report `monthly-executive-summary` is about one month, and the period is none"
        );
        assert_eq!(refused(&given(&[("month", "2026-02")]), "2026-01"), "a period and `month` exclude each other");
    }

    #[test]
    fn dates_are_days_of_the_calendar_and_written_in_one_way() {
        let catalog = Catalog::load(None).unwrap();
        let report = catalog.get("off-hours-admin-activity").unwrap();
        let parameter = report.parameter("holidays").unwrap();
        assert_eq!(
            typed(parameter, "2026-12-25, 2026-12-26,").unwrap(),
            Value::Strings(vec!["2026-12-25".to_string(), "2026-12-26".to_string()])
        );
        assert_eq!(typed(parameter, "").unwrap(), Value::Strings(Vec::new()));
        for wrong in ["2026-02-29", "2026-12-25 2026-12-26", "25.12.2026", "2026-12-25T00:00:00Z"] {
            let error = typed(parameter, wrong).unwrap_err();
            assert_eq!(error.message(), format!("parameter `holidays` has the type list<date>, not `{wrong}`"));
        }
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
            error("brute-force-by-user", &with("window", "15")),
            "parameter `window` has the type duration, not `15` | it has no unit: write 15s, 15m, 15h or 15d"
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
