//! Tables for reports about reports: the catalogue, and the runs and findings of the schedules.
//!
//! A run gets them as the tables `report_control`, `report_run` and `report_finding`; the views of these names document
//! their columns. They are read when a report asks for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use chrono::DateTime;
use datafusion::catalog::TableProvider;
use serde_json::{Value as Json, json};

use super::super::App;
use crate::error::{Context, Error, Kind, Result};
use crate::jobs::{Body, Log, RUNS};
use crate::lake::Lake;
use crate::report::{Backed, Catalog, Report, ReportKind, Severity, State, Summary, Verdict, backed, frameworks};
use crate::sql::Deferred;

/// Returns the tables by their names.
pub fn tables(app: &App, lake: &Lake) -> Result<Vec<(String, Arc<dyn TableProvider>)>> {
    let catalog = super::catalog(app)?;
    let runs = lake.root().join(RUNS);
    let (of_runs, of_findings) = (runs.clone(), runs);
    let detections = detections(&catalog);
    Ok(vec![
        table("report_control", &CONTROL, move || Ok(controls(&catalog))),
        table("report_run", &RUN, move || Ok(summaries(&of_runs)?.iter().flat_map(runs_of).collect())),
        table("report_finding", &FINDING, move || findings(&summaries(&of_findings)?, &detections)),
    ])
}

const CONTROL: [(&str, DataType); 4] = [
    ("report_id", DataType::Utf8),
    ("kind", DataType::Utf8),
    ("framework", DataType::Utf8),
    ("control_id", DataType::Utf8),
];

/// Timestamps are whole numbers here, of microseconds; `table` turns them into times.
const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

const RUN: [(&str, DataType); 11] = [
    ("report_id", DataType::Utf8),
    ("run_time", TIME),
    ("period_from", TIME),
    ("period_to", TIME),
    ("state", DataType::Utf8),
    ("reason", DataType::Utf8),
    ("verdict", DataType::Utf8),
    ("rows", DataType::Int64),
    ("attention", DataType::Int64),
    ("max_severity", DataType::Int64),
    ("coverage", DataType::Float64),
];

const FINDING: [(&str, DataType); 8] = [
    ("report_id", DataType::Utf8),
    ("run_time", TIME),
    ("period_from", TIME),
    ("period_to", TIME),
    ("severity_id", DataType::Int64),
    ("finding_key", DataType::Utf8),
    ("first_time", TIME),
    ("last_time", TIME),
];

/// Builds a table from rows as JSON.
fn table(
    name: &'static str,
    columns: &[(&str, DataType)],
    read: impl Fn() -> Result<Vec<Json>> + Send + Sync + 'static,
) -> (String, Arc<dyn TableProvider>) {
    let field = |(name, ty): &(&str, DataType)| match ty {
        DataType::Timestamp(unit, _) => Field::new(*name, DataType::Timestamp(*unit, Some("UTC".into())), true),
        ty => Field::new(*name, ty.clone(), true),
    };
    let schema: SchemaRef = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let of_rows = schema.clone();
    let rows = move || rows(name, &of_rows, &read()?);
    (name.to_string(), Arc::new(Deferred::new(schema, rows)))
}

fn rows(name: &str, schema: &SchemaRef, found: &[Json]) -> Result<RecordBatch> {
    let cannot = || format!("cannot make the table `{name}`");
    let mut decoder = ReaderBuilder::new(schema.clone())
        .with_batch_size(found.len().max(1))
        .build_decoder()
        .context(Kind::Internal, cannot)?;
    decoder.serialize(found).context(Kind::Internal, cannot)?;
    let batch = decoder.flush().context(Kind::Internal, cannot)?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema.clone())))
}

fn detections(catalog: &Catalog) -> Vec<String> {
    let found = catalog.list().iter().filter(|report| report.kind == ReportKind::Detection);
    found.map(|report| report.id.clone()).collect()
}

/// Returns a row for each control and report; a control that no report backs has one row, without a report.
fn controls(catalog: &Catalog) -> Vec<Json> {
    let row = |control: &Backed, report: Option<&Report>| {
        json!({
            "report_id": report.map(|report| &report.id),
            "kind": report.map(|report| report.kind.name()),
            "framework": control.framework,
            "control_id": control.id,
        })
    };
    let mut rows = Vec::new();
    for control in frameworks().iter().flat_map(|framework| backed(framework, catalog)) {
        let reports = catalog.list().iter().filter(|report| control.reports.contains(&report.id));
        let with: Vec<Json> = reports.map(|report| row(&control, Some(report))).collect();
        rows.extend(if with.is_empty() { vec![row(&control, None)] } else { with });
    }
    rows
}

/// Returns the summaries of the runs of the schedules, in order.
pub fn summaries(runs: &Path) -> Result<Vec<Summary>> {
    let mut found = Vec::new();
    for entry in Log::read(runs)?.entries() {
        if let Body::Done { summary, .. } = &entry.body {
            let cannot = || format!("cannot read entry {} of the run log", entry.sequence);
            found.push(serde_json::from_value(summary.clone()).context(Kind::Integrity, cannot)?);
        }
    }
    Ok(found)
}

