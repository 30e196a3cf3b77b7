//! Numbers of runs for Prometheus' textfile collector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::evidence::findings::{Severity, Verdict};
use super::summary::{State, Summary};

/// One report's numbers for a metrics textfile.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub schedule: String,
    pub report: String,
    /// The time of the last completed run, whatever it found.
    pub last_success_ms: i64,
    pub by_severity: BTreeMap<String, u64>,
    pub coverage: f64,
    /// False for a detection that found nothing and could not have found anything.
    pub is_assessable: bool,
    pub seconds: f64,
}

impl Metric {
    /// Returns the numbers of the reports that a run completed.
    pub fn of(summary: &Summary) -> Vec<Metric> {
        let done = summary.reports.iter().filter(|report| report.state == State::Done);
        done.map(|report| Metric {
            schedule: summary.schedule.clone().unwrap_or_default(),
            report: report.folder(),
            last_success_ms: summary.time_ms,
            by_severity: report.by_severity.clone(),
            coverage: report.coverage.unwrap_or_default(),
            is_assessable: report.verdict != Some(Verdict::NotAssessable),
            seconds: report.seconds,
        })
        .collect()
    }
}

/// Writes the text format of Prometheus, for the node exporter's textfile collector.
pub fn metrics(metrics: &[Metric]) -> String {
    let mut out = String::new();
    let mut family = |name: &str, help: &str, line: &dyn Fn(&Metric, &str, &mut String)| {
        let _ = writeln!(out, "# HELP auditlake_report_{name} {help}\n# TYPE auditlake_report_{name} gauge");
        for metric in metrics {
            let labels = format!("schedule=\"{}\",report=\"{}\"", label(&metric.schedule), label(&metric.report));
            line(metric, &labels, &mut out);
        }
    };
    family("last_success_timestamp_seconds", "When the report was last run to its end.", &|metric, labels, out| {
        let seconds = metric.last_success_ms as f64 / 1000.0;
        let _ = writeln!(out, "auditlake_report_last_success_timestamp_seconds{{{labels}}} {seconds}");
    });
    family(
        "findings",
        "Findings, and rows of listings that want attention, of the last run that nobody explained.",
        &|metric, labels, out| {
            for id in 1..=5 {
                let name = Severity::from_id(Some(id)).name();
                let count = metric.by_severity.get(name).copied().unwrap_or_default();
                let _ = writeln!(out, "auditlake_report_findings{{{labels},severity=\"{name}\"}} {count}");
            }
        },
    );
    family("coverage_ratio", "Share of the last period that the log covers.", &|metric, labels, out| {
        let _ = writeln!(out, "auditlake_report_coverage_ratio{{{labels}}} {}", metric.coverage);
    });
    family(
        "assessable",
        "0 where nothing was found and not all that the report needs was there.",
        &|metric, labels, out| {
            let _ = writeln!(out, "auditlake_report_assessable{{{labels}}} {}", u8::from(metric.is_assessable));
        },
    );
    family("duration_seconds", "How long the last run took.", &|metric, labels, out| {
        let _ = writeln!(out, "auditlake_report_duration_seconds{{{labels}}} {:.3}", metric.seconds);
    });
    out
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
