//! Findings made of rows: how severe they are, under which key, and which of them somebody has explained.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::catalog::header::{Expectation, Report};
use super::facts::Facts;
use super::suppress::Suppressions;
use crate::error::{Error, Result};
use crate::render::{Format, Options, Renderer};
use crate::typed::{count, hex};

/// The column whose text names a finding.
pub(in crate::report) const KEY: &str = "finding_key";
const SEVERITY: &str = "severity_id";

/// Findings that a run names one by one for CI; the result has the rest.
const NAMED: usize = 1000;

/// OCSF's severities; a report's number outside of them counts as the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
    Critical = 5,
}

impl Severity {
    pub const ALL: [Severity; 5] =
        [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Returns the severity with OCSF's number; a report without one means something worth a look.
    pub fn from_id(id: Option<i64>) -> Severity {
        match id {
            None => Severity::Medium,
            Some(id) => Severity::ALL[(id.clamp(1, 5) - 1) as usize],
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Severity> {
        let wanted = text.to_ascii_lowercase();
        let number = wanted.parse::<usize>().ok().filter(|id| (1..=5).contains(id)).map(|id| Severity::ALL[id - 1]);
        let named = || Severity::ALL.into_iter().find(|severity| severity.name() == wanted);
        let short = || (wanted == "info").then_some(Severity::Informational);
        number.or_else(named).or_else(short).ok_or_else(|| {
            Error::usage(format!("no severity `{text}`"))
                .hint("it is one of informational, low, medium, high, critical, or 1 to 5")
        })
    }
}

/// The conclusion of a run in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    #[serde(rename = "findings")]
    Findings,
    #[serde(rename = "none")]
    None,
    /// Nothing was found, but something that the report needs could not be examined.
    #[serde(rename = "not assessable")]
    NotAssessable,
    /// The report lists facts and judges nothing.
    #[serde(rename = "evidence")]
    Evidence,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Findings => "findings",
            Verdict::None => "none",
            Verdict::NotAssessable => "not assessable",
            Verdict::Evidence => "evidence",
        }
    }
}

/// Counts of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    pub rows: u64,
    /// Rows that are findings and that nobody has explained.
    pub findings: u64,
    pub suppressed: u64,
    /// Rows of severity 1 of a report that judges: shown, but not findings.
    #[serde(default)]
    pub context: u64,
    /// Rows of severity 3 or more that nobody has explained, of a report that does not judge.
    #[serde(default)]
    pub attention: u64,
    /// Findings and rows that want attention, by name of their severity.
    pub by_severity: BTreeMap<String, u64>,
}

/// One finding, or row of a listing that wants attention, for CI.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub key: String,
    pub severity: Severity,
    pub row: u64,
}

/// Judges rows as they pass.
pub struct Judge<'a> {
    report: &'a Report,
    severity: Option<usize>,
    suppressions: &'a Suppressions,
    keys: Keys,
    pub tally: Tally,
    /// The first findings.
    pub named: Vec<Finding>,
    /// Whether each suppression met a finding, by its place in the file.
    pub used: Vec<bool>,
}

/// The judgement of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub severity: Option<Severity>,
    pub is_suppressed: bool,
}

impl<'a> Judge<'a> {
    pub fn new(report: &'a Report, suppressions: &'a Suppressions) -> Judge<'a> {
        let place = |name: &str| report.columns.iter().position(|column| column.name == name);
        Judge {
            report,
            severity: place(SEVERITY),
            suppressions,
            keys: Keys::default(),
            tally: Tally::default(),
            named: Vec::new(),
            used: vec![false; suppressions.entries.len()],
        }
    }

    /// Counts the rows of a batch, and returns for each what the page shows.
    pub fn look(&mut self, batch: &RecordBatch) -> Result<Vec<Mark>> {
        let severities = self.severity.and_then(|column| batch.column(column).as_primitive_opt::<Int64Type>());
        let has_severity = severities.is_some();
        let is_judged = self.report.expectation == Expectation::NoRows;
        // C18: severe rows of a listing are shown as severe, and context rows of a detection are not.
        let counts = |severity: Severity, is_said: bool| {
            if is_judged { severity > Severity::Informational } else { is_said && severity >= Severity::Medium }
        };
        let said = |row: usize| severities.filter(|column| column.is_valid(row)).map(|column| column.value(row));
        let mut ids = (0..batch.num_rows()).map(said);
        let is_any = ids.any(|id| counts(Severity::from_id(id), id.is_some()));
        // A row without a finding differs from every row that is one, so it takes no number from it.
        let keys = if is_any || has_keys(self.report) { self.keys.of(self.report, batch)? } else { Vec::new() };
        let mut marks = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            self.tally.rows += 1;
            let id = said(row);
            let severity = Severity::from_id(id);
            let mut mark = Mark { severity: (has_severity && id.is_some()).then_some(severity), is_suppressed: false };
            if is_judged && severity == Severity::Informational {
                self.tally.context += 1;
            }
            if let Some(key) = keys.get(row).filter(|_| counts(severity, id.is_some())) {
                if let Some(place) = self.suppressions.place(key) {
                    self.used[place] = true;
                    self.tally.suppressed += 1;
                    mark.is_suppressed = true;
                } else {
                    *if is_judged { &mut self.tally.findings } else { &mut self.tally.attention } += 1;
                    *self.tally.by_severity.entry(severity.name().to_string()).or_default() += 1;
                    if self.named.len() < NAMED {
                        self.named.push(Finding { key: key.clone(), severity, row: self.tally.rows });
                    }
                }
            }
            marks.push(mark);
        }
        Ok(marks)
    }

    /// Returns the verdict that the rows allow, given what the run could not see (C18).
    pub fn verdict(&self, facts: &Facts) -> Verdict {
        match self.report.expectation {
            Expectation::Any => Verdict::Evidence,
            Expectation::NoRows if self.tally.findings > 0 => Verdict::Findings,
            Expectation::NoRows if !facts.reasons.is_empty() => Verdict::NotAssessable,
            Expectation::NoRows => Verdict::None,
        }
    }
}

