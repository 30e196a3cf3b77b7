//! The basis of a run besides its rows: how much of the time that it needs the log covers, what the events that it
//! reads do not tell, and how many of them name nobody.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::catalog::header::Report;
use super::super::catalog::params::Params;
use super::super::catalog::verdict::Element;
use super::coverage::{Coverage, Timeline};
use super::reads::{NeedRead, Reads, Unnamed, Window, ask, number, time};
use super::reason::{Needed, Reason, reasons};
use crate::error::Result;
use crate::sql::{Horizon, Session};

const HOURS: &str =
    "select min(time), max(time) from event_row where time is not null group by date_trunc('hour', time) order by 1";

const WALKED: &str = "select since, until from walked_window order by since";

const COUNT: &str = "select count(*) from event_row where time >= $begin and time < $end";

/// The earliest and latest time of any event, in microseconds.
const FIRST_MS: i64 = i64::MIN / 1000;
const LAST_MS: i64 = i64::MAX / 1000;

/// The time that a run is about, half-open; for an as-of report it begins with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
}

/// Facts about one run over one state of the lake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub coverage: Coverage,
    /// First and last event of the log, whatever the period.
    pub log_start_ms: Option<i64>,
    pub log_end_ms: Option<i64>,
    /// Events in the period.
    pub events: u64,
    pub unnamed: Unnamed,
    /// The events that the report reads, need by need, and what they lack.
    #[serde(default)]
    pub needs: Vec<NeedRead>,
    /// Reasons why the run could not see something (C18).
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// The share of what the report needs that it could not see, 0 to 1.
    #[serde(default)]
    pub unseen: f64,
}

/// The log as a session sees it: the facts that the reports of a run share.
pub struct Log {
    session: Arc<Session>,
    timeline: Timeline,
    elements: BTreeSet<Element>,
    reads: Mutex<Vec<(Window, Arc<Reads>)>>,
}

impl Span {
    /// Returns the span of a run with these parameters; `asked` is the period of a report that has neither `to` nor
    /// `as_of`.
    pub fn of(params: &Params, asked: Option<(i64, i64)>) -> Span {
        let (from, to) = (params.timestamp("from"), params.timestamp("to"));
        match (to, params.timestamp("as_of"), asked) {
            (Some(to), _, _) => Span { from_ms: from, to_ms: Some(to) },
            (None, Some(as_of), _) => Span { from_ms: None, to_ms: Some(as_of.saturating_add(1)) },
            (None, None, Some((from, to))) => Span { from_ms: Some(from), to_ms: Some(to) },
            (None, None, None) => Span { from_ms: None, to_ms: None },
        }
    }
}

impl Log {
    /// Reads the log for runs of these reports.
    pub async fn read<'a>(session: Arc<Session>, reports: impl IntoIterator<Item = &'a Report>) -> Result<Log> {
        let hours = ask(HOURS, &[], Horizon::All, &session).await?;
        let walked = ask(WALKED, &[], Horizon::All, &session).await?;
        let pair = |batch, row| time(batch, 0, row).zip(time(batch, 1, row));
        let timeline = Timeline {
            hours: (0..hours.num_rows()).filter_map(|row| pair(&hours, row)).collect(),
            walked: (0..walked.num_rows()).filter_map(|row| pair(&walked, row)).collect(),
        };
        let needs = reports.into_iter().flat_map(|report| &report.verdict.needs);
        let elements = needs.flat_map(|need| need.elements.iter().copied()).collect();
        Ok(Log { session, timeline, elements, reads: Mutex::default() })
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Returns how much of a period the log covers, whatever is asked of it.
    pub async fn coverage(&self, span: Span) -> Result<Coverage> {
        let (from_ms, to_ms) = self.period(span);
        let events = ask(COUNT, &[("begin", from_ms), ("end", to_ms)], Horizon::All, &self.session).await?;
        Ok(self.timeline.coverage((from_ms, to_ms), number(&events, 0, 0) > 0))
    }

    /// Returns the facts of a run of one report; `inputs` names the tables that it was given.
    pub async fn facts(&self, report: &Report, params: &Params, span: Span, inputs: &[String]) -> Result<Facts> {
        let (from_ms, to_ms) = self.period(span);
        let needed = Needed::of(report, params, span, (from_ms, to_ms));
        // An as-of report reads all events there were.
        let since_ms = if span.from_ms.is_some() { needed.from_ms.unwrap_or(from_ms).min(from_ms) } else { FIRST_MS };
        let reads = self.reads(Window { since_ms, begin_ms: from_ms, end_ms: to_ms }).await?;
        let needs: Vec<NeedRead> = report.verdict.needs.iter().map(|need| reads.of(need)).collect();
        let is_never_logged = match (report.verdict.needs.first(), needs.first()) {
            (Some(need), Some(read)) if read.read == 0 => !self.is_logged(&need.classes, to_ms).await?,
            _ => false,
        };
        let (reasons, unseen) = reasons(report, params, &needed, &self.timeline, &needs, is_never_logged, inputs);
        Ok(Facts {
            coverage: self.timeline.coverage((from_ms, to_ms), reads.events > 0),
            log_start_ms: self.timeline.start_ms(),
            log_end_ms: self.timeline.end_ms(),
            events: reads.events,
            unnamed: reads.unnamed,
            needs,
            reasons,
            unseen,
        })
    }

    /// Returns the period in milliseconds: an open end of the span is where the log begins or ends.
    fn period(&self, span: Span) -> (i64, i64) {
        let from_ms = span.from_ms.or(self.timeline.start_ms()).unwrap_or_default();
        let to_ms = span.to_ms.or(self.timeline.end_ms().map(|end| end + 1)).unwrap_or(from_ms).max(from_ms);
        (from_ms, to_ms.min(LAST_MS))
    }

    async fn reads(&self, window: Window) -> Result<Arc<Reads>> {
        let known = || self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reads)) = known().iter().find(|(other, _)| *other == window) {
            return Ok(reads.clone());
        }
        let reads = Arc::new(Reads::count(window, &self.elements, &self.session).await?);
        known().push((window, reads.clone()));
        Ok(reads)
    }

    /// Returns whether the log holds an event of one of these classes before `end_ms`.
    async fn is_logged(&self, classes: &[(i64, Vec<i64>)], end_ms: i64) -> Result<bool> {
        let numbers: Vec<String> = classes.iter().map(|(class, _)| class.to_string()).collect();
        let sql = format!(
            "select count(*) from (select 1 from event_row where class_uid in ({}) and time < $end limit 1)",
            numbers.join(", ")
        );
        let found = ask(&sql, &[("end", end_ms)], Horizon::Before { time_ms: end_ms }, &self.session).await?;
        Ok(number(&found, 0, 0) > 0)
    }
}
