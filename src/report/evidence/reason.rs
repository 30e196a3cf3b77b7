//! Why a run could not see what it looks for (C18): absence of evidence is not evidence of absence.
//!
//! Reasons are determined for every run; they make the verdict `not assessable` only for a report that judges and found
//! nothing.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::super::catalog::header::{Expectation, Report, ReportKind};
use super::super::catalog::params::{MAX_MISSING, Params, Value};
use super::super::catalog::verdict::{Element, Need};
use super::super::words::{counted, instant};
use super::coverage::{MAX_GAP_MS, Stretch, Timeline};
use super::facts::Span;
use super::reads::NeedRead;
use crate::typed::count;

/// The input that is an opening balance (C17).
const OPENING: &str = "snapshot_access";

/// Stretches that a reason names one by one.
const NAMED: usize = 3;

/// One thing that a run could not see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub reason: ReasonKind,
    /// An element, an input, or a stretch of time.
    pub missing: String,
    /// Classes of the events that lack it.
    pub classes: Vec<i64>,
    /// The share of those events, or of the time that the report needs, 0 to 1; `None` where there is nothing to have a
    /// share of.
    pub share: Option<f64>,
    /// The reason in words.
    pub text: String,
}

/// Kinds of reasons, in the order in which they are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasonKind {
    /// The events do not say what the report must know.
    Fields,
    /// The events do not say it, and the input that would say it was not given.
    Input,
    /// The report looks back further than the log goes.
    History,
    /// Nobody knows whether anything happened then.
    Silence,
}

impl ReasonKind {
    pub fn name(self) -> &'static str {
        match self {
            ReasonKind::Fields => "fields",
            ReasonKind::Input => "input",
            ReasonKind::History => "history",
            ReasonKind::Silence => "silence",
        }
    }
}

/// The time that a report needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    /// The time from which the report needs the log; `None` means from wherever it begins.
    pub from_ms: Option<i64>,
    pub to_ms: i64,
    is_as_of: bool,
    has_beginning: bool,
    compares_at_ms: Option<i64>,
}

impl Needed {
    pub fn of(report: &Report, params: &Params, span: Span, (_, to_ms): (i64, i64)) -> Needed {
        let rule = &report.verdict;
        let look_back_ms = rule.look_back.as_deref().and_then(|name| params.get(name)).map_or(0, |value| match value {
            Value::Int(days) => days.saturating_mul(MAX_GAP_MS),
            Value::Duration(length_ms) => *length_ms,
            _ => 0,
        });
        let (from, as_of) = (params.timestamp("from").or(span.from_ms), params.timestamp("as_of"));
        let from_ms = match as_of {
            Some(as_of) => {
                let begin = as_of.saturating_sub(look_back_ms);
                Some(from.map_or(begin, |from| from.min(begin)))
            }
            None => from.map(|from| from.saturating_sub(look_back_ms)),
        };
        Needed {
            from_ms,
            to_ms,
            is_as_of: as_of.is_some() && span.from_ms.is_none(),
            has_beginning: rule.look_back.is_some() || from.is_some(),
            compares_at_ms: from.filter(|_| rule.compares_at_from),
        }
    }
}

/// Returns the reasons of one run in their order, and the share of what it needs that it could not see.
pub fn reasons(
    report: &Report,
    params: &Params,
    needed: &Needed,
    timeline: &Timeline,
    reads: &[NeedRead],
    is_never_logged: bool,
    inputs: &[String],
) -> (Vec<Reason>, f64) {
    // The rows of a report that judges the log itself say the same.
    if report.kind == ReportKind::DataQuality && report.expectation == Expectation::NoRows {
        return (Vec::new(), 0.0);
    }
    let mut found = fields(report, params, reads, is_never_logged, inputs);
    found.extend(not_given(report, inputs));
    found.sort_by_key(|reason| reason.reason);
    let is_blind = !found.is_empty();

    let lacking = history(needed, timeline, inputs);
    let (silent_ms, silence) = silence(needed, timeline);
    let begin = match (needed.has_beginning, needed.from_ms) {
        (true, Some(from_ms)) => from_ms,
        _ => timeline.start_ms().unwrap_or(needed.to_ms),
    };
    let length_ms = needed.to_ms.saturating_sub(begin);
    let share = |part_ms: i64| match length_ms {
        ..=0 => 1.0,
        _ => (part_ms as f64 * 1e6 / length_ms as f64).ceil().min(1e6) / 1e6,
    };
    let lacking_ms = lacking.as_ref().map_or(0, |(_, lacking_ms)| *lacking_ms);
    found.extend(lacking.map(|(reason, part_ms)| Reason { share: Some(share(part_ms)), ..reason }));
    found.extend(silence.map(|reason| Reason { share: Some(share(silent_ms)), ..reason }));
    let unseen = match found.is_empty() {
        true => 0.0,
        false if is_blind => 1.0,
        false => share(lacking_ms.saturating_add(silent_ms)),
    };
    (found, unseen)
}

fn classes(need: &Need) -> Vec<i64> {
    need.classes.iter().map(|(class, _)| *class).collect()
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 1000.0).ceil() / 10.0)
}

