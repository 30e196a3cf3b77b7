//! Tiles: a few figures with their earlier values, each in its own unit.

use std::fmt::Write as _;

use super::{Chart, Key};
use crate::report::html::escaped;
use crate::report::output::page::{is_share, number};
use crate::report::words::heading;

impl Chart {
    /// Draws a tile for each row, in the order of the rows.
    pub(super) fn tiles(&self) -> String {
        let mut out = "<dl class=\"tiles\">".to_string();
        for key in &self.order {
            let Key::Name(name) = key else { continue };
            let value = |series: usize| self.cells.get(&(key.clone(), series)).copied();
            let (now, before) = (value(0), value(1));
            // A missing number is shown as missing, not as zero.
            let said = |value: Option<f64>| value.map_or("\u{2013}".to_string(), |value| number(value, is_share(name)));
            let change = now.zip(before).map_or_else(
                || "<small>nothing before</small>".to_string(),
                |(now, before)| {
                    let arrow = match now.total_cmp(&before) {
                        std::cmp::Ordering::Greater => "\u{25b2}",
                        std::cmp::Ordering::Less => "\u{25bc}",
                        std::cmp::Ordering::Equal => "=",
                    };
                    let is_in = |names: &[String]| names.contains(name);
                    let class = match (is_in(&self.head.more_is_better), is_in(&self.head.less_is_better)) {
                        _ if now.total_cmp(&before).is_eq() => "same",
                        (true, _) => {
                            if now > before {
                                "better"
                            } else {
                                "worse"
                            }
                        }
                        (_, true) => {
                            if now < before {
                                "better"
                            } else {
                                "worse"
                            }
                        }
                        _ => "same",
                    };
                    format!("<small class=\"{class}\">{arrow} from {}</small>", said(Some(before)))
                },
            );
            let _ = write!(out, "<div><dt>{}</dt><dd>{}{change}</dd></div>", escaped(&heading(name)), said(now));
        }
        out + "</dl>"
    }
}
