//! Progress of an ingest: a bar for people, JSON lines for programs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::terminal::screen::Screen;
use crate::ingest;
use crate::typed::{count, visible_lines};

/// The form in which progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, nothing elsewhere
    Auto,
    /// Always a bar
    Bar,
    /// JSON lines, at most two per second, and one at the end
    Json,
    /// Nothing
    None,
}

/// The bar is drawn at least this often.
const TICK: Duration = Duration::from_millis(200);

/// The shortest time between two JSON lines.
const INTERVAL: Duration = Duration::from_millis(500);

/// Progress that is being shown.
pub enum Shown {
    Bar(ProgressBar),
    Json { screen: Screen, started: Instant, last: Option<Instant>, now: ingest::Progress },
    Nothing,
}

impl Progress {
    pub fn start(self, screen: &Screen) -> Shown {
        match self {
            Progress::Auto if screen.is_watched() => Shown::bar(),
            Progress::Bar => Shown::bar(),
            Progress::Json => {
                Shown::Json { screen: *screen, started: Instant::now(), last: None, now: ingest::Progress::default() }
            }
            Progress::Auto | Progress::None => Shown::Nothing,
        }
    }
}

impl Shown {
    fn bar() -> Shown {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {bytes}, {msg}"));
        // Time left and rate continue while a slow source is waited for.
        bar.enable_steady_tick(TICK);
        Shown::Bar(bar)
    }

    pub fn show(&mut self, progress: &ingest::Progress) {
        match self {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                if let (Some(total), None) = (progress.total_bytes, bar.length()) {
                    bar.set_style(style("{wide_bar} {bytes}/{total_bytes}, {msg}, {eta} left"));
                    bar.set_length(total);
                }
                bar.set_position(progress.raw_bytes);
                let rate = per_second(progress.lines, bar.elapsed());
                let (entries, rejects) = (count(progress.lines), count(progress.rejected));
                bar.set_message(format!("{entries} entries, {}/s, {rejects} rejected", count(rate)));
            }
            Shown::Json { screen, started, last, now } => {
                now.clone_from(progress);
                if last.is_none_or(|last| last.elapsed() >= INTERVAL) {
                    *last = Some(Instant::now());
                    screen.tell(line(progress, started.elapsed()));
                }
            }
        }
    }

    pub fn end(&mut self) {
        match self {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Json { screen, started, now, .. } => screen.tell(line(now, started.elapsed())),
        }
    }
}

/// A bar on a terminal, nothing elsewhere: a share of 0 to 1, and words.
pub struct Share(ProgressBar);

impl Share {
    pub fn start(screen: &Screen) -> Share {
        let target = if screen.is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        bar.set_style(style("{wide_bar} {msg}"));
        Share(bar)
    }

    pub fn tell(&self, done: f64, text: &str) {
        self.0.set_position((done.clamp(0.0, 1.0) * 1000.0) as u64);
        self.0.set_message(visible_lines(text));
    }

    /// Prints a message while the bar is shown.
    pub fn say(&self, screen: &Screen, text: impl std::fmt::Display) {
        self.0.suspend(|| screen.say(text));
    }

    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants; if one were wrong, a plain bar would do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn per_second(number: u64, elapsed: Duration) -> u64 {
    (number as f64 / elapsed.max(Duration::from_millis(1)).as_secs_f64()) as u64
}

/// Formats a line of JSON: `bytes` are those of the files as they are stored, `total` is null when it is unknown.
fn line(progress: &ingest::Progress, elapsed: Duration) -> serde_json::Value {
    let rate = per_second(progress.raw_bytes, elapsed);
    let left = progress.total_bytes.map(|total| total.saturating_sub(progress.raw_bytes));
    let seconds_left = left.filter(|_| rate > 0).map(|left| (left as f64 / rate as f64 * 10.0).round() / 10.0);
    serde_json::json!({
        "source": progress.source,
        "bytes": progress.raw_bytes,
        "total": progress.total_bytes,
        "entries": progress.lines,
        "rate": per_second(progress.lines, elapsed),
        "rejects": progress.rejected,
        "seconds": (elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        "seconds_left": seconds_left,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_null_and_not_a_guess() {
        let mut progress = ingest::Progress { raw_bytes: 300, lines: 30, rejected: 2, ..ingest::Progress::default() };
        let told = line(&progress, Duration::from_secs(3));
        assert_eq!((&told["rate"], &told["rejects"]), (&10.into(), &2.into()));
        assert!(told["total"].is_null() && told["seconds_left"].is_null(), "{told}");
        progress.total_bytes = Some(1000);
        assert_eq!(line(&progress, Duration::from_secs(3))["seconds_left"], 7.0);
        progress.raw_bytes = 0;
        assert!(line(&progress, Duration::ZERO)["seconds_left"].is_null());
    }
}
