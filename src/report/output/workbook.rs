//! Workbooks: one for each report, with columns to review it in, and one over all reports of a run.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::catalog::header::{Expectation, Report};
use super::super::evidence::findings::Keys;
use super::super::evidence::reason::in_words;
use super::super::runs::controls::Standing;
use super::super::runs::summary::{ReportSummary, Summary};
use super::super::words::{instant, share};
use super::page::{changed, said};
use crate::error::{Context, Kind, Result};
use crate::render::Workbook;

/// The columns that `report attest` reads; they follow those of a report that lists things somebody may have to decide.
const REVIEW: [&str; 5] = ["finding", "decision", "reason", "reviewer", "date"];

/// The rows of one report. A listing comes with the key of each row and empty columns for the decision.
pub struct ReviewBook {
    book: Workbook,
    report: Report,
    wide: SchemaRef,
    keys: Keys,
    is_review: bool,
}

impl ReviewBook {
    pub fn new(report: &Report, schema: &SchemaRef) -> Result<ReviewBook> {
        let is_review = report.expectation == Expectation::Any;
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        if is_review {
            fields.extend(REVIEW.map(|name| Arc::new(Field::new(name, DataType::Utf8, true))));
        }
        let wide: SchemaRef = Arc::new(Schema::new(fields));
        let mut book = Workbook::new()?;
        book.add_sheet(&report.id, &wide)?;
        Ok(ReviewBook { book, report: report.clone(), wide, is_review, keys: Keys::default() })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if !self.is_review {
            return self.book.write(batch);
        }
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(StringArray::from(self.keys.of(&self.report, batch)?)));
        let empty = new_null_array(&DataType::Utf8, batch.num_rows());
        columns.extend(std::iter::repeat_n(empty, REVIEW.len() - 1));
        let wide = RecordBatch::try_new(self.wide.clone(), columns);
        self.book.write(&wide.context(Kind::Internal, || "cannot widen the rows of a workbook")?)
    }

    pub fn finish(self, out: impl Write) -> Result<u64> {
        self.book.finish(out)
    }
}

/// Builds one workbook over the results of a run: the verdicts first, their basis and the controls, then a sheet for
/// each report, made of the folders so that a report that failed half-way has no sheet.
pub fn workbook(summary: &Summary, folders: &[PathBuf]) -> Result<Vec<u8>> {
    let mut book = Workbook::new()?;
    for (name, sheet) in [("verdicts", verdicts(summary)?), ("run", run(summary)?), ("controls", controls(summary)?)] {
        book.add_sheet(name, &sheet.schema())?;
        book.write(&sheet)?;
    }
    for folder in folders {
        let path = folder.join("result.parquet");
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(&path).context(Kind::Unavailable, cannot)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).context(Kind::Unavailable, cannot)?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        book.add_sheet(&name, reader.schema())?;
        let mut room = Workbook::MAX_ROWS;
        for batch in reader.build().context(Kind::Unavailable, cannot)? {
            let batch = batch.context(Kind::Unavailable, cannot)?;
            let fits = batch.slice(0, room.min(batch.num_rows() as u64) as usize);
            room -= fits.num_rows() as u64;
            book.write(&fits)?;
        }
    }
    let mut bytes = Vec::new();
    book.finish(&mut bytes)?;
    Ok(bytes)
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}

fn sheet(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    RecordBatch::try_from_iter(columns).context(Kind::Internal, || "cannot make a sheet of the run")
}

/// Returns a row for each report: its verdict, what it could not see, and the hashes that identify its files.
fn verdicts(summary: &Summary) -> Result<RecordBatch> {
    let reports = &summary.reports;
    let text = |of: &dyn Fn(&ReportSummary) -> String| texts(reports.iter().map(of));
    let number = |of: &dyn Fn(&ReportSummary) -> u64| -> ArrayRef {
        Arc::new(reports.iter().map(|report| Some(of(report) as i64)).collect::<Int64Array>())
    };
    let whole = summary.period.text.clone().unwrap_or_default();
    let verdict = |report: &ReportSummary| match Standing::of(report) {
        Standing::Failed | Standing::NotRun | Standing::NoReport => said(report),
        _ => report.verdict.map(|verdict| verdict.name().to_string()).unwrap_or_default(),
    };
    let unseen = |report: &ReportSummary| {
        if report.reasons.is_empty() {
            String::new()
        } else {
            format!("{}: {}", share(report.unseen), in_words(&report.reasons))
        }
    };
    let coverage: Float64Array = reports.iter().map(|report| report.coverage).collect();
    sheet(vec![
        ("report", text(&|report| report.id.clone())),
        ("title", text(&|report| report.title.clone())),
        ("period", text(&|report| report.part.clone().unwrap_or_else(|| whole.clone()))),
        ("verdict", text(&verdict)),
        ("severity", text(&|report| report.worst.map_or(String::new(), |worst| worst.to_string()))),
        ("findings", number(&|report| report.findings)),
        ("attention", number(&|report| report.attention)),
        ("context", number(&|report| report.context)),
        ("suppressed", number(&|report| report.suppressed)),
        ("rows", number(&|report| report.rows)),
        ("change", text(&|report| changed(report.change.as_ref()))),
        ("coverage", Arc::new(coverage)),
        ("could not be seen", text(&unseen)),
        ("sha256 of result.json", text(&|report| report.result_sha256.clone().unwrap_or_default())),
        ("sha256 of evidence.json", text(&|report| report.evidence_sha256.clone().unwrap_or_default())),
    ])
}

/// Returns the basis of the verdicts.
fn run(summary: &Summary) -> Result<RecordBatch> {
    let asked = &summary.period;
    let time = |time_ms: Option<i64>| time_ms.map_or("as given".to_string(), |ms| format!("{} UTC", instant(ms)));
    let rows = [
        ("period", asked.text.clone().unwrap_or_else(|| "as given".to_string())),
        ("time zone of the period", asked.time_zone.clone()),
        ("from", time(asked.from_ms)),
        ("to, which is excluded", time(asked.to_ms)),
        ("times in the sheets", "UTC".to_string()),
        ("ledger entry", summary.ledger_sequence.to_string()),
        ("sha256 of the ledger entry", summary.ledger_sha256.clone()),
        ("run at", time(Some(summary.time_ms))),
        ("run by", summary.user.clone()),
        ("program", summary.program.clone()),
        ("schedule", summary.schedule.clone().unwrap_or_default()),
    ];
    sheet(vec![
        ("what", texts(rows.iter().map(|(name, _)| name.to_string()))),
        ("value", texts(rows.iter().map(|(_, value)| value.clone()))),
    ])
}

/// Returns a row for each control of each framework.
fn controls(summary: &Summary) -> Result<RecordBatch> {
    let all = || summary.frameworks.iter().flat_map(|one| one.controls.iter().map(move |control| (one, control)));
    let coverage: Float64Array = all().map(|(_, control)| control.coverage).collect();
    sheet(vec![
        ("framework", texts(all().map(|(framework, _)| framework.title.clone()))),
        ("control", texts(all().map(|(_, control)| control.id.clone()))),
        ("title", texts(all().map(|(_, control)| control.title.clone()))),
        ("standing", texts(all().map(|(_, control)| control.standing.in_words().to_string()))),
        ("findings", texts(all().map(|(_, control)| control.severities()))),
        ("change", texts(all().map(|(_, control)| changed(control.change.as_ref())))),
        ("coverage", Arc::new(coverage)),
        ("reports", texts(all().map(|(_, control)| control.reports.join(", ")))),
    ])
}
