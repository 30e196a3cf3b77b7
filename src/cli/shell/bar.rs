//! Progress of a query, for people who wait for it.
//!
//! One line on stderr, drawn over itself. The cursor waits at its beginning: a `^C` that the terminal echoes is then
//! written into the line, and disappears with it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::super::terminal::screen::Screen;
use crate::sql::Reading;
use crate::typed::{bytes, span};

/// Time that a query may take before its progress is worth a look.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time without a byte after which the query is no longer reading, whatever is left to read.
const STALLED: Duration = Duration::from_secs(2);
/// Cells of the bar itself.
const CELLS: usize = 30;

/// The progress of a query.
pub struct QueryBar {
    started: Instant,
    is_shown: bool,
    is_drawn: bool,
    /// The number of bytes when it last changed, and when that was.
    last: (u64, Instant),
}

impl QueryBar {
    /// Makes a bar that shows on a terminal, unless talk is off; elsewhere it shows nothing.
    pub fn new(screen: &Screen) -> QueryBar {
        let started = Instant::now();
        QueryBar { started, is_shown: screen.is_watched(), is_drawn: false, last: (0, started) }
    }

    /// Shows how much of the plan's files is read; `None` while the statement is still planned.
    pub fn show(&mut self, reading: Option<Reading>) {
        if !self.is_shown || self.started.elapsed() < PATIENCE {
            return;
        }
        let now = Instant::now();
        if let Some(reading) = reading.filter(|reading| reading.bytes_done > self.last.0) {
            self.last = (reading.bytes_done, now);
        }
        self.is_drawn = true;
        self.draw(&line(reading, self.started.elapsed(), now - self.last.1));
    }

    fn draw(&self, text: &str) {
        // There is nowhere to report that stderr is gone.
        let mut out = io::stderr();
        let _ = write!(out, "\r\x1b[K{text}\r").and_then(|()| out.flush());
    }

    /// Removes the bar from the screen.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            self.draw("");
        }
    }

    /// Removes it for good: from here on the result itself is on the screen.
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

/// Formats the bar after `elapsed`, of which the last `idle` brought no byte.
fn line(reading: Option<Reading>, elapsed: Duration, idle: Duration) -> String {
    let Some(reading) = reading else { return format!("planning {}", span(elapsed)) };
    if reading.bytes_planned == 0 {
        return format!("computing {}", span(elapsed));
    }
    let done = reading.bytes_done.min(reading.bytes_planned);
    let cells = (CELLS as u64 * done / reading.bytes_planned) as usize;
    let bar = format!("{}{}", "█".repeat(cells), "░".repeat(CELLS - cells));
    let size = format!("{bar} {} of {}", bytes(done), bytes(reading.bytes_planned));
    // The rows read may still have to be sorted or joined, and nobody knows for how long.
    if done == reading.bytes_planned || idle > STALLED || done == 0 {
        return format!("{size}, computing {}", span(elapsed));
    }
    let left = elapsed.as_secs_f64() * (reading.bytes_planned - done) as f64 / done as f64;
    // Rounded up: an unfinished query has at least a second left.
    format!("{size}, {} left", span(Duration::from_secs(left.ceil() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_promised_that_nobody_knows() {
        let at = |bytes_done| Some(Reading { bytes_planned: 1000, bytes_done, ..Reading::default() });
        let seconds = Duration::from_secs;
        assert_eq!(line(None, seconds(3), seconds(0)), "planning 3 s");
        assert!(line(at(500), seconds(4), seconds(0)).ends_with("500 B of 1.0 kB, 4 s left"));
        assert!(line(at(999), seconds(4), seconds(0)).ends_with("1 s left"));
        assert!(line(at(999), seconds(60), seconds(5)).ends_with("computing 60 s"));
        assert!(line(at(1000), seconds(9), seconds(0)).ends_with("computing 9 s"));
        assert!(line(at(0), seconds(9), seconds(0)).ends_with("computing 9 s"));
    }
}
