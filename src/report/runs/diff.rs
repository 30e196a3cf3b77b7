//! Two runs of one report: which findings are new, gone, and still there, by their key.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::evidence::findings::{Keys, Severity, Verdict, key_of, severity_of};
use super::super::evidence::record::{self, Evidence};
use super::super::evidence::suppress::Suppressions;
use super::summary::Change;
use crate::error::{Context, Error, Kind, Result};

/// The differences between the findings of two folders.
#[derive(Debug, Default, Serialize)]
pub struct Diff {
    pub report: String,
    pub new: Vec<Entry>,
    pub gone: Vec<Entry>,
    pub unchanged: Vec<Entry>,
}

/// One finding, with its row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub finding: String,
    pub severity: &'static str,
    pub row: Map<String, Value>,
}

/// Compares folder `a`, the earlier one, with `b`.
pub fn diff(a: &Path, b: &Path) -> Result<Diff> {
    let (first, before) = findings(a)?;
    let (second, after) = findings(b)?;
    if first != second {
        return Err(Error::usage(format!("cannot compare `{first}` with `{second}`"))
            .hint("name two folders of the same report"));
    }
    let mut diff = Diff { report: first, ..Diff::default() };
    for (key, entry) in &after {
        let place = if before.contains_key(key) { &mut diff.unchanged } else { &mut diff.new };
        place.push(entry.clone());
    }
    diff.gone = before.into_iter().filter(|(key, _)| !after.contains_key(key)).map(|(_, entry)| entry).collect();
    Ok(diff)
}

/// Counts the findings of folder `b` that the earlier folder `a` did not have, and the other way round. Rows that
/// somebody explained, and rows that a detection shows as context, are not findings.
pub fn change(a: &Path, b: &Path) -> Result<Change> {
    let ((earlier, before), (later, after)) = (counted(a)?, counted(b)?);
    if earlier.report.id != later.report.id {
        return Err(Error::usage(format!("cannot compare `{}` with `{}`", earlier.report.id, later.report.id)));
    }
    Ok(Change {
        since: earlier.period.text.unwrap_or_else(|| "as given".to_string()),
        since_ms: earlier.run.time_ms,
        new: after.keys().filter(|key| !before.contains_key(*key)).count() as u64,
        gone: before.keys().filter(|key| !after.contains_key(*key)).count() as u64,
    })
}

/// Returns the rows of a folder that its verdict counts.
fn counted(folder: &Path) -> Result<(Evidence, BTreeMap<String, Entry>)> {
    let (evidence, mut found) = read(folder)?;
    let suppressions = Suppressions::new(evidence.suppressions.entries.clone(), Vec::new());
    let is_explained = |key: &str| suppressions.place(key).is_some();
    let least = if evidence.verdict == Verdict::Evidence { Severity::Medium } else { Severity::Low };
    let is_said = |entry: &Entry| evidence.verdict != Verdict::Evidence || entry.row.get("severity_id").is_some();
    found.retain(|key, entry| !is_explained(key) && is_said(entry) && severity_of(&entry.row) >= least);
    Ok((evidence, found))
}

/// Returns the report of a folder and its findings by key.
fn findings(folder: &Path) -> Result<(String, BTreeMap<String, Entry>)> {
    read(folder).map(|(evidence, found)| (evidence.report.id, found))
}

fn read(folder: &Path) -> Result<(Evidence, BTreeMap<String, Entry>)> {
    let (evidence, rows) = rows(folder)?;
    Ok((evidence, rows.into_iter().map(|entry| (entry.finding.clone(), entry)).collect()))
}

/// Returns the rows of a folder in their order, each with a key of its own.
pub(in crate::report) fn rows(folder: &Path) -> Result<(Evidence, Vec<Entry>)> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).context(Kind::Usage, || format!("cannot read {}", path.display()))
    };
    let bytes = read(record::FILE)
        .map_err(|error| error.hint("name the folder of one report, as `report run -o DIR` makes it"))?;
    let evidence = Evidence::parse(&bytes, &folder.join(record::FILE).display().to_string())?;
    let text = String::from_utf8_lossy(&read("result.json")?).into_owned();
    let (mut found, mut keys) = (Vec::new(), Keys::default());
    // The program writes one row per line: the line itself makes the key of a row that has none.
    for line in text.lines() {
        let line = line.trim_start_matches('[').trim_end_matches(']').trim_end_matches(',');
        if line.is_empty() {
            continue;
        }
        let row: Map<String, Value> = serde_json::from_str(line)
            .context(Kind::Integrity, || format!("cannot read {}", folder.join("result.json").display()))?;
        let finding = keys.take(key_of(&evidence.report.id, &row, line));
        let severity = severity_of(&row).name();
        found.push(Entry { finding, severity, row });
    }
    Ok((evidence, found))
}
