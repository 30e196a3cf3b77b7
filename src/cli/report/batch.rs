//! Reports with what each of them is given: parameters, period, facts; and their run into folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono_tz::Tz;

use super::super::App;
use super::super::terminal::login::login;
use super::super::terminal::signer::signer;
use super::history;
use super::prepare::Prepared;
use crate::disk;
use crate::error::{Error, Kind, Result};
use crate::lake::Lake;
use crate::report::{
    self, Asked, Change, Finding, Input, Log, Order, PROGRAM, Params, Period, Report, ReportSummary, Sealer, Span,
    Stamp, State, Summary, Suppression, Suppressions, begin_summary, change, counted, is_evidence, is_run, produce,
    standings, workbook,
};
use crate::sql::{AsOf, Session};
use crate::typed::count;

/// The inputs and options of a run over some reports.
pub struct Batch {
    pub period: Option<(String, Period)>,
    pub zone: Tz,
    /// Whether the user asked for the zone: then reports that have a parameter for one get it.
    pub has_zone: bool,
    pub params: Vec<(String, String)>,
    /// Tables beside the lake.
    pub inputs: Vec<Input>,
    /// Names of the inputs that the command itself gives.
    pub named_inputs: Vec<String>,
    pub suppressions: Suppressions,
    pub with_xlsx: bool,
    pub is_replacing: bool,
    pub schedule: Option<String>,
    /// The directory of an earlier run with which this one is compared.
    pub earlier: Option<PathBuf>,
}

/// A session over the lake and the inputs of a run, and the sealer of its evidence.
pub struct Ground {
    pub session: Arc<Session>,
    pub inputs: Arc<Vec<Input>>,
    pub sealer: Sealer,
}

impl Ground {
    pub fn over(app: &App, lake: Lake, as_of: Option<AsOf>, inputs: &[Input]) -> Result<Ground> {
        Ground::by(app, lake, as_of, inputs, app.sql_options())
    }

    /// Builds the same from the tables of the lake alone: facts are a cache, and prove nothing.
    pub fn of_tables(app: &App, lake: Lake, as_of: Option<AsOf>, inputs: &[Input]) -> Result<Ground> {
        let options = crate::sql::Options { without_facts: true, ..app.sql_options() };
        Ground::by(app, lake, as_of, inputs, options)
    }

    fn by(
        app: &App,
        lake: Lake,
        as_of: Option<AsOf>,
        inputs: &[Input],
        options: crate::sql::Options,
    ) -> Result<Ground> {
        let mut given = history::tables(app, &lake)?;
        given.retain(|(name, _)| inputs.iter().all(|input| input.name != *name));
        given.extend(inputs.iter().map(Input::given));
        let options = crate::sql::Options { as_of, given, ..options };
        let sealer = Sealer { key: lake.find_key("evidence")?, signer: None };
        let session = app.wait(async move { Session::new(&lake, &options).await })?;
        app.warn_of_left_out(session.left_out());
        Ok(Ground { session: Arc::new(session), inputs: Arc::new(inputs.to_vec()), sealer })
    }

    /// Signs evidence from here on, where the configuration names a key for it.
    pub fn signing(mut self, app: &App) -> Result<Ground> {
        self.sealer.signer = signer(app)?;
        Ok(self)
    }

    /// Returns the names of the tables that the session was given.
    pub fn given(&self) -> Vec<String> {
        self.inputs.iter().map(|input| input.name.clone()).collect()
    }

    /// Reads the log as runs of these reports see it.
    pub fn log(&self, app: &App, reports: &[&Report]) -> Result<Log> {
        let (session, reports) = (self.session.clone(), reports.iter().map(|report| (*report).clone()));
        let reports: Vec<Report> = reports.collect();
        app.wait(async move { Log::read(session, &reports).await })
    }
}

impl Batch {
    /// Redacts what was given from outside of the lake before it becomes evidence. A secret turns into the placeholder
    /// that the lake's rows have for it, so a parameter still finds them, and the evidence can be run again.
    pub fn redacted(mut self, app: &App, lake: &Lake) -> Result<Batch> {
        let Suppressions { entries, expired, .. } = &self.suppressions;
        if self.params.is_empty() && entries.is_empty() && expired.is_empty() {
            // Unreadable rules are still reported; preparing them takes as long as a small report.
            return app.rules().map(|_| self);
        }
        let (policy, has_key) = app.policy_of_reader(lake)?;
        for (name, value) in &mut self.params {
            let redacted = policy.operand(value);
            if redacted != *value {
                if !has_key {
                    return Err(Error::new(
                        Kind::Unavailable,
                        format!("cannot look for the secret in parameter `{name}`"),
                    )
                    .hint("rows have a placeholder for it that is made with the lake's key, which is not at hand"));
                }
                app.screen
                    .say(format!("note: parameter `{name}` held a secret; it is replaced as in the lake, {redacted}"));
                *value = redacted;
            }
        }
        let explained = |mut entry: Suppression| {
            entry.finding = policy.operand(&entry.finding);
            entry.reason = policy.own(&entry.reason);
            entry.owner = policy.operand(&entry.owner);
            entry
        };
        let Suppressions { entries, expired, .. } = self.suppressions;
        let [entries, expired] = [entries, expired].map(|list| list.into_iter().map(explained).collect());
        self.suppressions = Suppressions::new(entries, expired);
        Ok(self)
    }

