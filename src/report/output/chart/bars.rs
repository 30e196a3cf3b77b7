//! Horizontal bars: categories, and classes of a number.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::draw::{WIDTH, plain, short};
use super::{Axis, Chart, Key, MAX_CATEGORIES};
use crate::report::html::escaped;

/// The height of a horizontal bar.
const BAR: f64 = 24.0;
/// The place where bars begin: names come before it.
const FROM: f64 = 250.0;

impl Chart {
    /// Draws horizontal bars, the longest first.
    pub(super) fn bars(&self) -> String {
        let mut totals: BTreeMap<&Key, f64> = BTreeMap::new();
        for ((key, _), value) in &self.cells {
            *totals.entry(key).or_default() += value.max(0.0);
        }
        let mut keys: Vec<(&Key, f64)> = totals.into_iter().collect();
        match self.axis {
            // Classes have an order of their own, which the map gave them; rows without a number come last.
            Axis::Classes { .. } => keys.sort_by_key(|(key, _)| **key == Key::Class(None)),
            _ => keys.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0))),
        }
        let left_out = keys.len().saturating_sub(MAX_CATEGORIES);
        keys.truncate(MAX_CATEGORIES);
        let longest = keys.iter().map(|(_, total)| *total).fold(f64::MIN_POSITIVE, f64::max);
        let room = WIDTH - FROM - 70.0;
        let mut out = self.open(keys.len() as f64 * BAR + 6.0 + if left_out > 0 { BAR } else { 0.0 });
        for (place, (key, total)) in keys.iter().enumerate() {
            let y = place as f64 * BAR + 3.0;
            let name = self.name(key);
            out += &label(y + 15.0, &name);
            let mut x = FROM;
            for series in 0..self.names.len().max(1) {
                let value = self.value(key, series);
                if value <= 0.0 {
                    continue;
                }
                let width = (room * value / longest).max(1.0);
                let _ = write!(
                    out,
                    "<rect class=\"f{series}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"16\" rx=\"2\">\
                     <title>{}</title></rect>",
                    y + 3.0,
                    self.tip(&name, series, value)
                );
                x += width;
            }
            let _ = write!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", x + 8.0, y + 15.0, plain(*total));
        }
        if left_out > 0 {
            let y = keys.len() as f64 * BAR + 18.0;
            let _ = write!(out, "<text x=\"{FROM}\" y=\"{y:.1}\">and {left_out} more in the table</text>");
        }
        out + "</svg>"
    }

    /// Returns a category's name, or the range of its class.
    pub(super) fn name(&self, key: &Key) -> String {
        let edges = if let Axis::Classes { edges, .. } = &self.axis { &edges[..] } else { &[] };
        match key {
            Key::Name(name) => name.clone(),
            Key::Class(None) => "unknown".to_string(),
            Key::Class(Some(begin)) => match edges.iter().position(|edge| edge == begin) {
                None => format!("under {}", edges.first().copied().unwrap_or_default()),
                Some(place) => match edges.get(place + 1) {
                    Some(next) => format!("{begin} \u{2013} {}", next - 1),
                    None => format!("{begin} and more"),
                },
            },
            _ => String::new(),
        }
    }
}

/// Draws the name of a bar, before it.
fn label(y: f64, name: &str) -> String {
    format!("<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>", FROM - 10.0, escaped(&short(name)))
}
