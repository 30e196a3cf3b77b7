//! The rows that a page shows: those that want attention first, the columns that answer the question first, and the rest
//! of a row in its detail. The whole result stays in the CSV.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};

use super::cell::{cell, is_share};
use super::heading;
use crate::report::catalog::header::{ColumnType, Expectation, Report};
use crate::report::evidence::findings::{Mark, Severity};
use crate::report::html;

/// Limit of rows that a browser sorts without a pause; the next one limits their bytes.
const MAX_ROWS: usize = 5_000;
const MAX_BYTES: usize = 6 << 20;
/// Characters of one cell.
const MAX_CELL: usize = 400;
/// Columns of the table; further ones are in the detail of each row.
const MAX_COLUMNS: usize = 8;

const SEVERITY_COLUMN: &str = "severity_id";
const KEY_COLUMN: &str = "finding_key";
/// The column whose value says what the numbers of its row are.
const METRIC_COLUMN: &str = "metric";

/// The table of a page.
pub struct Page {
    columns: Vec<Shown>,
    details: Vec<Shown>,
    metric: Option<usize>,
    is_judged: bool,
    /// Rows by how much they want attention, in the order in which they came.
    kept: BTreeMap<Reverse<u8>, Vec<String>>,
    bytes: usize,
    pub shown: usize,
    pub rows: u64,
    pub has_cut_cells: bool,
}

/// One column of the table, or one line of a detail.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its place in the result.
    place: usize,
    pub name: String,
    /// The text above it.
    pub heading: String,
    ty: ColumnType,
    is_severity: bool,
}

impl Shown {
    pub fn is_number(&self) -> bool {
        matches!(self.ty, ColumnType::Int | ColumnType::Bigint | ColumnType::Double) && !self.is_severity
    }
}

/// Arranges the columns as a reader wants them: how bad it is, then the answer to the question, then the others in the
/// order of the head. Names that only a program reads, and columns that a sheet has no room for, go to the detail.
fn arranged(report: &Report) -> (Vec<Shown>, Vec<Shown>) {
    let has = |name: &str| report.columns.iter().any(|column| column.name == name);
    let is_detail = |name: &str| {
        let stem = name.strip_suffix("_uid");
        let is_said = stem.is_some_and(|stem| has(&format!("{stem}_label")) || has(&format!("{stem}_name")));
        let is_event = name.ends_with("event_uid") || name.ends_with("event_uids");
        (is_said || is_event || name == KEY_COLUMN) && !report.answers.iter().any(|answer| answer == name)
    };
    // A number that only orders the rows says nothing beside them.
    let is_order = |name: &str| name.ends_with("_order");
    let kept = report.columns.iter().enumerate().filter(|(_, column)| !is_order(&column.name));
    let columns = kept.map(|(place, column)| Shown {
        place,
        name: column.name.clone(),
        heading: heading(&column.name),
        ty: column.ty,
        is_severity: column.name == SEVERITY_COLUMN,
    });
    let (mut details, mut columns): (Vec<Shown>, Vec<Shown>) = columns.partition(|column| is_detail(&column.name));
    let answer = |name: &str| report.answers.iter().position(|answer| answer == name).unwrap_or(usize::MAX);
    columns.sort_by_key(|column| (!column.is_severity, answer(&column.name), column.place));
    if columns.len() > MAX_COLUMNS {
        details.extend(columns.split_off(MAX_COLUMNS));
        details.sort_by_key(|column| column.place);
    }
    (columns, details)
}

impl Page {
    pub fn new(report: &Report) -> Page {
        let (columns, details) = arranged(report);
        let metric = |name: &str| report.columns.iter().position(|column| column.name == name);
        Page {
            columns,
            details,
            metric: metric(METRIC_COLUMN),
            is_judged: report.expectation == Expectation::NoRows,
            kept: BTreeMap::new(),
            bytes: 0,
            shown: 0,
            rows: 0,
            has_cut_cells: false,
        }
    }

    /// Adds rows, with the judgement of each.
    pub fn rows(&mut self, batch: &RecordBatch, marks: &[Mark]) {
        self.rows += batch.num_rows() as u64;
        for (row, mark) in marks.iter().enumerate() {
            let rank = self.rank(*mark);
            // A full page takes a row only in place of one that wants less attention.
            let least = self.kept.last_key_value().map_or(0, |(Reverse(rank), _)| *rank);
            if self.is_full() && rank <= least {
                continue;
            }
            let text = self.row(batch, row, *mark);
            self.shown += 1;
            self.bytes += text.len();
            self.kept.entry(Reverse(rank)).or_default().push(text);
            while self.shown > MAX_ROWS || (self.bytes > MAX_BYTES && self.shown > 1) {
                self.drop_last();
            }
        }
    }

