//! The columns of a result that a screen shows, and their widths.
//!
//! Columns that fit are shown as they are. Otherwise times lose their fractions; then structs are shown as their
//! members, and the columns get room by rank: who did what to whom and how it ended first, then the others from the
//! left, then codes and JSON text, then columns without any value and our own. A number or an id that is cut reads as
//! another one, so neither is ever cut: its column is shown whole or not at all. Text is wrapped where the rows then
//! still fit the screen, and cut elsewhere.

use arrow::datatypes::{DataType, Field, Schema};

use super::value::is_number;
use super::wrap::{widest_word, width, wrapped};
use crate::typed::visible;

/// The frame of a cell: two blanks and a border.
const FRAME: usize = 3;
/// Words up to this width are ids, addresses and names, which are not broken: a UUID has 36, a SHA-1 40 characters.
const LONGEST_ID: usize = 48;
/// Text columns keep at least this many columns.
const NARROWEST: usize = 12;
/// The narrowest JSON column: less of a text says nothing.
const NARROWEST_JSON: usize = 24;
/// The width of a column that does not answer the question, or less if it needs less.
const COMFORT: usize = 16;
/// Lines that a table has besides its rows, the prompt and the line below the table included.
const TABLE_FRAME: usize = 6;

/// Names of columns for time, actor, action, target, outcome and origin, the most telling first.
const ANSWERS: &[&str] = &[
    "time",
    "actor_label",
    "action",
    "outcome",
    "target_label",
    "subject_label",
    "activity_name",
    "status",
    "actor.user.email_addr",
    "user.email_addr",
    "entity.name",
    "group.name",
    "src_ip",
    "src_endpoint.ip",
    "actor.app_name",
    "actor.user.name",
    "user.name",
    "device.ip",
    "severity",
    "class",
];

/// Names whose values are the same in every row of a class, or repeat in code what another column says in words.
const CODES: &[&str] = &["class_uid", "class_name", "category_uid", "category_name", "type_uid", "type_name"];

/// A column that can be shown: one of the result, or a member of a struct in it.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// Its dotted path, as it is shown.
    pub name: String,
    /// The index of the column, then that of the member of each struct on the way.
    pub place: Vec<usize>,
    pub is_number: bool,
    pub is_time: bool,
    pub is_span: bool,
    is_nested: bool,
}

impl Leaf {
    fn new(name: &str, place: Vec<usize>, data_type: &DataType) -> Leaf {
        let mut shown = String::new();
        visible(name, &mut shown);
        Leaf {
            name: shown,
            place,
            is_number: is_number(data_type),
            is_time: matches!(data_type, DataType::Timestamp(..)),
            is_span: matches!(data_type, DataType::Duration(_) | DataType::Interval(_)),
            is_nested: data_type.is_nested(),
        }
    }

    /// Returns the columns as they are.
    pub(super) fn of_columns(schema: &Schema) -> Vec<Leaf> {
        let leaf = |(at, field): (usize, &std::sync::Arc<Field>)| Leaf::new(field.name(), vec![at], field.data_type());
        schema.fields().iter().enumerate().map(leaf).collect()
    }

    /// Returns the columns with structs taken apart.
    pub(super) fn of_members(schema: &Schema) -> Vec<Leaf> {
        fn walk(name: &str, place: &[usize], data_type: &DataType, found: &mut Vec<Leaf>) {
            let DataType::Struct(fields) = data_type else {
                found.push(Leaf::new(name, place.to_vec(), data_type));
                return;
            };
            for (at, field) in fields.iter().enumerate() {
                walk(&format!("{name}.{}", field.name()), &[place, &[at]].concat(), field.data_type(), found);
            }
        }
        let mut found = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            walk(field.name(), &[at], field.data_type(), &mut found);
        }
        found
    }
}

/// The form of cells that are wider than their column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// No cell is wider; the columns grow on a later page.
    Natural,
    Wrapped,
    Cut,
}

/// The columns that are shown, and their widths.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub leaves: Vec<Leaf>,
    pub widths: Vec<usize>,
    pub fit: Fit,
    /// Whether times are shown without fractions of a second.
    pub is_brief: bool,
    /// Columns of the result, when there is no room for some of them or of their members.
    pub left_out: Option<usize>,
    /// Whether nothing with a value is left out, and no text is broken within a word.
    pub is_whole: bool,
}

impl Layout {
    /// Returns the number of columns of the result and of those that are shown, at least in part, when some are not.
    pub(super) fn left_out(&self) -> Option<(usize, usize)> {
        let mut shown: Vec<usize> = self.leaves.iter().map(|leaf| leaf.place[0]).collect();
        shown.dedup();
        self.left_out.map(|all| (all, shown.len()))
    }
}

/// The screen that a table is laid out for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub width: usize,
    /// The height; unknown where nobody turns pages: text is then cut rather than wrapped.
    pub height: Option<usize>,
}

