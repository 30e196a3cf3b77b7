//! `auditlake report due`: the reports that are due by the schedules, once, in order, under a lock.

use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::super::App;
use super::super::terminal::hook;
use super::super::terminal::value::when;
use super::batch::{Batch, Ground, into_folders};
use super::history::summaries;
use super::inputs;
use crate::clock::Clock;
use crate::config::Schedule;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::jobs::{Acted, Body, Calendar, Job, Log, RUNS, Told, run_due};
use crate::lake::Lake;
use crate::report::{Metric, Period, ReportSummary, Selection, Span, State, Summary, Suppressions, metrics, zone};
use crate::typed::When;

/// The file in a run's directory with the time for which it was due, in milliseconds. An interrupted run finds its
/// directory by it.
const DUE: &str = ".due";

#[derive(Debug, Clone, Default, clap::Args)]
pub struct DueArgs {
    /// Only this schedule; may be given several times
    #[arg(long, value_name = "NAME")]
    pub schedule: Vec<String>,
    /// Decide as if it were this time: 2026-02-01T06:00Z
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub now: Option<When>,
    /// Print what is due, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write metrics for Prometheus' textfile collector to this file
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// A shell command that gets the JSON of each run on stdin, beside what the schedule names
    #[arg(long, value_name = "CMD")]
    pub hook: Option<String>,
}

/// Reads the jobs and schedules of the configuration.
pub fn jobs(app: &App, only: &[String], hook: bool) -> Result<Vec<(Job, Schedule)>> {
    let schedules = app.config.schedules()?;
    for name in only {
        if !schedules.iter().any(|schedule| schedule.name == *name) {
            return Err(Error::usage(format!("no schedule `{name}`")).hint("`auditlake schedule` lists them"));
        }
    }
    let mut jobs: Vec<(Job, Schedule)> = Vec::new();
    for schedule in schedules {
        let name = &schedule.name;
        let in_schedule = |error: Error| in_schedule(name, error);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_name) {
            return Err(Error::usage(format!("`{name}` is no name of a schedule"))
                .hint("it becomes a folder: letters, digits, `-`, `_` and `.`"));
        }
        if jobs.iter().any(|(job, _)| job.name == *name) {
            return Err(Error::usage(format!("two schedules are called `{name}`")));
        }
        let zone = zone(&schedule.time_zone).map_err(in_schedule)?;
        let calendar = Calendar::parse(&schedule.calendar, zone).map_err(in_schedule)?;
        let since_ms = match &schedule.since {
            None => None,
            Some(text) => Some(Period::parse(&format!("{text}..9999-01-01"), zone, &app.clock).map_err(|_| {
                in_schedule(
                    Error::usage(format!("`{text}` is no time to begin at")).hint("write since = \"2026-01-01\""),
                )
            })?),
        };
        // A period that cannot be read is found now, and not when it is due.
        Period::parse(&schedule.period, zone, &app.clock).map_err(in_schedule)?;
        let has_afterwards = hook || !schedule.afterwards.is_empty();
        // `since` itself may be due.
        let since_ms = since_ms.map(|period| period.from_ms - 1);
        jobs.push((Job { name: name.clone(), calendar, since_ms, has_afterwards }, schedule.clone()));
    }
    jobs.retain(|(job, _)| only.is_empty() || only.contains(&job.name));
    Ok(jobs)
}

pub fn run(app: &App, args: &DueArgs) -> Result<u8> {
    let fixed;
    let app = match &args.now {
        None => app,
        Some(when) => {
            let now_ms = when.millis(app.clock.now_ms())?;
            let now = DateTime::from_timestamp_millis(now_ms)
                .ok_or_else(|| Error::usage(format!("{now_ms} is out of the calendar")))?;
            fixed = App { clock: Clock::Fixed(now), ..app.clone() };
            &fixed
        }
    };
    let found = jobs(app, &args.schedule, args.hook.is_some())?;
    if found.is_empty() {
        return Err(Error::usage("there is no schedule").hint("add a [[schedule]] to the configuration"));
    }
    let lake = app.open_lake()?;
    let runs = lake.root().join(RUNS);
    if args.dry_run {
        let log = Log::read(&runs)?;
        for (job, _) in &found {
            for due_ms in job.due(&log, app.clock.now_ms()) {
                app.screen.print(&format!("{} {}\n", instant(due_ms), job.name))?;
            }
        }
        return Ok(0);
    }
    let (policy, _) = app.policy(&lake)?;
    let mut log = Log::open(&runs, move |text| policy.own(text))?;
    let error = run_all(app, args, &found, &mut log);
    // Metrics are written after trouble too: that is their purpose.
    if let Some(path) = &args.metrics {
        app.write_text(path, &metrics(&latest(&log)))?;
    }
    match error? {
        None => Ok(0),
        // The error was reported when it happened.
        Some(error) => Ok(error.kind().exit_code()),
    }
}

