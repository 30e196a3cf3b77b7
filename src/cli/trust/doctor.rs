//! `auditlake doctor`: the health of a lake and its machine, and what to do about problems.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;

use super::super::App;
use super::verify::{check, things};
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::lake::{Anchors, Body, FORMAT, KeyPlace, Lake, Level, WRITER};
use crate::typed::{bytes, count, span};

/// A clock that is behind the ledger by more than this is reported.
const SKEW_MS: i64 = 5 * 60 * 1000;
/// Free bytes below which the next ingest may not end.
const LEAST_FREE: u64 = 1 << 30;
/// The number of kinds of drift that are shown.
const DRIFT_SHOWN: usize = 3;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// The state of one thing that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Well,
    /// Useful to know.
    Note,
    /// Somebody has to act.
    Act,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    /// The advice for the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn well(&mut self, what: &'static str, found: impl Into<String>) {
        self.0.push(Finding { what, state: State::Well, found: found.into(), advice: None });
    }

    fn note(&mut self, what: &'static str, found: impl Into<String>, advice: &str) {
        self.0.push(Finding { what, state: State::Note, found: found.into(), advice: Some(advice.to_string()) });
    }

    fn act(&mut self, what: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { what, state: State::Act, found: found.into(), advice: Some(advice.into()) });
    }
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let mut findings = Findings::default();
    let path = app.lake_path();
    // Verification comes before anything is opened, since opening finishes what is half done.
    let verified = check(app, None, Level::Files, None, None)?;
    match verified.fault_count {
        0 => findings.well("verify", format!("sound at level 1: ledger entry {}", verified.head.sequence)),
        faults => {
            let first = verified.faults.first().map(|fault| format!(", the first: {}: {}", fault.path, fault.fault));
            let found = format!("{}{}", things(faults), first.unwrap_or_default());
            findings.act(
                "verify",
                found,
                "`auditlake verify` lists them; `auditlake repair --dry-run` says what can be mended",
            );
        }
    }
    for note in &verified.notes {
        findings.note("verify", format!("{}: {}", note.path, note.fault), "nothing needs to be done");
    }
    machine(app, &path, &mut findings)?;
    configuration(app, &mut findings);
    match app.open_lake() {
        Ok(lake) => of_lake(app, &lake, &mut findings)?,
        Err(error) => {
            let advice = error.hint_text().unwrap_or("restore the lake from a backup").to_string();
            findings.act("lake", error.to_string(), advice);
        }
    }
    tell(app, &findings.0, args.json)?;
    let is_sick = findings.0.iter().any(|finding| finding.state == State::Act);
    Ok(if is_sick { Kind::Finding.exit_code() } else { 0 })
}

fn machine(app: &App, path: &Path, findings: &mut Findings) -> Result<()> {
    let (free, all) =
        disk::space(path).context(Kind::Unavailable, || format!("cannot ask for the space at {}", path.display()))?;
    let found = format!("{} of {} are free", bytes(free), bytes(all));
    if free < LEAST_FREE {
        findings.act("disk", found, "make room, or move the lake: a copy of the whole folder is a lake")
    } else {
        findings.well("disk", found)
    }
    let path = path.to_path_buf();
    let ocsf = app.ocsf()?;
    let last_ms = app.wait(async move { Ok(Lake::open(&path, ocsf).await.ok().map(|lake| lake.state().time_ms)) })?;
    let Some(last_ms) = last_ms else { return Ok(()) };
    match last_ms - app.clock.now_ms() {
        behind if behind > SKEW_MS => findings.act(
            "clock",
            format!(
                "this machine's clock is {} behind the newest ledger entry",
                span(std::time::Duration::from_millis(behind.unsigned_abs()))
            ),
            "set the clock (NTP); if the clock of then was ahead, entries keep its time until the clock has caught up",
        ),
        _ => findings.well("clock", "not behind the ledger"),
    }
    Ok(())
}

fn configuration(app: &App, findings: &mut Findings) {
    let key = match app.key_place() {
        KeyPlace::Lake => "in the lake".to_string(),
        KeyPlace::File(path) => path.display().to_string(),
        KeyPlace::Elsewhere { origin, .. } => origin,
    };
    findings.well("configuration", format!("{}; lake {}, key {key}", app.config.origin(), app.lake_path().display()));
    match app.config.sources() {
        Ok(sources) => findings.well("API sources", sources.len().to_string()),
        Err(error) => {
            findings.act("API sources", error.to_string(), error.hint_text().unwrap_or("mend the configuration"))
        }
    }
    if !app.config.is_redacting() {
        findings.act("redaction", "it is off: secrets are stored as they come", "set `enabled = true` in `[redact]`");
    }
}

