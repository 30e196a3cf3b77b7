//! Boxes around aligned columns, laid out by [`layout`](super::layout).
//!
//! With `max_rows` only the head and the tail are kept. Without it rows are laid out in pages, the first of which sets
//! the widths; a later page may grow a column that the first page did not have to cut.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::layout::{self, Fit, Layout, Leaf, Screen, header_lines, widest};
use super::line::Line;
use super::value::{Column, columns};
use super::wrap::{cut, width, wrapped};
use super::{Body, Options};
use crate::error::Result;
use crate::typed::visible;

/// Rows that are held to find the widths when no limit is set.
const PAGE: usize = 10_000;
/// A cell holds at most this many screens' widths of text, or as many as the screen has lines: breaking a megabyte into
/// lines to show a few is slow.
const WIDTHS_PER_CELL: usize = 8;
/// The mark in place of rows that are not shown.
const GAP: &str = "·";

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
    Started(Layout),
    /// The table is too wide: lines are printed instead.
    Lines(Line),
}

/// The rows of a page, with the columns of each batch.
struct Page<'b> {
    batches: Vec<(&'b RecordBatch, Vec<Column<'b>>)>,
    /// Where the row that stands for the rows not shown belongs.
    gap: Option<usize>,
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
        let head_rows = std::mem::take(&mut self.head_rows);
        if matches!(self.state, State::Lines(_)) {
            return self.print_lines(&head, &tail, out);
        }
        let batches = head.iter().chain(&tail).map(|batch| Ok((batch, columns(batch)?)));
        let page = Page { batches: batches.collect::<Result<_>>()?, gap: (self.gap > 0).then_some(head_rows) };
        let (layout, is_first) = match &self.state {
            State::Started(layout) => (layout.clone(), false),
            _ => (self.lay_out(&page), true),
        };
        if is_first && self.is_for_lines(&layout, &head, &tail)? {
            self.state = State::Lines(Line::new(self.schema.clone(), self.options.clone()));
            return self.print_lines(&head, &tail, out);
        }
        let layout = self.draw(layout, &page, is_first, is_last, out);
        self.state = State::Started(layout);
        Ok(())
    }

    fn print_lines(&mut self, head: &[RecordBatch], tail: &[RecordBatch], out: &mut String) -> Result<()> {
        let State::Lines(line) = &mut self.state else { return Ok(()) };
        for batch in head {
            line.rows(batch, out)?;
        }
        if self.gap > 0 {
            out.push_str(&format!("{GAP}\n"));
            line.skip(self.gap);
        }
        for batch in tail {
            line.rows(batch, out)?;
        }
        Ok(())
    }

    /// Returns whether a result that the screen is too narrow for is better read line by line: it is one row, or few
    /// enough to be seen at once. For many rows a table with the columns that matter shows more.
    fn is_for_lines(&self, layout: &Layout, head: &[RecordBatch], tail: &[RecordBatch]) -> Result<bool> {
        if !self.options.line_if_wide || layout.is_whole {
            return Ok(false);
        }
        let rows: usize = head.iter().chain(tail).map(RecordBatch::num_rows).sum();
        let Some(height) = self.options.height.filter(|_| rows > 1) else { return Ok(rows > 0) };
        let line = Line::new(self.schema.clone(), self.options.clone());
        let mut lines = 0;
        for batch in head.iter().chain(tail) {
            lines += line.height(batch, height)?;
        }
        Ok(self.gap == 0 && lines < height)
    }

    fn lay_out(&self, page: &Page<'_>) -> Layout {
        let screen = self.options.width.map(|width| Screen { width, height: self.options.height });
        let asked =
            layout::Page { texts: &|leaf, is_brief| self.texts(page, leaf, is_brief), first: &|leaf| page.first(leaf) };
        layout::lay_out(&self.schema, screen, self.options.header, &asked)
    }

    /// Returns a text in the form in which it is shown.
    fn shown(&self, text: &str) -> String {
        let mut shown = String::new();
        visible(text, &mut shown);
        if let Some(width) = self.options.width
            && let Some((at, _)) =
                shown.char_indices().nth(self.options.height.unwrap_or(0).max(WIDTHS_PER_CELL) * width)
        {
            shown.truncate(at);
            shown.push('…');
        }
        shown
    }

    /// Returns the texts of a column, row by row.
    fn texts(&self, page: &Page<'_>, leaf: &Leaf, is_brief: bool) -> Vec<String> {
        let mut texts = Vec::new();
        let mut text = String::new();
        for (batch, columns) in &page.batches {
            for row in 0..batch.num_rows() {
                text.clear();
                if !write_leaf(columns, leaf, row, &mut text) {
                    text.push_str(self.options.null_text());
                } else if is_brief && (leaf.is_time || leaf.is_span && !is_brief_span(&text)) {
                    to_seconds(&mut text);
                }
                texts.push(self.shown(&text));
            }
        }
        if let Some(at) = page.gap {
            texts.insert(at, GAP.to_owned());
        }
        texts
    }

    /// Appends a page and returns its layout, whose columns may have grown.
    fn draw(&self, mut layout: Layout, page: &Page<'_>, is_first: bool, is_last: bool, out: &mut String) -> Layout {
        let mut cells: Vec<Vec<String>> =
            layout.leaves.iter().map(|leaf| self.texts(page, leaf, layout.is_brief)).collect();
        if layout.fit == Fit::Natural {
            for (width, texts) in layout.widths.iter_mut().zip(&cells) {
                *width = widest(texts).max(*width);
            }
        }
        let rows = cells.first().map_or(0, Vec::len);
        let mut widths = layout.widths.clone();
        let mut is_right: Vec<bool> = layout.leaves.iter().map(|leaf| leaf.is_number).collect();
        let mut names: Vec<String> = layout.leaves.iter().map(|leaf| leaf.name.clone()).collect();
        if layout.left_out.is_some() {
            // This column says that others are missing.
            widths.push(1);
            is_right.push(false);
            names.push("…".to_owned());
            cells.push(vec!["…".to_owned(); rows]);
        }
        let has_header = is_first && self.options.header;
        if is_first && rows == 0 && !has_header {
            return layout;
        }
        if is_first {
            border(&widths, ['┌', '┬', '┐'], out);
        }
        if has_header {
            let lines = names.iter().zip(&widths).map(|(name, width)| header_lines(name, *width));
            draw_row(&lines.collect::<Vec<_>>(), &widths, &is_right, out);
            border(&widths, ['├', '┼', '┤'], out);
        }
        for row in 0..rows {
            let lines = cells.iter().zip(&widths).map(|(texts, width)| match layout.fit {
                Fit::Natural => vec![texts[row].clone()],
                Fit::Wrapped => wrapped(&texts[row], *width),
                Fit::Cut => vec![cut(&texts[row], *width)],
            });
            draw_row(&lines.collect::<Vec<_>>(), &widths, &is_right, out);
        }
        if is_last {
            border(&widths, ['└', '┴', '┘'], out);
        }
        layout
    }
}

