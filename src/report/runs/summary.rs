//! The results of a run over one or more reports, for programs: JSON, JUnit, SARIF and metrics.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::evidence::findings::{Finding, Severity, Verdict};
use super::super::evidence::reason::{Reason, in_words};
use super::super::evidence::record::{Asked, Evidence, PROGRAM, hash};
use super::super::html::escaped;
use super::super::words::share;
use super::controls::FrameworkStanding;
use crate::error::{Context, Kind, Result};
use crate::typed::{count, visible_json};

/// One run of the program.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summary {
    pub program: String,
    pub time_ms: i64,
    pub user: String,
    /// The schedule that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    pub period: Asked,
    pub ledger_sequence: u64,
    pub ledger_sha256: String,
    /// The directory of the folders.
    pub folder: String,
    pub findings: u64,
    #[serde(default)]
    pub attention: u64,
    pub reports: Vec<ReportSummary>,
    /// The state of each control after the run; only in the `summary.json` of a folder, which knows all reports of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frameworks: Vec<FrameworkStanding>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReportSummary {
    pub id: String,
    /// The part of the period that the entry is about, for a report that ran once for each month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    pub title: String,
    pub state: State,
    /// The reason why it did not run, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    pub rows: u64,
    pub findings: u64,
    pub suppressed: u64,
    /// Rows of a listing of severity 3 or more, and rows of a detection of severity 1.
    #[serde(default)]
    pub attention: u64,
    #[serde(default)]
    pub context: u64,
    pub by_severity: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Severity>,
    /// The coverage of the period, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Reasons why the run could not see something (C18), and the share of what the report needs that it could not see.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    #[serde(default)]
    pub unseen: f64,
    /// The hash of `result.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_sha256: Option<String>,
    /// The hash of `evidence.json`, so that a summary kept elsewhere identifies the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_sha256: Option<String>,
    pub seconds: f64,
    /// Suppressions that met no finding or have expired.
    pub idle_suppressions: u64,
    /// Its last review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The change since an earlier run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// The reviewer of a report, and the decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    pub by: String,
    pub time_ms: i64,
    /// The number of the attestation, whose page it names.
    pub number: u64,
    /// The number of rows by decision.
    pub decisions: BTreeMap<String, u64>,
}

impl Review {
    /// Formats `40 keep, 2 revoke`.
    pub fn in_words(&self) -> String {
        let counts = self.decisions.iter().map(|(name, number)| format!("{} {name}", count(*number)));
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// New findings since an earlier run, and findings that only it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The period of the earlier run, and when it ran.
    pub since: String,
    pub since_ms: i64,
    pub new: u64,
    pub gone: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    #[default]
    Done,
    /// The report needs a parameter that this run does not have.
    Skipped,
    Failed,
}

impl ReportSummary {
    pub fn done(evidence: &Evidence, seconds: f64) -> Result<ReportSummary> {
        let tally = &evidence.tally;
        let idle = evidence.suppressions.unused.len() + evidence.suppressions.expired.len();
        Ok(ReportSummary {
            id: evidence.report.id.clone(),
            title: evidence.report.title.clone(),
            state: State::Done,
            verdict: Some(evidence.verdict),
            rows: tally.rows,
            findings: tally.findings,
            suppressed: tally.suppressed,
            attention: tally.attention,
            context: tally.context,
            by_severity: tally.by_severity.clone(),
            worst: tally.worst(),
            coverage: Some(evidence.facts.coverage.share),
            reasons: evidence.facts.reasons.clone(),
            unseen: evidence.facts.unseen,
            result_sha256: Some(evidence.result_sha256.clone()),
            evidence_sha256: Some(hash(&evidence.to_bytes()?)),
            seconds,
            idle_suppressions: idle as u64,
            ..ReportSummary::default()
        })
    }

    /// Returns the name of its folder below that of the run: an id holds no dot, so no two reports share one.
    pub fn folder(&self) -> String {
        match &self.part {
            None => self.id.clone(),
            Some(part) => format!("{}.{part}", self.id),
        }
    }

    /// Returns `no finding, but not assessable (33.4 %): ...`, for a report of which that is true.
    pub fn not_assessable(&self) -> String {
        let (unseen, reasons) = (share(self.unseen), in_words(&self.reasons));
        format!("no finding, but not assessable ({unseen}): {reasons}")
    }

