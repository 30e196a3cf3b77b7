//! The chart of a report's head, drawn from its rows as they pass.
//!
//! The head names columns (`[chart]`), and a chart that does not fit them is an error of the head. The kept data is
//! bounded: as many bins as a page shows, and as many categories as a legend.

mod bars;
mod data;
mod draw;
mod head;
#[cfg(test)]
mod tests;
mod tiles;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use chrono_tz::Tz;

pub use draw::strip;
pub use head::ChartHead;
use head::ChartKind;

use super::super::catalog::header::{ColumnType, Report};
use super::super::catalog::params::{Params, Value};
use super::super::evidence::coverage::Coverage;
use data::Unit;

/// Categories of a bar chart or of one side of a grid, the largest first.
const MAX_CATEGORIES: usize = 24;
/// Distinct values that are counted at all: a column with more has no categories.
const MAX_DISTINCT: usize = 5_000;
/// Colours of a legend; later series count as `other`.
const MAX_SERIES: usize = 6;

/// A chart in the making.
#[derive(Debug)]
pub struct Chart {
    head: ChartHead,
    axis: Axis,
    series: Series,
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
    /// The lower bound of a class of numbers; `None` holds rows without a number.
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
    /// A tile for each category, in the order of the rows: the categories have different units.
    Tiles {
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
    /// Plans the chart that the head asks for; returns `None` where it asks for none.
    pub fn plan(report: &Report, params: &Params, coverage: &Coverage) -> Option<Chart> {
        let head = report.chart.clone()?;
        let place = |name: &str| report.columns.iter().position(|column| column.name == name);
        let zone = match params.get("tz") {
            Some(Value::Text(name)) => name.parse().unwrap_or(Tz::UTC),
            _ => Tz::UTC,
        };
        let column = place(&head.x)?;
        let axis = match (head.kind, head.per) {
            (ChartKind::Week, _) => Axis::Week { column, zone },
            (ChartKind::Heatmap, _) => Axis::Grid { row: place(head.y.as_ref()?)?, column },
            (ChartKind::Tiles, _) => Axis::Tiles { column },
            (ChartKind::Bar | ChartKind::Line, Some(unit)) => {
                let mut range = (coverage.from_ms, coverage.to_ms);
                let mut zone = zone;
                if report.columns[column].ty == ColumnType::Date {
                    // A date is already in the report's zone, and has no instant: neither may move.
                    let local = |time_ms| data::local_ms(time_ms, zone);
                    range = (local(range.0)?, local(range.1)?);
                    zone = Tz::UTC;
                }
                Axis::Time { column, unit: unit.fit(range), zone, range }
            }
            (ChartKind::Bar | ChartKind::Line, None) if !head.classes.is_empty() => {
                let only = head.only.as_ref().and_then(|only| Some((place(&only.column)?, only.is.clone())));
                Axis::Classes { column, edges: head.classes.clone(), only }
            }
            (ChartKind::Bar | ChartKind::Line, None) => Axis::Category { column },
        };
        let sums: Vec<usize> = head.values.iter().filter_map(|name| place(name)).collect();
        let series = match (sums.is_empty(), head.colour.as_ref().and_then(|name| place(name))) {
            (false, _) => Series::Sums(sums),
            (true, Some(colour)) => Series::CountBy(colour),
            (true, None) => Series::Count,
        };
        let names = head.values.clone();
        let (cells, order) = (BTreeMap::new(), Vec::new());
        Some(Chart { head, axis, series, cells, names, order, is_overfull: false })
    }

    /// Describes the drawing in words.
    pub fn heading(&self) -> String {
        let unit = if let Axis::Time { unit, .. } = &self.axis { Some(*unit) } else { None };
        self.head.title(unit)
    }

    /// Counts the rows of a batch.
    pub fn push(&mut self, batch: &RecordBatch) {
        for row in 0..batch.num_rows() {
            let Some(key) = self.key(batch, row) else { continue };
            if matches!(self.axis, Axis::Tiles { .. })
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
            Axis::Category { column } => {
                Some(Key::Name(data::text(batch, *column, row).unwrap_or_else(|| "none".to_string())))
            }
            Axis::Tiles { column } => data::text(batch, *column, row).map(Key::Name),
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