fn of_lake(app: &App, lake: &Lake, findings: &mut Findings) -> Result<()> {
    let state = lake.state();
    findings.well("version", format!("{WRITER}, format {FORMAT}; the newest entry was written by {}", state.writer));
    if let Err(error) = state.format.check_writable(&state.writer) {
        findings.act("version", error.to_string(), "upgrade this program: it can read the lake, and not write to it");
    }
    match lake.find_key("doctor") {
        Ok(Some(_)) => findings.well("key", "it is the lake's, and nobody else can read it"),
        Ok(None) => findings.note("key", "it is not at hand", "nothing: those who only read need none"),
        Err(error) => {
            let advice = error.hint_text().unwrap_or("restore it from a backup").to_string();
            findings.act("key", error.to_string(), advice);
        }
    }
    modes(lake, findings)?;
    let (totals, notes) = (&state.totals, &state.notes);
    if totals.rejected > 0 {
        let found = format!("{} lines were rejected", count(totals.rejected));
        findings.note(
            "rejects",
            found,
            "`auditlake reject list` shows them, `auditlake reject retry` takes them in after a fix",
        );
    }
    if totals.revised > 0 {
        let found = format!("{} events were sent again with other content", count(totals.revised));
        findings.note(
            "revisions",
            found,
            "`select * from revision` shows what changed: somebody may have edited records",
        );
    }
    if notes.shared_uids > 0 {
        let found = format!("at least {} rows share their uid with another event", count(notes.shared_uids));
        findings.note("shared uids", found, "join on uid together with the logging system, not on uid alone");
    }
    if notes.without_uid > 0 {
        let found = format!(
            "{} rows have no uid, {} of them exact doubles",
            count(notes.without_uid),
            count(notes.exact_doubles)
        );
        findings.note(
            "without uid",
            found,
            "have the producer set `metadata.uid`: without it another delivery is not recognised",
        );
    }
    for (table, rows) in lake.unknown_tables() {
        let found = format!("`{table}` has {} rows, but no schema of that name is loaded", count(rows));
        findings.act(
            "schema",
            found,
            "pass the directory with its class file: --schemas DIR, or `schemas` in the configuration",
        );
    }
    anchors(app, lake, findings)?;
    drift(app, lake, findings)?;
    coverage(app, lake, findings);
    Ok(())
}

/// Checks whether others may read or write more than the lake allows.
fn modes(lake: &Lake, findings: &mut Findings) -> Result<()> {
    let access = lake.state().lake.access;
    let cannot = || format!("cannot look at {}", lake.root().display());
    let mut open = Vec::new();
    let mut look = |path: &Path| -> Result<()> {
        let known = std::fs::symlink_metadata(path).context(Kind::Unavailable, cannot)?;
        let allowed = if known.is_dir() { access.folder_mode() } else { access.file_mode() };
        if !known.is_symlink() && known.permissions().mode() & 0o777 & !allowed != 0 {
            open.push(path.strip_prefix(lake.root()).unwrap_or(path).display().to_string());
        }
        Ok(())
    };
    look(lake.root())?;
    for entry in std::fs::read_dir(lake.root()).context(Kind::Unavailable, cannot)? {
        look(&entry.context(Kind::Unavailable, cannot)?.path())?;
    }
    for file in lake.files().take(1000) {
        let path = lake.root().join(file.data_path().as_ref());
        if path.exists() {
            look(&path)?;
        }
    }
    match open.first() {
        None => findings.well("modes", "nobody else may do more than the lake allows"),
        Some(first) => {
            let first = if first.is_empty() { "the lake's folder" } else { first };
            let found = format!(
                "others may do more than the lake allows with {} files or folders, such as {first}",
                open.len()
            );
            findings.act(
                "modes",
                found,
                format!("chmod -R go-rwx {}, or what the lake's access is", lake.root().display()),
            );
        }
    }
    Ok(())
}