    fn is_full(&self) -> bool {
        self.shown >= MAX_ROWS || self.bytes >= MAX_BYTES
    }

    /// Returns how much a row wants attention: its severity, unless somebody explained it or its report only lists it.
    fn rank(&self, mark: Mark) -> u8 {
        match mark.severity {
            Some(severity) if !mark.is_suppressed && (self.is_judged || severity >= Severity::Medium) => severity as u8,
            None if self.is_judged && !mark.is_suppressed => Severity::Medium as u8,
            _ => 0,
        }
    }

    fn drop_last(&mut self) {
        let Some(mut last) = self.kept.last_entry() else { return };
        if let Some(text) = last.get_mut().pop() {
            self.shown -= 1;
            self.bytes -= text.len();
        }
        if last.get().is_empty() {
            last.remove();
        }
    }

    fn row(&mut self, batch: &RecordBatch, row: usize, mark: Mark) -> String {
        let mut out = if mark.is_suppressed { "<tr class=\"off\">" } else { "<tr>" }.to_string();
        let metric = self.metric.map(|column| cell(batch.column(column), row, ColumnType::String, false));
        let is_share = |shown: &Shown| is_share(metric.as_deref().unwrap_or(&shown.name));
        let mut is_cut = false;
        for shown in &self.columns {
            let column = batch.column(shown.place);
            if column.is_null(row) {
                out.push_str(if shown.is_number() {
                    "<td class=\"x n\">\u{2013}</td>"
                } else {
                    "<td class=\"x\">\u{2013}</td>"
                });
            } else if let (true, Some(severity)) = (shown.is_severity, mark.severity) {
                // One element per cell: a browser takes ten times as long over thousands of small drawings.
                let id = severity as u8;
                out.push_str(&format!("<td class=\"v v{id}\" data-v=\"{id}\">{severity}"));
                if mark.is_suppressed {
                    out.push_str("<span class=\"tag\">suppressed</span>");
                }
                out.push_str("</td>");
            } else {
                let mut text = cell(column, row, shown.ty, is_share(shown));
                if shown.name == METRIC_COLUMN {
                    text = heading(&text);
                }
                is_cut |= write(&text, shown, &mut out);
            }
        }
        if !self.details.is_empty() {
            out.push_str("<td class=\"more\"><details><summary>more</summary><p>");
            for shown in self.details.iter().filter(|shown| batch.column(shown.place).is_valid(row)) {
                let text = cell(batch.column(shown.place), row, shown.ty, is_share(shown));
                let cut: String = text.chars().take(MAX_CELL).collect();
                is_cut |= cut.len() < text.len();
                out.push_str("<b>");
                html::text(&shown.heading, &mut out);
                out.push_str("</b> ");
                html::text(&cut, &mut out);
                out.push_str("<br>");
            }
            out.push_str("</p></details></td>");
        }
        self.has_cut_cells |= is_cut;
        out.push_str("</tr>\n");
        out
    }

    /// Returns all rows that are kept, those that want attention first.
    pub fn body(&self) -> impl Iterator<Item = &str> {
        self.kept.values().flatten().map(String::as_str)
    }

    /// Returns whether some rows were put before others that came earlier.
    pub fn is_arranged(&self) -> bool {
        self.kept.len() > 1
    }

    pub fn columns(&self) -> &[Shown] {
        &self.columns
    }

    pub fn has_details(&self) -> bool {
        !self.details.is_empty()
    }
}

/// Appends one cell; returns whether it was cut.
fn write(text: &str, shown: &Shown, out: &mut String) -> bool {
    let cut: String = text.chars().take(MAX_CELL).collect();
    let is_cut = cut.len() < text.len();
    let class = match () {
        () if shown.is_number() => " class=\"n\"",
        () if cut.len() > 48 => " class=\"w\"",
        () => "",
    };
    out.push_str(&format!("<td{class}>"));
    html::text(&cut, out);
    if is_cut {
        out.push_str(" \u{2026}");
    }
    out.push_str("</td>");
    is_cut
}