    pub fn not_done(id: &str, title: &str, state: State, reason: String) -> ReportSummary {
        ReportSummary {
            id: id.to_string(),
            title: title.to_string(),
            state,
            reason: Some(reason),
            ..Default::default()
        }
    }
}

impl Summary {
    /// Joins this run with the reports of an earlier one over the same entry and period that it did not run.
    pub fn joined(&self, earlier: Summary) -> Summary {
        let mut reports = earlier.reports;
        for report in &self.reports {
            match reports.iter_mut().find(|known| known.folder() == report.folder()) {
                Some(known) => *known = report.clone(),
                None => reports.push(report.clone()),
            }
        }
        let findings = reports.iter().map(|report| report.findings).sum();
        let attention = reports.iter().map(|report| report.attention).sum();
        Summary { schedule: self.schedule.clone().or(earlier.schedule), findings, attention, reports, ..self.clone() }
    }

    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).context(Kind::Internal, || "cannot encode the summary")?;
        Ok(text + "\n")
    }

    /// Returns the exit code of the run: 3 when a report failed; with a limit, 1 for findings and rows that want
    /// attention at or above it, else 4 when a detection could not be assessed.
    pub fn exit_code(&self, fail_on: Option<Severity>) -> u8 {
        let has = |state: State| self.reports.iter().any(|report| report.state == state);
        let is_open = || self.reports.iter().any(|report| report.verdict == Some(Verdict::NotAssessable));
        match fail_on {
            _ if has(State::Failed) => Kind::Input.exit_code(),
            Some(limit) if self.reports.iter().any(|report| report.worst.is_some_and(|worst| worst >= limit)) => {
                Kind::Finding.exit_code()
            }
            Some(_) if is_open() => Kind::Incomplete.exit_code(),
            _ => 0,
        }
    }

    /// Writes JUnit: a suite per report, a case per finding; a report without findings is one case that passed.
    pub fn junit(&self, named: &BTreeMap<String, Vec<Finding>>) -> String {
        let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"auditlake\">\n".to_string();
        for report in &self.reports {
            let findings = named.get(&report.folder()).map_or(&[][..], Vec::as_slice);
            let is_open = report.verdict == Some(Verdict::NotAssessable);
            let is_failed = report.state == State::Failed;
            let is_skipped = report.state == State::Skipped || is_open;
            let _ = writeln!(
                out,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
                xml(&report.id),
                findings.len().max(1),
                findings.len(),
                u8::from(is_failed),
                u8::from(is_skipped),
                report.seconds
            );
            for finding in findings {
                let _ = writeln!(
                    out,
                    "    <testcase classname=\"{0}\" name=\"{1}\"><failure type=\"{2}\" message=\"{2}: {3}, row {4}\"/></testcase>",
                    xml(&report.id),
                    xml(&finding.key),
                    finding.severity,
                    xml(&report.title),
                    finding.row
                );
            }
            if findings.is_empty() {
                let inside = match () {
                    () if is_failed => {
                        format!("<error message=\"{}\"/>", xml(report.reason.as_deref().unwrap_or_default()))
                    }
                    () if is_open => format!("<skipped message=\"{}\"/>", xml(&report.not_assessable())),
                    () if is_skipped => {
                        format!("<skipped message=\"{}\"/>", xml(report.reason.as_deref().unwrap_or_default()))
                    }
                    () => String::new(),
                };
                let _ =
                    writeln!(out, "    <testcase classname=\"{0}\" name=\"{0}\">{inside}</testcase>", xml(&report.id));
            }
            out.push_str("  </testsuite>\n");
        }
        out + "</testsuites>\n"
    }

    /// Writes SARIF 2.1.0: a rule per report, a result per finding, with its key as fingerprint.
    pub fn sarif(&self, named: &BTreeMap<String, Vec<Finding>>) -> Result<String> {
        let rules: Vec<_> = self
            .reports
            .iter()
            .map(|report| json!({ "id": report.id, "shortDescription": { "text": report.title } }))
            .collect();
        let mut results = Vec::new();
        for (index, report) in self.reports.iter().enumerate() {
            for finding in named.get(&report.folder()).map_or(&[][..], Vec::as_slice) {
                let level = match finding.severity {
                    Severity::Informational | Severity::Low => "note",
                    Severity::Medium => "warning",
                    Severity::High | Severity::Critical => "error",
                };
                results.push(json!({
                    "ruleId": report.id,
                    "ruleIndex": index,
                    "level": level,
                    "message": { "text": sarif_text(&format!("{} ({}): {}", report.title, finding.severity, finding.key)) },
                    "partialFingerprints": { "findingKey/v1": finding.key },
                    "locations": [{
                        "physicalLocation": {
                            "artifactLocation": { "uri": format!("{}/result.json", report.folder()) },
                            "region": { "startLine": finding.row },
                        },
                    }],
                }));
            }
        }
        let is_whole = self.reports.iter().all(|report| report.state != State::Failed);
        let open = self.reports.iter().enumerate().filter(|(_, one)| one.verdict == Some(Verdict::NotAssessable));
        let notes: Vec<_> = open
            .map(|(index, report)| {
                json!({
                    "level": "warning",
                    "message": { "text": format!("{}: {}", report.title, report.not_assessable()) },
                    "associatedRule": { "id": report.id, "index": index },
                })
            })
            .collect();
        let text = serde_json::to_string_pretty(&json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": "auditlake", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
                "invocations": [{ "executionSuccessful": is_whole, "toolExecutionNotifications": notes }],
                "results": results,
            }],
        }));
        let text = text.context(Kind::Internal, || "cannot encode SARIF")? + "\n";
        Ok(visible_json(&text))
    }
}