/// Checks whether heads are recorded elsewhere, as the configuration wants, and when that was done last.
fn anchors(app: &App, lake: &Lake, findings: &mut Findings) -> Result<()> {
    let (anchors, wanted) = (Anchors::of(lake.root()), app.config.anchor());
    let newest = match anchors.newest() {
        Err(error) if error.kind() == Kind::Integrity => {
            findings.act("anchors", error.to_string(), "restore `_anchors/` from a backup");
            return Ok(());
        }
        newest => newest?,
    };
    let now_ms = app.clock.now_ms();
    let ago =
        |time_ms: i64| span(std::time::Duration::from_millis(now_ms.saturating_sub(time_ms).max(0).unsigned_abs()));
    let last = newest.as_ref().map_or("none was recorded yet".to_string(), |newest| {
        format!("the last one is of ledger entry {}, {} ago", newest.body.head.sequence, ago(newest.time_ms))
    });
    if wanted.command.is_empty() {
        if newest.is_some() {
            let advice = "name the command again: `command` in `[anchor]`";
            findings.act("anchors", format!("heads are no longer recorded elsewhere; {last}"), advice);
        }
        return Ok(());
    }
    let advice = "run the command by hand, mend it, and run `auditlake ledger anchor`";
    if let Some(failing) = anchors.failing()? {
        let times = match failing.attempts {
            1 => "1 attempt".to_string(),
            more => format!("{} attempts", count(more)),
        };
        let found =
            format!("{times} failed since {} ago, the last one: {}; {last}", ago(failing.since_ms), failing.reason);
        findings.act("anchors", found, advice);
        return Ok(());
    }
    // When the oldest entry after the newest anchor is due, somebody should have recorded it.
    let behind = newest.as_ref().is_none_or(|newest| newest.body.head.sequence < lake.state().sequence);
    let waits_ms = now_ms.saturating_sub(newest.as_ref().map_or(lake.state().time_ms, |newest| newest.time_ms));
    let most_ms = i64::try_from(wanted.every.as_millis().saturating_mul(2)).unwrap_or(i64::MAX);
    if behind && waits_ms > most_ms {
        findings.act(
            "anchors",
            format!("entries since are recorded nowhere else; {last}"),
            "`auditlake ledger anchor` records the newest one; a timer that runs it covers times without commits",
        )
    } else {
        findings.well("anchors", last)
    }
    Ok(())
}

fn drift(app: &App, lake: &Lake, findings: &mut Findings) -> Result<()> {
    let (lake, last) = (lake.clone(), lake.state().sequence);
    let found = app.wait(async move {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        lake.entries(0, last, |entry, _| {
            if let Body::Ingest(ingest) = entry.body {
                ingest.drift.into_iter().for_each(|(what, times)| *found.entry(what).or_default() += times);
            }
            Ok(())
        })
        .await?;
        Ok(found)
    })?;
    let mut most: Vec<(&String, &u64)> = found.iter().collect();
    most.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
    let shown: Vec<String> =
        most.iter().take(DRIFT_SHOWN).map(|(what, times)| format!("{what} ({})", count(**times))).collect();
    match found.len() {
        0 => findings.well("drift", "every value fits its column"),
        kinds => {
            let found = format!("{kinds} kinds, most often {}", shown.join(", "));
            findings.note("drift", found, "the values are in `_extra`; tell the producer, or extend the schema");
        }
    }
    Ok(())
}

fn coverage(app: &App, lake: &Lake, findings: &mut Findings) {
    for (name, pull) in &lake.state().pulls {
        let last = pull.covered.last().map(|interval| interval.to_ms);
        let holes = pull.credible(app.clock.now_ms()).spans(None, last).iter().filter(|span| !span.is_covered).count();
        match holes {
            0 => findings.well("coverage", format!("{name}: no gaps")),
            holes => {
                let found = format!("{name}: {holes} gaps");
                findings.act(
                    "coverage",
                    found,
                    format!(
                        "`auditlake coverage {name}` shows them; `auditlake pull {name}` fills what the API still has"
                    ),
                );
            }
        }
    }
}

fn tell(app: &App, findings: &[Finding], is_json: bool) -> Result<()> {
    if is_json {
        let text = serde_json::to_string(findings).context(Kind::Internal, || "cannot encode the findings")? + "\n";
        return app.screen.print_json(&text);
    }
    for Finding { what, state, found, advice } in findings {
        let mark = match state {
            State::Well => "well",
            State::Note => "note",
            State::Act => "act ",
        };
        app.screen.print(&format!("{mark}  {what}: {found}\n"))?;
        if let Some(advice) = advice {
            app.screen.print(&format!("      {advice}\n"))?;
        }
    }
    Ok(())
}
