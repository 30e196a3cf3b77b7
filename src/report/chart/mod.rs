//! The chart that a report's head suggests, drawn from its rows as they pass.
//!
//! The head says it in words, `bar (accounts per day, coloured by action)`: the kind, what is counted, and along what.
//! The words are matched with the result's columns; where nothing fits there is no chart, which is better than a wrong
//! one. What is kept is bounded: as many bins as a page shows, and as many categories as a legend.

mod bars;
mod data;
mod draw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use chrono_tz::Tz;

pub use draw::strip;

use super::coverage::Coverage;
use super::header::{ColumnType, Report};
use super::params::{Params, Value};
use data::Unit;

/// Categories of a bar chart or of one side of a grid, the largest first.
const MAX_CATEGORIES: usize = 24;
/// Distinct values that are counted at all: beyond, a column has no categories.
const MAX_DISTINCT: usize = 5_000;
/// Colours of a legend; what comes later is `other`.
const MAX_SERIES: usize = 6;

/// A chart in the making.
#[derive(Debug)]
pub struct Chart {
    title: String,
    axis: Axis,
    series: Series,
    is_line: bool,
    /// Amount for each place on the axis and each series.
    cells: BTreeMap<(Key, usize), f64>,
    names: Vec<String>,
    /// Places in the order of the rows; kept only where that order is drawn.
    order: Vec<Key>,
    is_overfull: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// Local milliseconds at which a bin begins.
    Bin(i64),
    /// Where a class of numbers begins; none is what has no number.
    Class(Option<i64>),
    Name(String),
    Pair(String, String),
    /// Weekday (Monday 0) and hour.
    Hour(u8, u8),
}

#[derive(Debug)]
enum Axis {
    Time {
        column: usize,
        unit: Unit,
        zone: Tz,
        range: (i64, i64),
    },
    Category {
        column: usize,
    },
    /// A category's two numbers beside each other, on a scale of their own: the categories have different units.
    Pairs {
        column: usize,
    },
    /// Classes of a number, by where they begin; rows of one state only, where the words name it.
    Classes {
        column: usize,
        edges: Vec<i64>,
        only: Option<(usize, String)>,
    },
    Grid {
        row: usize,
        column: usize,
    },
    Week {
        column: usize,
        zone: Tz,
    },
}

#[derive(Debug)]
enum Series {
    /// Rows.
    Count,
    /// Rows, by the value of a column.
    CountBy(usize),
    /// The sums of columns.
    Sums(Vec<usize>),
}

impl Chart {
    /// What the head asks for, if the columns allow it.
    pub fn plan(report: &Report, params: &Params, coverage: &Coverage) -> Option<Chart> {
        let words: Vec<String> = report
            .chart
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let (kind, words) = words.split_first()?;
        let zone = match params.get("tz") {
            Some(Value::Text(name)) => name.parse().unwrap_or(Tz::UTC),
            _ => Tz::UTC,
        };
        let is_line = kind == "line";
        let find = Finder { report, words };
        let (axis, series) = match kind.as_str() {
            "line" | "bar" => {
                let sums = find.named(|ty| matches!(ty, ColumnType::Int | ColumnType::Bigint | ColumnType::Double));
                let unit = Unit::named(words).or_else(|| is_line.then_some(Unit::Day));
                let series = match () {
                    () if !sums.is_empty() => Series::Sums(sums),
                    () => find.kind().map_or(Series::Count, Series::CountBy),
                };
                match unit.zip(find.time().or_else(|| find.day())) {
                    Some((unit, column)) => {
                        let mut range = (coverage.from_ms, coverage.to_ms);
                        let mut zone = zone;
                        if report.columns[column].ty == ColumnType::Date {
                            // A date is one of the report's zone already, and has no instant: neither may move.
                            let local = |time_ms| data::local_ms(time_ms, zone);
                            range = (local(range.0)?, local(range.1)?);
                            zone = Tz::UTC;
                        }
                        (Axis::Time { column, unit: unit.fit(range), zone, range }, series)
                    }
                    None if find.has_classes() => {
                        let column = find.measure()?;
                        (Axis::Classes { column, edges: find.edges(), only: find.only() }, Series::Count)
                    }
                    None => {
                        let column = find.category()?;
                        if let (Series::Sums(sums), true) = (&series, words.iter().any(|word| word == "against")) {
                            let [_, _] = sums[..] else { return None };
                            return Some(Chart::new(report, Axis::Pairs { column }, series, false));
                        }
                        let series = match series {
                            Series::CountBy(other) if other == column => Series::Count,
                            series => series,
                        };
                        (Axis::Category { column }, series)
                    }
                }
            }
            "heatmap" if words.iter().any(|word| word == "weekday") => {
                (Axis::Week { column: find.time()?, zone }, Series::Count)
            }
            "heatmap" => {
                let named = find.named(|ty| ty == ColumnType::String);
                let [row, column] = named[..] else { return None };
                // Where each pair has one row, its share says something and its number nothing.
                let share =
                    report.columns.iter().position(|column| column.name == "share" && column.ty == ColumnType::Double);
                (Axis::Grid { row, column }, share.map_or(Series::Count, |share| Series::Sums(vec![share])))
            }
            _ => return None,
        };
        Some(Chart::new(report, axis, series, is_line))
    }

