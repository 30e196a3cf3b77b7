//! Boxes around aligned columns, cut to the terminal: wide text cells first, then columns from the middle.
//!
//! With `max_rows` only the head and the tail are kept. Without it rows are laid out in pages, the first of which sets
//! the widths; a later page may grow a column, but never cuts one that the first page did not.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ColumnConstraint, Row, TableComponent, Width};

use super::line::Line;
use super::value::{columns, is_number};
use super::{Body, Options};
use crate::error::Result;
use crate::typed::visible;

/// Rows that are held to find the widths when there is no limit.
const PAGE: usize = 10_000;
/// Text columns are cut down to this many characters before columns are left out.
const NARROWEST: usize = 12;
/// What a cell has around it: two blanks and a border.
const FRAME: usize = 3;

pub(super) struct Table {
    schema: SchemaRef,
    options: Options,
    /// The rows that are shown first: with a limit the upper half, otherwise the current page.
    head: Vec<RecordBatch>,
    head_rows: usize,
    /// With a limit, the last rows so far, perhaps a few more.
    tail: VecDeque<RecordBatch>,
    tail_rows: usize,
    /// Rows between the two that are not shown.
    gap: u64,
    state: State,
}

enum State {
    /// Nothing is printed yet.
    Waiting,
    /// The columns shown, by index or `None` for the dots between, and their widths.
    Started(Layout),
    /// Too wide: lines are printed instead.
    Lines(Line),
}

#[derive(Clone)]
struct Layout {
    columns: Vec<Option<usize>>,
    widths: Vec<usize>,
    is_cut: bool,
}

impl Table {
    pub(super) fn new(schema: SchemaRef, options: Options) -> Table {
        Table {
            schema,
            options,
            head: Vec::new(),
            head_rows: 0,
            tail: VecDeque::new(),
            tail_rows: 0,
            gap: 0,
            state: State::Waiting,
        }
    }

    fn head_limit(&self) -> usize {
        self.options.max_rows.map_or(PAGE, |rows| rows.div_ceil(2))
    }

    /// Keeps the last rows of a limited result and forgets those that moved into the gap.
    fn keep_tail(&mut self, batch: RecordBatch) {
        let limit = self.options.max_rows.unwrap_or(0) / 2;
        self.tail_rows += batch.num_rows();
        self.tail.push_back(batch);
        while let Some(surplus) = self.tail_rows.checked_sub(limit).filter(|rows| *rows > 0) {
            let Some(first) = self.tail.pop_front() else { return };
            let dropped = surplus.min(first.num_rows());
            self.tail_rows -= dropped;
            self.gap += dropped as u64;
            if dropped < first.num_rows() {
                self.tail.push_front(first.slice(dropped, first.num_rows() - dropped));
            }
        }
    }

    /// Prints the rows that are held; `is_last` closes the box.
    fn print_page(&mut self, is_last: bool, out: &mut String) -> Result<()> {
        let head = std::mem::take(&mut self.head);
        let tail: Vec<RecordBatch> = std::mem::take(&mut self.tail).into();
        self.head_rows = 0;
        if matches!(self.state, State::Lines(_)) {
            return self.print_lines(&head, &tail, out);
        }
        let mut rows = self.cells(&head)?;
        if self.gap > 0 {
            rows.push(vec!["·".to_owned(); self.schema.fields().len()]);
        }
        rows.extend(self.cells(&tail)?);

        let (layout, is_first) = match &self.state {
            State::Started(layout) => (layout.clone(), false),
            _ => {
                let widths = widths(&self.header(), &rows);
                if self.options.line_if_wide && self.options.width.is_some_and(|width| total(&widths) > width) {
                    self.state = State::Lines(Line::new(self.schema.clone(), self.options.clone()));
                    return self.print_lines(&head, &tail, out);
                }
                (self.lay_out(widths), true)
            }
        };
        let layout = self.draw(layout, rows, is_first, is_last, out);
        self.state = State::Started(layout);
        Ok(())
    }

    fn print_lines(&mut self, head: &[RecordBatch], tail: &[RecordBatch], out: &mut String) -> Result<()> {
        let State::Lines(line) = &mut self.state else { return Ok(()) };
        for batch in head {
            line.rows(batch, out)?;
        }
        if self.gap > 0 {
            out.push_str("·\n");
            line.skip(self.gap);
        }
        for batch in tail {
            line.rows(batch, out)?;
        }
        Ok(())
    }

    fn header(&self) -> Vec<String> {
        if !self.options.header {
            return vec![String::new(); self.schema.fields().len()];
        }
        self.schema.fields().iter().map(|field| self.cell(field.name())).collect()
    }

    /// A cell as it is shown. Of text that is far wider than the terminal only the beginning is laid out: breaking a
    /// megabyte into lines in order to show the first is slow.
    fn cell(&self, text: &str) -> String {
        let mut shown = String::new();
        visible(text, &mut shown);
        if let Some(width) = self.options.width
            && let Some((at, _)) = shown.char_indices().nth(2 * width + 16)
        {
            shown.truncate(at);
            shown.push('…');
        }
        shown
    }

    fn cells(&self, batches: &[RecordBatch]) -> Result<Vec<Vec<String>>> {
        let mut rows = Vec::new();
        let mut text = String::new();
        for batch in batches {
            let columns = columns(batch)?;
            for row in 0..batch.num_rows() {
                let cells = columns.iter().map(|column| {
                    text.clear();
                    if !column.write_text(row, &mut text) {
                        text.push_str(self.options.null_text());
                    }
                    self.cell(&text)
                });
                rows.push(cells.collect());
            }
        }
        Ok(rows)
    }