/// Returns what the events do not say and an input could have said.
fn fields(
    report: &Report,
    params: &Params,
    reads: &[NeedRead],
    is_never_logged: bool,
    inputs: &[String],
) -> Vec<Reason> {
    let limit = match params.get(MAX_MISSING) {
        Some(Value::Double(share)) => *share,
        _ => 0.0,
    };
    let mut found = Vec::new();
    for (need, read) in report.verdict.needs.iter().zip(reads) {
        for element in &need.elements {
            let lacking = read.missing.get(element).copied().unwrap_or_default();
            if read.read == 0 || lacking as f64 / read.read as f64 <= limit {
                continue;
            }
            let (name, events) = (element.name(), counted(read.read, "event"));
            let input = report.verdict.input.iter().find(|(_, what)| what == name).map(|(input, _)| input);
            let input = input.filter(|input| lacking == read.read && !inputs.contains(input));
            let share = read.share(*element);
            found.push(match input {
                Some(input) => Reason {
                    reason: ReasonKind::Input,
                    missing: input.clone(),
                    classes: classes(need),
                    share,
                    text: format!(
                        "none of the {events} of {} has the {name}, and the input `{input}` was not given",
                        need.events
                    ),
                },
                None => Reason {
                    reason: ReasonKind::Fields,
                    missing: name.to_string(),
                    classes: classes(need),
                    share,
                    text: format!(
                        "{} of the {events} of {} lack the {name}; more than {} is too much",
                        percent(share.unwrap_or(1.0)),
                        need.events,
                        percent(limit)
                    ),
                },
            });
        }
    }
    if let Some(need) = report.verdict.needs.first().filter(|_| is_never_logged) {
        let names: Vec<String> = need.classes.iter().map(|(class, _)| class.to_string()).collect();
        let text = format!("the log holds no event of class {} at all", names.join(", "));
        let missing = "events".to_string();
        found.push(Reason { reason: ReasonKind::Fields, missing, classes: classes(need), share: None, text });
    }
    found
}

/// Names inputs without which a report that does not judge leaves something out.
fn not_given(report: &Report, inputs: &[String]) -> Vec<Reason> {
    if report.expectation == Expectation::NoRows {
        return Vec::new();
    }
    let missing = report.verdict.input.iter().filter(|(input, _)| !inputs.contains(input));
    let reason = |(input, what): &(String, String)| Reason {
        reason: ReasonKind::Input,
        missing: input.clone(),
        classes: Vec::new(),
        share: None,
        text: format!("the input `{input}` was not given, so the {what} cannot be told"),
    };
    missing.map(reason).collect()
}

/// Describes a look-back that is longer than the log, and how much of it is missing.
fn history(needed: &Needed, timeline: &Timeline, inputs: &[String]) -> Option<(Reason, i64)> {
    let reason = |missing: String, text: String| Reason {
        reason: ReasonKind::History,
        missing,
        classes: Vec::new(),
        share: None,
        text,
    };
    let Some(begin_ms) = timeline.start_ms() else {
        let length_ms = needed.to_ms.saturating_sub(needed.from_ms.unwrap_or(needed.to_ms));
        return Some((reason("events".to_string(), "the log holds no event".to_string()), length_ms));
    };
    let from_ms = needed.from_ms?;
    let lacking_ms = begin_ms.min(needed.to_ms).saturating_sub(from_ms);
    let stretch = || format!("{} - {}", instant(from_ms), instant(begin_ms.min(needed.to_ms)));
    if begin_ms > from_ms.saturating_add(MAX_GAP_MS) {
        let text =
            format!("the report needs the log from {}, and it begins at {}", instant(from_ms), instant(begin_ms));
        return Some((reason(stretch(), text), lacking_ms));
    }
    let compares_ms = needed.compares_at_ms.filter(|at_ms| begin_ms > *at_ms)?;
    if inputs.iter().any(|input| input == OPENING) {
        return None;
    }
    let text = format!(
        "there is no event at or before {} to compare with, and no opening balance `{OPENING}`: everything would be new",
        instant(compares_ms)
    );
    Some((reason(stretch(), text), lacking_ms.max(0)))
}

/// Describes silence that nobody asked a source about, and how much of what the report needs it takes.
fn silence(needed: &Needed, timeline: &Timeline) -> (i64, Option<Reason>) {
    let Some(begin_ms) = timeline.start_ms() else { return (0, None) };
    let from_ms = match needed.from_ms {
        Some(from_ms) if !needed.is_as_of => from_ms.max(begin_ms),
        _ => begin_ms,
    };
    let all = timeline.silences(needed.to_ms);
    let silent: Vec<Stretch> =
        all.into_iter().filter(|stretch| stretch.overlap_ms(from_ms, needed.to_ms) > 0).collect();
    if silent.is_empty() {
        return (0, None);
    }
    let needed_from = if needed.has_beginning { needed.from_ms.unwrap_or(from_ms) } else { from_ms };
    let share_from = needed_from.max(begin_ms);
    let silent_ms = silent.iter().map(|stretch| stretch.overlap_ms(share_from, needed.to_ms)).sum();
    let mut names = String::new();
    for (place, stretch) in silent.iter().take(NAMED).enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        let hours = (stretch.end_ms - stretch.start_ms) / 3_600_000;
        let _ = write!(names, "{comma}{} - {} ({hours} h)", instant(stretch.start_ms), instant(stretch.end_ms));
    }
    if silent.len() > NAMED {
        let _ = write!(names, ", and {} more", count((silent.len() - NAMED) as u64));
    }
    let text = format!("nobody knows whether anything happened in {names}: no event, and no source was asked");
    let reason = Reason { reason: ReasonKind::Silence, missing: names, classes: Vec::new(), share: None, text };
    (silent_ms, Some(reason))
}

/// Returns all reasons in one sentence.
pub fn in_words(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ")
}

impl Element {
    pub fn name(self) -> &'static str {
        match self {
            Element::Subject => "subject",
            Element::Actor => "actor",
            Element::Outcome => "outcome",
            Element::Privileges => "privileges",
            Element::Group => "group",
            Element::Object => "object",
            Element::Address => "address",
            Element::Place => "place",
            Element::Mfa => "mfa",
            Element::Session => "session",
        }
    }
}