    fn new(report: &Report, axis: Axis, series: Series, is_line: bool) -> Chart {
        let names = match &series {
            Series::Sums(columns) => columns.iter().map(|column| report.columns[*column].name.clone()).collect(),
            _ => Vec::new(),
        };
        let (title, cells, order) = (report.chart.clone(), BTreeMap::new(), Vec::new());
        Chart { title, axis, series, is_line, cells, names, order, is_overfull: false }
    }

    /// What is drawn, in words: as the head has it, but for a unit that became coarser.
    pub fn heading(&self) -> String {
        let Axis::Time { unit, .. } = &self.axis else {
            let inner = self.title.split_once('(').map_or(self.title.as_str(), |(_, rest)| rest);
            let inner = inner.split_once(')').map_or(inner, |(inner, _)| inner);
            let inner = inner.split_once(':').map_or(inner, |(inner, _)| inner);
            return match (&self.axis, self.names.first()) {
                (Axis::Grid { .. }, Some(measure)) => format!("{inner}: {measure}"),
                _ => inner.to_string(),
            };
        };
        let what = match &self.series {
            Series::Sums(_) => self.names.join(", ").replace('_', " "),
            _ => "rows".to_string(),
        };
        format!("{what} per {}", unit.word())
    }

    /// Counts the rows of a batch.
    pub fn push(&mut self, batch: &RecordBatch) {
        for row in 0..batch.num_rows() {
            let Some(key) = self.key(batch, row) else { continue };
            if matches!(self.axis, Axis::Pairs { .. })
                && self.order.len() < MAX_CATEGORIES
                && !self.order.contains(&key)
            {
                self.order.push(key.clone());
            }
            match &self.series {
                Series::Count => self.add(key, 0, 1.0),
                Series::CountBy(column) => {
                    let name = data::text(batch, *column, row).unwrap_or_else(|| "none".to_string());
                    let series = self.series_of(name);
                    self.add(key, series, 1.0);
                }
                Series::Sums(columns) => {
                    for (series, column) in columns.clone().into_iter().enumerate() {
                        if let Some(value) = data::number(batch, column, row) {
                            self.add(key.clone(), series, value);
                        }
                    }
                }
            }
        }
    }

    fn key(&self, batch: &RecordBatch, row: usize) -> Option<Key> {
        match &self.axis {
            Axis::Time { column, unit, zone, range } => {
                let time_ms = data::time_ms(batch, *column, row)?;
                // Rows of a period may begin before it; the axis does not.
                (range.0..range.1).contains(&time_ms).then(|| unit.bin(time_ms, *zone).map(Key::Bin))?
            }
            Axis::Category { column } | Axis::Pairs { column } => data::text(batch, *column, row).map(Key::Name),
            Axis::Classes { column, edges, only } => {
                let is_other =
                    |(column, state): &(usize, String)| data::text(batch, *column, row).as_ref() != Some(state);
                if only.as_ref().is_some_and(is_other) {
                    return None;
                }
                let begins = |number: f64| edges.iter().rev().find(|edge| **edge as f64 <= number).copied();
                Some(Key::Class(data::number(batch, *column, row).map(|number| begins(number).unwrap_or(i64::MIN))))
            }
            Axis::Grid { row: down, column } => {
                Some(Key::Pair(data::text(batch, *down, row)?, data::text(batch, *column, row)?))
            }
            Axis::Week { column, zone } => {
                let (day, hour) = data::weekday_and_hour(data::time_ms(batch, *column, row)?, *zone)?;
                Some(Key::Hour(day, hour))
            }
        }
    }

    fn add(&mut self, key: Key, series: usize, amount: f64) {
        if self.cells.len() >= MAX_DISTINCT && !self.cells.contains_key(&(key.clone(), series)) {
            self.is_overfull = true;
            return;
        }
        *self.cells.entry((key, series)).or_default() += amount;
    }

    fn series_of(&mut self, name: String) -> usize {
        if let Some(place) = self.names.iter().position(|known| *known == name) {
            return place;
        }
        if self.names.len() < MAX_SERIES {
            self.names.push(name);
        } else if self.names.len() == MAX_SERIES {
            self.names.push("all others".to_string());
        }
        self.names.len() - 1
    }
}

