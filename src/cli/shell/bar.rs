//! How far a query is, for people who wait for it.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::screen::Screen;
use crate::sql::Reading;

/// Time that a query may take before its progress is worth a look.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far a query is.
pub struct QueryBar {
    started: Instant,
    bar: Option<ProgressBar>,
    is_shown: bool,
}

impl QueryBar {
    /// On a terminal, for who wants to be told; nothing elsewhere.
    pub fn new(screen: &Screen) -> QueryBar {
        QueryBar { started: Instant::now(), bar: None, is_shown: screen.is_watched() }
    }

    /// Shows the bytes of the plan's files that are behind the query; `None` while it is still planned.
    pub fn show(&mut self, reading: Option<Reading>) {
        if !self.is_shown || self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_elapsed(self.started.elapsed())
        });
        match reading.filter(|reading| reading.bytes_planned > 0) {
            Some(reading) => {
                // The templates are constants; if one were wrong, a plain bar would do.
                if bar.length().is_none()
                    && let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg}")
                {
                    bar.set_style(style);
                    bar.set_length(reading.bytes_planned);
                }
                bar.set_position(reading.bytes_done);
                // What is read may still have to be sorted or joined, and nobody knows for how long.
                bar.set_message(match reading.bytes_done < reading.bytes_planned {
                    true => format!("{} s left", bar.eta().as_secs()),
                    false => "computing".to_string(),
                });
            }
            None => {
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                    bar.set_style(style);
                }
                bar.set_message(if reading.is_some() { "computing" } else { "planning" });
            }
        }
        bar.tick();
    }

    /// Takes the bar off the screen.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Clears it for good: from here on the result itself is on the screen.
    pub fn end(&mut self) {
        self.clear();
        self.is_shown = false;
    }
}

impl Drop for QueryBar {
    fn drop(&mut self) {
        self.clear();
    }
}