fn run_all(app: &App, args: &DueArgs, found: &[(Job, Schedule)], log: &mut Log) -> Result<Option<Error>> {
    let jobs: Vec<Job> = found.iter().map(|(job, _)| job.clone()).collect();
    let schedule_of = |job: &Job| found.iter().find(|(other, _)| other.name == job.name).map(|(_, schedule)| schedule);
    run_due(
        &jobs,
        log,
        &app.clock,
        &mut |job, due_ms| match schedule_of(job) {
            Some(schedule) => act(app, schedule, due_ms),
            None => Err(Error::new(Kind::Internal, "a job has no schedule")),
        },
        &mut |job, summary| {
            let json = serde_json::to_string_pretty(summary).unwrap_or_default() + "\n";
            if let Some(schedule) = schedule_of(job) {
                hook::program(app, &schedule.afterwards, &json)?;
            }
            match &args.hook {
                Some(command) => hook::shell(app, command, &json),
                None => Ok(()),
            }
        },
        &mut |told| match told {
            Told::Begins { job, due_ms } => app.screen.say(format!("{} of {}:", job.name, instant(due_ms))),
            Told::Done { entry, .. } => app.screen.say(format!("done, entry {} of the run log", entry.sequence)),
            Told::Waiting { reason, .. } => app.screen.say(format!("waiting: {reason}")),
            Told::Failed { error, .. } | Told::AfterwardsFailed { error, .. } => app.screen.error(error),
        },
    )
}

fn selection(schedule: &Schedule) -> Selection {
    Selection {
        ids: schedule.reports.clone(),
        tier: schedule.tier,
        controls: schedule.controls.clone(),
        is_all: schedule.all,
    }
}

/// Checks what every schedule selects and is given, without running anything: one result for each.
pub fn check_schedules(app: &App) -> Vec<Result<()>> {
    let (schedules, catalog) = match (app.config.schedules(), super::catalog(app)) {
        (Ok(schedules), Ok(catalog)) => (schedules, catalog),
        // Both are checked by themselves, and reported once.
        _ => return Vec::new(),
    };
    let check = |schedule: &Schedule| {
        selection(schedule).pick(&catalog)?;
        let given: Vec<(String, PathBuf)> = schedule.input.clone().into_iter().collect();
        inputs::read(app, &catalog, &given).map(drop)
    };
    schedules.iter().map(|schedule| check(schedule).map_err(|error| in_schedule(&schedule.name, error))).collect()
}

fn in_schedule(name: &str, error: Error) -> Error {
    let hint = error.hint_text().map(str::to_string);
    let wrapped = Error::usage(format!("schedule `{name}`")).caused_by(error);
    if let Some(hint) = hint { wrapped.hint(hint) } else { wrapped }
}