/// Finds the columns that the words mean.
struct Finder<'a> {
    report: &'a Report,
    words: &'a [String],
}

impl Finder<'_> {
    /// Columns of a type whose name the words contain, `subjects` for `subject_uid`, in the order of the words. A label
    /// says more than the uid that it stands for.
    fn named(&self, is_type: impl Fn(ColumnType) -> bool) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for word in self.words {
            let is_meant = |name: &str| {
                let stem = |text: &str| text.trim_end_matches('s').to_string();
                let first = name.split('_').next().unwrap_or(name);
                stem(name) == stem(word) || (name.contains('_') && stem(first) == stem(word) && word.len() > 3)
            };
            let all = || self.report.columns.iter().enumerate();
            let mut matching: Vec<usize> =
                all().filter(|(_, column)| is_type(column.ty) && is_meant(&column.name)).map(|(at, _)| at).collect();
            matching.sort_by_key(|at| {
                let name = &self.report.columns[*at].name;
                (name != word, !name.ends_with("_label"))
            });
            if let Some(best) = matching.first().filter(|best| !found.contains(best)) {
                found.push(*best);
            }
        }
        found
    }

    /// The time that a row is about: the first one.
    fn time(&self) -> Option<usize> {
        self.report.columns.iter().position(|column| column.ty == ColumnType::Timestamp)
    }

    /// The day that a row is about, where it has no time.
    fn day(&self) -> Option<usize> {
        self.report.columns.iter().position(|column| column.ty == ColumnType::Date)
    }

    /// The words after `by`.
    fn later(&self) -> &[String] {
        let after = self.words.iter().position(|word| matches!(word.as_str(), "by" | "per"));
        after.map_or(self.words, |place| &self.words[place + 1..])
    }

    /// `by age class`, `by days inactive: 90, 180, 365+`.
    fn has_classes(&self) -> bool {
        self.later().iter().any(|word| word == "class") && self.category_named().is_none() || self.numbers().len() > 1
    }

    fn numbers(&self) -> Vec<i64> {
        self.later().iter().filter_map(|word| word.parse().ok()).collect()
    }

    /// Where classes begin: as the words have it, else those of ages in days.
    fn edges(&self) -> Vec<i64> {
        let numbers = self.numbers();
        if numbers.is_empty() { vec![30, 90, 180, 365] } else { numbers }
    }

    /// The number that the words after `by` mean: `age_days`, `days_inactive`.
    fn measure(&self) -> Option<usize> {
        let is_meant = |name: &str| name.split('_').any(|part| self.later().iter().any(|word| word == part));
        let is_number = |ty| matches!(ty, ColumnType::Int | ColumnType::Bigint | ColumnType::Double);
        self.report.columns.iter().position(|column| is_number(column.ty) && is_meant(&column.name))
    }

    /// `active keys`: only rows in that state.
    fn only(&self) -> Option<(usize, String)> {
        let column = self.report.columns.iter().position(|column| column.name == "state")?;
        self.words.first().filter(|word| *word == "active").map(|word| (column, word.clone()))
    }

    /// A column whose name ends with a word after `by`, which says what is meant: `account_state`, `residual_type`.
    fn category_named(&self) -> Option<usize> {
        let named = Finder { report: self.report, words: self.later() }.named(|ty| ty == ColumnType::String);
        let is_last =
            |name: &str| name.split('_').next_back().is_some_and(|part| self.later().iter().any(|word| word == part));
        let texts = || self.report.columns.iter().enumerate().filter(|(_, column)| column.ty == ColumnType::String);
        named.first().copied().or_else(|| texts().find(|(_, column)| is_last(&column.name)).map(|(place, _)| place))
    }

    /// A column that says of what kind a row is.
    fn kind(&self) -> Option<usize> {
        let kinds = ["change", "action", "activity", "category", "kind", "pattern", "gap_type", "outcome", "class"];
        let named = self.named(|ty| ty == ColumnType::String);
        let is_kind = |at: &&usize| kinds.contains(&self.report.columns[**at].name.as_str());
        named.iter().find(is_kind).copied().or_else(|| {
            kinds.iter().find_map(|kind| {
                self.report.columns.iter().position(|column| column.name == *kind && column.ty == ColumnType::String)
            })
        })
    }

    /// The column that bars stand for: one that is named, else one that is a kind or a state, else none.
    fn category(&self) -> Option<usize> {
        self.category_named().or_else(|| self.kind()).or_else(|| {
            let is_state = |name: &str| {
                ["state", "type", "item", "metric", "requirement", "privilege", "check"]
                    .iter()
                    .any(|word| name.split('_').any(|part| part == *word))
            };
            self.report.columns.iter().position(|column| column.ty == ColumnType::String && is_state(&column.name))
        })
    }
}
