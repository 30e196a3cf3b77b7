//! The rows of one report, on the screen or in one file; the head of the run goes to stderr.

use std::path::Path;
use std::time::Instant;

use futures::TryStreamExt;

use super::super::App;
use super::super::output::Output;
use super::batch::{Batch, Ground};
use crate::error::{Context, Error, Kind, Result};
use crate::render::{self, Format, Renderer};
use crate::report::{self, Judge, Params, Report, ReportSummary, State};
use crate::typed::count;

/// Runs a report and writes its rows.
pub fn run(
    app: &App,
    ground: &Ground,
    batch: &Batch,
    (report, params): (&Report, Params),
    (format, output): (Format, Option<&Path>),
) -> Result<(ReportSummary, Vec<report::Finding>)> {
    let begin = Instant::now();
    let screen = &app.screen;
    screen.say(format!("report {}: {}", report.id, report.title));
    for (name, value) in params.iter() {
        screen.say(format!("  {name} = {value}"));
    }
    let (sequence, hash) = ground.session.entry();
    screen.say(format!("  ledger entry {sequence}, sha256 {hash}"));
    let facts = ground.facts(app, report, batch.span(&params))?;
    let coverage = &facts.coverage;
    match coverage.is_whole() {
        true => screen.say("  coverage 100 %"),
        false => screen.say(format!(
            "  coverage {:.1} %, {} longer than a day",
            (100.0 - coverage.missing_percent()).max(0.0),
            report::counted(coverage.gaps.len() as u64, "gap")
        )),
    }

    let mut out = Output::begin(app, output)?;
    let width = if out.is_screen() { screen.width() } else { None };
    let is_terminal = out.is_screen() && screen.is_terminal();
    let title = Some(report.id.clone());
    let options = render::Options { width, is_terminal, title, ..render::Options::default() };
    let suppressions = batch.suppressions.of_report(&report.id);
    let (runner, task) = (ground.session.clone(), report.clone());
    let written = app.wait(async move {
        let outcome = report::run(&task, &params, runner.context()).await?;
        let mut sink = Renderer::new(format, outcome.schema.clone(), options, &mut out);
        let mut judge = Judge::new(&task, &suppressions);
        let mut rows = outcome.rows;
        while let Some(batch) = rows.try_next().await.context(Kind::Input, || "cannot run the report")? {
            judge.look(&batch)?;
            sink.write(&batch)?;
        }
        sink.finish()?;
        out.finish()?;
        let idle = judge.used.iter().filter(|used| !**used).count() + suppressions.expired.len();
        let tally = judge.tally.clone();
        let summary = ReportSummary {
            id: task.id.clone(),
            title: task.title.clone(),
            state: State::Done,
            verdict: Some(judge.verdict(&facts.coverage)),
            rows: tally.rows,
            findings: tally.findings,
            suppressed: tally.suppressed,
            worst: tally.worst(),
            by_severity: tally.by_severity,
            coverage: Some(facts.coverage.share),
            idle_suppressions: idle as u64,
            ..ReportSummary::default()
        };
        Ok((summary, judge.named))
    });
    let (mut summary, named) = written?;
    summary.seconds = begin.elapsed().as_secs_f64();
    let verdict = summary.verdict.map_or("", |verdict| verdict.name());
    let suppressed =
        if summary.suppressed > 0 { format!(", {} suppressed", summary.suppressed) } else { String::new() };
    screen.say(format!("  {} rows: {verdict}{suppressed}", count(summary.rows)));
    Ok((summary, named))
}

/// The format that was asked for, or the one of the file's suffix.
pub fn format(format: Option<Format>, output: Option<&Path>) -> Result<Format> {
    match (format, output) {
        (Some(format), Some(_)) => Ok(format),
        (Some(format), None) => format.check_stdout().map(|()| format),
        (None, None) => Ok(Format::Table),
        (None, Some(path)) => Format::from_path(path).ok_or_else(|| {
            Error::usage(format!("cannot tell a format from {}", path.display()))
                .hint("use a suffix such as .csv, or say it with --format; a directory gets everything")
        }),
    }
}