/// Escapes text in an XML attribute: HTML's escapes are XML's, and characters that XML does not allow (controls,
/// U+FFFE, U+FFFF) or that cannot be seen are written as their number.
fn xml(text: &str) -> String {
    escaped(text)
}

/// Escapes text of a SARIF message, in which `[text](1)` would be a link.
fn sarif_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '[' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Begins a summary for the index of a run that has not started.
pub fn begin(time_ms: i64, user: &str, period: Asked, ledger: (u64, &str), folder: &str) -> Summary {
    Summary {
        program: PROGRAM.to_string(),
        time_ms,
        user: user.to_string(),
        period,
        ledger_sequence: ledger.0,
        ledger_sha256: ledger.1.to_string(),
        folder: folder.to_string(),
        ..Summary::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\u{fffe}a\u{ffff}\u{1b}]0;x\u{7}\u{202e}\u{200b}<&\"'>\0\n[x](1)\\";

    fn run() -> (Summary, BTreeMap<String, Vec<Finding>>) {
        let period = Asked { text: None, time_zone: "UTC".to_string(), from_ms: None, to_ms: None };
        let mut summary = begin(0, "ann", period, (1, "ab"), "out");
        let found = ReportSummary { id: "found".to_string(), title: HOSTILE.to_string(), ..Default::default() };
        let failed = ReportSummary::not_done("failed", "Failed", State::Failed, HOSTILE.to_string());
        summary.reports = vec![found, failed];
        let finding = Finding { key: HOSTILE.to_string(), severity: Severity::High, row: 1 };
        (summary, BTreeMap::from([("found".to_string(), vec![finding])]))
    }

    /// Returns whether XML 1.0 calls this a Char; a parser stops at any other.
    fn is_xml(c: char) -> bool {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    #[test]
    fn junit_is_xml_whatever_is_found() {
        let (summary, named) = run();
        let text = summary.junit(&named);
        assert!(text.chars().all(is_xml), "{text:?}");
        assert!(text.contains("\\u{fffe}a\\u{ffff}\\u{1b}]0;x") && text.contains("&lt;&amp;&quot;&#39;&gt;"), "{text}");
        // Outside of our own output there is no markup.
        assert_eq!(text.matches('<').count(), text.matches('>').count());
        assert_eq!(text.matches("<failure ").count() + text.matches("<error ").count(), 2);
    }

    #[test]
    fn sarif_is_json_and_its_messages_hold_no_links() {
        let (summary, named) = run();
        let text = summary.sarif(&named).unwrap();
        assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{fffe}', '\u{1b}']), "{text:?}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let result = &value["runs"][0]["results"][0];
        assert_eq!(result["partialFingerprints"]["findingKey/v1"], HOSTILE, "the key is the finding's own");
        let said = result["message"]["text"].as_str().unwrap();
        assert!(said.contains("\\[x\\](1)\\\\"), "{said}");
    }
}
