//! `auditlake report verify --runs`: everything that the schedules have run, compared with its log.
//!
//! The run log is a chain in the lake, and names the hash of each report's evidence. So a folder that was removed is
//! noticed, and so is one that replaced it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::App;
use super::verify::line;
use crate::error::{Context, Error, Kind, Result};
use crate::jobs::{Body, Log, RUNS};
use crate::report::{State, Summary, hash_file};

/// Prints a line for each run. Errors with [`Kind::Integrity`] when something is missing or changed.
pub fn verify(app: &App) -> Result<u8> {
    let lake = app.open_lake()?;
    let log = Log::read(&lake.root().join(RUNS))?;
    // A later run has replaced the earlier one's folder.
    let mut last: BTreeMap<PathBuf, (u64, Summary)> = BTreeMap::new();
    for entry in log.entries() {
        let Body::Done { summary, .. } = &entry.body else { continue };
        let summary: Summary = serde_json::from_value(summary.clone())
            .context(Kind::Integrity, || format!("cannot read entry {} of the run log", entry.sequence))?;
        last.insert(PathBuf::from(&summary.folder), (entry.sequence, summary));
    }
    let mut bad = 0;
    for (folder, (sequence, summary)) in &last {
        let problems = problems(folder, summary)?;
        let name = line(&folder.display().to_string());
        for problem in &problems {
            app.screen.print(&format!("{name}: {problem}\n"))?;
        }
        bad += problems.len();
        if problems.is_empty() {
            let reports = summary.reports.iter().filter(|report| report.state == State::Done).count();
            app.screen.print(&format!("{name}: {reports} reports, as entry {sequence} of the run log has them\n"))?;
        }
    }
    match bad {
        0 => Ok(0),
        _ => Err(Error::new(Kind::Integrity, "the evidence is not what was written")),
    }
}

fn problems(folder: &Path, summary: &Summary) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for report in summary.reports.iter().filter(|report| report.state == State::Done) {
        let Some(sha256) = &report.evidence_sha256 else { continue };
        let name = report.folder();
        let path = folder.join(&name).join("evidence.json");
        match path.symlink_metadata() {
            Err(_) => found.push(format!("{name}/evidence.json is missing")),
            Ok(known) if !known.is_file() => found.push(format!("{name}/evidence.json is no file")),
            Ok(_) if hash_file(&path)?.0 != *sha256 => found.push(format!("{name}/evidence.json was changed")),
            Ok(_) => {}
        }
    }
    Ok(found)
}