    /// Returns whether the command itself named an input, and not the configuration.
    fn is_named(&self, input: &str) -> bool {
        self.named_inputs.iter().any(|name| name == input)
    }

    pub fn asked(&self) -> Asked {
        match &self.period {
            Some((text, period)) => self.asked_of(text, *period),
            None => Asked { time_zone: self.zone.name().to_string(), ..Asked::default() },
        }
    }

    fn asked_of(&self, text: &str, period: Period) -> Asked {
        Asked {
            text: Some(text.to_string()),
            time_zone: self.zone.name().to_string(),
            from_ms: Some(period.from_ms),
            to_ms: Some(period.to_ms),
        }
    }

    /// Compares a report with the earlier run; returns `None` where that run did not include it.
    fn change(&self, folder: &str, now: &Path) -> Result<Option<Change>> {
        let Some(earlier) = self.earlier.as_ref().map(|dir| dir.join(folder)) else { return Ok(None) };
        if is_evidence(&earlier) { change(&earlier, now).map(Some) } else { Ok(None) }
    }

    pub fn span(&self, params: &Params) -> Span {
        Span::of(params, self.period.as_ref().map(|(_, period)| (period.from_ms, period.to_ms)))
    }
}

/// Runs each report into its folder below `dir`; for several also writes the index, the workbook and the summary.
pub fn into_folders(
    app: &App,
    ground: &Ground,
    batch: &Batch,
    prepared: Vec<Prepared>,
    dir: &Path,
) -> Result<(Summary, BTreeMap<String, Vec<Finding>>)> {
    let is_many = prepared.len() > 1;
    let stamp =
        Stamp { time_ms: app.clock.now_ms(), user: login(), program: PROGRAM.to_string(), with_xlsx: batch.with_xlsx };
    let asked = batch.asked();
    let mut summary =
        begin_summary(stamp.time_ms, &stamp.user, asked.clone(), ground.session.entry(), &dir.display().to_string());
    summary.schedule = batch.schedule.clone();
    let (sequence, hash) = ground.session.entry();
    app.screen.say(format!("ledger entry {sequence}, sha256 {hash}"));
    let mut named = BTreeMap::new();
    let mut read = BTreeSet::new();
    let ready: Vec<&Report> = prepared.iter().map(Prepared::report).collect();
    let log = Arc::new(ground.log(app, &ready)?);
    let kept = kept(ground, batch, &prepared, dir)?;
    for one in prepared {
        let folder = one.folder();
        let (report, params, part) = match one {
            Prepared::Ready { report, params, part } => (report, params, part),
            Prepared::Left(report, reason) => {
                app.screen.say(format!("{}: no part of this run: {reason}", report.id));
                continue;
            }
            Prepared::Skipped(report, reason) => {
                app.screen.say(format!("{}: not run: {reason}", report.id));
                summary.reports.push(ReportSummary::not_done(&report.id, &report.title, State::Skipped, reason));
                continue;
            }
        };
        let begin = Instant::now();
        let asked = part.map_or_else(|| asked.clone(), |month| batch.asked_of(&month.name(), month));
        let span = Span::of(&params, asked.from_ms.zip(asked.to_ms));
        let part = part.map(|month| month.name());
        let (log, task) = (log.clone(), (*report).clone());
        let suppressions = batch.suppressions.of_report(&report.id);
        let (stamp, seal, unfinished) = (stamp.clone(), Some(ground.sealer.clone()), app.unfinished.clone());
        let (inputs, given) = (ground.inputs.clone(), ground.given());
        let (parent, is_replacing, name) = (dir.to_path_buf(), batch.is_replacing, folder.clone());
        let produced = app.wait(async move {
            let facts = log.facts(&task, &params, span, &given).await?;
            let session = log.session().clone();
            let order = Order {
                session,
                report: task,
                folder: name,
                params,
                asked,
                facts,
                inputs,
                suppressions,
                stamp,
                seal,
                unfinished,
            };
            produce(&order, &parent, is_replacing).await
        });
        match produced {
            Ok(produced) => {
                read.extend(produced.evidence.inputs.iter().map(|input| input.name.clone()));
                let done = ReportSummary::done(&produced.evidence, begin.elapsed().as_secs_f64())?;
                let change = batch.change(&folder, &produced.folder)?;
                let done = ReportSummary { part, change, ..done };
                say(app, &done);
                summary.findings += done.findings;
                summary.attention += done.attention;
                summary.reports.push(done);
                named.insert(folder, produced.named);
            }
            // Alone, a report that fails is an error; among others it must not keep them from running.
            Err(error) if !is_many => return Err(error),
            Err(error) => {
                app.screen.error(&error);
                let reason = error.to_string();
                let failed = ReportSummary::not_done(&report.id, &report.title, State::Failed, reason);
                summary.reports.push(ReportSummary { part, ..failed });
            }
        }
    }
    if is_many || is_run(dir) {
        let mut whole = kept.map_or_else(|| summary.clone(), |kept| summary.joined(kept));
        whole.frameworks = standings(&super::catalog(app)?, &whole);
        beside(dir, &whole, &ground.sealer)?;
    }
    for input in ground.inputs.iter().filter(|input| batch.is_named(&input.name) && !read.contains(&input.name)) {
        app.screen.say(format!("note: no report of this run reads the input `{}`", input.name));
    }
    Ok((summary, named))
}

