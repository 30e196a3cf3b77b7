//! `[chart]` of a head: the drawing that is made of a report's rows, and the words for it.

use serde::Deserialize;

use super::data::Unit;
use crate::report::catalog::header::{Column, ColumnType};
use crate::report::words::heading;

/// The chart of a report. Without `values` its rows are counted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartHead {
    pub kind: ChartKind,
    /// The column of the axis: a time or date with `per`, a number with `classes`, else a text.
    pub x: String,
    /// The column for the rows of a heatmap.
    #[serde(default)]
    pub y: Option<String>,
    /// The length of time that a bar or a step of a line covers.
    #[serde(default)]
    pub per: Option<Unit>,
    /// The column whose values each have a colour.
    #[serde(default)]
    pub colour: Option<String>,
    /// Number columns that are added up; each has a colour.
    #[serde(default)]
    pub values: Vec<String>,
    /// The lower bounds of the classes of the number `x`.
    #[serde(default)]
    pub classes: Vec<i64>,
    /// Restricts the rows to those with this text in this column.
    #[serde(default)]
    pub only: Option<Only>,
    /// For tiles: the values of `x` of which more is better, and those of which less is.
    #[serde(default)]
    pub more_is_better: Vec<String>,
    #[serde(default)]
    pub less_is_better: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    pub column: String,
    pub is: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    Bar,
    Line,
    Heatmap,
    /// A heatmap of weekday and hour.
    Week,
    /// A tile for each row: its name, its value, and how far that is from the value before.
    Tiles,
}

impl ChartHead {
    /// Returns what is wrong with the chart, given the report's columns.
    pub fn problem(&self, columns: &[Column]) -> Option<String> {
        let type_of = |name: &str| columns.iter().find(|column| column.name == name).map(|column| column.ty);
        let is_number = |ty| matches!(ty, ColumnType::Int | ColumnType::Bigint | ColumnType::Double);
        let is_text = |ty| ty == ColumnType::String;
        let is_time = |ty| matches!(ty, ColumnType::Timestamp | ColumnType::Date);
        let only = self.only.as_ref().map(|only| &only.column);
        let names =
            [Some(&self.x), self.y.as_ref(), self.colour.as_ref(), only].into_iter().flatten().chain(&self.values);
        if let Some(name) = names.clone().find(|name| type_of(name).is_none()) {
            return Some(format!("the chart names `{name}`, which is not a column of the report"));
        }
        let x = type_of(&self.x)?;
        let texts = [self.y.as_ref(), self.colour.as_ref(), only].into_iter().flatten();
        if let Some(name) = texts.clone().find(|name| !type_of(name).is_some_and(is_text)) {
            return Some(format!("the chart needs a text, and `{name}` is none"));
        }
        if let Some(name) = self.values.iter().find(|name| !type_of(name).is_some_and(is_number)) {
            return Some(format!("the chart adds up `{name}`, which is not a number"));
        }
        let needs =
            |is_there: bool, what: &str| (!is_there).then(|| format!("a {} chart needs {what}", self.kind.name()));
        match self.kind {
            ChartKind::Line if self.per.is_none() => needs(false, "`per`: minute, hour, day, week or month"),
            ChartKind::Bar | ChartKind::Line if self.per.is_some() => needs(is_time(x), "a time or a date as `x`"),
            ChartKind::Bar if !self.classes.is_empty() => needs(is_number(x), "a number as `x` for its classes"),
            ChartKind::Bar | ChartKind::Line => needs(is_text(x), "a text as `x`, or `per`, or `classes`"),
            ChartKind::Heatmap => needs(self.y.is_some() && is_text(x), "texts as `x` and `y`"),
            ChartKind::Week => needs(x == ColumnType::Timestamp, "a timestamp as `x`"),
            ChartKind::Tiles => {
                needs(is_text(x) && self.values.len() == 2, "a text as `x`, and two `values`: now and before")
            }
        }
    }