    /// Decides which columns are shown how wide.
    fn lay_out(&self, natural: Vec<usize>) -> Layout {
        let all: Vec<Option<usize>> = (0..natural.len()).map(Some).collect();
        let Some(width) = self.options.width.filter(|width| total(&natural) > *width) else {
            return Layout { columns: all, widths: natural, is_cut: false };
        };
        // A number that is cut reads as another number, so only text gives way.
        let capped = |column: usize, cap: usize| match self.schema.field(column).data_type() {
            kind if kind.is_numeric() || kind.is_temporal() => natural[column],
            _ => natural[column].min(cap),
        };
        let at = |columns: &[Option<usize>], cap: usize| -> Vec<usize> {
            columns.iter().map(|column| column.map_or(1, |column| capped(column, cap))).collect()
        };
        let mut columns = all;
        while total(&at(&columns, NARROWEST)) > width && columns.iter().flatten().count() > 1 {
            // The first columns say what a row is, the last what came of it: the middle goes.
            let shown: Vec<usize> = columns.into_iter().flatten().collect();
            let middle = shown.len() / 2;
            let (left, right) = (&shown[..middle], &shown[middle + 1..]);
            columns = left.iter().copied().map(Some).chain([None]).chain(right.iter().copied().map(Some)).collect();
        }
        // The largest cap that fits; the narrowest where nothing fits, and the terminal wraps.
        let (mut low, mut high) = (NARROWEST.min(width), width.max(NARROWEST));
        while low < high {
            let cap = (low + high).div_ceil(2);
            if total(&at(&columns, cap)) <= width { low = cap } else { high = cap - 1 }
        }
        let widths = at(&columns, low);
        Layout { columns, widths, is_cut: true }
    }

    /// Appends a page and returns its layout, whose columns may have grown.
    fn draw(&self, layout: Layout, rows: Vec<Vec<String>>, is_first: bool, is_last: bool, out: &mut String) -> Layout {
        let mut table = comfy_table::Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_truncation_indicator("…");
        for (component, character) in [
            (TableComponent::HeaderLines, '─'),
            (TableComponent::LeftHeaderIntersection, '├'),
            (TableComponent::MiddleHeaderIntersections, '┼'),
            (TableComponent::RightHeaderIntersection, '┤'),
            (TableComponent::VerticalLines, '│'),
        ] {
            table.set_style(component, character);
        }
        // Cells are cut at the edge, not between words: no cell holds a control character.
        table.set_delimiter('\0');
        let pick = |cells: Vec<String>| -> Row {
            let mut cells: Vec<Option<String>> = cells.into_iter().map(Some).collect();
            let shown = layout.columns.iter().map(|column| match column {
                Some(column) => cells[*column].take().unwrap_or_default(),
                None => "…".to_owned(),
            });
            let mut row = Row::from(shown.collect::<Vec<_>>());
            if layout.is_cut {
                row.max_height(1);
            }
            row
        };
        let has_header = is_first && self.options.header;
        if has_header {
            table.set_header(pick(self.header()));
        }
        let has_rows = !rows.is_empty();
        table.add_rows(rows.into_iter().map(pick));
        if !has_rows && !has_header {
            if is_first {
                return layout;
            }
            // The result ended with a page: an empty row carries the last border.
            table.add_row(vec![String::new(); layout.columns.len()]);
        }
        for (index, column) in layout.columns.iter().enumerate() {
            let width = Width::Fixed(u16::try_from(layout.widths[index] + FRAME - 1).unwrap_or(u16::MAX));
            let constraint =
                if layout.is_cut { ColumnConstraint::Absolute(width) } else { ColumnConstraint::LowerBoundary(width) };
            let is_number = column.is_some_and(|column| is_number(self.schema.field(column).data_type()));
            if let Some(column) = table.column_mut(index) {
                column.set_constraint(constraint);
                if is_number {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        let lines: Vec<String> = table.lines().collect();
        let from = if has_rows || is_first { usize::from(!is_first) } else { lines.len() - 1 };
        let to = lines.len() - usize::from(!is_last);
        for line in &lines[from..to.max(from)] {
            out.push_str(line);
            out.push('\n');
        }
        let widths = if layout.is_cut {
            layout.widths
        } else {
            let seen = table.column_max_content_widths();
            layout.widths.iter().zip(seen).map(|(width, seen)| usize::from(seen).max(*width)).collect()
        };
        Layout { widths, ..layout }
    }
}

impl Body for Table {
    fn begin(&mut self, _: &mut String) {}

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let room = self.head_limit() - self.head_rows;
            if room == 0 && self.options.max_rows.is_some() {
                self.keep_tail(rest);
                return Ok(());
            }
            let taken = room.min(rest.num_rows());
            self.head.push(rest.slice(0, taken));
            self.head_rows += taken;
            rest = rest.slice(taken, rest.num_rows() - taken);
            if self.options.max_rows.is_none() && self.head_rows == PAGE {
                self.print_page(false, out)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut String) -> Result<()> {
        self.print_page(true, out)
    }
}

/// The width of each column's widest cell.
fn widths(header: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let mut table = comfy_table::Table::new();
    table.set_header(header);
    table.add_rows(rows);
    table.column_max_content_widths().into_iter().map(usize::from).collect()
}

/// The width of a table with its frame.
fn total(widths: &[usize]) -> usize {
    widths.iter().map(|width| width + FRAME).sum::<usize>() + 1
}