/// Writes the files of a run over several reports beside their folders. The manifest comes last: it knows the others.
fn beside(dir: &Path, summary: &Summary, sealer: &Sealer) -> Result<()> {
    let done = summary.reports.iter().filter(|report| report.state == State::Done);
    let ids: Vec<String> = done.map(ReportSummary::folder).collect();
    if !ids.is_empty() {
        let folders: Vec<PathBuf> = ids.iter().map(|id| dir.join(id)).collect();
        disk::write(&dir.join("workbook.xlsx"), &workbook(summary, &folders)?)?;
    }
    report::beside(dir, summary, &ids, sealer)
}

/// Returns the run that `dir` already holds, if reports of it stay. All reports of a run see one entry and are of one
/// period: anything that would put two runs under one index is refused before anything is written.
fn kept(ground: &Ground, batch: &Batch, prepared: &[Prepared], dir: &Path) -> Result<Option<Summary>> {
    // A schedule's directory is its own: an interrupted run begins again, whatever the lake has ingested since.
    if batch.schedule.is_some() {
        return Ok(None);
    }
    let ids: Vec<String> = prepared.iter().map(Prepared::folder).collect();
    let Some(kept) = report::kept(dir, &ids, &ground.sealer)? else { return Ok(None) };
    let asked = batch.asked();
    let period = |asked: &Asked| asked.text.clone().unwrap_or_else(|| "none".to_string());
    let said =
        |entry: u64, asked: &Asked| format!("ledger entry {entry}, period {}, {}", period(asked), asked.time_zone);
    let (sequence, hash) = ground.session.entry();
    if (kept.ledger_sequence, kept.ledger_sha256.as_str(), &kept.period) == (sequence, hash, &asked) {
        return Ok(Some(kept));
    }
    let (there, here) = (said(kept.ledger_sequence, &kept.period), said(sequence, &asked));
    Err(Error::usage(format!("{} holds a run over {there}; this would be one over {here}", dir.display()))
        .hint(format!("say `--as-of {}` and the same period, or name another directory", kept.ledger_sequence)))
}

/// Prints one line per report.
pub fn say(app: &App, report: &ReportSummary) {
    let what = match report.verdict {
        Some(crate::report::Verdict::Findings) => {
            let worst = report.worst.map_or(String::new(), |worst| format!(", worst {worst}"));
            format!("{}{worst}", counted(report.findings, "finding"))
        }
        Some(crate::report::Verdict::None) => "no finding".to_string(),
        Some(crate::report::Verdict::Evidence) => counted(report.rows, "row"),
        Some(crate::report::Verdict::NotAssessable) => report.not_assessable(),
        None => String::new(),
    };
    let mut line = format!("{}: {what}", report.folder());
    if let Some(share) = report.coverage.filter(|share| *share < 1.0) {
        line.push_str(&format!(", coverage {:.1} %", (share * 1000.0).floor() / 10.0));
    }
    if !report.reasons.is_empty() && report.verdict != Some(crate::report::Verdict::NotAssessable) {
        line.push_str(&format!(", could not see everything ({})", report::kinds(&report.reasons)));
    }
    line.push_str(&notes(report));
    if report.idle_suppressions > 0 {
        line.push_str(&format!(", {} expired or unused", counted(report.idle_suppressions, "suppression")));
    }
    app.screen.say(line);
}

/// Describes rows that are not findings but still need attention.
pub fn notes(report: &ReportSummary) -> String {
    let notes = [(report.attention, "to look at"), (report.context, "as context"), (report.suppressed, "suppressed")];
    let there = notes.iter().filter(|(rows, _)| *rows > 0);
    there.map(|(rows, what)| format!(", {} {what}", count(*rows))).collect()
}