/// A page of rows, read column by column.
pub(super) struct Page<'a> {
    /// The texts of a column, row by row; with `true` times have no fractions.
    pub texts: &'a dyn Fn(&Leaf, bool) -> Vec<String>,
    /// The first text of a column; `None` when no row has a value.
    pub first: &'a dyn Fn(&Leaf) -> Option<String>,
}

/// One column with the measures that decide about it.
struct Measured {
    leaf: Leaf,
    /// Its place among all.
    at: usize,
    natural: usize,
    least: usize,
    /// Whether a word of it would be broken at `least`.
    is_breakable: bool,
    cells: Vec<String>,
}

/// Lays out a page; without a screen it becomes as wide as it gets.
pub(super) fn lay_out(schema: &Schema, screen: Option<Screen>, has_header: bool, page: &Page<'_>) -> Layout {
    let columns = Leaf::of_columns(schema);
    for is_brief in [false, true] {
        let natural = |leaf: &Leaf| widest(&(page.texts)(leaf, is_brief)).max(header_width(leaf, has_header));
        let widths: Vec<usize> = columns.iter().map(natural).collect();
        if screen.is_none_or(|screen| total(&widths) <= screen.width) {
            return Layout { leaves: columns, widths, fit: Fit::Natural, is_brief, left_out: None, is_whole: true };
        }
    }
    let screen = screen.unwrap_or(Screen { width: usize::MAX, height: None });
    let layout = choose(ranked(Leaf::of_members(schema), page), screen, has_header, page);
    Layout { left_out: layout.left_out.map(|_| schema.fields().len()), ..layout }
}

/// Returns the width of the widest text.
pub(super) fn widest(texts: &[String]) -> usize {
    texts.iter().map(|text| width(text)).max().unwrap_or_default()
}

fn header_width(leaf: &Leaf, has_header: bool) -> usize {
    if has_header { width(&leaf.name) } else { 0 }
}

/// A column's claim to be shown, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A column of [`ANSWERS`], by its place there.
    Answer(usize),
    Plain,
    Code,
    Json,
    Empty,
    Ours,
}

fn rank(leaf: &Leaf, first: Option<&str>) -> Rank {
    let name = leaf.name.as_str();
    let is_code =
        CODES.contains(&name) || name.ends_with("_id") || name.ends_with("_dt") || name.starts_with("metadata.");
    let is_json = leaf.is_nested || first.is_some_and(|text| text.starts_with(['{', '[']));
    if name.starts_with('_') {
        Rank::Ours
    } else if first.is_none() {
        Rank::Empty
    } else if is_json {
        Rank::Json
    } else if let Some(place) = ANSWERS.iter().position(|known| *known == name) {
        Rank::Answer(place)
    } else if is_code {
        Rank::Code
    } else {
        Rank::Plain
    }
}

/// Returns the columns in the order in which they get room, with their places.
fn ranked(leaves: Vec<Leaf>, page: &Page<'_>) -> Vec<(Rank, usize, Leaf)> {
    let rank = |leaf: &Leaf| rank(leaf, (page.first)(leaf).as_deref());
    let mut ranked: Vec<_> = leaves.into_iter().enumerate().map(|(at, leaf)| (rank(&leaf), at, leaf)).collect();
    ranked.sort_by_key(|(rank, at, _)| (*rank, *at));
    ranked
}

fn choose(ranked: Vec<(Rank, usize, Leaf)>, screen: Screen, has_header: bool, page: &Page<'_>) -> Layout {
    let count = ranked.len();
    let measure = |leaf: &Leaf, at, rank| measure(leaf.clone(), at, rank == Rank::Json, has_header, page);
    // Perhaps all columns fit when their texts are wrapped, unless even empty ones would not.
    let mut chosen: Vec<Measured> = Vec::new();
    if count * (1 + FRAME) < screen.width {
        let all = ranked.iter().map(|(rank, at, leaf)| measure(leaf, *at, *rank));
        chosen.extend(all);
    }
    let least = chosen.iter().map(|one| one.least + FRAME).sum::<usize>() + 1;
    let is_complete = count > 0 && chosen.len() == count && least <= screen.width;
    if !is_complete {
        chosen.clear();
    }
    // Reserve room for the column that says that others are missing.
    let room = screen.width.saturating_sub(1 + FRAME);
    let (mut used, mut is_full, mut left_out_values) = (1, false, false);
    for (rank, at, leaf) in ranked.into_iter().filter(|_| !is_complete) {
        // A code does not replace an answer that did not fit.
        if is_full && rank > Rank::Plain {
            left_out_values |= rank < Rank::Empty;
            continue;
        }
        let one = measure(&leaf, at, rank);
        // An answer may be squeezed; another column is shown only where it can be read.
        let wanted = if rank < Rank::Plain { one.least } else { one.least.max(one.natural.min(COMFORT)) };
        if used + wanted + FRAME > room && !chosen.is_empty() {
            is_full = true;
            left_out_values |= rank < Rank::Empty;
            continue;
        }
        used += wanted + FRAME;
        chosen.push(one);
    }
    chosen.sort_by_key(|one| one.at);
    let left_out = Some(count).filter(|count| *count > chosen.len());
    let mut widths: Vec<usize> = chosen.iter().map(|one| one.least).collect();
    let all = if left_out.is_some() { room } else { screen.width };
    let spare = all.saturating_sub(total(&widths));
    widen(&mut widths, &chosen, spare);
    // A single column that does not fit: a text is cut, a number is not.
    let is_too_wide = total(&widths) > all;
    if let ([only], [width]) = (chosen.as_slice(), widths.as_mut_slice())
        && is_too_wide
        && !only.leaf.is_number
        && !only.leaf.is_time
        && !only.leaf.is_span
    {
        *width = all.saturating_sub(1 + FRAME).max(1);
    }
    let has_broken = chosen.iter().zip(&widths).any(|(one, width)| one.is_breakable && one.natural > *width);
    let lines = |row: usize| {
        let cells = chosen.iter().zip(&widths).map(|(one, width)| wrapped(&one.cells[row], *width).len());
        cells.max().unwrap_or(1)
    };
    let rows = chosen.first().map_or(0, |one| one.cells.len());
    let is_short = screen.height.is_some_and(|height| {
        rows <= height && (0..rows).map(lines).sum::<usize>() + TABLE_FRAME <= height.max(TABLE_FRAME + 1)
    });
    let is_natural = chosen.iter().zip(&widths).all(|(one, width)| one.natural <= *width);
    Layout {
        fit: if is_short || is_natural { Fit::Wrapped } else { Fit::Cut },
        is_brief: true,
        left_out,
        is_whole: !left_out_values && !has_broken && !is_too_wide && (is_short || is_natural),
        leaves: chosen.into_iter().map(|one| one.leaf).collect(),
        widths,
    }
}