fn micros(time_ms: Option<i64>) -> Json {
    time_ms.and_then(|ms| ms.checked_mul(1000)).map_or(Json::Null, Json::from)
}

fn runs_of(summary: &Summary) -> Vec<Json> {
    let row = |report: &crate::report::ReportSummary| {
        let is_done = report.state == State::Done;
        let done = |value: Json| if is_done { value } else { Json::Null };
        let state = match report.state {
            State::Done => "done",
            State::Skipped => "skipped",
            State::Failed => "failed",
        };
        json!({
            "report_id": report.id,
            "run_time": micros(Some(summary.time_ms)),
            "period_from": micros(summary.period.from_ms),
            "period_to": micros(summary.period.to_ms),
            "state": state,
            "reason": report.reason,
            "verdict": report.verdict.map(Verdict::name),
            "rows": done(json!(report.rows)),
            "attention": done(json!(report.attention)),
            "max_severity": report.worst.map(|worst: Severity| worst as i64),
            "coverage": report.coverage,
        })
    };
    summary.reports.iter().map(row).collect()
}

/// Returns the findings of all runs, as their folders have them. A folder that is gone is an error: a digest without
/// its findings would look like a quiet day.
fn findings(summaries: &[Summary], detections: &[String]) -> Result<Vec<Json>> {
    let mut found = Vec::new();
    for summary in summaries {
        for report in summary.reports.iter().filter(|report| report.findings > 0 && detections.contains(&report.id)) {
            let path: PathBuf = Path::new(&summary.folder).join(report.folder()).join("result.json");
            let text = std::fs::read(&path).map_err(|error| {
                Error::new(Kind::Unavailable, format!("cannot read the findings of a run in {}", path.display()))
                    .hint("the digest reads the folders of scheduled runs; put this one back where it was")
                    .caused_by(error)
            })?;
            let rows: Vec<Json> = serde_json::from_slice(&text)
                .context(Kind::Integrity, || format!("cannot read the findings in {}", path.display()))?;
            for row in rows {
                let severity = row["severity_id"].as_i64();
                // Rows of severity 1 are context (C18).
                if row["finding_key"].is_null() || severity == Some(1) {
                    continue;
                }
                let times = times(&row);
                found.push(json!({
                    "report_id": report.id,
                    "run_time": micros(Some(summary.time_ms)),
                    "period_from": micros(summary.period.from_ms),
                    "period_to": micros(summary.period.to_ms),
                    "severity_id": severity,
                    "finding_key": row["finding_key"],
                    "first_time": micros(times.iter().min().copied()),
                    "last_time": micros(times.iter().max().copied()),
                }));
            }
        }
    }
    Ok(found)
}

/// Returns all times of a row.
fn times(row: &Json) -> Vec<i64> {
    let texts = row.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    texts.filter_map(|text| DateTime::parse_from_rfc3339(text).ok()).map(|time| time.timestamp_millis()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_and_its_findings_become_rows() {
        let folder = tempfile::tempdir().unwrap();
        let of_report = folder.path().join("brute-force-by-user");
        std::fs::create_dir(&of_report).unwrap();
        let result = r#"[{"subject_uid":"a","first_time":"2026-03-01T08:00:00Z","last_time":"2026-03-01T09:00:00Z",
            "severity_id":3,"finding_key":"brute-force-by-user|a|1"},{"severity_id":1,"finding_key":"x"}]"#;
        std::fs::write(of_report.join("result.json"), result).unwrap();
        let summary: Summary = serde_json::from_value(json!({
            "program": "p", "time_ms": 5, "user": "u", "ledger_sequence": 1, "ledger_sha256": "", "findings": 1,
            "period": {"text": "2026-03-01", "time_zone": "UTC", "from_ms": 1, "to_ms": 2}, "folder": folder.path(),
            "reports": [
                {"id": "brute-force-by-user", "title": "", "state": "done", "verdict": "findings", "rows": 2, "findings": 1,
                 "suppressed": 0, "by_severity": {}, "worst": "medium", "seconds": 0.0, "idle_suppressions": 0},
                {"id": "log-gaps", "title": "", "state": "failed", "reason": "why", "rows": 0, "findings": 0, "suppressed": 0,
                 "by_severity": {}, "seconds": 0.0, "idle_suppressions": 0}
            ],
        }))
        .unwrap();
        let runs = runs_of(&summary);
        assert_eq!(runs[0]["max_severity"], 3);
        assert_eq!(
            (&runs[1]["state"], &runs[1]["reason"], &runs[1]["rows"]),
            (&json!("failed"), &json!("why"), &Json::Null)
        );
        let detections = ["brute-force-by-user".to_string()];
        let found = findings(std::slice::from_ref(&summary), &detections).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["first_time"], 1_772_352_000_000_000_i64);
        std::fs::remove_dir_all(&of_report).unwrap();
        let error = findings(&[summary], &detections).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
    }
}
