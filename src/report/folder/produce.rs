//! One run of a report into one folder: rows in three forms, a page, and the evidence.
//!
//! ```text
//! rows -> result.csv, .json, .parquet (.xlsx)
//!      -> Judge (findings), Chart, the rows that the page and report.md show
//! then report.html, report.md, and evidence.json over the hashes of them all
//! ```
//!
//! Nothing here reads a clock: the stamp says when and by whom, so that the same entry gives the same bytes again.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::super::catalog::header::Report;
use super::super::catalog::params::Params;
use super::super::evidence::facts::Facts;
use super::super::evidence::findings::{Finding, Judge};
use super::super::evidence::hashes::{hash_file, hashes};
use super::super::evidence::input::Input;
use super::super::evidence::record::{
    self, Asked, Evidence, Ledger, ReportText, Sealer, Stamp, Suppressed, Text, Value,
};
use super::super::evidence::run::run;
use super::super::evidence::suppress::Suppressions;
use super::super::output::chart::Chart;
use super::super::output::markdown;
use super::super::output::page::{self, Page};
use super::super::output::workbook::ReviewBook;
use crate::disk::{Draft, Unfinished};
use crate::error::{Context, Kind, Result};
use crate::render::{Format, Options, Parquet, Renderer, Workbook};
use crate::sql::Session;

/// Rows that `report.md` shows.
const MARKDOWN_ROWS: usize = 1000;

/// Everything that one run depends on.
#[derive(Clone)]
pub struct Order {
    pub session: Arc<Session>,
    pub report: Report,
    /// The name of its folder.
    pub folder: String,
    pub params: Params,
    pub asked: Asked,
    pub facts: Facts,
    /// The inputs that the session was given.
    pub inputs: Arc<Vec<Input>>,
    pub suppressions: Suppressions,
    pub stamp: Stamp,
    /// None: the run is repeated for comparison, and must not become evidence.
    pub seal: Option<Sealer>,
    /// Receives the folder's name while it is written.
    pub unfinished: Unfinished,
}

/// The result of one run.
#[derive(Debug, Clone)]
pub struct Produced {
    pub folder: PathBuf,
    pub evidence: Evidence,
    /// The first findings, for CI.
    pub named: Vec<Finding>,
}

/// Runs a report into its folder below `parent`.
pub async fn produce(order: &Order, parent: &Path, is_replacing: bool) -> Result<Produced> {
    let report = &order.report;
    let draft = Draft::begin(&parent.join(&order.folder), is_replacing)?.known_to(&order.unfinished);
    let mut outcome = run(report, &order.params, &order.session).await?;
    let used = outcome.used();
    let read = |input: &&Input| used.views.iter().any(|(name, _)| *name == input.name);
    let inputs: Vec<&Input> = order.inputs.iter().filter(read).collect();
    let conventions =
        used.views.iter().map(|(name, text)| Text { name: name.clone(), sha256: record::hash(text.as_bytes()) });
    let conventions = conventions.collect();
    let tables = record::tables(&order.session, &used.tables);
    // The evidence names the files by their hashes and vouches for them: while the rows come, all bytes are compared.
    let (session, names) = (order.session.clone(), used.tables.clone());
    let compared = tokio::spawn(async move { session.check_files(&names).await });

    let mut judge = Judge::new(report, &order.suppressions);
    let mut sinks = Sinks::new(&draft, order, &outcome.schema)?;
    while let Some(batch) = outcome.next().await? {
        let marks = judge.look(&batch)?;
        sinks.page.rows(&batch, &marks);
        sinks.write(&batch)?;
    }
    compared.await.context(Kind::Internal, || "a task that compares files stopped")??;
    let (page, chart, table) = sinks.finish(&draft)?;

    let unused = judge.used.iter().zip(&order.suppressions.entries).filter(|(used, _)| !**used);
    let unused = unused.map(|(_, entry)| entry.finding.clone()).collect();
    for input in &inputs {
        draft.write(&input.file, input.bytes())?;
    }
    let result_sha256 = hash_file(&draft.temporary().join("result.json"))?.0;
    let evidence = Evidence {
        format: Evidence::FORMAT,
        catalogue: Evidence::CATALOGUE,
        report: ReportText::of(report),
        conventions,
        parameters: order
            .params
            .iter()
            .map(|(name, value)| Value { name: name.to_string(), value: value.to_string() })
            .collect(),
        period: order.asked.clone(),
        verdict: judge.verdict(&order.facts),
        tally: judge.tally.clone(),
        result_sha256,
        facts: order.facts.clone(),
        ledger: Ledger::of(&order.session),
        tables,
        inputs: inputs.iter().map(|input| input.recorded()).collect(),
        suppressions: Suppressed {
            entries: order.suppressions.entries.clone(),
            expired: order.suppressions.expired.clone(),
            unused,
        },
        run: order.stamp.clone(),
        files: Vec::new(),
        signature: None,
        seal: None,
    };
    draft.write("report.html", page::document(report, &evidence, &page, chart.as_ref()).as_bytes())?;
    let text = markdown::document(report, &evidence, &table, MARKDOWN_ROWS as u64);
    draft.write("report.md", text.as_bytes())?;
    let (evidence, bytes) = Evidence { files: hashes(draft.temporary())?, ..evidence }.sealed(order.seal.as_ref())?;
    draft.write(record::FILE, &bytes)?;
    let named = judge.named;
    Ok(Produced { folder: draft.finish()?, evidence, named })
}