fn measure(leaf: Leaf, at: usize, is_json: bool, has_header: bool, page: &Page<'_>) -> Measured {
    let cells = (page.texts)(&leaf, true);
    let widest = widest(&cells);
    let natural = widest.max(header_width(&leaf, has_header));
    let word = cells.iter().map(|text| unbroken(text)).max().unwrap_or_default();
    let is_breakable = is_json || word > LONGEST_ID;
    let least = if leaf.is_number || leaf.is_time || leaf.is_span {
        widest
    } else if is_json {
        widest.min(NARROWEST_JSON)
    } else if is_breakable {
        widest.min(2 * NARROWEST)
    } else {
        word.max(widest.min(NARROWEST))
    };
    let pieces = if has_header { header_pieces(&leaf.name).map(width).max().unwrap_or_default() } else { 0 };
    Measured { leaf, at, natural, least: least.max(pieces).max(1), is_breakable, cells }
}

/// Returns the width of the widest piece of a text that its column should not break. A text of one word is an id, an
/// address or a name; in a sentence a long word may be broken.
fn unbroken(text: &str) -> usize {
    if text.contains(' ') { widest_word(text).min(COMFORT) } else { width(text) }
}

/// Distributes the remaining room among columns that need more, first to those that need least.
fn widen(widths: &mut [usize], chosen: &[Measured], mut room: usize) {
    let mut wanting: Vec<usize> = (0..widths.len()).filter(|at| chosen[*at].natural > widths[*at]).collect();
    wanting.sort_by_key(|at| chosen[*at].natural - widths[*at]);
    let mut left = wanting.len();
    for at in wanting {
        let share = (room / left).min(chosen[at].natural - widths[at]);
        widths[at] += share;
        room -= share;
        left -= 1;
    }
}

/// Returns the lines of a column's name, which may break after its dots and underscores.
pub(super) fn header_lines(name: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in header_pieces(name) {
        let fits = lines.last().is_none_or(|line| width(line) + width(piece) <= room);
        if !fits {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(piece);
        }
    }
    lines.iter().filter(|line| !line.is_empty()).flat_map(|line| wrapped(line, room.max(1))).collect()
}

fn header_pieces(name: &str) -> impl Iterator<Item = &str> {
    name.split_inclusive(['.', '_', ' '])
}

/// Returns the width of a table with its frame.
pub(super) fn total(widths: &[usize]) -> usize {
    widths.iter().map(|width| width + FRAME).sum::<usize>() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_break_behind_dots() {
        assert_eq!(header_lines("actor.user.email_addr", 11), ["actor.user.", "email_addr"]);
        assert_eq!(header_lines("n", 4), ["n"]);
        assert_eq!(header_lines("metadata", 3), ["met", "ada", "ta"]);
    }

    #[test]
    fn answers_come_before_codes_and_ours() {
        let rank = |name: &str, text: &str| {
            rank(&Leaf::new(name, vec![0], &DataType::Utf8), Some(text).filter(|text| !text.is_empty()))
        };
        let ranks = [
            rank("time", "t"),
            rank("outcome", "success"),
            rank("anything", "x"),
            rank("activity_id", "1"),
            rank("unmapped", "{}"),
            rank("comment", ""),
            rank("_batch", "1"),
        ];
        assert!(ranks.is_sorted() && ranks.windows(2).all(|pair| pair[0] != pair[1]), "{ranks:?}");
    }
}
