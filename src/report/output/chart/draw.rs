//! Charts as inline SVG: colours and fonts are those of the page, so that dark and print follow by themselves.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::head::ChartKind;
use super::{Axis, Chart, Key, MAX_CATEGORIES};
use crate::report::evidence::coverage::Coverage;
use crate::report::html::escaped;
use crate::report::words::instant;

pub(super) const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// Characters of a category's name.
const MAX_NAME: usize = 26;

impl Chart {
    /// Draws the figure with its legend; returns `None` when there is nothing to see.
    pub fn draw(&self) -> Option<String> {
        if self.cells.is_empty() || self.is_overfull {
            return None;
        }
        let drawing = match &self.axis {
            Axis::Time { unit, zone, range, .. } => {
                let mut bins = Vec::new();
                let mut bin = unit.bin(range.0, *zone)?;
                let last = unit.bin(range.1 - 1, *zone)?;
                while bin <= last && bins.len() < 1000 {
                    bins.push((Key::Bin(bin), unit.name(bin)));
                    bin = unit.next(bin)?;
                }
                self.columns(&bins)
            }
            Axis::Category { .. } | Axis::Classes { .. } => self.bars(),
            Axis::Tiles { .. } => return Some(self.tiles()),
            Axis::Grid { .. } => self.grid(),
            Axis::Week { .. } => self.week(),
        };
        Some(format!("<figure>{}{drawing}</figure>", self.legend()))
    }

    fn legend(&self) -> String {
        if self.names.len() < 2 {
            return String::new();
        }
        let mut out = "<ul class=\"legend\">".to_string();
        for (place, name) in self.names.iter().enumerate() {
            let _ = write!(
                out,
                "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect width=\"10\" height=\"10\" rx=\"2\" \
                 class=\"f{place}\"/></svg>{}</li>",
                escaped(&name.replace('_', " "))
            );
        }
        out + "</ul>"
    }

    pub(super) fn open(&self, height: f64) -> String {
        format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", escaped(&self.heading()))
    }

    pub(super) fn value(&self, key: &Key, series: usize) -> f64 {
        self.cells.get(&(key.clone(), series)).copied().unwrap_or_default()
    }

    /// Draws bars or lines along a time axis.
    fn columns(&self, bins: &[(Key, String)]) -> String {
        let series = self.names.len().max(1);
        // Counts add up; measures side by side do not.
        let is_stacked = self.head.kind != ChartKind::Line;
        let heights = bins.iter().map(|(key, _)| {
            let values = (0..series).map(|series| self.value(key, series));
            if is_stacked { values.sum::<f64>() } else { values.fold(0.0, f64::max) }
        });
        let (top, step) = nice(heights.fold(0.0, f64::max));
        let plot = HEIGHT - TOP - BOTTOM;
        let y = |value: f64| TOP + plot * (1.0 - value / top);
        let width = (WIDTH - LEFT - 8.0) / bins.len() as f64;
        let mut out = self.open(HEIGHT);
        let mut tick = 0.0;
        while tick <= top + step / 2.0 {
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - 8.0,
                y(tick),
                y(tick),
                LEFT - 8.0,
                y(tick) + 4.0,
                plain(tick)
            );
            tick += step;
        }
        let every = bins.len().div_ceil(12);
        for (place, (_, name)) in bins.iter().enumerate().step_by(every) {
            let x = LEFT + width * (place as f64 + 0.5);
            let _ = write!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>", HEIGHT - 8.0);
        }
        if self.head.kind == ChartKind::Line {
            for place in 0..series {
                let points = bins.iter().enumerate().map(|(bin, (key, _))| {
                    format!("{:.1},{:.1}", LEFT + width * (bin as f64 + 0.5), y(self.value(key, place)))
                });
                let points = points.collect::<Vec<_>>().join(" ");
                let _ = write!(out, "<polyline class=\"line l{place}\" points=\"{points}\"/>");
                for (bin, (key, name)) in bins.iter().enumerate() {
                    let (x, value) = (LEFT + width * (bin as f64 + 0.5), self.value(key, place));
                    let _ = write!(
                        out,
                        "<circle class=\"f{place}\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"{}\"><title>{}</title></circle>",
                        y(value),
                        if bins.len() > 60 { 1.5 } else { 2.8 },
                        self.tip(name, place, value)
                    );
                }
            }
        } else {
            for (bin, (key, name)) in bins.iter().enumerate() {
                let mut base = 0.0;
                for place in 0..series {
                    let value = self.value(key, place);
                    if value <= 0.0 {
                        continue;
                    }
                    let x = LEFT + width * (bin as f64 + 0.14);
                    let _ = write!(
                        out,
                        "<rect class=\"f{place}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
                         <title>{}</title></rect>",
                        y(base + value),
                        (width * 0.72).max(1.0),
                        y(base) - y(base + value),
                        self.tip(name, place, value)
                    );
                    base += value;
                }
            }
        }
        let _ = write!(
            out,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/></svg>",
            WIDTH - 8.0,
            y(0.0),
            y(0.0)
        );
        out
    }

    pub(super) fn tip(&self, name: &str, series: usize, value: f64) -> String {
        let what = self.names.get(series).map_or(String::new(), |series| format!(" {}", series.replace('_', " ")));
        escaped(&format!("{name}: {}{what}", plain(value)))
    }

    /// Draws how often two values meet.
    fn grid(&self) -> String {
        let mut sides: [BTreeMap<&str, f64>; 2] = [BTreeMap::new(), BTreeMap::new()];
        for ((key, _), value) in &self.cells {
            if let Key::Pair(down, across) = key {
                *sides[0].entry(down).or_default() += value;
                *sides[1].entry(across).or_default() += value;
            }
        }
        let sides = sides.map(|side| {
            let mut names: Vec<(&str, f64)> = side.into_iter().collect();
            names.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
            (names.len(), names.into_iter().take(MAX_CATEGORIES).map(|(name, _)| name.to_string()).collect::<Vec<_>>())
        });
        let [(all_down, down), (all_across, across)] = sides;
        let cells = |row: usize, column: usize| {
            let key = Key::Pair(down[row].clone(), across[column].clone());
            (self.value(&key, 0), format!("{} / {}", down[row], across[column]))
        };
        let drawing = self.heat(&down, &across, cells);
        if all_down > down.len() || all_across > across.len() {
            format!(
                "{drawing}<figcaption>The {} of {all_down} by {} of {all_across} that occur most.</figcaption>",
                down.len(),
                across.len()
            )
        } else {
            drawing
        }
    }

    fn week(&self) -> String {
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map(str::to_string);
        let hours: Vec<String> = (0..24).map(|hour| format!("{hour:02}")).collect();
        self.heat(&days, &hours, |day, hour| {
            (self.value(&Key::Hour(day as u8, hour as u8), 0), format!("{} {}:00", days[day], hours[hour]))
        })
    }

    fn heat(&self, down: &[String], across: &[String], cell: impl Fn(usize, usize) -> (f64, String)) -> String {
        let is_slanted = across.iter().any(|name| name.chars().count() > 4);
        let (from, top) = (220.0, if is_slanted { 110.0 } else { 20.0 });
        let width = ((WIDTH - from - 60.0) / across.len() as f64).min(60.0);
        let mut most = f64::MIN_POSITIVE;
        for row in 0..down.len() {
            for column in 0..across.len() {
                most = most.max(cell(row, column).0);
            }
        }
        let mut out = self.open(top + down.len() as f64 * 22.0 + 6.0);
        for (column, name) in across.iter().enumerate() {
            let x = from + width * (column as f64 + 0.5);
            let turn = if is_slanted {
                format!(" transform=\"rotate(-40 {x:.1} {:.1})\"", top - 8.0)
            } else {
                " text-anchor=\"middle\"".to_string()
            };
            let _ = write!(out, "<text x=\"{x:.1}\" y=\"{:.1}\"{turn}>{}</text>", top - 8.0, escaped(&short(name)));
        }
        for (row, name) in down.iter().enumerate() {
            let y = top + row as f64 * 22.0;
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                from - 10.0,
                y + 15.0,
                escaped(&short(name))
            );
            for column in 0..across.len() {
                let (value, name) = cell(row, column);
                let opacity = if value > 0.0 { 0.18 + 0.82 * value / most } else { 0.0 };
                let paint = if value > 0.0 {
                    format!("class=\"f0\" fill-opacity=\"{opacity:.2}\"")
                } else {
                    "class=\"f6\" fill-opacity=\"0.18\"".to_string()
                };
                let _ = write!(
                    out,
                    "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"20\" rx=\"2\" {paint}><title>{}: {}</title></rect>",
                    from + width * column as f64,
                    width - 2.0,
                    escaped(&name),
                    plain(value)
                );
            }
        }
        out + "</svg>"
    }
}