/// Runs one schedule for the time at which it was due.
fn act(app: &App, schedule: &Schedule, due_ms: i64) -> Result<Acted> {
    let catalog = super::catalog(app)?;
    let reports = selection(schedule).pick(&catalog)?;
    let zone = zone(&schedule.time_zone)?;
    let due = DateTime::from_timestamp_millis(due_ms)
        .ok_or_else(|| Error::new(Kind::Internal, format!("{due_ms} is out of the calendar")))?;
    let period = Period::parse(&schedule.period, zone, &Clock::Fixed(due))?;
    let suppressions = match app.config.suppressions() {
        Some(path) => Suppressions::read(path, &app.clock)?,
        None => Suppressions::default(),
    };
    let given: Vec<(String, PathBuf)> =
        schedule.input.iter().map(|(name, path)| (name.clone(), path.clone())).collect();
    let lake = app.open_lake()?;
    let batch = Batch {
        period: Some((period.name(), period)),
        zone,
        has_zone: true,
        params: schedule.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        inputs: inputs::read(app, &catalog, &given)?,
        named_inputs: Vec::new(),
        suppressions,
        with_xlsx: schedule.xlsx,
        // An interrupted run begins again.
        is_replacing: true,
        schedule: Some(schedule.name.clone()),
        earlier: earlier(app, &lake, schedule, period)?,
    };
    let batch = batch.redacted(app, &lake)?;
    let prepared = batch.prepare(&reports, &schedule.reports)?;
    let ground = Ground::over(app, lake, None, &batch.inputs)?.signing(app)?;
    let limit_ms = due_ms.saturating_add(schedule.wait.map_or(0, |wait| wait.as_millis() as i64));
    if app.clock.now_ms() < limit_ms
        && let Some(reason) = hole(app, &ground, period, limit_ms)?
    {
        return Ok(Acted::Waiting(reason));
    }
    let dir = folder(&schedule.output.join(&schedule.name), &period, due_ms);
    disk::make_dir(&dir).context(Kind::Unavailable, || format!("cannot create {}", dir.display()))?;
    disk::write(&dir.join(DUE), format!("{due_ms}\n").as_bytes())?;
    let (summary, _) = into_folders(app, &ground, &batch, prepared, &dir)?;
    app.screen.say(format!("in {}", dir.display()));
    let failed: Vec<String> =
        summary.reports.iter().filter(|report| report.state == State::Failed).map(ReportSummary::folder).collect();
    if !failed.is_empty() {
        return Err(Error::new(Kind::Input, format!("cannot run {}", failed.join(", ")))
            .hint("the next `report due` tries again"));
    }
    let value = serde_json::to_value(&summary)
        .map_err(|error| Error::new(Kind::Internal, "cannot encode the summary").caused_by(error))?;
    Ok(Acted::Done(value))
}

/// Returns the folder of the schedule's last run of an earlier period, if it still exists.
fn earlier(app: &App, lake: &Lake, schedule: &Schedule, period: Period) -> Result<Option<PathBuf>> {
    let runs = summaries(&lake.root().join(RUNS))?;
    let is_earlier = |run: &&Summary| {
        run.schedule.as_ref() == Some(&schedule.name) && run.period.to_ms.is_some_and(|end| end <= period.from_ms)
    };
    let Some(last) = runs.iter().filter(is_earlier).max_by_key(|run| run.period.to_ms) else { return Ok(None) };
    let folder = PathBuf::from(&last.folder);
    if folder.is_dir() {
        return Ok(Some(folder));
    }
    app.screen.say(format!("note: cannot say what changed: {} is gone", folder.display()));
    Ok(None)
}

/// Describes in words the part of the period that the log does not cover.
fn hole(app: &App, ground: &Ground, period: Period, limit_ms: i64) -> Result<Option<String>> {
    let span = Span { from_ms: Some(period.from_ms), to_ms: Some(period.to_ms) };
    let log = ground.log(app, &[])?;
    let coverage = app.wait(async move { log.coverage(span).await })?;
    if coverage.is_whole() {
        return Ok(None);
    }
    let missing = coverage.missing_percent();
    Ok(Some(format!(
        "the log does not cover {missing} % of {}; run at {} at the latest",
        period.name(),
        instant(limit_ms)
    )))
}

/// Returns `<output>/<schedule>/<period>`; a second due time within one period gets a folder of its own.
fn folder(base: &Path, period: &Period, due_ms: i64) -> PathBuf {
    let plain = base.join(period.name());
    let is_ours = std::fs::read_to_string(plain.join(DUE)).is_ok_and(|text| text.trim() == due_ms.to_string());
    if is_ours || !plain.exists() {
        return plain;
    }
    base.join(format!("{}-due-{}", period.name(), instant(due_ms).replace(':', "")))
}

fn instant(time_ms: i64) -> String {
    DateTime::from_timestamp_millis(time_ms).map(|time| time.format("%Y-%m-%dT%H:%MZ").to_string()).unwrap_or_default()
}

/// Returns the numbers of the last run of each schedule and report.
fn latest(log: &Log) -> Vec<Metric> {
    let mut found: Vec<Metric> = Vec::new();
    for entry in log.entries() {
        let Body::Done { summary, .. } = &entry.body else { continue };
        let Ok(summary) = serde_json::from_value::<Summary>(summary.clone()) else { continue };
        for metric in Metric::of(&summary) {
            found.retain(|other| (&other.schedule, &other.report) != (&metric.schedule, &metric.report));
            found.push(metric);
        }
    }
    found.sort_by(|a, b| (&a.schedule, &a.report).cmp(&(&b.schedule, &b.report)));
    found
}
