//! `auditlake reject`: lines that are not rows, and their retry after a fix.

use std::sync::mpsc;

use super::super::App;
use super::super::terminal::value::when;
use super::tally;
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{self, RetryRun, RetrySummary};
use crate::lake::{RejectFilter, reject_schema};
use crate::render::{self, Format, Renderer};
use crate::typed::{When, count};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List rejects that are still open: no retry has ingested them
    List(ListArgs),
    /// Retry rejected lines, and ingest those that are valid now
    Retry(RetryArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// Output format of the list
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    #[command(flatten)]
    filter: Filter,
    /// Store events with an impossible `time` as they were sent
    #[arg(long)]
    keep_odd_times: bool,
    /// Write the summary as JSON to stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Only lines that were rejected for this reason, such as `missing-time`
    #[arg(long, value_name = "CODE")]
    reason: Vec<String>,
    /// Only lines of this source, by the name under which it was ingested
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Only lines that were rejected at or after this time, such as 2026-01-31, or 7d for seven days ago
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Only lines that were rejected before this time
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
}

impl Filter {
    fn of_lake(self, now_ms: i64) -> RejectFilter {
        let at = |when: Option<When>| when.map(|when| when.micros(now_ms));
        RejectFilter { reasons: self.reason, sources: self.source, since_us: at(self.since), until_us: at(self.until) }
    }
}

pub fn run(app: &App, command: Command) -> Result<u8> {
    match command {
        Command::List(args) => list(app, args),
        Command::Retry(args) => retry(app, args),
    }
}

fn list(app: &App, args: ListArgs) -> Result<u8> {
    let is_terminal = app.screen.is_terminal();
    args.format.check_stdout(is_terminal)?;
    let lake = app.open_lake()?;
    let options =
        render::Options { width: app.screen.width(), is_terminal, is_stream: true, ..render::Options::default() };
    let mut renderer = Renderer::new(args.format, reject_schema(), options, app.screen.stdout());
    // Rejects are read there and written here: a renderer stays on its thread.
    let (sender, receiver) = mpsc::sync_channel(1);
    let filter = args.filter.of_lake(app.clock.now_ms());
    let reading = app.runtime.spawn(async move {
        let gone = || Error::new(Kind::Cancelled, "the reader of the rejects has stopped");
        lake.open_rejects(&filter, |rows| sender.send(rows).map_err(|_| gone())).await
    });
    for rows in receiver {
        renderer.write(&rows)?;
    }
    app.wait(async move { reading.await.context(Kind::Internal, || "the reader stopped")? })?;
    renderer.finish()?;
    Ok(0)
}

fn retry(app: &App, args: RetryArgs) -> Result<u8> {
    let lake = app.open_lake()?;
    app.tell_of_secrets();
    let (policy, redaction_version) = app.policy(&lake)?;
    let (clock, mut options) = (app.clock, app.config.ingest());
    options.keep_odd_times |= args.keep_odd_times;
    let filter = args.filter.of_lake(clock.now_ms());
    let run = RetryRun { lake, policy, redaction_version, clock, options, filter };
    let summary = app.wait(ingest::retry(run))?;
    say(app, &summary);
    if args.json {
        let text = serde_json::to_string(&summary).unwrap_or_default() + "\n";
        app.screen.print_json(&text)?;
    }
    Ok(if summary.unread.is_empty() { 0 } else { Kind::Incomplete.exit_code() })
}

fn say(app: &App, summary: &RetrySummary) {
    let screen = &app.screen;
    for unread in &summary.unread {
        screen.say(format!("skipped: {} of {}: {}", lines(unread.lines), unread.source, unread.why));
    }
    for (table, rows) in &summary.rows {
        screen.say(format!("{table:<20} {:>12} rows", count(*rows)));
    }
    for (reason, rejects) in &summary.still_rejected {
        screen.say(format!("still rejected: {} x {reason}", count(*rejects)));
    }
    let counts = &summary.counts;
    tally::notes(screen, counts, &summary.notes);
    screen.say(format!(
        "open {}: accepted {} + duplicate {} + revised {} + still rejected {} + skipped {}",
        count(summary.open),
        count(counts.accepted),
        count(counts.duplicate),
        count(counts.revised),
        count(summary.still_rejected.values().sum()),
        count(summary.unread.iter().map(|unread| unread.lines).sum())
    ));
}

fn lines(number: u64) -> String {
    if number == 1 { "1 line".to_string() } else { format!("{} lines", count(number)) }
}
