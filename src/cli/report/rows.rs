//! The rows of one report, on the screen or in one file; the head of the run goes to stderr.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use super::super::App;
use super::super::terminal::output::Output;
use super::batch::{Batch, Ground, notes};
use crate::error::{Error, Result};
use crate::render::{self, Format, Renderer};
use crate::report::{self, Judge, Params, Report, ReportSummary, State};

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
    let (log, task, given) = (ground.log(app, &[report])?, report.clone(), params.clone());
    let (span, inputs) = (batch.span(&params), ground.given());
    let facts = app.wait(async move { log.facts(&task, &given, span, &inputs).await })?;
    let coverage = &facts.coverage;
    if coverage.is_whole() {
        screen.say("  coverage 100 %")
    } else {
        screen.say(format!(
            "  coverage {:.1} %, {} longer than a day",
            (100.0 - coverage.missing_percent()).max(0.0),
            report::counted(coverage.holes().count() as u64, "gap")
        ))
    }

    let mut out = Output::begin(app, output)?;
    let width = if out.is_screen() { screen.width() } else { None };
    let is_terminal = out.is_screen() && screen.is_terminal();
    let title = Some(report.id.clone());
    let is_stream = output.is_none();
    let options = render::Options { width, is_terminal, is_stream, title, ..render::Options::default() };
    let suppressions = batch.suppressions.of_report(&report.id);
    let (runner, task) = (ground.session.clone(), report.clone());
    let written = app.wait(async move {
        let mut outcome = report::run(&task, &params, &runner).await?;
        let mut sink = Renderer::new(format, outcome.schema.clone(), options, &mut out);
        let mut judge = Judge::new(&task, &suppressions);
        while let Some(batch) = outcome.next().await? {
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
            verdict: Some(judge.verdict(&facts)),
            rows: tally.rows,
            findings: tally.findings,
            suppressed: tally.suppressed,
            attention: tally.attention,
            context: tally.context,
            worst: tally.worst(),
            by_severity: tally.by_severity,
            coverage: Some(facts.coverage.share),
            reasons: facts.reasons.clone(),
            unseen: facts.unseen,
            idle_suppressions: idle as u64,
            ..ReportSummary::default()
        };
        Ok((summary, judge.named))
    });
    let (mut summary, named) = written?;
    summary.seconds = begin.elapsed().as_secs_f64();
    let verdict = summary.verdict.map_or("", |verdict| verdict.name());
    let unseen = if summary.reasons.is_empty() {
        String::new()
    } else {
        format!(" ({} could not be seen)", report::share(summary.unseen))
    };
    screen.say(format!("  {}: {verdict}{unseen}{}", report::counted(summary.rows, "row"), notes(&summary)));
    for reason in &summary.reasons {
        screen.say(format!("    {}: {}", reason.reason.name(), reason.text));
    }
    Ok((summary, named))
}

/// Returns the format that was asked for, or the one of the file's suffix.
pub fn format(format: Option<Format>, output: Option<&Path>) -> Result<Format> {
    match (format, output) {
        (Some(format), Some(_)) => Ok(format),
        (Some(format), None) => format.check_stdout(std::io::stdout().is_terminal()).map(|()| format),
        (None, None) => Ok(Format::Table),
        (None, Some(path)) => Format::from_path(path).ok_or_else(|| {
            Error::usage(format!("cannot tell a format from {}", path.display()))
                .hint("use a suffix such as .csv, or say it with --format; a directory gets everything")
        }),
    }
}