/// The sinks that receive rows.
struct Sinks {
    texts: Vec<Renderer<BufWriter<File>>>,
    parquet: Parquet<BufWriter<File>>,
    xlsx: Option<ReviewBook>,
    /// The number of rows that a sheet still has room for.
    room: u64,
    /// The first rows, for `report.md`.
    first: Vec<RecordBatch>,
    first_rows: usize,
    chart: Option<Chart>,
    page: Page,
}

impl Sinks {
    fn new(draft: &Draft, order: &Order, schema: &SchemaRef) -> Result<Sinks> {
        let file = |name: &str| draft.file(name).map(|file| BufWriter::with_capacity(1 << 16, file));
        let text =
            |format: Format, name: &str| Ok(Renderer::new(format, schema.clone(), Options::default(), file(name)?));
        let xlsx = if order.stamp.with_xlsx { Some(ReviewBook::new(&order.report, schema)?) } else { None };
        Ok(Sinks {
            texts: vec![text(Format::Csv, "result.csv")?, text(Format::Json, "result.json")?],
            parquet: Parquet::new(schema.clone(), file("result.parquet")?)?,
            xlsx,
            room: Workbook::MAX_ROWS,
            first: vec![RecordBatch::new_empty(schema.clone())],
            first_rows: 0,
            chart: Chart::plan(&order.report, &order.params, &order.facts.coverage),
            page: Page::new(&order.report),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for text in &mut self.texts {
            text.write(batch)?;
        }
        self.parquet.write(batch)?;
        // A sheet holds a million rows; the others stay in the CSV, and the page says how many there are.
        let fits = batch.slice(0, self.room.min(batch.num_rows() as u64) as usize);
        self.room -= fits.num_rows() as u64;
        if let Some(book) = &mut self.xlsx {
            book.write(&fits)?;
        }
        if self.first_rows < MARKDOWN_ROWS {
            let shown = batch.slice(0, (MARKDOWN_ROWS - self.first_rows).min(batch.num_rows()));
            self.first_rows += shown.num_rows();
            self.first.push(shown);
        }
        if let Some(chart) = &mut self.chart {
            chart.push(batch);
        }
        Ok(())
    }

    fn finish(self, draft: &Draft) -> Result<(Page, Option<Chart>, String)> {
        for text in self.texts {
            text.finish()?;
        }
        self.parquet.finish()?;
        if let Some(book) = self.xlsx {
            book.finish(BufWriter::new(draft.file("result.xlsx")?))?;
        }
        let mut table = Vec::new();
        let mut markdown = Renderer::new(Format::Markdown, self.first[0].schema(), Options::default(), &mut table);
        for batch in &self.first {
            markdown.write(batch)?;
        }
        markdown.finish()?;
        Ok((self.page, self.chart, String::from_utf8_lossy(&table).into_owned()))
    }
}
