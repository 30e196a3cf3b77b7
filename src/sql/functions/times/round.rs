//! Times rounded down: `date_trunc`, `date_bin`, `time_bucket`.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use chrono::{NaiveDate, NaiveDateTime};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::calendar::{DAY_US, HOUR_US, Unit, Zone, add_months, as_us, from_us, months_of};
use super::{changed, micros, rows, text, times};

/// Rounds microseconds with `date_trunc`; returns `None` where the engine does it as well.
pub fn date_trunc(arguments: &ScalarFunctionArgs) -> Result<Option<ColumnarValue>> {
    let [unit, time] = arguments.args.as_slice() else { return Ok(None) };
    let data_type = time.data_type();
    if !matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, _)) {
        return Ok(None);
    }
    let Some(name) = text(unit)? else { return Ok(None) };
    let Some(unit) = Unit::parse(&name) else {
        return plan_err!("no unit `{name}`: second, minute, hour, day, week, month, quarter and year are there");
    };
    let zone = Zone::of(&data_type)?;
    changed(arguments, 1, |us| floor(zone, unit, us)).map(Some)
}

fn floor(zone: Zone, unit: Unit, us: i64) -> Result<i64> {
    match unit {
        // Within one hour clocks change only by whole minutes, and an hour that comes twice stays the same one.
        Unit::Fixed(length) => {
            let offset = zone.offset_us(us)?;
            let local = us.saturating_add(offset);
            Ok(local - local.rem_euclid(length) - offset)
        }
        unit => Ok(zone.instant(unit.floor(zone.clock(us)?))),
    }
}

pub fn date_bin() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The beginning of the span that a time is in, spans being counted from an origin. Spans of days and longer begin \
         at midnight in the zone of the time.",
        "date_bin(length, time, origin)",
    )
    .with_argument("length", "an interval: interval '15 minutes', interval '1 week'")
    .with_argument("time", "a time")
    .with_argument("origin", "where a span begins; without it 1970-01-01")
    .with_sql_example("select date_bin(interval '15 minutes', time) as span, count(*) from event group by 1 order by 1")
    .build();
    ScalarUDF::new_from_impl(Bin {
        name: "date_bin",
        signature: Signature::user_defined(Volatility::Immutable),
        documentation,
    })
}

pub fn time_bucket() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The beginning of the span that a time is in. As `date_bin`, with weeks that begin on Monday.",
        "time_bucket(length, time, origin)",
    )
    .with_argument("length", "an interval: interval '15 minutes', interval '1 week'")
    .with_argument("time", "a time")
    .with_argument("origin", "where a span begins; without it 2000-01-03, of months 2000-01-01")
    .with_sql_example("select time_bucket(interval '1 week', time) as week, count(*) from event group by 1 order by 1")
    .build();
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Bin { name: "time_bucket", signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bin {
    name: &'static str,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Bin {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        match types {
            [_, time] => Ok(vec![interval, micros(time)?]),
            [_, time, _] => Ok(vec![interval, micros(time)?, micros(time)?]),
            _ => plan_err!("{} takes an interval, a time and perhaps an origin", self.name),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        micros(&types[1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (count, _) = rows(&arguments);
        let zone = Zone::of(&arguments.args[1].data_type())?;
        let length = match &arguments.args[0] {
            ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(length))) => *length,
            ColumnarValue::Array(lengths) if !lengths.is_empty() && lengths.null_count() == 0 => {
                let lengths = lengths.as_primitive::<IntervalMonthDayNanoType>();
                let first = lengths.value(0);
                if lengths.values().iter().any(|length| *length != first) {
                    return plan_err!("the length of {} must be the same for all rows", self.name);
                }
                first
            }
            _ => return changed(&arguments, 1, |_| exec_err!("the length of {} is null", self.name)),
        };
        let span = Span::new(length, self.name)?;
        let origin = match arguments.args.get(2) {
            None => span.origin(self.name == "time_bucket"),
            Some(origin) => {
                let origins = times(origin, count)?;
                if origins.is_empty() || origins.is_null(0) {
                    span.origin(false)
                } else {
                    zone.clock(origins.value(0))?
                }
            }
        };
        changed(&arguments, 1, |us| span.begin(zone, origin, us))
    }
}

/// The length of spans.
enum Span {
    Months(i32),
    Micros(i64),
}

impl Span {
    fn new(length: IntervalMonthDayNano, name: &str) -> Result<Span> {
        let us = i64::from(length.days) * DAY_US + length.nanoseconds / 1000;
        match (length.months, us) {
            (months, 0) if months > 0 => Ok(Span::Months(months)),
            (0, us) if us > 0 => Ok(Span::Micros(us)),
            _ => plan_err!("the length of {name} is months, or days and less, and more than nothing"),
        }
    }