/// Draws the period as a strip, with its gaps.
pub fn strip(coverage: &Coverage) -> String {
    let period = (coverage.to_ms - coverage.from_ms).max(1) as f64;
    let x = |time_ms: i64| {
        let inside = time_ms.clamp(coverage.from_ms, coverage.to_ms);
        (inside - coverage.from_ms) as f64 / period * WIDTH
    };
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} 14\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"coverage of the period\">\
         <rect class=\"there\" width=\"{WIDTH}\" height=\"14\" rx=\"3\"/>"
    );
    for gap in coverage.holes() {
        let (from, to) = (x(gap.start_ms), x(gap.end_ms));
        let _ = write!(
            out,
            "<rect class=\"gap\" x=\"{from:.1}\" width=\"{:.1}\" height=\"14\"><title>{} \u{2013} {}</title></rect>",
            (to - from).max(2.0),
            instant(gap.start_ms),
            instant(gap.end_ms)
        );
    }
    out + "</svg>"
}

/// Returns the top of an axis and the distance of its ticks: 1, 2 or 5 times a power of ten.
fn nice(most: f64) -> (f64, f64) {
    if most <= 0.0 {
        return (1.0, 1.0);
    }
    let rough = most / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough);
    let step = step.unwrap_or(power * 10.0);
    // Counts have no halves.
    let step = if most >= 1.0 { step.max(1.0) } else { step };
    ((most / step).ceil() * step, step)
}

pub(super) fn plain(value: f64) -> String {
    if value < 0.0 {
        return format!("\u{2212}{}", plain(-value));
    }
    if value.fract() == 0.0 {
        return crate::typed::count(value as u64);
    }
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

pub(super) fn short(name: &str) -> String {
    if name.chars().count() > MAX_NAME {
        name.chars().take(MAX_NAME - 1).chain(['\u{2026}']).collect()
    } else {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(nice(0.0), (1.0, 1.0));
        assert_eq!(nice(3.0), (3.0, 1.0));
        assert_eq!(nice(37.0), (40.0, 10.0));
        assert_eq!(nice(1234.0), (1500.0, 500.0));
        assert_eq!(plain(1234.0), "1,234");
        assert_eq!(plain(0.25), "0.25");
    }
}