impl Page<'_> {
    /// Returns the first value of a column.
    fn first(&self, leaf: &Leaf) -> Option<String> {
        let mut text = String::new();
        let mut rows =
            self.batches.iter().flat_map(|(batch, columns)| (0..batch.num_rows()).map(move |row| (columns, row)));
        rows.any(|(columns, row)| write_leaf(columns, leaf, row, &mut text)).then_some(text)
    }
}

/// Appends the value of a column or member; returns false and appends nothing for NULL.
///
/// A member of a struct that is null is null, whatever its own column holds there.
fn write_leaf(columns: &[Column<'_>], leaf: &Leaf, row: usize, out: &mut String) -> bool {
    let Some((first, members)) = leaf.place.split_first() else { return false };
    let mut column = &columns[*first];
    for member in members {
        match column.members().get(*member) {
            Some(inner) if !column.is_null(row) => column = &inner.column,
            _ => return false,
        }
    }
    column.write_text(row, out)
}

/// Returns whether a span is less than a minute, so that its fraction counts.
fn is_brief_span(text: &str) -> bool {
    text.trim_start_matches('-').starts_with("00:00:")
}

/// Removes the fraction from a time in RFC 3339, or from a span.
fn to_seconds(time: &mut String) {
    let Some(point) = time.find('.') else { return };
    let end = time[point + 1..].find(|c: char| !c.is_ascii_digit()).map_or(time.len(), |digits| point + 1 + digits);
    time.replace_range(point..end, "");
}

fn border(widths: &[usize], [left, middle, right]: [char; 3], out: &mut String) {
    out.push(left);
    for (index, width) in widths.iter().enumerate() {
        if index > 0 {
            out.push(middle);
        }
        out.extend(std::iter::repeat_n('─', width + 2));
    }
    out.push(right);
    out.push('\n');
}

/// Draws one row, which takes as many lines as its highest cell.
fn draw_row(cells: &[Vec<String>], widths: &[usize], is_right: &[bool], out: &mut String) {
    let height = cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
    for line in 0..height {
        out.push('│');
        for ((cell, room), is_right) in cells.iter().zip(widths).zip(is_right) {
            let text = cell.get(line).map_or("", String::as_str);
            let blanks = room.saturating_sub(width(text));
            let (before, after) = if *is_right { (blanks, 0) } else { (0, blanks) };
            out.extend(std::iter::repeat_n(' ', before + 1));
            out.push_str(text);
            out.extend(std::iter::repeat_n(' ', after + 1));
            out.push('│');
        }
        out.push('\n');
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

    fn left_out(&self) -> Option<(usize, usize)> {
        match &self.state {
            State::Started(layout) => layout.left_out(),
            _ => None,
        }
    }

    fn is_lines(&self) -> bool {
        matches!(self.state, State::Lines(_))
    }
}