    fn origin(&self, is_bucket: bool) -> NaiveDateTime {
        let day = match (self, is_bucket) {
            (_, false) => NaiveDate::from_ymd_opt(1970, 1, 1),
            (Span::Months(_), true) => NaiveDate::from_ymd_opt(2000, 1, 1),
            // A Monday.
            (Span::Micros(_), true) => NaiveDate::from_ymd_opt(2000, 1, 3),
        };
        day.unwrap_or_default().and_time(chrono::NaiveTime::MIN)
    }

    fn begin(&self, zone: Zone, origin: NaiveDateTime, us: i64) -> Result<i64> {
        let beyond = || exec_err!("a time is out of range: {us} microseconds since 1970");
        match self {
            Span::Micros(length) => {
                let offset = zone.offset_us(us)?;
                let local = us.saturating_add(offset);
                let Some(since) = local.checked_sub(as_us(origin)) else { return beyond() };
                let begin = local - since.rem_euclid(*length);
                // Days begin at midnight, even where one of them has 23 hours.
                match length % DAY_US == 0 {
                    true => Ok(zone.instant(from_us(begin)?)),
                    false if *length > HOUR_US => Ok(zone.instant(from_us(begin)?)),
                    false => Ok(begin - offset),
                }
            }
            Span::Months(length) => {
                let clock = zone.clock(us)?;
                let since = months_of(clock.date()) - months_of(origin.date());
                let mut steps = i64::from(since.div_euclid(*length));
                let at = |steps: i64| add_months(origin, steps * i64::from(*length));
                let mut begin = at(steps);
                // The origin may be later in its month than the time is in its own.
                if begin.is_some_and(|begin| begin > clock) {
                    steps -= 1;
                    begin = at(steps);
                }
                match begin {
                    Some(begin) => Ok(zone.instant(begin)),
                    None => beyond(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn us(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn shown(us: i64) -> String {
        DateTime::from_timestamp_micros(us).unwrap().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }

    #[test]
    fn a_day_begins_where_clocks_say() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let day = Span::Micros(DAY_US);
        let begin = |time: &str| shown(day.begin(berlin, day.origin(false), us(time)).unwrap());
        assert_eq!(begin("2026-03-28T23:30:00Z"), "2026-03-28T23:00:00Z");
        assert_eq!(begin("2026-03-29T21:59:59Z"), "2026-03-28T23:00:00Z");
        assert_eq!(begin("2026-03-29T22:00:00Z"), "2026-03-29T22:00:00Z");
        let floor = |unit: &str, time: &str| shown(floor(berlin, Unit::parse(unit).unwrap(), us(time)).unwrap());
        assert_eq!(floor("day", "2026-03-28T23:30:00Z"), "2026-03-28T23:00:00Z");
        assert_eq!(floor("month", "2026-03-31T23:30:00Z"), "2026-03-31T22:00:00Z");
        // The hour that comes twice is two hours.
        assert_eq!(floor("hour", "2026-10-25T00:30:00Z"), "2026-10-25T00:00:00Z");
        assert_eq!(floor("hour", "2026-10-25T01:30:00Z"), "2026-10-25T01:00:00Z");
        assert_eq!(floor("year", "9999-12-31T00:00:00Z"), "9998-12-31T23:00:00Z");
    }

    #[test]
    fn spans_are_counted_from_their_origin() {
        let quarter = Span::Micros(15 * 60 * 1_000_000);
        let at = |span: &Span, is_bucket, time: &str| {
            shown(span.begin(Zone::Plain, span.origin(is_bucket), us(time)).unwrap())
        };
        assert_eq!(at(&quarter, false, "2026-01-01T10:14:59Z"), "2026-01-01T10:00:00Z");
        assert_eq!(at(&quarter, false, "1601-01-01T10:29:59Z"), "1601-01-01T10:15:00Z");
        let week = Span::Micros(7 * DAY_US);
        assert_eq!(at(&week, true, "2026-01-01T10:00:00Z"), "2025-12-29T00:00:00Z");
        assert_eq!(at(&Span::Months(3), true, "9999-12-31T00:00:00Z"), "9999-10-01T00:00:00Z");
        let fifteenth = from_us(us("2026-01-15T00:00:00Z")).unwrap();
        assert_eq!(
            shown(Span::Months(1).begin(Zone::Plain, fifteenth, us("2026-03-14T00:00:00Z")).unwrap()),
            "2026-02-15T00:00:00Z"
        );
    }
}
