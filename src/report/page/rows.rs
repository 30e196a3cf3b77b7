//! The rows that a page shows: the first ones, as cells. The whole result stays in the CSV.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::DateTime;

use super::html;
use crate::report::findings::Mark;
use crate::report::header::{ColumnType, Report};

/// Rows and bytes of rows that a browser sorts without a pause.
const MAX_ROWS: u64 = 5_000;
const MAX_BYTES: usize = 6 << 20;
/// Characters of one cell.
const MAX_CELL: usize = 400;

const SEVERITY_COLUMN: &str = "severity_id";
const KEY_COLUMN: &str = "finding_key";

/// The table of a page.
pub struct Page {
    columns: Vec<Shown>,
    pub body: String,
    pub shown: u64,
    pub rows: u64,
    pub has_cut_cells: bool,
}

/// One column of the table.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its place in the result.
    pub place: usize,
    pub name: String,
    pub ty: ColumnType,
    pub is_severity: bool,
    is_key: bool,
}

impl Shown {
    pub fn is_number(&self) -> bool {
        matches!(self.ty, ColumnType::Int | ColumnType::Bigint | ColumnType::Double) && !self.is_severity
    }
}

/// The columns as a reader wants them: how bad it is comes first, as the rest may be out of sight.
fn shown(report: &Report) -> Vec<Shown> {
    let columns = report.columns.iter().enumerate().map(|(place, column)| Shown {
        place,
        name: column.name.clone(),
        ty: column.ty,
        is_severity: column.name == SEVERITY_COLUMN,
        is_key: column.name == KEY_COLUMN,
    });
    let mut columns: Vec<Shown> = columns.collect();
    columns.sort_by_key(|column| !column.is_severity);
    columns
}

impl Page {
    pub fn new(report: &Report) -> Page {
        Page { columns: shown(report), body: String::new(), shown: 0, rows: 0, has_cut_cells: false }
    }

    /// Takes in rows, with what was said of each.
    pub fn rows(&mut self, batch: &RecordBatch, marks: &[Mark]) {
        self.rows += batch.num_rows() as u64;
        for (row, mark) in marks.iter().enumerate() {
            if self.shown >= MAX_ROWS || self.body.len() >= MAX_BYTES {
                return;
            }
            self.shown += 1;
            self.body.push_str(if mark.is_suppressed { "<tr class=\"off\">" } else { "<tr>" });
            for shown in &self.columns {
                let column = batch.column(shown.place);
                if column.is_null(row) {
                    self.body.push_str("<td class=\"x\">\u{2013}</td>");
                } else if let (true, Some(severity)) = (shown.is_severity, mark.severity) {
                    // One element a cell: a browser takes ten times as long over thousands of small drawings.
                    let id = severity as u8;
                    self.body.push_str(&format!("<td class=\"v v{id}\" data-v=\"{id}\">{id} {severity}"));
                    if mark.is_suppressed {
                        self.body.push_str("<span class=\"tag\">suppressed</span>");
                    }
                    self.body.push_str("</td>");
                } else {
                    let text = cell(column, row, shown.ty);
                    self.has_cut_cells |= write(&text, shown, &mut self.body);
                }
            }
            self.body.push_str("</tr>\n");
        }
    }

    pub fn columns(&self) -> &[Shown] {
        &self.columns
    }
}

/// Appends one cell; says whether it was cut.
fn write(text: &str, shown: &Shown, out: &mut String) -> bool {
    let cut: String = text.chars().take(MAX_CELL).collect();
    let is_cut = cut.len() < text.len();
    let class = match () {
        () if shown.is_number() => " class=\"n\"",
        () if shown.is_key && cut.len() <= 160 => " class=\"m h\"",
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

/// One value for people: times to the millisecond in UTC, numbers of four decimals, lists with commas.
fn cell(column: &ArrayRef, row: usize, ty: ColumnType) -> String {
    let found = match ty {
        ColumnType::Timestamp => {
            column.as_primitive_opt::<TimestampMicrosecondType>().map(|times| time_text(times.value(row)))
        }
        ColumnType::Int | ColumnType::Bigint => {
            column.as_primitive_opt::<Int64Type>().map(|numbers| numbers.value(row).to_string())
        }
        ColumnType::Double => column.as_primitive_opt::<Float64Type>().map(|numbers| decimals(numbers.value(row))),
        ColumnType::Date => column.as_primitive_opt::<Date32Type>().map(|days| day_text(days.value(row))),
        ColumnType::Boolean => column.as_boolean_opt().map(|flags| flags.value(row).to_string()),
        ColumnType::String => column.as_string_opt::<i32>().map(|texts| texts.value(row).to_string()),
        ColumnType::Strings => column.as_list_opt::<i32>().map(|lists| {
            let items = lists.value(row);
            let items = items.as_string_opt::<i32>().map(|items| items.iter().flatten().collect::<Vec<_>>().join(", "));
            items.unwrap_or_default()
        }),
    };
    found.unwrap_or_default()
}

fn day_text(days: i32) -> String {
    let day = DateTime::from_timestamp(i64::from(days) * 86_400, 0);
    day.map_or(format!("{days} days"), |day| day.format("%Y-%m-%d").to_string())
}

/// `2026-01-05 09:12:03.120`; microseconds only where there are any, so that texts sort as times do.
fn time_text(time_us: i64) -> String {
    let format = if time_us % 1000 == 0 { "%Y-%m-%d %H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    match DateTime::from_timestamp_micros(time_us) {
        Some(time) => time.format(format).to_string(),
        None => format!("{time_us} us"),
    }
}

fn decimals(number: f64) -> String {
    let text = format!("{number:.4}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}