    /// Describes the drawing in words; `unit` is the one that the range allowed.
    pub fn title(&self, unit: Option<Unit>) -> String {
        let what = if self.values.is_empty() {
            "Rows".to_string()
        } else {
            let names = self.values.iter().map(|name| heading(name)).collect::<Vec<_>>().join(", ");
            names.chars().take(1).flat_map(char::to_uppercase).chain(names.chars().skip(1)).collect()
        };
        let x = heading(&self.x);
        let along = match (self.kind, unit) {
            (ChartKind::Week, _) => format!("{what} by weekday and hour of {x}"),
            (ChartKind::Heatmap, _) => format!("{what} by {} and {x}", heading(self.y.as_deref().unwrap_or_default())),
            (ChartKind::Tiles, _) => "At a glance".to_string(),
            (_, Some(unit)) => format!("{what} per {}", unit.word()),
            (_, None) => format!("{what} by {x}"),
        };
        let colour = self.colour.as_ref().map_or(String::new(), |column| format!(", coloured by {}", heading(column)));
        let only =
            self.only.as_ref().map_or(String::new(), |only| format!(", {} {} only", heading(&only.column), only.is));
        format!("{along}{colour}{only}")
    }
}

impl ChartKind {
    pub fn name(self) -> &'static str {
        match self {
            ChartKind::Bar => "bar",
            ChartKind::Line => "line",
            ChartKind::Heatmap => "heatmap",
            ChartKind::Week => "week",
            ChartKind::Tiles => "tiles",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(chart: &str) -> Option<String> {
        let columns = [
            ("time", ColumnType::Timestamp),
            ("kind", ColumnType::String),
            ("who", ColumnType::String),
            ("n", ColumnType::Bigint),
        ];
        let columns: Vec<Column> = columns.into_iter().map(|(name, ty)| Column { name: name.into(), ty }).collect();
        toml::from_str::<ChartHead>(chart).unwrap().problem(&columns)
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        assert_eq!(problem("kind = \"bar\"\nx = \"kind\""), None);
        assert_eq!(problem("kind = \"bar\"\nx = \"time\"\nper = \"day\"\ncolour = \"kind\""), None);
        assert_eq!(problem("kind = \"heatmap\"\nx = \"kind\"\ny = \"who\"\nvalues = [\"n\"]"), None);
        assert_eq!(problem("kind = \"bar\"\nx = \"n\"\nclasses = [30, 90]"), None);
        let said = |chart: &str| problem(chart).unwrap();
        assert_eq!(
            said("kind = \"bar\"\nx = \"kinds\""),
            "the chart names `kinds`, which is not a column of the report"
        );
        assert_eq!(
            said("kind = \"bar\"\nx = \"kind\"\nvalues = [\"who\"]"),
            "the chart adds up `who`, which is not a number"
        );
        assert_eq!(said("kind = \"line\"\nx = \"time\""), "a line chart needs `per`: minute, hour, day, week or month");
        assert_eq!(said("kind = \"bar\"\nx = \"time\""), "a bar chart needs a text as `x`, or `per`, or `classes`");
        assert_eq!(said("kind = \"heatmap\"\nx = \"kind\""), "a heatmap chart needs texts as `x` and `y`");
        assert_eq!(said("kind = \"bar\"\nx = \"kind\"\ncolour = \"n\""), "the chart needs a text, and `n` is none");
    }

    #[test]
    fn the_title_says_what_is_drawn() {
        let title = |chart: &str, unit| toml::from_str::<ChartHead>(chart).unwrap().title(unit);
        let bars = "kind = \"bar\"\nx = \"time\"\nper = \"day\"\ncolour = \"subject_label\"";
        assert_eq!(title(bars, Some(Unit::Week)), "Rows per week, coloured by subject");
        assert_eq!(title("kind = \"week\"\nx = \"first_time\"", None), "Rows by weekday and hour of first time");
        let heat = "kind = \"heatmap\"\nx = \"privilege\"\ny = \"subject_label\"\nvalues = [\"share\"]";
        assert_eq!(title(heat, None), "Share by subject and privilege");
        let ages = "kind = \"bar\"\nx = \"age_days\"\nclasses = [30]\nonly = { column = \"state\", is = \"active\" }";
        assert_eq!(title(ages, None), "Rows by age days, state active only");
    }
}
