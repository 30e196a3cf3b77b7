//! `auditlake schedule`: the list of schedules, and a process that runs each as it becomes due.

use std::time::Duration;

use chrono::DateTime;

use super::App;
use super::report::{DueArgs, jobs, run_due};
use super::terminal::rows::{Column, batch, print};
use crate::error::{Error, Kind, Result};
use crate::jobs::{Log, RUNS};
use crate::render::{self, Format};

/// The longest sleep: a changed clock, and a log of events that has caught up, are noticed within it.
const MAX_SLEEP: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep running, and run each schedule when it is due
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    due: DueArgs,
    /// Output format of the list
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    if args.watch { keep_running(app, &args.due) } else { list(app, &args) }
}

fn list(app: &App, args: &Args) -> Result<u8> {
    let found = jobs(app, &args.due.schedule, false)?;
    let log = Log::read(&app.lake_path().join(RUNS))?;
    let now_ms = app.clock.now_ms();
    let us = |ms: Option<i64>| ms.map(|ms| ms * 1000);
    let text = |of: &dyn Fn(usize) -> String| Column::Text((0..found.len()).map(|at| Some(of(at))).collect());
    let table = batch(vec![
        ("schedule", text(&|at| found[at].0.name.clone())),
        ("period", text(&|at| found[at].1.period.clone())),
        ("calendar", text(&|at| found[at].1.calendar.clone())),
        ("time_zone", text(&|at| found[at].1.time_zone.clone())),
        ("due", Column::Number(found.iter().map(|(job, _)| Some(job.due(&log, now_ms).len() as u64)).collect())),
        ("last_done", Column::Time(found.iter().map(|(job, _)| us(log.last_done(&job.name))).collect())),
        ("next", Column::Time(found.iter().map(|(job, _)| us(job.calendar.next(now_ms))).collect())),
    ])?;
    print(&app.screen, &table, args.format, render::Options::default())?;
    Ok(0)
}

/// Repeats `report due`. A run that failed is tried again with the next one.
fn keep_running(app: &App, args: &DueArgs) -> Result<u8> {
    if args.now.is_some() || args.dry_run {
        return Err(Error::usage("--watch follows the real clock").hint("leave out --now and --dry-run"));
    }
    let found = jobs(app, &args.schedule, args.hook.is_some())?;
    let stopping = app.signals.stop(app.screen, "stopping after what runs now; ^C again stops at once");
    loop {
        match run_due(app, args) {
            Ok(_) => {}
            // Another process is running, or the lake does not exist yet: both pass. Mistakes of the user do not.
            Err(error) if error.kind() == Kind::Usage => return Err(error),
            Err(error) => app.screen.error(&error),
        }
        let now_ms = app.clock.now_ms();
        let next = found.iter().filter_map(|(job, _)| job.calendar.next(now_ms)).min();
        if let Some(next) = next.and_then(DateTime::from_timestamp_millis) {
            app.screen.say(format!("next: {}", next.format("%Y-%m-%dT%H:%MZ")));
        }
        let until = next.map_or(MAX_SLEEP, |next| Duration::from_millis((next - now_ms).max(1) as u64));
        let mut stop = stopping.told.clone();
        let is_told = app.wait(async move {
            // This includes a signal that came during the run.
            let told = stop.wait_for(|is_told| *is_told);
            Ok(tokio::time::timeout(until.min(MAX_SLEEP), told).await.is_ok())
        })?;
        if is_told {
            return Ok(0);
        }
    }
}