impl Tally {
    pub fn worst(&self) -> Option<Severity> {
        Severity::ALL.into_iter().rev().find(|severity| self.by_severity.contains_key(severity.name()))
    }

    /// Formats the counts: `1 critical, 2 high`.
    pub fn in_words(&self) -> String {
        severities(&self.by_severity)
    }
}

/// Formats counts by name of a severity, the worst first: `1 critical, 2 high`.
pub fn severities(by_severity: &BTreeMap<String, u64>) -> String {
    let counts = Severity::ALL
        .into_iter()
        .rev()
        .filter_map(|severity| by_severity.get(severity.name()).map(|found| format!("{} {severity}", count(*found))));
    counts.collect::<Vec<_>>().join(", ")
}

/// The keys of a result, batch after batch: each is given once (C19), so that a suppression hides one row and a review
/// decides each. Rows whose keys would be equal get the suffix `|2`, `|3` and so on, in the order of the result.
#[derive(Debug, Default)]
pub(in crate::report) struct Keys {
    given: HashMap<String, u64>,
}

impl Keys {
    pub fn of(&mut self, report: &Report, batch: &RecordBatch) -> Result<Vec<String>> {
        Ok(keys(report, batch)?.into_iter().map(|key| self.take(key)).collect())
    }

    /// Returns the key itself, or the first of its followers that is still free.
    pub fn take(&mut self, key: String) -> String {
        let Some(times) = self.given.get(&key) else {
            self.given.insert(key.clone(), 1);
            return key;
        };
        let mut times = times + 1;
        while self.given.contains_key(&format!("{key}|{times}")) {
            times += 1;
        }
        let follower = format!("{key}|{times}");
        self.given.insert(key, times);
        self.given.insert(follower.clone(), 1);
        follower
    }
}

fn has_keys(report: &Report) -> bool {
    report.columns.iter().any(|column| column.name == KEY)
}

/// Returns the key of each row: `finding_key`, or else one made of the whole row, so that every report can be compared.
fn keys(report: &Report, batch: &RecordBatch) -> Result<Vec<String>> {
    let column = report.columns.iter().position(|column| column.name == KEY);
    let given = column.and_then(|column| batch.column(column).as_string_opt::<i32>());
    if let Some(given) = given.filter(|given| given.null_count() == 0) {
        return Ok((0..batch.num_rows()).map(|row| given.value(row).to_string()).collect());
    }
    let mut lines = Vec::new();
    let mut renderer = Renderer::new(Format::Ndjson, batch.schema(), Options::default(), &mut lines);
    renderer.write(batch)?;
    renderer.finish()?;
    let made = lines.split(|byte| *byte == b'\n').take(batch.num_rows()).map(|line| made_key(&report.id, line));
    let made: Vec<String> = made.collect();
    Ok(match given {
        Some(given) => made
            .into_iter()
            .enumerate()
            .map(|(row, made)| if given.is_valid(row) { given.value(row).to_string() } else { made })
            .collect(),
        None => made,
    })
}

fn made_key(id: &str, line: &[u8]) -> String {
    format!("{id}|{}", hex(&Sha256::digest(line)[..8]))
}

/// Returns the key of a row of `result.json`, as [`Keys`] makes it before it looks for others of the same key.
pub fn key_of(id: &str, row: &serde_json::Map<String, serde_json::Value>, line: &str) -> String {
    match row.get(KEY) {
        Some(serde_json::Value::String(key)) => key.clone(),
        _ => made_key(id, line.as_bytes()),
    }
}

/// Returns the severity of a row of `result.json`.
pub fn severity_of(row: &serde_json::Map<String, serde_json::Value>) -> Severity {
    Severity::from_id(row.get(SEVERITY).and_then(serde_json::Value::as_i64))
}
